/*
 * buckets.h - ListenCoresBucketsRatio: several sockets for one address, and
 * children for each.
 */
#ifndef WSGID_MASTER_BUCKETS_H
#define WSGID_MASTER_BUCKETS_H

#include <stdbool.h>

struct child;
struct config;
struct err;
struct generation;
struct master;

/* How many there are, for the life of the server; where it is not as
 * ListenCoresBucketsRatio says, that is said.  To be called before the first
 * generation is made, and after the log is open. */
void buckets_choose(struct master *m, const struct config *c);
void buckets_say(const struct master *m);

/* The sets of a generation with its listeners; and their end. */
int buckets_make_sets(struct generation *g, struct err *err);
void buckets_close_sets(struct generation *g);

/* As listen_set_mend, of all of them. */
int buckets_mend_sets(const struct generation *g);

/* Let children of other buckets wait for the clients of one that has no child,
 * as long as it has none. */
void buckets_turn(struct master *m);

/* That of the children of this slot. */
unsigned buckets_of_slot(const struct master *m, unsigned slot);

/* Which has the fewest children of a generation that are to stay. */
unsigned buckets_neediest(const struct master *m, unsigned generation);

/* Is there another child in the bucket of this one? */
bool buckets_can_spare(const struct master *m, const struct child *c);

#endif
