/*
 * processes.h - processes that have exec'ed and use an accept mutex.
 *
 * The test program starts itself again and plays a role, as a child would.
 */
#ifndef WSGID_TEST_LOCK_PROCESSES_H
#define WSGID_TEST_LOCK_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

struct accept_mutex;

enum {
	ROUNDS = 300,
	NOBODY_ID = 65534,
	SOON = 1000, /* ms: what must happen does so within this */
};

/* Counters with no atomics on purpose: only the mutex keeps them right. */
struct counters {
	volatile int inside;
	volatile int most_inside;
	volatile int rounds;
};

struct process {
	pid_t pid;
	int from; /* where it says how far it is */
};

/* The roles.
 * "count": says 's' in its tenth of ROUNDS turns at the counters, and exits
 * with 0 after the last.
 * "hold": says 'w', locks, says 'h', and waits to be killed.  When the lock
 * fails it says 'x' and exits with the errno.
 * "master": makes a mutex of its own in a directory, starts two processes
 * that hold it, says 'h', and waits; its process group is its own. */
struct role {
	const char *name;
	const char *mechanism;
	const char *directory; /* of "master", else "" */
	int counters;          /* the descriptor, or -1 */
	bool unprivileged;     /* gives up root before it attaches */
};

/* To be called first in main: does not return in such a process. */
void process_main(int argc, char *argv[]);

/* Start one with a descriptor of the mutex (NULL for "master"). */
struct process process_start(struct accept_mutex *m, const struct role *role);

/* Has it said this byte, or does it within so many milliseconds? */
bool process_says(const struct process *p, char byte, int timeout_ms);

/* Wait for its end: the status of its exit, or minus its signal. */
int process_end(struct process *p);

/* Kill and wait. */
void process_kill(struct process *p);

/* A memfd for counters, and a mapping of it. */
int counters_make(struct counters **ret);

#endif
