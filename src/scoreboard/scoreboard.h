/*
 * scoreboard.h - making, writing and reading the scoreboard.
 *
 * The layout is the public include/wsgid/scoreboard.h.  The master creates
 * the board and, for each child, the page of its slot; the child maps the
 * page that it was handed; wsgictl opens files.  Where there is no run
 * directory everything is a memfd, which lives as long as its last user.
 *
 * What a child may not change it must not be able to change: it gets no
 * descriptor of the board that could be opened for writing, and a writable one
 * of its own page alone.  The master reads pages as it would read a network:
 * a child could shorten its page, so it is read and not mapped.  All of this
 * holds between users; a child that runs as the master's own user can open
 * what the master can.
 */
#ifndef WSGID_SCOREBOARD_SCOREBOARD_H
#define WSGID_SCOREBOARD_SCOREBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wsgid/scoreboard.h"

struct err;

/* --- the master's side ----------------------------------------------------- */

struct scoreboard; /* the board with all its pages */

struct scoreboard_order {
	const char *dir;  /* the run directory; NULL: there is none */
	const char *file; /* ScoreBoardFile, absolute; NULL: in dir */
	const char *name; /* of the instance */
	unsigned processes, workers;
	gid_t group; /* may read the files, too; 0: no other group */
	/* A descriptor of the board of a server that is gone, which this one goes
	 * on for: counts begin with its.  0: there is none. */
	int past;
	/* The master that has the place now and will hand it over: until
	 * scoreboard_publish all files have names that no reader looks for.
	 * 0: there is none. */
	pid_t predecessor;
};

/* Make dir/NAME.scoreboard, or file and a symbolic link dir/NAME.scoreboard to
 * it, replacing what a dead server has left; without both a memfd.  A place
 * that a running server has is -EWOULDBLOCK. */
int scoreboard_create(struct scoreboard **ret,
	const struct scoreboard_order *order, struct err *err);

/* Take the predecessor's place, at one moment.  0 or a negative errno. */
int scoreboard_publish(struct scoreboard *s, struct err *err);
/* In the predecessor, whose successor has been killed: remove its files. */
void scoreboard_sweep_successor(struct scoreboard *s);

/* Remove a scoreboard that is nobody's any more, and its pages. */
void scoreboard_remove(const char *path);

/* Unmap; and when remove is set take the files away. */
void scoreboard_destroy(struct scoreboard *s, int remove);

/* A descriptor of the board that cannot write, for who keeps it for the next
 * server: the caller's to close, or a negative errno. */
int scoreboard_export(const struct scoreboard *s);

struct wsgid_board *scoreboard_board(struct scoreboard *s);
struct wsgid_process *scoreboard_process(struct scoreboard *s, unsigned slot);

/* Make the slot's page anew, zeroed but for its magic: a descriptor for the
 * child to inherit (close-on-exec; the caller closes), or a negative errno.
 * What the slot's last child had counted is added to the past_ totals of its
 * process record first. */
int scoreboard_renew_page(struct scoreboard *s, unsigned slot, struct err *err);
/* The same without a file, where none can be made: no reader but the master
 * sees what the child says. */
int scoreboard_hide_page(struct scoreboard *s, unsigned slot, struct err *err);

/* The slot's page, and its workers, as the master may read it, NULL
 * where it has none yet.  Every number of it may be a lie; texts are
 * terminated and printable, states are letters or "?".
 *
 * Each call reads anew (pread(2), about a microsecond), into a private copy
 * that is the slot's until its next renewal or the end: a pointer stays good,
 * what it points at is as old as the last call.  A page that its child has
 * cut reads as zeroes and gets its size again. */
const struct wsgid_page *scoreboard_page(struct scoreboard *s, unsigned slot);
/* An array of the slot's first n workers. */
const struct wsgid_worker *scoreboard_workers(
	struct scoreboard *s, unsigned slot, unsigned n);

/* Add what the slot's page has counted to the past_ totals, its durations to
 * the board's, and zero it; when its child has died.  Absurd numbers are taken
 * as they are: a child that lies only spoils what is shown. */
void scoreboard_bury(struct scoreboard *s, unsigned slot);

/* --- the child's side ------------------------------------------------------ */

struct wsgid_page_map {
	struct wsgid_page *page;
	struct wsgid_worker *workers;
	unsigned n_workers;
	size_t size;
};

/* Map the inherited page; fd may be closed afterwards. */
int scoreboard_map_page(
	struct wsgid_page_map *ret, int fd, unsigned workers, struct err *err);

/* Copy text into a scoreboard's field, cut to size with a NUL at the end,
 * each character that must not be shown as "?" (base/printable.h). */
void scoreboard_put_text(char *to, size_t size, const char *text, size_t len);
/* The same for lines, whose newlines and tabs stay: as many of the last as
 * there is room for. */
void scoreboard_put_lines(char *to, size_t size, const char *text, size_t len);

/* --- readers --------------------------------------------------------------- */

struct scoreboard_view; /* read-only, of a running or dead server */

/* Open dir/NAME.scoreboard.  A file that is not one, of another major version
 * or shorter than it says is refused with a sentence. */
int scoreboard_open(
	struct scoreboard_view **ret, const char *path, struct err *err);
void scoreboard_close(struct scoreboard_view *v);

/* Copies of what is there now, with every text terminated and printable and
 * every state a letter or "?".  Page and worker: 0; -ENOENT where the slot has
 * no page, -EBADMSG where it has something else, -EINVAL when there is no
 * such slot or worker, or another negative errno; *ret is zeroes then, its
 * state ".".  Workers are those of the page that was read last. */
void scoreboard_read_board(
	const struct scoreboard_view *v, struct wsgid_board *ret);
void scoreboard_read_process(const struct scoreboard_view *v, unsigned slot,
	struct wsgid_process *ret);
int scoreboard_read_page(
	struct scoreboard_view *v, unsigned slot, struct wsgid_page *ret);
int scoreboard_read_worker(struct scoreboard_view *v, unsigned slot,
	unsigned worker, struct wsgid_worker *ret);

/* --- letters.c --------------------------------------------------------------- */

/* Of one child: what its workers are yet to show. */
struct scoreboard_letters {
	uint32_t lifecycle;
	bool seen, keeps, closes;
};

/* page is NULL where it cannot be read. */
struct scoreboard_letters scoreboard_letters(
	uint32_t lifecycle, const struct wsgid_page *page);
/* The letter of its next worker, whose record has that state; in the order of
 * the records. */
char scoreboard_letter(struct scoreboard_letters *l, uint32_t state);
/* Is who shows that letter free for a request? */
bool scoreboard_letter_idle(char letter);
/* Is a worker in that state in a request? */
bool scoreboard_in_request(uint32_t state);

#endif
