/*
 * systemd.h - what the master has from a service manager, and what it tells it;
 * for this folder only.
 */
#ifndef WSGID_MASTER_SYSTEMD_H
#define WSGID_MASTER_SYSTEMD_H

#include "master/state.h"

/* --- activation.c ------------------------------------------------------------- */

/* Take the sockets that systemd passes. */
int activation_take(struct master *m, struct err *err);
/* Take one over that was passed to the old master; asked is as its generation
 * had it. */
int activation_inherit(
	struct master *m, int fd, const char *asked, struct err *err);
void activation_close(struct master *m);
/* Name the server after the first of them, where they take the place of a
 * Listen that nobody has written. */
int activation_name(const struct master *m, struct config *c, struct err *err);
/* Is what stands behind Listen the name of such a socket, and a right one? */
bool activation_names(const char *listen);
int activation_check(const char *listen, struct err *err);
/* Give g those that its configuration asks for.  A negative errno and a
 * sentence where one is missing, or nobody's. */
int activation_share(struct master *m, struct generation *g, struct err *err);

/* --- fdstore.c ---------------------------------------------------------------- */

/* Is what systemd passes under that name something that it has kept for us? */
bool fdstore_is_ours(const char *name);
int fdstore_take(struct master *m, int fd, const char *name, struct err *err);
/* Make those listeners m->before that c still asks for; the others go. */
int fdstore_restore(struct master *m, const struct config *c, struct err *err);
/* Have systemd keep what there is now. */
void fdstore_keep(struct master *m);
/* Does it, as far as is known? */
bool fdstore_keeps(const struct master *m);
/* That listener is another socket now. */
void fdstore_replace(struct master *m, size_t i);
void fdstore_close(struct master *m);

/* --- service.c --------------------------------------------------------------- */

/* Where no service manager listens all of these do nothing. */
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

/* --- idle.c ------------------------------------------------------------------- */

/* End when IdleExit says so; and say so where it says nothing. */
void idle_turn(struct master *m);
int64_t idle_deadline(const struct master *m);
void idle_warn(const struct master *m);

/* --- watchdog.c --------------------------------------------------------------- */

/* Is it right to say that the server is well?  To be asked now and then. */
bool watchdog_progress(struct master *m);

#endif
