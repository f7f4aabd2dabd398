/*
 * pidfile.c - the file that says which process is the server.
 *
 * The lock is an open file description's (fcntl(2), F_OFD_SETLK): it goes with
 * the process however that dies, and unlike flock(2)'s it can be asked for
 * without being taken, so that who only looks is in nobody's way.  A name can be removed while it is opened: the
 * file behind the lock is compared with the one behind the name, and the
 * opening tried again.
 */
#include "base/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

pid_t
pidfile_read(int fd)
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

/* 0, -EWOULDBLOCK when a server has it, or another negative errno. */
static int
lock(int fd)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &all) == 0)
		return 0;
	return errno == EACCES ? -EWOULDBLOCK : -errno;
}

/* Somebody may have named another file by mistake, which would be lost: all
 * that has ever been in a pid file is a number. */
static bool
may_be_pid_file(int fd)
{
	char text[64];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	for (ssize_t i = 0; i < n; i++)
		if (strchr("0123456789 \n", text[i]) == NULL || text[i] == '\0')
			return false;
	return n >= 0 && (size_t)n < sizeof(text);
}

static int
open_regular(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
			O_NOCTTY,
		0644);
	struct stat st;
	int ret;

	if (fd < 0 && errno == ELOOP)
		return err_setx(err, ELOOP,
			"pid file %s: it is a symbolic link, name the file "
			"itself",
			path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "pid file %s", path);
	if (!S_ISREG(st.st_mode))
		return err_setx(err, EINVAL,
			"pid file %s: it is not a regular file", path);
	ret = fd;
	fd = -1;
	return ret;
}

static int
refuse(const char *path, const char *choice, pid_t holder, struct err *err)
{
	char pid[32] = "";

	if (holder > 0)
		snprintf(pid, sizeof(pid), " (pid %d)", (int)holder);
	return err_setx(err, EWOULDBLOCK,
		"wsgid already runs with pid file %s%s; stop it or choose "
		"another %s",
		path, pid, choice);
}

int
pidfile_acquire(const char *path, const char *choice, struct err *err)
{
	for (;;) {
		AUTO_CLOSE int fd = open_regular(path, err);
		int ret, rc;

		if (fd < 0)
			return fd;
		rc = lock(fd);
		if (rc == -EWOULDBLOCK)
			return refuse(path, choice, pidfile_read(fd), err);
		if (rc < 0)
			return err_set(err, -rc, "lock of pid file %s", path);
		if (!file_is_at(path, fd))
			continue;
		if (!may_be_pid_file(fd))
			return err_setx(err, EEXIST,
				"pid file %s: there is something else in it "
				"than a pid; remove it, or choose another %s",
				path, choice);
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

	/* Nobody ever reads a file without a number, or a mixture of two. */
	memset(text + n, '\n', sizeof(text) - (size_t)n);
	written = pwrite(fd, text, sizeof(text), 0);
	if (written < 0)
		return -errno;
	if (written != sizeof(text))
		return -EIO;
	return ftruncate(fd, n) < 0 ? -errno : 0;
}

void
pidfile_remove(const char *path, int fd)
{
	if (file_is_at(path, fd))
		unlink(path);
}

pid_t
pidfile_holder(const char *path)
{
	AUTO_CLOSE int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fcntl(fd, F_OFD_GETLK, &all) < 0)
		return -errno;
	return all.l_type == F_UNLCK ? -ESRCH : pidfile_read(fd);
}
