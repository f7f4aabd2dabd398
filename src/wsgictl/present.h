/*
 * present.h - the server that is there already when one is to be started.
 *
 * One that serves is enough; one that is starting may come to serve, or fail;
 * one that is ending must have ended before another can have its name.
 */
#ifndef WSGID_WSGICTL_PRESENT_H
#define WSGID_WSGICTL_PRESENT_H

#include <stdbool.h>
#include <stdint.h>

struct command;
struct config;
struct err;

/* Wait until the server of this configuration serves or is no more, but not
 * beyond end_ns (-1: as long as it takes).  False when there is none, or none
 * any more, and then *err says whose end was waited for: start one.  True when
 * nothing is to be started: *status is the exit code, and what there is to say has
 * been said or is in *err. */
bool present_wait(const struct command *c, const struct config *wanted,
	int64_t end_ns, int *status, struct err *err);

#endif
