/*
 * scoreboard_priv.h - what the files of this folder share.
 */
#ifndef WSGID_SCOREBOARD_SCOREBOARD_PRIV_H
#define WSGID_SCOREBOARD_SCOREBOARD_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "wsgid/scoreboard.h"

struct err;

/* --- layout.c -------------------------------------------------------------- */

enum {
	/* Beyond these the offsets would not fit their 32 bits, or somebody
	 * has miscounted. */
	SCOREBOARD_MOST_PROCESSES = 1000000,
	SCOREBOARD_MOST_WORKERS = 100000,
};

/* Where things are in the files that we write, in bytes. */
struct scoreboard_layout {
	size_t process_offset;
	size_t process_size;
	size_t board_size; /* of the file */
	size_t worker_offset;
	size_t worker_size;
	size_t page_size; /* of the file */
};

struct scoreboard_layout scoreboard_layout(
	unsigned processes, unsigned workers);

/* Make a copy of what somebody else wrote fit to be shown: texts are
 * terminated and hold what may be shown (base/printable.h), states are Apache's
 * letters or "?". */
void scoreboard_clean_board(struct wsgid_board *board);
void scoreboard_clean_page(struct wsgid_page *page);
void scoreboard_clean_worker(struct wsgid_worker *worker);

/* --- read.c ----------------------------------------------------------------- */

struct scoreboard_view;

/* As scoreboard_open, of a file that may have no name any more; fd stays the
 * caller's.  path is where its pages are looked for. */
int scoreboard_open_fd(struct scoreboard_view **ret, int fd, const char *path,
	struct err *err);

/* --- past.c ----------------------------------------------------------------- */

struct scoreboard;

/* What a server that is gone had counted. */
struct scoreboard_past {
	struct wsgid_board board;
	struct wsgid_process *processes;
	unsigned n;
};

/* 0, or a negative errno and a sentence. */
int scoreboard_past_read(
	struct scoreboard_past *ret, int fd, const char *path, struct err *err);
void scoreboard_past_add(
	const struct scoreboard_past *past, struct scoreboard *s);
void scoreboard_past_fini(struct scoreboard_past *past);

/* --- place.c --------------------------------------------------------------- */

/* Become who may replace the board at path, which is NAME in dir.  What holds
 * the place until it is closed, to be done when the new board is there; or a
 * negative errno and a sentence: -EWOULDBLOCK when a running server has it. */
int scoreboard_place_claim(
	int dir, const char *name, const char *path, struct err *err);
/* Is the board at NAME in dir that of this master, and its place so? */
bool scoreboard_place_is_of(int dir, const char *name, pid_t master);
/* After a claim that came to nothing; before it is closed. */
void scoreboard_place_give_back(int dir, const char *name, int fd);

/* Lock a board of ours: 0, -EAGAIN when it is locked, or another negative
 * errno. */
int scoreboard_place_lock(int fd);

/* Make the symbolic link, replacing what is there, and remove it, if it still
 * leads to path. */
int scoreboard_place_link(const char *link, const char *path);
void scoreboard_place_unlink(const char *link, const char *path);

/* --- files.c --------------------------------------------------------------- */

/* A new zeroed file of the given size, still under a temporary name, or a
 * memfd that can neither shrink nor grow; close-on-exec, or a negative
 * errno. */
int scoreboard_file_create(int dir, const char *name, size_t size, gid_t group);
int scoreboard_file_create_memory(const char *name, size_t size);

/* Give the new file its name, replacing what has it now, and take it away
 * again: the first before it has got its name, the second if the name still
 * is that of the file behind fd, which it tells. */
int scoreboard_file_publish(int dir, const char *name);
void scoreboard_file_discard(int dir, const char *name);
bool scoreboard_file_remove(int dir, const char *name, int fd);

/* Remove the pages, and the unfinished files, that an earlier server left
 * beside the board of this name. */
void scoreboard_file_sweep(int dir, const char *board_name);

/* Another descriptor of the same file with its own open file description:
 * flags and offset of one do not change the other's. */
int scoreboard_file_reopen(int fd);

/* Copy out len bytes; those that cannot be read are zeroes.  Reading instead
 * of mapping, because a mapping of a file that somebody shortens kills its
 * reader by SIGBUS. */
void scoreboard_file_read(int fd, void *to, size_t len, size_t offset);

#endif
