/*
 * template.h - the processes that have the application and fork children.
 */
#ifndef WSGID_MASTER_TEMPLATE_H
#define WSGID_MASTER_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child;
struct err;
struct generation;
struct master;
struct source;

int template_start(
	struct master *m, const struct generation *g, struct err *err);
struct child *template_of_pid(const struct master *m, pid_t pid);

/* g's, when it can be told to fork; else NULL. */
struct child *template_ready(
	const struct master *m, const struct generation *g);

/* Can children of g be started now?  Without preloading, yes. */
bool template_takes_orders(const struct master *m, const struct generation *g);
void template_speaks(struct master *m, struct source *s);
void template_tell_log_level(struct master *m, const struct generation *g);

/* That of a generation does not do what it is for. */
void template_kill(struct master *m, unsigned generation, const char *why);

/* It has died: forget it.  *ret is what it was. */
void template_bury(struct master *m, struct child *t, struct child *ret);

/* Start, stop and kill templates as the state asks for. */
void template_turn(struct master *m);

/* That of the generation that serves ends; template_turn starts another one. */
void template_renew(struct master *m);
int64_t template_deadline(const struct master *m);
void template_close_all(struct master *m);

#endif
