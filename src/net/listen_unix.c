/*
 * listen_unix.c - listening on a path, or on an abstract name.
 *
 * A path outlives the server that made it.  So before it is bound it has to
 * be found out whether what stands there is in use (somebody answers),
 * abandoned (nobody does: it is replaced), or no socket at all: that is
 * never removed, whoever wrote the path by mistake.
 */
#include "net/listen_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/account.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"

/* What is wrong with the path's directory. */
static int
explain_directory(
	int code, const struct address *a, const char *text, struct err *err)
{
	const char *slash = strrchr(a->un.sun_path, '/');
	char user[ACCOUNT_NAME], directory[sizeof(a->un.sun_path)] = ".";

	if (slash != NULL)
		snprintf(directory, sizeof(directory), "%.*s",
			slash == a->un.sun_path ? 1
						: (int)(slash - a->un.sun_path),
			a->un.sun_path);
	account_user_name(geteuid(), user);
	switch (code) {
	case ENOENT:
		return err_setx(err, code,
			"Listen %s: there is no directory %s: create it "
			"first",
			text, directory);
	case ENOTDIR:
		return err_setx(err, code, "Listen %s: %s is not a directory",
			text, directory);
	case EACCES:
		return err_setx(err, code,
			"Listen %s: user %s may not create files in %s: give "
			"it the right to write there or choose another path",
			text, user, directory);
	default:
		return err_set(err, code, "Listen %s", text);
	}
}

static const char *
kind_of(mode_t mode)
{
	if (S_ISREG(mode))
		return "a file";
	if (S_ISDIR(mode))
		return "a directory";
	if (S_ISLNK(mode))
		return "a symbolic link";
	if (S_ISFIFO(mode))
		return "a named pipe";
	return "a device";
}

/* Does anybody listen there?  0 when not, or a negative errno:
 * -EADDRINUSE when somebody does. */
static int
try_connect(const struct address *a)
{
	AUTO_CLOSE int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, &a->any, a->len) == 0)
		return -EADDRINUSE;
	switch (errno) {
	case ECONNREFUSED:
		return 0;
	case ENOENT:
		return 0; /* gone meanwhile */
	case EAGAIN:      /* its backlog is full */
	case EPROTOTYPE:  /* another type of socket */
	case EINPROGRESS:
		return -EADDRINUSE;
	default:
		return -errno;
	}
}

/* Make way for the socket file: remove one that a killed server left. */
static int
clear_path(const struct address *a, const char *text, struct err *err)
{
	const char *path = a->un.sun_path;
	struct stat before, after;
	int rc;

	/* What is wrong with the directory, bind tells better. */
	if (lstat(path, &before) < 0)
		return 0;
	if (!S_ISSOCK(before.st_mode))
		return err_setx(err, EEXIST,
			"Listen %s: %s is %s and not a socket: move it away "
			"or choose another path",
			text, path, kind_of(before.st_mode));
	rc = try_connect(a);
	if (rc == -EADDRINUSE)
		return listen_in_use(a, text, err);
	if (rc < 0)
		return err_set(err, -rc,
			"Listen %s: there is a socket, and whether it is in "
			"use cannot be found out",
			text);
	if (lstat(path, &after) < 0)
		return 0;
	if (after.st_dev != before.st_dev || after.st_ino != before.st_ino)
		return err_setx(err, EADDRINUSE,
			"Listen %s: another program made its own socket there "
			"this moment",
			text);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, errno,
			"Listen %s: a socket file that nobody uses any more "
			"cannot be removed",
			text);
	return 0;
}

/* bind creates the file with mode 0777 less the umask, so the umask is what
 * gives it the wanted mode from its first moment: a chmod afterwards would
 * leave a gap in which anybody could connect, and would follow a link that
 * somebody put in the way. */
static int
bind_path(int fd, const struct address *a, mode_t mode)
{
	mode_t umask_before = umask(0777 & ~mode);
	int rc = bind(fd, &a->any, a->len) < 0 ? -errno : 0;

	umask(umask_before);
	return rc;
}

static int
no_gift(uid_t owner, gid_t group, struct err *err)
{
	char user_name[ACCOUNT_NAME], group_name[ACCOUNT_NAME];

	account_user_name(owner, user_name);
	account_group_name(group, group_name);
	return err_setx(err, EPERM,
		"the socket file cannot be given to%s%s%s%s: only root gives "
		"files away, and others to groups they are in",
		owner != (uid_t)-1 ? " user " : "",
		owner != (uid_t)-1 ? user_name : "",
		group != (gid_t)-1 ? " group " : "",
		group != (gid_t)-1 ? group_name : "");
}

/* Tried on a file that nobody sees: capabilities, groups and namespaces have a
 * say in it. */
int
listen_check_gift(uid_t owner, gid_t group, struct err *err)
{
	int fd, rc = 0;

	if (owner == (uid_t)-1 && group == (gid_t)-1)
		return 0;
	fd = memfd_create("gift", MFD_CLOEXEC);
	if (fd < 0)
		return 0; /* binding will tell */
	if (fchown(fd, owner, group) < 0 && errno == EPERM)
		rc = no_gift(owner, group, err);
	close(fd);
	return rc;
}

/* fd is of the path, and O_PATH. */
static int
give_path(int fd, const struct listen_options *options, const char *text,
	struct err *err)
{
	struct err why = {0};

	if (options->owner == (uid_t)-1 && options->group == (gid_t)-1)
		return 0;
	if (fchownat(fd, "", options->owner, options->group, AT_EMPTY_PATH) ==
		0)
		return 0;
	if (errno != EPERM)
		return err_set(
			err, errno, "Listen %s: changing the owner", text);
	(void)no_gift(options->owner, options->group, &why);
	return err_setx(err, EPERM, "Listen %s: %s", text, why.text);
}

/* From a bound socket to one that the right people can connect to. */
static int
finish_path(struct listener *ret, int fd, const struct listen_options *options,
	struct err *err)
{
	const char *path = ret->address.un.sun_path;
	AUTO_CLOSE int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char text[ADDRESS_TEXT];
	struct stat made;
	int rc;

	address_format(&ret->address, text);
	if (file < 0 || fstat(file, &made) < 0)
		return err_set(err, errno, "Listen %s", text);
	rc = give_path(file, options, text, err);
	if (rc == 0 && listen(fd, options->backlog) < 0)
		rc = err_set(err, errno, "Listen %s", text);
	if (rc < 0) {
		unlink(path);
		return rc;
	}
	ret->unlink_path = true;
	ret->device = made.st_dev;
	ret->inode = made.st_ino;
	return 0;
}

int
listen_open_unix(struct listener *ret, const struct listen_options *options,
	struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct address *a = &ret->address;
	bool abstract = a->un.sun_path[0] == '\0';
	char text[ADDRESS_TEXT];
	int rc;

	address_format(a, text);
	if (fd < 0)
		return err_set(err, errno, "Listen %s", text);
	rc = abstract ? 0 : clear_path(a, text, err);
	if (rc < 0)
		return rc;
	rc = bind_path(fd, a, options->mode);
	if (rc == -EADDRINUSE)
		return listen_in_use(a, text, err);
	if (rc < 0)
		return explain_directory(-rc, a, text, err);
	if (!abstract)
		rc = finish_path(ret, fd, options, err);
	else if (listen(fd, options->backlog) < 0)
		rc = err_set(err, errno, "Listen %s", text);
	if (rc < 0)
		return rc;
	ret->fd = fd_take(&fd);
	return 0;
}

/* -1 where it is another's by now. */
static int
open_ours(const struct listener *l, struct stat *st)
{
	AUTO_CLOSE int file =
		open(l->address.un.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (!l->unlink_path || file < 0 || fstat(file, st) < 0 ||
		st->st_dev != l->device || st->st_ino != l->inode)
		return -1;
	return fd_take(&file);
}

static int
set_mode(int file, mode_t mode)
{
	char path[64];

	/* fchmod refuses a descriptor that is not open for anything. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return chmod(path, mode) < 0 ? -errno : 0;
}

int
listen_give_file(const struct listener *l, const struct listen_options *options,
	struct err *err)
{
	struct stat now;
	AUTO_CLOSE int file = open_ours(l, &now);
	struct listen_options wanted = *options;
	char text[ADDRESS_TEXT];
	int rc;

	if (file < 0)
		return 0;
	address_format(&l->address, text);
	if (wanted.owner == now.st_uid)
		wanted.owner = (uid_t)-1;
	if (wanted.group == now.st_gid)
		wanted.group = (gid_t)-1;
	rc = give_path(file, &wanted, text, err);
	if (rc < 0 || wanted.mode == (mode_t)-1 ||
		wanted.mode == (now.st_mode & 07777))
		return rc;
	rc = set_mode(file, wanted.mode);
	return rc < 0 ? err_set(err, -rc, "Listen %s: changing the mode", text)
		      : 0;
}

bool
listen_is_lost(const struct listener *l)
{
	struct stat now;

	return l->unlink_path && lstat(l->address.un.sun_path, &now) < 0 &&
	       errno == ENOENT;
}

void
listen_unlink(const struct listener *l)
{
	const char *path = l->address.un.sun_path;
	struct stat now;

	if (lstat(path, &now) == 0 && S_ISSOCK(now.st_mode) &&
		now.st_dev == l->device && now.st_ino == l->inode)
		unlink(path);
}
