/*
 * stop.h - the end of the server.
 */
#ifndef WSGID_MASTER_STOP_H
#define WSGID_MASTER_STOP_H

#include <stdbool.h>

struct child;
struct master;

/* why is said in the log, NULL: it was said already. */
void stop_begin(struct master *m, bool graceful, const char *why);
void stop_turn(struct master *m);

/* A child has ended, and so many requests with it. */
void stop_reaped(
	struct master *m, const struct child *dead, int unfinished, int status);

/* The time of those that are finishing is over, and they will be killed: does
 * that cut off requests? */
void stop_cuts(struct master *m);

/* As stop_begin, when a new master has taken our place. */
void stop_after_upgrade(struct master *m);

#endif
