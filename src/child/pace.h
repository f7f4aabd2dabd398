/*
 * pace.h - how long a client may take to send a part of its request.
 *
 * mod_reqtimeout's arithmetic: a part has some time in any case, and as many
 * seconds more as it has brought of MinRate, up to a bound.  So a client that
 * is slow but steady is served, and one that sends a byte now and then is not.
 */
#ifndef WSGID_CHILD_PACE_H
#define WSGID_CHILD_PACE_H

#include <stdint.h>

struct config_read_limit;

enum pace_part {
	PACE_NOTHING, /* no part of a request is awaited */
	PACE_HEADER,
	PACE_BODY,
	PACE_PARTS,
};

struct pace {
	enum pace_part part;
	int64_t begin_ns; /* of the part; its later pauses moved it on */
	int64_t pause_ns; /* since then nobody has waited; 0: somebody does */
	uint64_t bytes;   /* of the part */
};

/* This part begins now, or goes on: time in which nobody has waited for the
 * client is not the client's. */
void pace_begin(struct pace *p, enum pace_part part, int64_t now_ns);

/* Nobody waits for the client from now on. */
void pace_pause(struct pace *p, int64_t now_ns);

/* When the part must have come; INT64_MAX: never. */
int64_t pace_deadline(
	const struct pace *p, const struct config_read_limit *limit);

#endif
