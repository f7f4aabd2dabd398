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
	.create = lock_file_mutex_create,
	.export_fd = lock_file_mutex_export,
	.attach = lock_file_mutex_attach,
	.lock = fcntl_lock,
	.unlock = fcntl_unlock,
	.prove = fcntl_prove,
	.explain = fcntl_explain,
	.takes_file = true,
};
