/*
 * restart.h - a new generation beside the old.
 */
#ifndef WSGID_MASTER_RESTART_H
#define WSGID_MASTER_RESTART_H

#include <stdbool.h>
#include <stdint.h>

struct master;

void restart_begin(struct master *m, bool ungraceful, const char *why);

/* The first child of the new generation is ready. */
void restart_commit(struct master *m);

/* It will never be. */
void restart_fail(struct master *m, const char *reason);

/* Go on with a reload where that is possible. */
void restart_turn(struct master *m);
int64_t restart_deadline(const struct master *m);

/* The current generation has a child that serves, or its first one has ended
 * and this is the reason: the end of a restart that was not graceful. */
void restart_proven(struct master *m, const char *reason);

#endif
