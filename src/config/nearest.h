/*
 * nearest.h - "did you mean ...?"
 */
#ifndef WSGID_CONFIG_NEAREST_H
#define WSGID_CONFIG_NEAREST_H

#include <stdbool.h>

/* A search among candidates that are considered one after the other. */
struct nearest {
	const char *wanted;
	const char *best; /* NULL while none is near enough */
	unsigned distance;
};

struct nearest nearest_begin(const char *wanted);

/* Is this one, which may be NULL, the best so far? */
bool nearest_consider(struct nearest *n, const char *candidate);

#endif
