/*
 * pool.h - keeping the number of children right.
 */
#ifndef WSGID_MASTER_POOL_H
#define WSGID_MASTER_POOL_H

struct child;
struct master;

/* Children a turn of the policy at most, as in Apache. */
enum { SPAWN_RATE = 32 };

/* Keep the number of children right: replace the dead and the outgoing,
 * and once a second do what the policy says. */
void pool_turn(struct master *m);

/* A child is stuck in a request: when nobody else is idle the policy is asked
 * now, not when its second is over. */
void pool_hurry(struct master *m);

/* Start so many, as soon as may be. */
void pool_owe(struct master *m, int children);

/* A replacement is ready: one of those it was started for may go. */
void pool_replaced(struct master *m, struct child *by);

/* A child of the current generation has ended before its time, and how; what it
 * has done for clients was noted.  Or it has failed without that. */
void pool_lost(struct master *m, const struct child *c, const char *how);
void pool_failed(struct master *m, const struct child *c, const char *how);

#endif
