/*
 * control_priv.h - a connection of the control socket: control.c, answers.c.
 */
#ifndef WSGID_MASTER_CONTROL_PRIV_H
#define WSGID_MASTER_CONTROL_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "master/state.h"

enum wait {
	WAITS_FOR_NOTHING,
	WAITS_FOR_RELOAD,
	WAITS_FOR_RESTART,
	WAITS_FOR_UPGRADE,
	WAITS_FOR_SCALE,
	WAITS_FOR_LOGS,
	WAITS_FOR_STOP,
};

struct client {
	struct source source;
	struct client *next;
	uid_t uid;           /* whose it is */
	int64_t deadline_ns; /* NEVER while it waits for something */
	enum wait waits;
	unsigned after; /* restart: for a generation younger than this */
	bool missed; /* lines that came faster than it read */
	bool answered;
	bool half_closed; /* it has said all; the answer is still wanted */
	struct buf in;
	struct buf out;
};

/* Lines of the answer, as in control/control.h; texts end with NULL. */
void client_line(struct client *c, const char *const *texts);
#define LINE(c, ...) client_line((c), (const char *const[]){__VA_ARGS__, NULL})
void client_number(struct client *c, const char *name, long long number);
/* The last one: either of these. */
void client_ok(struct client *c);
void client_error(struct client *c, const char *sentence);
/* The same for one that has waited: reason is NULL when it is done. */
void client_end_wait(struct master *m, struct client *c, const char *reason);

#endif
