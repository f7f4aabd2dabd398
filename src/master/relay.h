/*
 * relay.h - what children say.
 */
#ifndef WSGID_MASTER_RELAY_H
#define WSGID_MASTER_RELAY_H

#include <stdint.h>
#include <sys/types.h>

struct heritage;
struct heritage_output;
struct master;

/* Read what the child writes to fd until its end. */
int relay_open(struct master *m, int fd, pid_t pid);

/* Leave all of them to the program that we become; and there, take one over. */
int relay_bequeath(struct master *m, struct heritage *h);
void relay_inherit(struct master *m, const struct heritage_output *o);

/* Read what there is now, so that a child's last words come before the news
 * of its death; unless the log takes no lines, and there is much of it. */
void relay_drain(struct master *m, pid_t pid);

/* Read what has come into pipes that were at rest for long enough. */
void relay_turn(struct master *m);
int64_t relay_deadline(const struct master *m);

/* The log takes lines again: read on where that was put off. */
void relay_go_on(struct master *m);

/* The same, and of pipes at rest; all that there is now: nobody will come back
 * to it. */
void relay_finish(struct master *m);
void relay_close_all(struct master *m);

/* The stacks that this child writes now were asked for: they are a notice. */
void relay_expect_stacks(struct master *m, pid_t pid);

#endif
