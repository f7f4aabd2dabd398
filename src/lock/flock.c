/*
 * flock.c - accept mutex by flock(2).
 *
 * The kernel lets go when the last descriptor of the holder's own opening is
 * closed, which is when the holder dies, however it dies.  So a process that
 * the application forks must close its copy, or it keeps a dead holder's
 * lock; see accept_mutex_destroy.
 */
#include <errno.h>
#include <sys/file.h>

#include "lock/accept_mutex_priv.h"
#include "lock/lock_file_priv.h"

static int
operate(int fd, int operation)
{
	return flock(fd, operation) < 0 ? -errno : 0;
}

static int
flock_lock(struct accept_mutex *m)
{
	return operate(m->fd, LOCK_EX);
}

static int
flock_unlock(struct accept_mutex *m)
{
	return operate(m->fd, LOCK_UN);
}

static int
flock_prove(struct accept_mutex *m, struct err *err)
{
	return lock_file_prove(m->how->name, m->fd, operate, err);
}

const struct accept_mutex_mechanism accept_mutex_flock = {
	.name = "flock",
	.size = sizeof(struct accept_mutex),
	.create = lock_file_mutex_create,
	.export_fd = lock_file_mutex_export,
	.attach = lock_file_mutex_attach,
	.lock = flock_lock,
	.unlock = flock_unlock,
	.prove = flock_prove,
	.takes_file = true,
};
