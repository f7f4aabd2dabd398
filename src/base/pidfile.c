/*
 * pidfile.c - the file that says which process is the server.
 *
 * The lock is an open file description's (fcntl(2), F_OFD_SETLK): it goes with
 * the process however that dies, and unlike flock(2)'s it can be asked for
 * without being taken, so that who only looks is in nobody's way.  A name can be
 * removed while it is opened: the file behind the lock is compared with the one
 * behind the name, and the opening tried again.
 *
 * Who may read the file may lock it, too, though for reading only, and may have
 * queued for that when a server was killed.  Such a lock says nothing, and it
 * is in our way: the file is left to it, and another one made, which nobody can
 * have opened before it is locked.
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

/* Is nobody there but who has locked it for reading? */
static bool
has_readers_only(int fd)
{
	struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_GETLK, &all) == 0 && all.l_type == F_UNLCK;
}

/* Take the file behind fd from its name, and no other one: where another server
 * has been quicker, the file is its own by now, and goes back. */
static int
remove_read(const char *path, int fd)
{
	AUTO_FREE char *aside = NULL;

	if (asprintf(&aside, "%s.%d", path, (int)getpid()) < 0) {
		aside = NULL;
		return -ENOMEM;
	}
	if (rename(path, aside) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!file_is_at(aside, fd) && link(aside, path) < 0 && errno != EEXIST)
		return -errno;
	return unlink(aside) < 0 ? -errno : 0;
}

/* Closed to others, for as long as it is new. */
static int
open_or_create(const char *path, bool *created)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd;

	do {
		*created = false;
		fd = open(path, flags);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		*created = true;
		fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	} while (fd < 0 && errno == EEXIST);
	return fd;
}

static int
open_regular(const char *path, bool *created, struct err *err)
{
	AUTO_CLOSE int fd = open_or_create(path, created);
	struct stat st;

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
	return fd_take(&fd);
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

static int
refuse_content(const char *path, const char *choice, struct err *err)
{
	return err_setx(err, EEXIST,
		"pid file %s: there is something else in it than a pid; remove "
		"it, or choose another %s",
		path, choice);
}

/* As refuse() where a server has it, 0 when it is to be tried again. */
static int
make_way(const char *path, int fd, const char *choice, struct err *err)
{
	int rc;

	if (!has_readers_only(fd))
		return refuse(path, choice, pidfile_read(fd), err);
	if (!may_be_pid_file(fd))
		return refuse_content(path, choice, err);
	rc = remove_read(path, fd);
	if (rc < 0)
		return err_set(err, -rc,
			"pid file %s: somebody who may only read it holds a "
			"lock on it, and it cannot be replaced",
			path);
	return 0;
}

int
pidfile_acquire(const char *path, const char *choice, struct err *err)
{
	for (;;) {
		bool created;
		AUTO_CLOSE int fd = open_regular(path, &created, err);
		int rc;

		if (fd < 0)
			return fd;
		rc = lock(fd);
		if (rc == -EWOULDBLOCK) {
			rc = make_way(path, fd, choice, err);
			if (rc < 0)
				return rc;
			continue;
		}
		if (rc < 0)
			return err_set(err, -rc, "lock of pid file %s", path);
		if (!file_is_at(path, fd))
			continue;
		if (!may_be_pid_file(fd))
			return refuse_content(path, choice, err);
		if (created && fchmod(fd, 0644) < 0)
			return err_set(err, errno, "mode of pid file %s", path);
		return fd_take(&fd);
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
