/*
 * control.h - the control socket: what the administrator's tool asks.
 */
#ifndef WSGID_MASTER_CONTROL_H
#define WSGID_MASTER_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct heritage;
struct master;

int control_open(struct master *m, struct err *err);
void control_close(struct master *m);

/* Answer those who wait for scale_begin: reason is NULL when it is done. */
void control_scaled(struct master *m, const char *reason);

/* Answer those who wait for the upgrade: reason is NULL when it is done. */
void control_upgraded(struct master *m, const char *reason);

/* Leave them to the program that we become; and there, take one over. */
int control_bequeath(struct master *m, struct heritage *h);
int control_adopt(struct master *m, int fd);

/* Connections that take too long are closed. */
void control_turn(struct master *m);
int64_t control_deadline(const struct master *m);

/* Tell those who wait for a reload or restart how it goes: one line, as in
 * control/control.h; words end with NULL. */
void control_tell(struct master *m, const char *const *words);
#define CONTROL_TELL(m, ...) \
	control_tell((m), (const char *const[]){__VA_ARGS__, NULL})

/* Answer those who wait for the reload: reason is NULL when it is done. */
void control_reloaded(struct master *m, const char *reason);

/* Does anybody wait for a reload? */
bool control_awaits_reload(const struct master *m);

/* The current generation has a child that serves, or its first one has ended
 * and this is the reason: answers those who wait for a restart. */
void control_restarted(struct master *m, const char *reason);

#endif
