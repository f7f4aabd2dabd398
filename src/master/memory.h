/*
 * memory.h - is there room for as many children as there may be?
 */
#ifndef WSGID_MASTER_MEMORY_H
#define WSGID_MASTER_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct child;
struct master;

/* The child is ready.  If it is the first of its generation: say so where
 * the control group has no room for as many. */
void memory_weigh(struct master *m, const struct child *c);

/* Its part: do so many need more than the limit?  limit 0: there is none. */
bool memory_is_short(int64_t limit, int64_t of_one, long children);

#endif
