/*
 * service.h - the server as a service: what systemd hears of its life, and
 * when.
 *
 * Where no service manager listens all of this does nothing.
 */
#ifndef WSGID_MASTER_SERVICE_H
#define WSGID_MASTER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct master;

void service_begin(struct master *m);

/* The server cannot be started, or go on. */
void service_failed(struct master *m, const char *sentence);
void service_ready(struct master *m);

/* We are the main process now; and another one is. */
void service_take_over(struct master *m);
void service_give_up(struct master *m, pid_t successor);

/* Around a reload; reason is NULL when it is done. */
void service_reloading(struct master *m);
void service_reloaded(struct master *m, const char *reason);
void service_stopping(struct master *m, bool graceful);
void service_turn(struct master *m);
int64_t service_deadline(const struct master *m);

#endif
