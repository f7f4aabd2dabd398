/*
 * fcntl.c - accept mutex by a record lock of fcntl(2).
 *
 * By F_OFD_SETLKW, whose lock belongs to the open file description, and not
 * by POSIX's F_SETLKW, whose lock belongs to the process.  The kernel looks
 * for deadlocks among the latter, by process: with several threads in a
 * child, an application that waits for a record lock of its own, while a
 * sibling that holds that one waits for this mutex, would be told EDEADLK for
 * nothing.  And POSIX's lock is gone when the process closes any descriptor
 * of the file.  The price is flock's: see there what a forked process owes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "lock/accept_mutex_priv.h"
#include "lock/lock_file_priv.h"

/* Understands what flock(2) understands. */
static int
operate(int fd, int operation)
{
	struct flock whole = {
		.l_type = operation & LOCK_UN ? F_UNLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	int command = operation & LOCK_NB ? F_OFD_SETLK : F_OFD_SETLKW;

	return fcntl(fd, command, &whole) < 0 ? -errno : 0;
}

static int
fcntl_create(struct accept_mutex *m,
	const struct accept_mutex_settings *settings, struct err *err)
{
	int fd = lock_file_create(m->how->name, settings->file, err);

	if (fd < 0)
		return fd;
	m->fd = fd;
	return 0;
}

static int
fcntl_export(struct accept_mutex *m)
{
	return lock_file_reopen(m->fd);
}

static int
fcntl_attach(struct accept_mutex *m, struct err *err)
{
	int rc = lock_file_check(m->fd);

	if (rc < 0)
		return err_set(err, -rc, "Mutex %s: descriptor %d",
			m->how->name, m->fd);
	return 0;
}

static int
fcntl_lock(struct accept_mutex *m)
{
	return operate(m->fd, LOCK_EX);
}

static int
fcntl_unlock(struct accept_mutex *m)
{
	return operate(m->fd, LOCK_UN);
}

static int
fcntl_prove(struct accept_mutex *m, struct err *err)
{
	return lock_file_prove(m->how->name, m->fd, operate, err);
}

static const char *
fcntl_explain(int code)
{
	return code == ENOLCK ? "the kernel is out of record locks" : NULL;
}

const struct accept_mutex_mechanism accept_mutex_fcntl = {
	.name = "fcntl",
	.size = sizeof(struct accept_mutex),
	.create = fcntl_create,
	.export_fd = fcntl_export,
	.attach = fcntl_attach,
	.lock = fcntl_lock,
	.unlock = fcntl_unlock,
	.prove = fcntl_prove,
	.explain = fcntl_explain,
	.takes_file = true,
};
