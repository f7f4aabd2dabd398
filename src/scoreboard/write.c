/*
 * write.c - the scoreboard of a running server: the master's side, and the
 * child's map of its page.
 *
 * The master maps the board, which only it can change, and never a page: a
 * child holds its page open for writing and could shorten it under the
 * master's eyes.  It reads pages with pread(2) into private copies instead
 * and gives a page that it finds longer or shorter its size again, so that a
 * child cannot fill the run directory with it either.
 *
 * A reader would get wrong: two children of one slot never share a page.
 * Each has a file of its own, and the name goes to the last one.
 */
#include "scoreboard/scoreboard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "scoreboard/scoreboard_priv.h"
#include "scoreboard/times.h"
#include "scoreboard/totals.h"

struct slot_page {
	int fd;                  /* -1: none yet */
	struct wsgid_page *copy; /* page_size bytes; NULL: none yet */
};

struct scoreboard {
	struct scoreboard_layout layout;
	unsigned n_processes;
	unsigned n_workers;
	gid_t group; /* of the files; 0: ours */
	char *path;  /* for sentences; of the board, or of no file */
	char *name;  /* within path: its last part */
	char *goal;  /* while it is staged: the path to be; else NULL */
	int claim;   /* on the goal, or -1 */
	char *link;  /* the symbolic link to it; NULL: there is none */
	int dir;     /* of the files; -1: everything is a memfd */
	int fd;      /* of the board */
	struct wsgid_board *board;
	struct slot_page *pages; /* n_processes of them */
};

/* NAME becomes a part of file names and the text of a field. */
static int
check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0)
		return err_setx(err, EINVAL,
			"scoreboard: the name of the instance is empty");
	if (len >= sizeof(((struct wsgid_board *)NULL)->name))
		return err_setx(err, ENAMETOOLONG,
			"scoreboard: the instance's name \"%s\" is too long; "
			"it may have %zu characters",
			name, sizeof(((struct wsgid_board *)NULL)->name) - 1);
	if (name[0] == '.' || strchr(name, '/') != NULL)
		return err_setx(err, EINVAL,
			"scoreboard: the instance's name \"%s\" must not "
			"begin with a dot or contain a slash",
			name);
	return 0;
}

static int
check_counts(unsigned processes, unsigned workers, struct err *err)
{
	if (processes < 1 || processes > SCOREBOARD_MOST_PROCESSES)
		return err_setx(err, EINVAL,
			"scoreboard: %u processes are asked for; there may be "
			"1 to %d",
			processes, SCOREBOARD_MOST_PROCESSES);
	if (workers < 1 || workers > SCOREBOARD_MOST_WORKERS)
		return err_setx(err, EINVAL,
			"scoreboard: %u workers a process are asked for; "
			"there may be 1 to %d",
			workers, SCOREBOARD_MOST_WORKERS);
	return 0;
}

/* Where the board is to be, and where a link to it. */
static int
choose_paths(struct scoreboard *s, const struct scoreboard_order *order)
{
	char *standard;

	if (asprintf(&standard, "%s/%s.scoreboard",
		    order->dir != NULL ? order->dir : "memory",
		    order->name) < 0)
		return -ENOMEM;
	if (order->file == NULL || strcmp(order->file, standard) == 0) {
		s->path = standard;
	} else {
		s->path = strdup(order->file);
		if (order->dir != NULL)
			s->link = standard;
		else
			free(standard);
	}
	if (s->path == NULL)
		return -ENOMEM;
	s->name = strrchr(s->path, '/') + 1;
	return 0;
}

/* Beside the file at path, and hidden; NULL when memory is short. */
static char *
staged_path(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	char *ret;

	return asprintf(&ret, "%.*s.%s.next", (int)(name - path), path, name) <
			       0
		       ? NULL
		       : ret;
}

static int
stage(struct scoreboard *s)
{
	s->goal = s->path;
	s->path = staged_path(s->goal);
	if (s->path == NULL)
		return -ENOMEM;
	s->name = strrchr(s->path, '/') + 1;
	return 0;
}

/* Everything but memory for names and pages is still missing. */
static struct scoreboard *
make(const struct scoreboard_order *order)
{
	struct scoreboard *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->layout = scoreboard_layout(order->processes, order->workers);
	s->n_workers = order->workers;
	s->group = order->group;
	s->dir = -1;
	s->fd = -1;
	s->claim = -1;
	s->board = MAP_FAILED;
	s->pages = calloc(order->processes, sizeof(*s->pages));
	if (s->pages == NULL || choose_paths(s, order) < 0 ||
		(order->predecessor != 0 && stage(s) < 0)) {
		scoreboard_destroy(s, 0);
		return NULL;
	}
	s->n_processes = order->processes;
	for (unsigned i = 0; i < s->n_processes; i++)
		s->pages[i].fd = -1;
	return s;
}

/* What a reader needs to find its way; the rest is the master's to say. */
static void
fill_in(struct scoreboard *s, const char *name)
{
	struct wsgid_board *b = s->board;

	memcpy(b->magic, WSGID_BOARD_MAGIC, sizeof(b->magic));
	b->major = WSGID_BOARD_MAJOR;
	b->minor = WSGID_BOARD_MINOR;
	b->board_size = sizeof(*b);
	b->process_offset = (uint32_t)s->layout.process_offset;
	b->process_size = (uint32_t)s->layout.process_size;
	b->process_count = s->n_processes;
	b->page_size = (uint32_t)s->layout.page_size;
	b->worker_offset = (uint32_t)s->layout.worker_offset;
	b->worker_size = (uint32_t)s->layout.worker_size;
	b->worker_count = s->n_workers;
	scoreboard_put_text(b->name, sizeof(b->name), name, strlen(name));
}

static int
map_board(struct scoreboard *s)
{
	s->board = mmap(NULL, s->layout.board_size, PROT_READ | PROT_WRITE,
		MAP_SHARED, s->fd, 0);
	return s->board == MAP_FAILED ? -errno : 0;
}

/* In a directory of its own folder, whatever that is called. */
static int
open_directory(struct scoreboard *s)
{
	AUTO_FREE char *dir = strndup(s->path,
		s->name - s->path > 1 ? (size_t)(s->name - s->path) : 1);

	if (dir == NULL)
		return -ENOMEM;
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir < 0 ? -errno : 0;
}

static int
make_board(struct scoreboard *s, const char *name)
{
	int rc;

	scoreboard_file_sweep(s->dir, s->name);
	s->fd = scoreboard_file_create(
		s->dir, s->name, s->layout.board_size, s->group);
	if (s->fd < 0)
		return s->fd;
	rc = map_board(s);
	if (rc == 0)
		rc = scoreboard_place_lock(s->fd);
	if (rc == 0) {
		fill_in(s, name);
		rc = scoreboard_file_publish(s->dir, s->name);
	}
	if (rc < 0)
		scoreboard_file_discard(s->dir, s->name);
	return rc;
}

static const char *
goal_name(const struct scoreboard *s)
{
	return s->goal != NULL ? strrchr(s->goal, '/') + 1 : s->name;
}

/* The lock on the pid file makes the name in the run directory ours, whatever
 * has it; a ScoreBoardFile may be anybody's. */
static int
claim(struct scoreboard *s, const struct scoreboard_order *order,
	struct err *err)
{
	const char *name = goal_name(s);

	if (order->file == NULL ||
		(order->predecessor != 0 && scoreboard_place_is_of(s->dir, name,
						    order->predecessor)))
		return 0;
	s->claim = scoreboard_place_claim(
		s->dir, name, s->goal != NULL ? s->goal : s->path, err);
	return s->claim < 0 ? s->claim : 0;
}

static int
make_link(struct scoreboard *s, struct err *err)
{
	int rc = s->link != NULL ? scoreboard_place_link(s->link, s->path) : 0;

	return rc < 0 ? err_set(err, -rc, "scoreboard %s", s->link) : 0;
}

static int
make_board_in_file(struct scoreboard *s, const struct scoreboard_order *order,
	struct err *err)
{
	int rc = open_directory(s);

	if (rc < 0)
		return err_set(err, -rc, "scoreboard %s", s->path);
	rc = claim(s, order, err);
	if (rc < 0)
		return rc;
	rc = make_board(s, order->name);
	if (rc < 0)
		return err_set(err, -rc, "scoreboard %s", s->path);
	if (s->goal != NULL)
		return 0;
	fd_close(&s->claim);
	scoreboard_sweep_successor(s);
	rc = make_link(s, err);
	if (rc < 0)
		(void)scoreboard_file_remove(s->dir, s->name, s->fd);
	return rc;
}

/* Once we have our map nobody gets another one that could be written, not
 * even by opening the descriptor anew through /proc. */
static int
make_board_in_memory(struct scoreboard *s, const char *name)
{
	int rc;

	s->fd = scoreboard_file_create_memory(s->name, s->layout.board_size);
	if (s->fd < 0)
		return s->fd;
	rc = map_board(s);
	if (rc < 0)
		return rc;
	fill_in(s, name);
	if (fcntl(s->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

/* A past that cannot be read is none. */
static struct scoreboard_past
read_past(const struct scoreboard *s, const struct scoreboard_order *order)
{
	struct scoreboard_past past = {0};

	if (order->past > 0)
		(void)scoreboard_past_read(&past, order->past,
			s->goal != NULL ? s->goal : s->path, NULL);
	return past;
}

int
scoreboard_export(const struct scoreboard *s)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int
scoreboard_create(struct scoreboard **ret, const struct scoreboard_order *order,
	struct err *err)
{
	struct scoreboard_past past;
	struct scoreboard *s;
	int rc;

	rc = check_name(order->name, err);
	if (rc == 0)
		rc = check_counts(order->processes, order->workers, err);
	if (rc < 0)
		return rc;
	s = make(order);
	if (s == NULL)
		return err_set(err, ENOMEM, "scoreboard %s", order->name);
	past = read_past(s, order);
	if (order->dir != NULL || order->file != NULL) {
		rc = make_board_in_file(s, order, err);
	} else {
		rc = make_board_in_memory(s, order->name);
		if (rc < 0)
			err_set(err, -rc, "scoreboard %s", s->path);
	}
	if (rc == 0 && past.n > 0)
		scoreboard_past_add(&past, s);
	scoreboard_past_fini(&past);
	if (rc < 0) {
		scoreboard_destroy(s, 0);
		return rc;
	}
	*ret = s;
	return 0;
}

/* NAME.scoreboard.N, the caller frees it; NULL when memory is short. */
static char *
page_name(const struct scoreboard *s, unsigned slot)
{
	char *ret;

	return asprintf(&ret, "%s.%u", s->name, slot) < 0 ? NULL : ret;
}

static int
rename_page(struct scoreboard *s, const char *board, unsigned slot)
{
	AUTO_FREE char *before = page_name(s, slot);
	AUTO_FREE char *after = NULL;

	if (asprintf(&after, "%s.%u", board, slot) < 0)
		after = NULL;
	if (before == NULL || after == NULL)
		return -ENOMEM;
	/* One that is hidden has no file. */
	return renameat(s->dir, before, s->dir, after) < 0 && errno != ENOENT
		       ? -errno
		       : 0;
}

/* The board last: who finds it finds the pages of its children. */
static int
rename_files(struct scoreboard *s)
{
	const char *name = goal_name(s);

	for (unsigned i = 0; i < s->n_processes; i++) {
		int rc = s->pages[i].fd >= 0 ? rename_page(s, name, i) : 0;

		if (rc < 0)
			return rc;
	}
	return renameat(s->dir, s->name, s->dir, name) < 0 ? -errno : 0;
}

int
scoreboard_publish(struct scoreboard *s, struct err *err)
{
	int rc = s->goal != NULL && s->dir >= 0 ? rename_files(s) : 0;

	if (rc < 0)
		return err_set(err, -rc, "scoreboard %s", s->goal);
	if (s->goal == NULL)
		return 0;
	free(s->path);
	s->path = s->goal;
	s->name = strrchr(s->path, '/') + 1;
	s->goal = NULL;
	fd_close(&s->claim);
	return make_link(s, err);
}

void
scoreboard_remove(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *place =
		slash != NULL ? strndup(path, (size_t)(slash + 1 - path))
			      : strdup(".");
	AUTO_CLOSE int dir =
		place != NULL ? open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			      : -1;

	if (dir < 0)
		return;
	scoreboard_file_sweep(dir, slash != NULL ? slash + 1 : path);
	(void)unlink(path);
}

void
scoreboard_sweep_successor(struct scoreboard *s)
{
	AUTO_FREE char *path = NULL;
	const char *name;

	if (s->dir < 0 || s->goal != NULL)
		return;
	path = staged_path(s->path);
	if (path == NULL)
		return;
	name = strrchr(path, '/') + 1;
	scoreboard_file_sweep(s->dir, name);
	(void)unlinkat(s->dir, name, 0);
}

static void
remove_page_file(struct scoreboard *s, int dir, unsigned slot, int fd)
{
	AUTO_FREE char *name = NULL;

	if (dir < 0 || fd < 0)
		return;
	name = page_name(s, slot);
	if (name != NULL)
		(void)scoreboard_file_remove(dir, name, fd);
}

static void
remove_page(struct scoreboard *s, unsigned slot)
{
	remove_page_file(s, s->dir, slot, s->pages[slot].fd);
}

static void
remove_files(struct scoreboard *s)
{
	for (unsigned i = 0; i < s->n_processes; i++)
		remove_page(s, i);
	/* Where a successor has the board, the link is his, too. */
	if (scoreboard_file_remove(s->dir, s->name, s->fd) && s->link != NULL &&
		s->goal == NULL)
		scoreboard_place_unlink(s->link, s->path);
}

void
scoreboard_destroy(struct scoreboard *s, int remove)
{
	if (s == NULL)
		return;
	if (remove && s->dir >= 0)
		remove_files(s);
	for (unsigned i = 0; i < s->n_processes; i++) {
		fd_close(&s->pages[i].fd);
		free(s->pages[i].copy);
	}
	free(s->pages);
	if (s->board != MAP_FAILED)
		munmap(s->board, s->layout.board_size);
	if (s->claim >= 0)
		scoreboard_place_give_back(s->dir, goal_name(s), s->claim);
	fd_close(&s->claim);
	fd_close(&s->fd);
	fd_close(&s->dir);
	free(s->goal);
	free(s->link);
	free(s->path);
	free(s);
}

struct wsgid_board *
scoreboard_board(struct scoreboard *s)
{
	return s->board;
}

struct wsgid_process *
scoreboard_process(struct scoreboard *s, unsigned slot)
{
	char *first = (char *)s->board + s->layout.process_offset;

	assert(slot < s->n_processes);
	return (struct wsgid_process *)(void *)(first +
						slot * s->layout.process_size);
}

/* --- pages ----------------------------------------------------------------- */

/* In memory where dir is -1. */
static int
make_page_file(struct scoreboard *s, int dir, unsigned slot)
{
	AUTO_FREE char *name = page_name(s, slot);
	AUTO_CLOSE int fd = -1;
	int rc;

	if (name == NULL)
		return -ENOMEM;
	fd = dir < 0 ? scoreboard_file_create_memory(name, s->layout.page_size)
		     : scoreboard_file_create(
			       dir, name, s->layout.page_size, s->group);
	if (fd < 0)
		return fd;
	rc = fd_write_all(fd, WSGID_PAGE_MAGIC, sizeof(WSGID_PAGE_MAGIC));
	if (dir >= 0) {
		if (rc == 0)
			rc = scoreboard_file_publish(dir, name);
		if (rc < 0)
			scoreboard_file_discard(dir, name);
	}
	if (rc < 0)
		return rc;
	return fd_take(&fd);
}

static int
renew(struct scoreboard *s, int dir, unsigned slot, struct err *err)
{
	struct slot_page *page = &s->pages[slot];
	AUTO_CLOSE int fd = -1;
	int ret;

	assert(slot < s->n_processes);
	scoreboard_bury(s, slot);
	if (page->copy == NULL)
		page->copy = calloc(1, s->layout.page_size);
	if (page->copy == NULL)
		return err_set(
			err, ENOMEM, "scoreboard page %s.%u", s->path, slot);
	fd = make_page_file(s, dir, slot);
	if (fd < 0)
		return err_set(
			err, -fd, "scoreboard page %s.%u", s->path, slot);
	ret = scoreboard_file_reopen(fd);
	if (ret < 0) {
		remove_page_file(s, dir, slot, fd);
		return err_set(
			err, -ret, "scoreboard page %s.%u", s->path, slot);
	}
	fd_close(&page->fd);
	page->fd = fd_take(&fd);
	return ret;
}

int
scoreboard_renew_page(struct scoreboard *s, unsigned slot, struct err *err)
{
	return renew(s, s->dir, slot, err);
}

int
scoreboard_hide_page(struct scoreboard *s, unsigned slot, struct err *err)
{
	/* The name would show the child before. */
	remove_page(s, slot);
	return renew(s, -1, slot, err);
}

/* The child may have cut its page or let it grow.  Nothing depends on our
 * success: what cannot be read is zero. */
static void
mend_size(struct scoreboard *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size != (off_t)s->layout.page_size)
		(void)!ftruncate(fd, (off_t)s->layout.page_size);
}

const struct wsgid_page *
scoreboard_page(struct scoreboard *s, unsigned slot)
{
	struct slot_page *page = &s->pages[slot];

	assert(slot < s->n_processes);
	if (page->fd < 0)
		return NULL;
	mend_size(s, page->fd);
	scoreboard_file_read(page->fd, page->copy, sizeof(*page->copy), 0);
	scoreboard_clean_page(page->copy);
	return page->copy;
}

const struct wsgid_worker *
scoreboard_workers(struct scoreboard *s, unsigned slot, unsigned n)
{
	struct slot_page *page = &s->pages[slot];
	size_t offset = s->layout.worker_offset;
	struct wsgid_worker *copies;

	assert(slot < s->n_processes && n <= s->n_workers);
	if (page->fd < 0)
		return NULL;
	copies = (struct wsgid_worker *)(void *)((char *)page->copy + offset);
	scoreboard_file_read(page->fd, copies, n * sizeof(*copies), offset);
	for (unsigned i = 0; i < n; i++)
		scoreboard_clean_worker(&copies[i]);
	return copies;
}

void
scoreboard_bury(struct scoreboard *s, unsigned slot)
{
	struct wsgid_process *process = scoreboard_process(s, slot);
	const struct wsgid_page *page = scoreboard_page(s, slot);
	struct wsgid_page *copy = s->pages[slot].copy;
	ssize_t n;

	if (page == NULL)
		return;
	totals_add_page(process, page);
	durations_add(&s->board->past_durations, &page->durations);

	memset(copy, 0, s->layout.page_size);
	memcpy(copy->magic, WSGID_PAGE_MAGIC, sizeof(copy->magic));
	do
		n = pwrite(s->pages[slot].fd, copy, s->layout.page_size, 0);
	while (n < 0 && errno == EINTR);
	/* A page that cannot be zeroed must not be counted twice. */
	if (n != (ssize_t)s->layout.page_size)
		fd_close(&s->pages[slot].fd);
}

/* --- the child's side ------------------------------------------------------ */

int
scoreboard_map_page(
	struct wsgid_page_map *ret, int fd, unsigned workers, struct err *err)
{
	struct scoreboard_layout layout;
	struct wsgid_page *page;
	struct stat st;
	int rc;

	rc = check_counts(1, workers, err);
	if (rc < 0)
		return rc;
	layout = scoreboard_layout(1, workers);
	if (fstat(fd, &st) < 0)
		return err_set(
			err, errno, "scoreboard page, descriptor %d", fd);
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)layout.page_size)
		return err_setx(err, EBADMSG,
			"descriptor %d is no scoreboard page of %zu bytes; "
			"wsgid and its child program seem to be of different "
			"versions, install both anew",
			fd, layout.page_size);
	page = mmap(NULL, layout.page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		fd, 0);
	if (page == MAP_FAILED)
		return err_set(
			err, errno, "scoreboard page, descriptor %d", fd);
	if (memcmp(page->magic, WSGID_PAGE_MAGIC, sizeof(page->magic)) != 0) {
		munmap(page, layout.page_size);
		return err_setx(err, EBADMSG,
			"descriptor %d is no scoreboard page: it does not "
			"begin with " WSGID_PAGE_MAGIC,
			fd);
	}
	ret->page = page;
	ret->workers = (struct wsgid_worker *)(void *)((char *)page +
						       layout.worker_offset);
	ret->n_workers = workers;
	ret->size = layout.page_size;
	return 0;
}
