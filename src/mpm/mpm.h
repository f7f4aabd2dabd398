/*
 * mpm.h - how many children there should be: Apache's rules as functions.
 *
 * Census in, plan out.  Nothing here forks, kills, reads a clock or logs; the
 * master takes the census, carries the plan out and says the remarks.
 */
#ifndef WSGID_MPM_MPM_H
#define WSGID_MPM_MPM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/exits.h"

/* Workers are what serves one request: children under prefork, threads of
 * them under worker. */
struct mpm_limits {
	int min_spare;      /* workers: MinSpareServers, MinSpareThreads */
	int max_spare;      /* workers: MaxSpareServers, MaxSpareThreads */
	int max_spawn_rate; /* children a turn, 32 as in Apache */
};

struct mpm_census {
	int idle;   /* workers; those of starting children count as idle, as in
	             * Apache: slow starters must not cause more forks */
	int busy;   /* workers */
	int vacant; /* children that may still be started: MaxRequestWorkers
	             * less the active ones (draining ones do not count) */
	int starting; /* of the idle workers, those of children that are not
	             * READY yet; a shortage that they alone cover is not
	             * over */
};

/* Kept between turns; starts as {.spawn_rate = 1}. */
struct mpm_memory {
	int spawn_rate;
	int hold_off;   /* turns for which the rate stays; 10 after a reload */
	bool told_full; /* until it has cleared */
	bool told_near; /* likewise */
};

enum mpm_remark {
	MPM_NOTHING_TO_SAY,
	MPM_SPAWNING_FAST, /* "server seems busy", spawn_rate >= 8 */
	MPM_LIMIT_REACHED, /* "reached MaxRequestWorkers", once until cleared */
	MPM_LIMIT_NEAR,    /* "within MinSpareThreads of" it; likewise */
};

struct mpm_plan {
	int spawn;  /* children */
	int retire; /* children */
	enum mpm_remark remark;
};

/* One turn, a second apart, of Apache's prefork maintenance. */
struct mpm_plan prefork_plan(const struct mpm_limits *limits,
	const struct mpm_census *census, struct mpm_memory *memory);

/* The same of worker. */
struct mpm_plan worker_plan(const struct mpm_limits *limits,
	const struct mpm_census *census, struct mpm_memory *memory);

/* --- the life of a child, as a table (lifecycle.c) ------------------------ */

enum lifecycle {
	LIFECYCLE_VACANT,   /* no process */
	LIFECYCLE_STARTING, /* forked, not READY yet */
	LIFECYCLE_READY,    /* serves */
	LIFECYCLE_DRAINING, /* told to retire: finishes, accepts no more */
	LIFECYCLE_STOPPING, /* told to stop now */
	LIFECYCLE_STATES,
};

enum lifecycle_event {
	LIFECYCLE_FORKED,
	LIFECYCLE_REPORTED_READY,
	LIFECYCLE_TOLD_TO_RETIRE,
	LIFECYCLE_TOLD_TO_STOP,
	LIFECYCLE_DIED,
	LIFECYCLE_EVENTS,
};

/* The state after the event, or -1 when the event makes no sense in that
 * state (a bug in the master, which asserts). */
int lifecycle_after(enum lifecycle state, enum lifecycle_event event);
const char *lifecycle_name(enum lifecycle state);

/* --- how a child ended, and what to make of it (lifecycle.c) -------------- */

enum lifecycle_verdict {
	VERDICT_NORMAL,      /* replace by need */
	VERDICT_APPLICATION, /* cannot import: stop at first start, else back
	                      * off while the others serve */
	VERDICT_SICK,        /* back off */
	VERDICT_CRASHED,     /* replace at once, throttled */
	VERDICT_FATAL,       /* stop the server if of the current generation */
};

/* wait_status as waitpid(2) gives it; told is true when we had asked the
 * child to go (then a signal death is no crash). */
enum lifecycle_verdict lifecycle_verdict(int wait_status, bool told);

/* --- crash loops (throttle.c) ---------------------------------------------- */

/* Starts zeroed.  Failures in a row without one child that lived a while
 * make the delay before the next start 0, 1, 2, 4 … 60 seconds. */
struct throttle {
	unsigned failures;
	unsigned fruitless; /* deaths in a row, no failures, of those that had
	                     * answered nothing */
	int64_t not_before_ns; /* monotonic */
};

/* A child could not start, or died although no client had asked it for
 * anything; lived_ns is how long it was READY (0: never). */
void throttle_failed(struct throttle *t, int64_t now_ns, int64_t lived_ns);
/* One died that had begun a request of a client, and perhaps answered one: no
 * failure, and nobody waits for that. */
void throttle_lost(struct throttle *t, bool answered);
/* Does one that is READY prove nothing, since those before it ended early? */
bool throttle_doubts(const struct throttle *t);
/* A child became READY and stayed so for ten seconds. */
void throttle_recovered(struct throttle *t);
/* How long to wait before a child may be started: 0 = now. */
int64_t throttle_delay(const struct throttle *t, int64_t now_ns);

#endif
