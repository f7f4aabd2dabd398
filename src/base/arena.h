/*
 * arena.h - memory that is given back all at once.
 *
 * For things that live exactly as long as one other thing: the values of a
 * configuration, the program of a log format.  A zeroed arena is empty.
 */
#ifndef WSGID_BASE_ARENA_H
#define WSGID_BASE_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *blocks; /* the newest first */
};

/* Zeroed memory for len bytes, aligned for any type, good until arena_fini;
 * NULL when memory is short. */
void *arena_alloc(struct arena *a, size_t len);

/* A NUL-terminated copy of len bytes of text; NULL when memory is short. */
char *arena_copy(struct arena *a, const char *text, size_t len);

/* Give all of it back; the arena is empty and usable again. */
void arena_fini(struct arena *a);

#endif
