/*
 * guard.h - noticing that a child has broken what all of them share.
 */
#ifndef WSGID_MASTER_GUARD_H
#define WSGID_MASTER_GUARD_H

#include <stdint.h>

struct master;

/* What the children share, and one of them may break. */
enum { GUARD_POOL = 1, GUARD_LISTENERS = 2, GUARD_SETS = 4 };

/* See that what a child breaks of what all of them share is whole again. */
void guard_turn(struct master *m);
int64_t guard_deadline(const struct master *m);

#endif
