/*
 * read.c - the scoreboard seen from outside, of a server that runs, has
 * stopped or was killed.
 *
 * It is read, never mapped: no file, however it changes, can hurt its reader
 * more than by showing zeroes.  The sizes that the board tells are checked
 * once, when it is opened, and then kept; a board never changes them.  A page
 * is opened anew each time it is read, because each child has another.
 */
#include "scoreboard/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "scoreboard/scoreboard_priv.h"

struct scoreboard_view {
	char *path; /* of the board itself, where there was a link to it: the
		     * pages are beside that */
	int fd;
	struct wsgid_board sizes; /* as it was when opened, and checked */
	int page_fd;              /* of the page read last; or -1 */
	unsigned page_slot;
};

/* The board, the process, the page and the worker that version 1.0 had; all
 * of 1.x have at least these. */
enum {
	BOARD_LEAST = offsetof(struct wsgid_board, reload_reason) + 512,
	PROCESS_LEAST = offsetof(struct wsgid_process, past_busy_us) + 8,
	PAGE_LEAST = offsetof(struct wsgid_page, io_engine) + 16,
	WORKER_LEAST = offsetof(struct wsgid_worker, target) + 160,
};

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Do the sizes that the board tells agree with each other? */
static bool
is_coherent(const struct wsgid_board *b)
{
	uint64_t page_end =
		b->worker_offset + (uint64_t)b->worker_size * b->worker_count;

	return b->board_size >= BOARD_LEAST &&
	       b->process_offset >= b->board_size &&
	       b->process_size >= PROCESS_LEAST &&
	       b->worker_offset >= PAGE_LEAST &&
	       b->worker_size >= WORKER_LEAST && b->page_size >= page_end &&
	       b->process_count >= 1 && b->worker_count >= 1 &&
	       b->process_count <= SCOREBOARD_MOST_PROCESSES &&
	       b->worker_count <= SCOREBOARD_MOST_WORKERS;
}

static int
check(const char *path, const struct stat *st, const struct wsgid_board *b,
	struct err *err)
{
	uint64_t need;

	if (!S_ISREG(st->st_mode) ||
		memcmp(b->magic, WSGID_BOARD_MAGIC, sizeof(b->magic)) != 0)
		return err_setx(
			err, EBADMSG, "%s is not a scoreboard of wsgid", path);
	if (b->major != WSGID_BOARD_MAJOR)
		return err_setx(err, EPROTONOSUPPORT,
			"scoreboard %s is of version %u.%u, this program "
			"reads %d.x; use the one that came with that wsgid",
			path, b->major, b->minor, WSGID_BOARD_MAJOR);
	if (st->st_size < BOARD_LEAST)
		return err_setx(err, EBADMSG,
			"scoreboard %s is cut short: it has %lld bytes, its "
			"header alone needs %d",
			path, (long long)st->st_size, BOARD_LEAST);
	if (!is_coherent(b))
		return err_setx(err, EBADMSG,
			"scoreboard %s is damaged: the sizes in its header "
			"contradict each other",
			path);
	need = b->process_offset + (uint64_t)b->process_size * b->process_count;
	if ((uint64_t)st->st_size < need)
		return err_setx(err, EBADMSG,
			"scoreboard %s is cut short: it has %lld bytes, by "
			"its header it needs %llu",
			path, (long long)st->st_size, (unsigned long long)need);
	return 0;
}

/* No writer to wait for, should the name be that of a FIFO. */
static int
open_to_read(const char *path, int flags, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0) {
		close(fd);
		return -EBADF;
	}
	return fd;
}

/* Takes path over, and fd unless it fails. */
static int
view(struct scoreboard_view **ret, int fd, char *path, struct err *err)
{
	struct scoreboard_view *v = calloc(1, sizeof(*v));
	struct wsgid_board board;
	struct stat st;
	int rc = 0;

	if (v == NULL || path == NULL)
		rc = err_set(err, ENOMEM, "scoreboard");
	else if (fstat(fd, &st) < 0)
		rc = err_set(err, errno, "scoreboard %s", path);
	if (rc == 0) {
		scoreboard_file_read(fd, &board, sizeof(board), 0);
		rc = check(path, &st, &board, err);
	}
	if (rc < 0) {
		free(v);
		free(path);
		return rc;
	}
	*v = (struct scoreboard_view){
		.path = path, .sizes = board, .page_fd = -1, .fd = fd};
	*ret = v;
	return 0;
}

int
scoreboard_open(struct scoreboard_view **ret, const char *path, struct err *err)
{
	struct stat st;
	AUTO_CLOSE int fd = open_to_read(path, 0, &st);
	int rc;

	if (fd < 0)
		return err_set(err, -fd, "scoreboard %s", path);
	rc = view(ret, fd, realpath(path, NULL), err);
	if (rc == 0)
		fd = -1;
	return rc;
}

int
scoreboard_open_fd(
	struct scoreboard_view **ret, int fd, const char *path, struct err *err)
{
	AUTO_CLOSE int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int rc;

	if (own < 0)
		return err_set(err, errno, "scoreboard %s", path);
	rc = view(ret, own, strdup(path), err);
	if (rc == 0)
		own = -1;
	return rc;
}

void
scoreboard_close(struct scoreboard_view *v)
{
	if (v == NULL)
		return;
	fd_close(&v->page_fd);
	fd_close(&v->fd);
	free(v->path);
	free(v);
}

void
scoreboard_read_board(const struct scoreboard_view *v, struct wsgid_board *ret)
{
	memset(ret, 0, sizeof(*ret));
	scoreboard_file_read(
		v->fd, ret, smaller(sizeof(*ret), v->sizes.board_size), 0);
	/* The file may have been cut since; what callers count and index by
	 * stays what was checked. */
	memcpy(ret, &v->sizes, offsetof(struct wsgid_board, master_pid));
	scoreboard_clean_board(ret);
}

void
scoreboard_read_process(const struct scoreboard_view *v, unsigned slot,
	struct wsgid_process *ret)
{
	const struct wsgid_board *b = &v->sizes;
	size_t offset = b->process_offset + (size_t)slot * b->process_size;

	memset(ret, 0, sizeof(*ret));
	if (slot < b->process_count)
		scoreboard_file_read(v->fd, ret,
			smaller(sizeof(*ret), b->process_size), offset);
}

/* Make the slot's page the one that page_fd is of. */
static int
open_page(struct scoreboard_view *v, unsigned slot)
{
	AUTO_FREE char *path = NULL;
	AUTO_CLOSE int fd = -1;
	struct stat st;

	fd_close(&v->page_fd);
	if (slot >= v->sizes.process_count)
		return -EINVAL;
	if (asprintf(&path, "%s.%u", v->path, slot) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open_to_read(path, O_NOFOLLOW, &st);
	if (fd < 0)
		return fd;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)v->sizes.page_size)
		return -EBADMSG;
	v->page_fd = fd;
	v->page_slot = slot;
	fd = -1;
	return 0;
}

int
scoreboard_read_page(
	struct scoreboard_view *v, unsigned slot, struct wsgid_page *ret)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = open_page(v, slot);
	if (rc < 0)
		return rc;
	scoreboard_file_read(v->page_fd, ret,
		smaller(sizeof(*ret), v->sizes.worker_offset), 0);
	if (memcmp(ret->magic, WSGID_PAGE_MAGIC, sizeof(ret->magic)) != 0) {
		memset(ret, 0, sizeof(*ret));
		return -EBADMSG;
	}
	scoreboard_clean_page(ret);
	return 0;
}

int
scoreboard_read_worker(struct scoreboard_view *v, unsigned slot,
	unsigned worker, struct wsgid_worker *ret)
{
	const struct wsgid_board *b = &v->sizes;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->state = WSGID_WORKER_DEAD;
	if (worker >= b->worker_count)
		return -EINVAL;
	if (v->page_fd < 0 || v->page_slot != slot) {
		rc = open_page(v, slot);
		if (rc < 0)
			return rc;
	}
	scoreboard_file_read(v->page_fd, ret,
		smaller(sizeof(*ret), b->worker_size),
		b->worker_offset + (size_t)worker * b->worker_size);
	scoreboard_clean_worker(ret);
	return 0;
}
