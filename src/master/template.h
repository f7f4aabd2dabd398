/*
 * template.h - the processes that have the application and fork children.
 */
#ifndef WSGID_MASTER_TEMPLATE_H
#define WSGID_MASTER_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/state.h"
#include "net/channel.h"

struct err;
struct generation;

/* The process of one generation that has the application and forks children. */
struct template
{
	struct source channel;
	struct template *next;
	pid_t pid;
	unsigned generation;
	int64_t ready_ns; /* 0: not yet */
	int64_t deadline_ns;
	bool told; /* by us, to stop */
	bool warm; /* as in struct child, like the next */
	bool failed, killed, timed_out, babbled;
	char reason[CHANNEL_TEXT + 1];
};

int template_start(
	struct master *m, const struct generation *g, struct err *err);
struct template *template_of_pid(const struct master *m, pid_t pid);

/* g's, when it can be told to fork; else NULL. */
struct template *template_ready(
	const struct master *m, const struct generation *g);

/* Can children of g be started now?  Without preloading, yes. */
bool template_takes_orders(const struct master *m, const struct generation *g);
void template_speaks(struct master *m, struct source *s);
void template_tell_log_level(struct master *m, const struct generation *g);

/* That of a generation does not do what it is for. */
void template_kill(struct master *m, unsigned generation, const char *why);

/* It has died: forget it.  *ret is what it was, as if it had been a child. */
void template_bury(struct master *m, struct template *t, struct child *ret);

/* Start, stop and kill templates as the state asks for. */
void template_turn(struct master *m);

/* That of the generation that serves ends; template_turn starts another one. */
void template_renew(struct master *m);
int64_t template_deadline(const struct master *m);
void template_close_all(struct master *m);

#endif
