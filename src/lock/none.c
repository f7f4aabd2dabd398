/*
 * none.c - no accept mutex: everybody holds it.
 *
 * It has a descriptor all the same, so that nobody who counts a child's
 * descriptors has to know about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "lock/accept_mutex_priv.h"

static int
none_create(struct accept_mutex *m,
	const struct accept_mutex_settings *settings, struct err *err)
{
	(void)m;
	(void)settings;
	(void)err;
	return 0;
}

static int
none_export(struct accept_mutex *m)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)m;
	return fd < 0 ? -errno : fd;
}

static int
none_attach(struct accept_mutex *m, struct err *err)
{
	(void)m;
	(void)err;
	return 0;
}

static int
none_lock(struct accept_mutex *m)
{
	(void)m;
	return 0;
}

const struct accept_mutex_mechanism accept_mutex_none = {
	.name = "none",
	.size = sizeof(struct accept_mutex),
	.create = none_create,
	.export_fd = none_export,
	.attach = none_attach,
	.lock = none_lock,
	.unlock = none_lock,
};
