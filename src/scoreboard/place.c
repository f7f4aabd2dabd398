/*
 * place.c - whose a board's place is.
 *
 * A running server holds a lock on its board (an open file description's, as
 * of its pid file), so that another one that was given the same file finds out
 * before it takes that away from under the first one's readers.  What a dead
 * server has left is replaced, and nothing else: a file that is no scoreboard
 * is somebody's.
 *
 * A board that is not in the run directory has a symbolic link there, by which
 * those who know the server's name find it.
 */
#include "scoreboard/scoreboard_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"

enum { TRIES = 100 };

static bool
is_at(int dir, const char *name, int fd)
{
	struct stat named, held;

	return fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &held) == 0 && named.st_dev == held.st_dev &&
	       named.st_ino == held.st_ino;
}

int
scoreboard_place_lock(int fd)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &all) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int
in_use(int fd, const char *path, struct err *err)
{
	struct wsgid_board board;

	scoreboard_file_read(fd, &board, sizeof(board), 0);
	scoreboard_clean_board(&board);
	if (board.master_pid <= 0)
		return err_setx(err, EWOULDBLOCK,
			"scoreboard %s is in use by another wsgid; stop that "
			"or choose another ScoreBoardFile",
			path);
	return err_setx(err, EWOULDBLOCK,
		"scoreboard %s is in use by wsgid \"%s\" (pid %d); stop that "
		"or choose another ScoreBoardFile",
		path, board.name, (int)board.master_pid);
}

/* Empty: somebody was about to begin with it. */
static bool
may_be_replaced(int fd)
{
	char magic[sizeof(WSGID_BOARD_MAGIC)];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	scoreboard_file_read(fd, magic, sizeof(magic), 0);
	return st.st_size == 0 ||
	       memcmp(magic, WSGID_BOARD_MAGIC, sizeof(magic)) == 0;
}

bool
scoreboard_place_is_of(int dir, const char *name, pid_t master)
{
	AUTO_CLOSE int fd = openat(
		dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct wsgid_board board;

	if (fd < 0)
		return false;
	scoreboard_file_read(fd, &board, sizeof(board), 0);
	return memcmp(board.magic, WSGID_BOARD_MAGIC, sizeof(board.magic)) ==
		       0 &&
	       board.master_pid == master;
}

/* Open what is there, else an empty file: whoever has the lock on it may
 * replace it. */
static int
open_there(int dir, const char *name)
{
	int fd = openat(dir, name,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

int
scoreboard_place_claim(
	int dir, const char *name, const char *path, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		AUTO_CLOSE int fd = open_there(dir, name);
		int rc;

		if (fd < 0)
			return err_set(err, -fd, "scoreboard %s", path);
		if (!may_be_replaced(fd))
			return err_setx(err, EINVAL,
				"scoreboard %s: there is a file that is no "
				"scoreboard; remove it or choose another "
				"ScoreBoardFile",
				path);
		rc = scoreboard_place_lock(fd);
		if (rc == -EAGAIN)
			return in_use(fd, path, err);
		if (rc < 0)
			return err_set(err, -rc, "lock of scoreboard %s", path);
		/* Its holder may have replaced it meanwhile. */
		if (!is_at(dir, name, fd))
			continue;
		return fd_take(&fd);
	}
	return err_setx(err, EWOULDBLOCK,
		"scoreboard %s is being replaced by others all the time", path);
}

void
scoreboard_place_give_back(int dir, const char *name, int fd)
{
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0 &&
		is_at(dir, name, fd))
		unlinkat(dir, name, 0);
}

int
scoreboard_place_link(const char *link, const char *path)
{
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof(temporary), "%s.new", link);

	if (n < 0 || (size_t)n >= sizeof(temporary))
		return -ENAMETOOLONG;
	unlink(temporary);
	if (symlink(path, temporary) < 0)
		return -errno;
	if (rename(temporary, link) < 0) {
		n = -errno;
		unlink(temporary);
		return n;
	}
	return 0;
}

void
scoreboard_place_unlink(const char *link, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	if (strcmp(target, path) == 0)
		unlink(link);
}
