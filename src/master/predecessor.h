/*
 * predecessor.h - the master before us, while it finishes its requests.
 */
#ifndef WSGID_MASTER_PREDECESSOR_H
#define WSGID_MASTER_PREDECESSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct master;

/* We have taken over from it. */
void predecessor_watch(struct master *m, pid_t from);
/* Is it this process, of which we may be about to take over? */
bool predecessor_is(const struct master *m, pid_t pid);
bool predecessor_lives(const struct master *m);
void predecessor_turn(struct master *m);
int64_t predecessor_deadline(const struct master *m);

#endif
