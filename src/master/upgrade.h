/*
 * upgrade.h - another master takes our place, by the program that is
 * installed now.
 */
#ifndef WSGID_MASTER_UPGRADE_H
#define WSGID_MASTER_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

struct master;

void upgrade_begin(struct master *m, const char *why);
bool upgrade_running(const struct master *m);

/* The new master has ended. */
void upgrade_reaped(struct master *m, int status);

/* We are to stop before it was ready. */
void upgrade_abandon(struct master *m);
void upgrade_turn(struct master *m);
int64_t upgrade_deadline(const struct master *m);

#endif
