/*
 * pidfile.c - the file that says which process is the server.
 *
 * The lock is flock(2)'s: it belongs to the open file, so it goes with the
 * process however that dies, and another process can only try it, which is
 * how pidfile_holder asks.  A name can be removed while it is opened: the
 * file behind the lock is compared with the one behind the name, and the
 * opening tried again.
 */
#include "base/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

enum { TRIES = 100 }; /* of a millisecond */

static pid_t
read_pid(int fd)
{
	unsigned long long pid;
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n < 0)
		return -errno;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	if (str_to_u64((struct str){text, (size_t)n}, &pid) < 0 || pid == 0 ||
		pid > 1 << 30)
		return -EINVAL;
	return (pid_t)pid;
}

static bool
is_at(const char *path, int fd)
{
	struct stat named, held;

	return stat(path, &named) == 0 && fstat(fd, &held) == 0 &&
	       named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

/* Who only looks, as pidfile_holder does, holds the lock for a moment, but
 * shares it: that is no server, and it will be gone.  0, -EWOULDBLOCK when a
 * server has it, or another negative errno. */
static int
lock(int fd)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (int i = 0; i < TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK || flock(fd, LOCK_SH | LOCK_NB) < 0)
			return -errno;
		flock(fd, LOCK_UN);
		nanosleep(&moment, NULL);
	}
	return -EWOULDBLOCK;
}

int
pidfile_acquire(const char *path, const char *choice, struct err *err)
{
	for (;;) {
		AUTO_CLOSE int fd = open(
			path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		int ret, rc;

		if (fd < 0)
			return err_set(err, errno, "pid file %s", path);
		rc = lock(fd);
		if (rc < 0 && rc != -EWOULDBLOCK)
			return err_set(err, -rc, "lock of pid file %s", path);
		if (rc < 0) {
			pid_t pid = read_pid(fd);

			if (pid > 0)
				return err_setx(err, EWOULDBLOCK,
					"wsgid already runs with pid file %s "
					"(pid %d); stop it or choose another "
					"%s",
					path, (int)pid, choice);
			return err_setx(err, EWOULDBLOCK,
				"wsgid already runs with pid file %s; stop it "
				"or choose another %s",
				path, choice);
		}
		if (!is_at(path, fd))
			continue;
		ret = fd;
		fd = -1;
		return ret;
	}
}

int
pidfile_write(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	ssize_t written;

	if (ftruncate(fd, 0) < 0)
		return -errno;
	written = pwrite(fd, text, (size_t)n, 0);
	if (written < 0)
		return -errno;
	return written == n ? 0 : -EIO;
}

void
pidfile_remove(const char *path, int fd)
{
	if (is_at(path, fd))
		unlink(path);
}

pid_t
pidfile_holder(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return -ESRCH;
	return errno == EWOULDBLOCK ? read_pid(fd) : -errno;
}
