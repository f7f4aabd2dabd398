/*
 * idle.h - ending when there is nothing to do, to be started again by the next
 * client.
 */
#ifndef WSGID_MASTER_IDLE_H
#define WSGID_MASTER_IDLE_H

#include <stdint.h>

struct master;

/* End when IdleExit says so; and say so where it says nothing. */
void idle_turn(struct master *m);
int64_t idle_deadline(const struct master *m);
void idle_warn(const struct master *m);

#endif
