/*
 * heir.h - taking over from another master: the new one's side of upgrade.c.
 */
#ifndef WSGID_MASTER_HEIR_H
#define WSGID_MASTER_HEIR_H

#include <stdbool.h>

struct err;
struct master;

/* We are the new master, and the old one still is the server. */
bool heir_waits(const struct master *m);

/* 1 when the pool socket was left to us, else 0. */
int heir_take_pool(struct master *m);
int heir_take_listeners(struct master *m, struct err *err);

/* The descriptor of the pid file at path that was left to us, or -1. */
int heir_take_pid_file(struct master *m, const char *path);

/* Go on with lines of the log that were left to us, and with what children's lines
 * are known by: after logs_use. */
void heir_take_lines(struct master *m);

/* Where we are the old process: its children, and who waits for us; with them
 * it is a reload from here on. */
void heir_take_children(struct master *m);

/* A child of ours serves. */
void heir_child_ready(struct master *m);
void heir_say_failed(const struct master *m, const char *reason);

/* We stop, and give our requests the time to finish: the old master shall, too. */
void heir_say_finishing(const struct master *m);

#endif
