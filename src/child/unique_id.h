/*
 * unique_id.h - a name for each request: UNIQUE_ID, %L of the access log, and
 * "[id ...]" before lines of the error log.
 *
 * As of Apache's mod_unique_id: no two requests of any machines have the same,
 * and none can be guessed from those of other processes.
 */
#ifndef WSGID_CHILD_UNIQUE_ID_H
#define WSGID_CHILD_UNIQUE_ID_H

#include <stdint.h>

#include "base/str.h"

enum { UNIQUE_ID_LEN = 24 };

struct unique_id {
	uint64_t root; /* random; of one worker */
	uint64_t counter;
	uint32_t second; /* that text begins with */
	char text[UNIQUE_ID_LEN];
};

/* A source of its own for one thread; not to be used on both sides of a fork. */
void unique_id_init(struct unique_id *u);

/* The next one, good until the one after: letters, digits, "-" and "_". */
struct str unique_id_next(struct unique_id *u, uint32_t second);

#endif
