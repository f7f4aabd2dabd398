/*
 * reap.c - what the death of a child means.
 *
 * Who was told to go leaves nothing behind.  Who was not is replaced: at
 * once when a client had asked it for something, after a pause when children
 * keep dying before that; and when it was the first of its generation, that
 * generation is no good.
 * Processes that are no children of ours come here too where the master is
 * process 1 of a container: they are waited for and forgotten.
 *
 * A child that a signal has stopped is dead for as long as that lasts, but it
 * comes back, with its clients: it is not replaced.
 */
#include "master/reap.h"

#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "master/birth.h"
#include "master/board.h"
#include "master/census.h"
#include "master/child.h"
#include "master/coredump.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/master_priv.h"
#include "master/mutex.h"
#include "master/oom.h"
#include "master/pool.h"
#include "master/python.h"
#include "master/relay.h"
#include "master/restart.h"
#include "master/say.h"
#include "master/state.h"
#include "master/stop.h"
#include "master/template.h"
#include "master/unfinished.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"
#include "net/handoff.h"
#include "net/inherit.h"
#include "pythons/loader.h"
#include "scoreboard/scoreboard.h"

enum {
	NUDGES = 4,
	NUDGE_MS = 50,
	CROWDED = 64 * 1024, /* bytes in the pool */
	HOW = 320,           /* bytes of what is said of a death */
	REASON = 1024,       /* and of why it was so early */
	COLD_S = 300,        /* to leave WSGIWarmUp out */
};

static const struct config *
config_of(const struct master *m, const struct child *c)
{
	if (m->next != NULL && c->generation == m->next->number)
		return m->next->config;
	return m->now->config;
}

/* What else is known of a death by signal; to is empty before. */
static void
put_more(struct master *m, const struct child *c, int status, char *to,
	size_t size)
{
	if (!WIFSIGNALED(status))
		return;
	if (WCOREDUMP(status)) {
		coredump_say(config_of(m, c), to, size);
		return;
	}
	if (WTERMSIG(status) != SIGKILL || c->killed)
		return;
	switch (oom_ask(m, c->pid)) {
	case OOM_KILLED:
		snprintf(to, size,
			", by the kernel's out-of-memory killer: fewer or "
			"smaller children are needed, or more memory");
		break;
	case OOM_INNOCENT:
		snprintf(to, size,
			"; neither wsgid nor the kernel, for want of memory, "
			"has sent it");
		break;
	case OOM_UNKNOWN:
		snprintf(to, size,
			"; wsgid has not sent it: perhaps the kernel was out "
			"of memory (see dmesg)");
		break;
	}
}

/* To be asked once: the kernel's traces are used up by it. */
static void
say_how(struct master *m, const struct child *c, int status, char *to,
	size_t size)
{
	size_t len;

	say_death(status, to, size);
	len = strlen(to);
	put_more(m, c, status, to + len, size - len);
}

/* Of the first child of a generation the reason is told by those who have
 * to give that generation up. */
static bool
is_first(const struct master *m, const struct child *c)
{
	return m->phase == PHASE_STARTING || heir_waits(m) ||
	       (m->next != NULL && c->generation == m->next->number);
}

static void
say_end(const struct master *m, const struct child *c, int status,
	const char *how)
{
	enum lifecycle_verdict verdict =
		lifecycle_verdict(status, child_went_as_told(c));

	if (child_left_quietly(c, status) && m->phase == PHASE_RUNNING &&
		!is_first(m, c))
		log_errorx("master",
			"child pid %d (slot %u) ended in a request or behind "
			"one, %s: has the application called os._exit?",
			(int)c->pid, c->slot, how);
	else if (verdict == VERDICT_NORMAL || is_first(m, c))
		log_info("master", "child pid %d (slot %u) ended, %s",
			(int)c->pid, c->slot, how);
	else
		log_errorx("master", "child pid %d (slot %u) %s%s%s",
			(int)c->pid, c->slot, how, c->failed ? ": " : "",
			c->failed ? c->reason : "");
}

static bool
is_loaders(int wait_status)
{
	return WIFEXITED(wait_status) &&
	       WEXITSTATUS(wait_status) == LOADER_STATUS;
}

/* Why a generation whose first child ended like this cannot serve: the
 * child's own sentence where it has left one. */
static void
put_reason(const struct master *m, const struct child *c, int status,
	const char *how, char *to, size_t size)
{
	if (c->failed && c->reason[0] != '\0') {
		snprintf(to, size, "%s", c->reason);
		return;
	}
	if (c->ready_ns == 0 && is_loaders(status)) {
		loader_explain(python_of(m, c->generation)->program, to, size);
		return;
	}
	if (c->timed_out) {
		snprintf(to, size,
			"the application was not ready within StartupTimeout");
		return;
	}
	snprintf(to, size,
		"the first child ended before the application was ready, %s",
		how);
}

static int
status_for(int wait_status)
{
	return is_loaders(wait_status) ||
			       (WIFEXITED(wait_status) &&
				       WEXITSTATUS(wait_status) ==
					       CHILD_EXIT_CONFIG)
		       ? CHILD_EXIT_CONFIG
		       : CHILD_EXIT_APPLICATION;
}

static bool
nobody_serves(const struct master *m)
{
	struct census census;

	census_take(m, &census);
	return census.ready == 0 && census.starting == 0;
}

/* One that nobody had told to go: what now? */
static void
died_untold(
	struct master *m, const struct child *c, int status, const char *how)
{
	char reason[REASON], death[HOW];

	put_reason(m, c, status, how, reason, sizeof(reason));
	if ((m->phase == PHASE_STARTING || heir_waits(m)) &&
		c->generation == m->now->number) {
		master_fail(m, status_for(status), reason);
		return;
	}
	if (m->next != NULL && c->generation == m->next->number) {
		restart_fail(m, reason);
		return;
	}
	if (c->generation != m->now->number) {
		pool_owe(m, 1);
		return;
	}
	/* Where somebody has served, what is wrong with the installation now may be
	 * mended: a deployment makes a virtual environment anew. */
	if (c->ready_ns == 0 && !m->now->served &&
		lifecycle_verdict(status, false) == VERDICT_FATAL &&
		nobody_serves(m)) {
		master_fail(m, status_for(status), reason);
		return;
	}
	say_death(status, death, sizeof(death));
	pool_lost(m, c, death);
	/* It cannot say what of, and it may have been its warm-up. */
	if (c->ready_ns == 0 && !c->failed)
		m->now->cold_until_ns = m->now_ns + COLD_S * SECOND_NS;
	if (c->ready_ns == 0)
		restart_proven(m, reason);
	if (!c->replacement)
		pool_owe(m, 1);
}

/* To its siblings it is not idle any more, and has no connections. */
static void
forget_sibling(const struct master *m, unsigned slot)
{
	static const char nothing[INHERIT_SIBLING];

	(void)!pwrite(m->siblings, nothing, sizeof(nothing),
		(off_t)slot * INHERIT_SIBLING);
}

/* What it has said, and its reason, may still be unread.  As long as it has not been
 * waited for its pid is nobody else's: it may be told something in answer. */
static void
hear_last_words(struct master *m, struct child *c)
{
	relay_drain(m, c->pid);
	child_last_words(m, c);
}

static void
bury(struct master *m, struct child *c, int status)
{
	char how[HOW];
	struct buf doings = {0};
	struct child dead;
	int unfinished;

	mutex_bury(m, c->pid);
	forget_sibling(m, c->slot);
	census_note_deeds(m, c);
	dead = *c;
	unfinished = census_unfinished(m, c);
	unfinished_note(m, c, &doings);
	scoreboard_bury(m->scoreboard, c->slot);
	child_happened(m, c, LIFECYCLE_DIED);
	c->pid = 0;
	c->stopped = false;
	board_show_death(m, &dead, status);
	say_how(m, &dead, status, how, sizeof(how));
	say_end(m, &dead, status, how);
	unfinished_say(&dead, &doings);
	if (!dead.told && m->phase != PHASE_STOPPING)
		died_untold(m, &dead, status, how);
	stop_reaped(m, &dead, unfinished, status);
	m->nudges_due = NUDGES;
	m->nudge_ns = m->now_ns;
}

static bool
any_stopped(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].stopped)
			return true;
	return false;
}

/* Nobody has come to take what there is: more of it is no help. */
static bool
pool_is_crowded(const struct master *m)
{
	int queued;

	return ioctl(m->pool_give, SIOCOUTQ, &queued) == 0 && queued > CROWDED;
}

/* The kernel may have woken the dead child, and nobody else, for a client: one
 * of its siblings is made to look.  What the dead one waited with is taken down
 * by the kernel only after its death, and until then may take wake-ups, so there
 * are some more a little later.  One that is stopped takes them as long as it
 * is, so there is no last nudge then. */
void
reap_nudge(struct master *m)
{
	if (m->nudges_due == 0 || m->now_ns < m->nudge_ns)
		return;
	if (!any_stopped(m))
		m->nudges_due--;
	m->nudge_ns = m->now_ns + NUDGE_MS * MS_NS;
	if (!nobody_serves(m) && !pool_is_crowded(m))
		(void)handoff_nudge(m->pool_give);
}

static void
was_stopped(struct master *m, struct child *c, const siginfo_t *info)
{
	c->stopped = info->si_code == CLD_STOPPED;
	if (c->stopped)
		log_warnx("master",
			"child pid %d (slot %u) is stopped by SIG%s; the "
			"clients that it has wait for SIGCONT",
			(int)c->pid, c->slot, sigabbrev_np(info->si_status));
	else
		log_notice("master", "child pid %d (slot %u) goes on",
			(int)c->pid, c->slot);
	m->nudges_due = NUDGES;
	m->nudge_ns = m->now_ns;
}

/* Nobody is stopped with it; the fork that it owes has its own time. */
static void
template_was_stopped(const struct child *t, const siginfo_t *info)
{
	if (info->si_code == CLD_STOPPED)
		log_warnx("master",
			"template pid %d is stopped by SIG%s; it forks no "
			"child until SIGCONT",
			(int)t->pid, sigabbrev_np(info->si_status));
	else
		log_notice("master", "template pid %d goes on", (int)t->pid);
}

static void
hear_of_stops(struct master *m)
{
	siginfo_t info = {0};

	while (waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED | WNOHANG) == 0 &&
		info.si_pid != 0) {
		struct child *c = child_of_pid(m, info.si_pid);
		const struct child *t = template_of_pid(m, info.si_pid);

		if (c != NULL)
			was_stopped(m, c, &info);
		else if (t != NULL)
			template_was_stopped(t, &info);
		info = (siginfo_t){0};
	}
}

/* Its children go on.  As with the first child, the reason why a generation is
 * given up is told by those who do so. */
static void
bury_template(struct master *m, struct child *t, int status)
{
	struct child dead;
	char how[HOW];

	template_bury(m, t, &dead);
	say_how(m, &dead, status, how, sizeof(how));
	if (dead.told || is_first(m, &dead))
		log_info("master", "template pid %d ended, %s", (int)dead.pid,
			how);
	else
		log_errorx("master",
			"template pid %d %s%s%s; its children serve on, and "
			"another one is started",
			(int)dead.pid, how, dead.failed ? ": " : "",
			dead.failed ? dead.reason : "");
	if (!dead.told && m->phase != PHASE_STOPPING)
		died_untold(m, &dead, status, how);
}

/* Who has died, though not yet waited for: a pid that has been waited for may
 * be another process by the time we hear whose it was. */
static pid_t
next_dead(void)
{
	siginfo_t info = {0};

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return 0;
	return info.si_pid;
}

void
reap_children(struct master *m)
{
	pid_t pid;

	hear_of_stops(m);
	while ((pid = next_dead()) > 0) {
		struct child *t = template_of_pid(m, pid);
		struct child *c = child_of_pid(m, pid);
		int status;

		if (t == NULL && c == NULL) {
			birth_listen(m);
			c = child_of_pid(m, pid);
		}
		if (c != NULL)
			hear_last_words(m, c);
		if (waitpid(pid, &status, WNOHANG) != pid)
			return;
		if (c != NULL)
			bury(m, c, status);
		else if (t != NULL)
			bury_template(m, t, status);
		else if (pid == m->upgrade.pid)
			upgrade_reaped(m, status);
		else
			log_debug("master", "process %d has ended", (int)pid);
	}
}
