/*
 * children.h - the master's children, from the order to be to what their death
 * means, and how many there are; for this folder only.
 *
 * spawn.c, template.c and birth.c start them, child.c talks to one, census.c
 * counts, pool.c keeps the number right and reap.c buries; the rest says what
 * became of them.
 */
#ifndef WSGID_MASTER_CHILDREN_H
#define WSGID_MASTER_CHILDREN_H

#include "master/state.h"
#include "net/inherit.h"

/* --- spawn.c ----------------------------------------------------------------- */

/* In a forked process: as a program expects to be started. */
void spawn_reset_signals(void);
/* Start a child of g in the lowest vacant slot, or have g's template fork it,
 * which must be ready.  *ret or a negative errno. */
int spawn_child(struct master *m, const struct generation *g,
	struct child **ret, struct err *err);
/* What proves g: its template, or its first child, which replaces another. */
int spawn_first(struct master *m, const struct generation *g, bool replacement,
	struct err *err);
/* What those that are started now do of WSGIWarmUp.  Before a child of g has
 * served, only one with good answers may.  Later on it is tried; and left out for
 * a while when somebody has not come out of it, who hangs, say, and cannot tell. */
enum inherit_warm_up spawn_warm_up(
	const struct master *m, const struct generation *g);
/* Start g's template: for template.c. */
int spawn_template(struct master *m, const struct generation *g,
	struct spawned *ret, struct err *err);

/* --- template.c --------------------------------------------------------------- */

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

/* --- birth.c ------------------------------------------------------------------- */

/* Has a template been told to fork it, and we do not know its pid yet? */
bool birth_expected(const struct child *c);
/* What such a child, or its template on its channel, says. */
void birth_hear(struct master *m, struct child *c,
	const struct channel_message *message);
/* It will never be. */
void birth_lost(struct master *m, struct child *c);
/* Somebody unknown has died: let those who are expected speak. */
void birth_listen(struct master *m);

/* --- child.c ----------------------------------------------------------------- */

void child_happened(
	struct master *m, struct child *c, enum lifecycle_event event);
/* Tell it to finish within timeout_ms, 0 = no limit; then it is killed.  One
 * that was told before may get less time, and never more. */
void child_retire(struct master *m, struct child *c, int64_t timeout_ms);
/* Tell all of a generation that its access logs, or its log level, have
 * changed. */
void child_tell_logs(struct master *m, const struct generation *g);
void child_tell_log_level(struct master *m, const struct generation *g);
void child_tell_failure(
	struct master *m, const struct generation *g, const char *reason);
/* Tell it to leave now; it is killed when it has not after patience_ms. */
void child_stop(struct master *m, struct child *c, int64_t patience_ms);
/* The living child with this pid, or NULL. */
struct child *child_of_pid(const struct master *m, pid_t pid);
/* It has said that it cannot serve, and why. */
void child_cannot_serve(struct master *m, struct child *c, const char *text);
/* It runs, and is useless: its death is one that nobody had told it, so that
 * whoever waits for it hears of it.  error is a negative errno. */
void child_cannot_be_watched(struct child *c, int error);
/* Its channel is readable. */
void child_speaks(struct master *m, struct source *s);
/* Its deadline has passed. */
void child_due(struct master *m, struct child *c);
/* Have a process write the Python stacks of its threads; when that is over. */
enum { STACKS_MS = 250 };
int64_t child_ask_where(const struct master *m, pid_t pid);
/* Alive and not told to go: what serves, or soon will. */
bool child_active(const struct child *c);
bool child_obsolete(const struct master *m, const struct child *c);
/* Has it ended as we told it to, however that was?  Who has left by itself may have
 * crashed on the way. */
bool child_went_as_told(const struct child *c);

/* --- census.c ---------------------------------------------------------------- */

struct census {
	/* Children. */
	int starting;
	int ready;
	int draining;     /* stopping ones too */
	int obsolete;     /* ready, but of an older generation */
	int outgoing;     /* these, and those that want to be replaced */
	int replacements; /* of the starting ones */
	/* Workers: threads, under prefork as many as children. */
	int starting_workers;
	int workers;   /* of the ready children */
	int idle;      /* of these; this and the next: census_look */
	int finishing; /* in a request, of the draining */
};

/* Without what costs a look at every child's page. */
void census_take(const struct master *m, struct census *ret);
void census_look(const struct master *m, struct census *census);
/* Seconds: a child that has been ready for so long is no failure. */
enum { SETTLED_S = 10 };

/* The requests that a child had not finished, by its page: to be asked when it
 * has died.  No number of a child's is believed above CENSUS_MOST. */
enum { CENSUS_MOST = 1 << 20 };
int census_unfinished(const struct master *m, const struct child *c);
/* Has it answered a request of a client, by its page?  Of one that was not ready
 * nothing is believed. */
bool census_answered(const struct master *m, const struct child *c);
/* Remember that, and whether it has at least begun one. */
void census_note_deeds(const struct master *m, struct child *c);
/* A replacement is in the place of the one that goes when it is ready, and so
 * takes none itself. */
int census_active(const struct census *census);
/* How many may be added to those that are active. */
int census_vacant(const struct master *m, const struct census *census);
/* As the policy wants it; after census_look. */
struct mpm_census census_for_policy(
	const struct master *m, const struct census *census);
/* Within which the policy keeps them. */
struct mpm_limits census_limits(const struct master *m);
/* No number of idle workers could make the policy change anything. */
bool census_settled(const struct master *m, const struct census *census);
/* The child that the policy may send away, which has the most idle workers
 * and at least one, or NULL. */
struct child *census_idle_child(const struct master *m);
/* The most children: as MaxRequestWorkers allows, but never above the
 * ServerLimit of the start. */
long census_limit(const struct master *m);
/* The same in workers. */
long census_worker_limit(const struct master *m);
/* Are workers threads? */
bool census_of_threads(const struct master *m);

/* --- unfinished.c ------------------------------------------------------------- */

/* The requests that a child was in whom nobody had told to go: to be noted before
 * it is buried, and said, a line each, when its death is.  The second frees. */
void unfinished_note(
	const struct master *m, const struct child *c, struct buf *to);
void unfinished_say(const struct child *c, struct buf *noted);

/* --- pool.c ------------------------------------------------------------------ */

/* Keep the number of children right: replace the dead and the outgoing,
 * and once a second do what the policy says. */
void pool_turn(struct master *m);
/* A child is stuck in a request: when nobody else is idle the policy is asked
 * now, not when its second is over. */
void pool_hurry(struct master *m);
/* Start so many, as soon as may be. */
void pool_owe(struct master *m, int children);
/* A replacement is ready: one of those it was started for may go. */
void pool_replaced(struct master *m, struct child *by);
/* A child of the current generation has ended before its time, and how; what it
 * has done for clients was noted.  Or it has failed without that. */
void pool_lost(struct master *m, const struct child *c, const char *how);
void pool_failed(struct master *m, const struct child *c, const char *how);

/* --- reap.c ------------------------------------------------------------------ */

void reap_children(struct master *m);
/* Make siblings of the dead look for clients, when that is due. */
void reap_nudge(struct master *m);

/* --- coredump.c -------------------------------------------------------------- */

/* ", possible coredump in DIR": where kernel.core_pattern sends the coredump of
 * a process with that working directory. */
void coredump_place(
	const char *pattern, const char *dir, char *to, size_t size);
/* The same of a child with that configuration, on this machine. */
void coredump_say(const struct config *c, char *to, size_t size);
/* Say so when CoreDumpDirectory has no say. */
void coredump_warn(const struct config *c);

/* --- oom.c ------------------------------------------------------------------- */

enum oom_trace { OOM_TRACE_UNREADABLE, OOM_TRACE_NONE, OOM_TRACE_FOUND };
enum oom_verdict { OOM_UNKNOWN, OOM_INNOCENT, OOM_KILLED };

/* Remember what the kernel has counted so far. */
void oom_open(struct master *m);
/* Has the kernel's out-of-memory killer ended this process just now? */
enum oom_verdict oom_ask(struct master *m, pid_t pid);

/* Its parts.  The count in a file of the kernel's, -1: there is none. */
int64_t oom_count(const char *text);
/* The counter's file, by the text of /proc/self/cgroup and the version of
 * control groups; false: this version has no group for memory. */
bool oom_counter(const char *groups, int version, char *to, size_t size);
/* Does this record of /dev/kmsg name the process, and is it fresh? */
bool oom_names(const char *record, pid_t pid, int64_t now_us);
enum oom_verdict oom_judge(enum oom_trace counter, enum oom_trace log);

/* --- memory.c ---------------------------------------------------------------- */

/* The child is ready.  If it is the first of its generation: say so where
 * the control group has no room for as many. */
void memory_weigh(struct master *m, const struct child *c);
/* Its part: do so many need more than the limit?  limit 0: there is none. */
bool memory_is_short(int64_t limit, int64_t of_one, long children);

#endif
