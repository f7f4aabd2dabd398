/*
 * snapshot.h - what a server does at one moment, from its scoreboard alone.
 *
 * The files are read and added up as Apache's mod_status does; nobody is
 * asked, so it works as well for a server that is stopped, busy or dead.
 * What children have written is shown and never believed.
 */
#ifndef WSGID_WSGICTL_SNAPSHOT_H
#define WSGID_WSGICTL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wsgid/scoreboard.h"

struct err;
struct scoreboard_view;

/* A worker of a child: a row of fullstatus. */
struct snapshot_worker {
	unsigned slot;
	unsigned worker;
	int32_t pid;
	uint32_t generation;
	uint32_t lifecycle; /* of its child: enum wsgid_lifecycle */
	char letter;        /* as the scoreboard string has it */
	struct wsgid_worker record;
	/* Of its child and of those before it. */
	uint64_t slot_requests, slot_bytes_out, slot_busy_us;
	int64_t cpu_us;         /* of its process; -1: not known */
	int64_t rss;            /* bytes; -1: not known */
};

struct snapshot {
	struct wsgid_board board;
	int64_t now_us;    /* of a dead server when it last wrote */
	unsigned per_slot; /* the most workers that a child has */
	char *letters;     /* one a worker, per_slot for each slot */
	size_t n_letters;

	struct snapshot_worker *workers; /* of the children that there are */
	size_t n_workers;

	/* Workers by what they do. */
	unsigned idle, busy, starting, graceful, unknown;
	unsigned deadlocked; /* of those that serve: their children's Python
			      * has not run for DeadlockTimeout */
	unsigned children;
	unsigned unseen; /* of these: they serve, but their pages cannot be
			  * read */
	unsigned connections, parked, writing, closing;

	/* Since then: the start, or that of a server before this one. */
	int64_t counted_us;
	uint64_t requests, accepted, bytes_in, bytes_out, busy_us;
	struct wsgid_durations durations;
	/* Of the children that there are. */
	uint64_t refused, aborted;
	char io_engine[16]; /* of the first child that names one */
};

/* Read all of it.  alive says that the server's processes are its own; else
 * nothing is asked of the kernel about them.  0 or a negative errno and a
 * sentence. */
int snapshot_take(struct snapshot *ret, const char *path, bool alive,
	int64_t now_us, struct err *err);
void snapshot_fini(struct snapshot *s);

/* How many letters are worth showing: all places that may be taken, and all
 * that are. */
size_t snapshot_shown_letters(const struct snapshot *s);

/* The letter of its row: where it finishes, what it does there. */
char snapshot_row_letter(const struct snapshot_worker *w);

const char *snapshot_lifecycle_name(uint32_t lifecycle);
const char *snapshot_reload_name(uint32_t result);

#endif
