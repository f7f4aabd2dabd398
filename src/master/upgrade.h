/*
 * upgrade.h - another master takes our place, by the program that is
 * installed now.
 */
#ifndef WSGID_MASTER_UPGRADE_H
#define WSGID_MASTER_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct master;

void upgrade_begin(struct master *m, const char *why);
bool upgrade_running(const struct master *m);

/* Is the new master this process? */
bool upgrade_is_to(const struct master *m, pid_t pid);

/* The new master has ended. */
void upgrade_reaped(struct master *m, int status);

/* We are stopping, and the new master that is still to take our place shall as
 * well; or, not gracefully any more, at once. */
void upgrade_abandon(struct master *m, bool graceful);
void upgrade_turn(struct master *m);
int64_t upgrade_deadline(const struct master *m);

#endif
