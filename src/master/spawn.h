/*
 * spawn.h - starting a child.
 */
#ifndef WSGID_MASTER_SPAWN_H
#define WSGID_MASTER_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "net/inherit.h"

struct child;
struct err;
struct generation;
struct master;

/* A process that has been started, and our ends of what it has. */
struct spawned {
	pid_t pid; /* 0: a template will fork it */
	int channel;
	int output;
};

/* In a forked process: as a program expects to be started, but for signal_traceback(),
 * which the master ignores and a child until Python has a handler for it: there is no
 * moment in which asking for stacks would end one. */
void spawn_reset_signals(void);

/* Start a child of g in the lowest vacant slot, or have g's template fork it,
 * which must be ready.  *ret or a negative errno. */
int spawn_child(struct master *m, const struct generation *g,
	struct child **ret, struct err *err);

/* What proves g: its template, or its first child, which replaces another. */
int spawn_first(struct master *m, const struct generation *g, bool replacement,
	struct err *err);

/* What those that are started now do of WSGIWarmUp.  Before a child of g has
 * served, only one with good answers may.  Later on it is tried; and left out for
 * a while when somebody has not come out of it, who hangs, say, and cannot tell. */
enum inherit_warm_up spawn_warm_up(
	const struct master *m, const struct generation *g);

/* Start g's template: for template.c. */
int spawn_template(struct master *m, const struct generation *g,
	struct spawned *ret, struct err *err);

#endif
