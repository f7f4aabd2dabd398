/*
 * child.c - what passes between the master and one child.
 *
 * A child says that it is ready, that it cannot serve, that it wants to be
 * replaced, or that it ends; the master tells it to finish or to leave.  A child
 * that does not do as it was told is killed in the end: each state has one
 * deadline, set when the state is entered.
 */
#include "master/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/exits.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signals.h"
#include "config/config.h"
#include "master/birth.h"
#include "master/board.h"
#include "master/census.h"
#include "master/changes.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/master_priv.h"
#include "master/memory.h"
#include "master/mutex.h"
#include "master/pool.h"
#include "master/python.h"
#include "master/restart.h"
#include "master/state.h"
#include "master/template.h"
#include "master/unfinished.h"
#include "mpm/mpm.h"
#include "net/channel.h"

enum {
	LAST_WORDS_MS = 5000, /* from "I cannot serve", or a channel that it
	                       * has closed, to SIGKILL */
};

void
child_happened(struct master *m, struct child *c, enum lifecycle_event event)
{
	int life = lifecycle_after(c->life, event);

	assert(life >= 0);
	c->life = (enum lifecycle)life;
	board_show_child(m, c);
}

struct child *
child_of_pid(const struct master *m, pid_t pid)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life != LIFECYCLE_VACANT &&
			m->children[i].pid == pid)
			return &m->children[i];
	return NULL;
}

/* Nobody yet, where a template has not forked it: kill(2) would take 0 for us
 * and all that is ours. */
static void
send_signal(const struct child *c, int signal)
{
	if (c->pid > 0)
		kill(c->pid, signal);
}

void
child_cannot_be_watched(struct child *c, int error)
{
	log_errorx("master", "child pid %d (slot %u) cannot be watched: %s",
		(int)c->pid, c->slot, strerror(-error));
	if (birth_expected(c))
		c->deadline_ns = 0;
	c->killed = true;
	send_signal(c, SIGKILL);
}

bool
child_active(const struct child *c)
{
	return c->life == LIFECYCLE_STARTING || c->life == LIFECYCLE_READY;
}

bool
child_obsolete(const struct master *m, const struct child *c)
{
	return c->generation != m->now->number &&
	       (m->next == NULL || c->generation != m->next->number);
}

bool
child_went_as_told(const struct child *c)
{
	return c->told && (!c->left || c->killed);
}

/* Who ends by itself says so before, and is told to. */
bool
child_left_quietly(const struct child *c, int wait_status)
{
	return !c->told && c->began &&
	       lifecycle_verdict(wait_status, false) == VERDICT_NORMAL &&
	       WEXITSTATUS(wait_status) != CHILD_EXIT_DEPRIVED;
}

/* Whoever cannot serve says why before. */
bool
child_has_crashed(const struct child *c, int wait_status)
{
	switch (lifecycle_verdict(wait_status, child_went_as_told(c))) {
	case VERDICT_CRASHED:
		return true;
	case VERDICT_NORMAL:
		return child_left_quietly(c, wait_status);
	default:
		return c->ready_ns != 0 && !c->failed;
	}
}

/* The channel may be full or gone: a signal says the same, less politely. */
static void
tell(struct child *c, enum channel_kind kind, int64_t ms)
{
	uint32_t deadline = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;

	if (c->channel.fd < 0 ||
		channel_send(c->channel.fd, kind, deadline, NULL, NULL, 0) < 0)
		send_signal(c, SIGTERM);
}

/* A child that waits for its clients leaves by itself, with time for what
 * Python has to finish, before the deadline at which it would be killed. */
static int64_t
leave_within(int64_t timeout_ms)
{
	int64_t part = timeout_ms / 4;

	return timeout_ms - (part < CHILD_STOP_MS ? part : CHILD_STOP_MS);
}

/* Who stays can go on with the connections of who goes. */
static enum channel_kind
gentle_order(const struct master *m)
{
	return m->phase == PHASE_STOPPING && !m->pool_lives ? CHANNEL_FINISH
							    : CHANNEL_RETIRE;
}

/* 0 is no limit. */
static int64_t
drain_deadline(const struct master *m, int64_t timeout_ms)
{
	return timeout_ms > 0 ? m->now_ns + timeout_ms * MS_NS : NEVER;
}

/* It had begun to serve when it was told to stop: was_ready. */
static bool
finishes_late(const struct child *c)
{
	return c->life == LIFECYCLE_STOPPING && c->may_finish &&
	       c->ready_ns != 0;
}

/* Who is ready although the master does not know it yet has begun to serve, and
 * finish_ms for what he has. */
static void
stop(struct master *m, struct child *c, int64_t patience_ms, int64_t finish_ms)
{
	int64_t deadline;

	/* One that imports the application has nothing to finish, and hears
	 * nothing. */
	if (c->ready_ns == 0 && patience_ms > IMPORT_STOP_MS)
		patience_ms = IMPORT_STOP_MS;
	deadline = m->now_ns + patience_ms * MS_NS;
	if (deadline > m->stop_by_ns)
		deadline = m->stop_by_ns;
	if (c->life == LIFECYCLE_DRAINING && deadline > c->deadline_ns)
		deadline = c->deadline_ns;
	if (c->life == LIFECYCLE_STOPPING) {
		if (deadline < c->deadline_ns)
			c->deadline_ns = deadline;
		return;
	}
	if (c->life == LIFECYCLE_STARTING && !m->stop_now)
		tell(c, gentle_order(m), finish_ms);
	else
		tell(c, CHANNEL_STOP, patience_ms);
	if (c->life == LIFECYCLE_STARTING)
		send_signal(c, SIGTERM);
	c->told = true;
	c->deadline_ns = deadline;
	child_happened(m, c, LIFECYCLE_TOLD_TO_STOP);
}

void
child_retire(struct master *m, struct child *c, int64_t timeout_ms)
{
	int64_t deadline = drain_deadline(m, timeout_ms);

	if (c->life != LIFECYCLE_READY && c->life != LIFECYCLE_DRAINING &&
		!finishes_late(c)) {
		c->may_finish = true;
		stop(m, c, CHILD_STOP_MS, leave_within(timeout_ms));
		return;
	}
	if (c->life == LIFECYCLE_READY || deadline < c->deadline_ns)
		c->deadline_ns = deadline;
	c->told = true;
	tell(c, gentle_order(m), leave_within(timeout_ms));
	if (c->life == LIFECYCLE_READY)
		child_happened(m, c, LIFECYCLE_TOLD_TO_RETIRE);
}

void
child_stop(struct master *m, struct child *c, int64_t patience_ms)
{
	stop(m, c, patience_ms, leave_within(patience_ms));
}

struct channel_order {
	enum channel_kind kind;
	const char *text;
	const int *fds;
	size_t n_fds;
};

/* Only of one generation: another one's logs may be others.  What a full
 * channel does not take, the child's replacement will have. */
static void
tell_generation(struct master *m, const struct generation *g,
	const struct channel_order *order)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct child *c = &m->children[i];

		if (c->life == LIFECYCLE_VACANT || c->channel.fd < 0 ||
			c->generation != g->number)
			continue;
		if (channel_send(c->channel.fd, order->kind, 0, order->text,
			    order->fds, order->n_fds) == 0)
			c->logs_ahead += order->kind == CHANNEL_LOGS;
		else
			log_warnx("master",
				"child pid %d (slot %u) cannot be told what is "
				"new; it goes on as before",
				(int)c->pid, c->slot);
	}
}

_Static_assert((int)CONFIG_ACCESS_LOGS <= (int)CHANNEL_FDS,
	"the logs of a configuration fit a message");

void
child_tell_logs(struct master *m, const struct generation *g)
{
	if (g->n_logs > 0)
		tell_generation(m, g,
			&(struct channel_order){
				.kind = CHANNEL_LOGS,
				.fds = g->logs,
				.n_fds = g->n_logs,
			});
}

void
child_tell_log_level(struct master *m, const struct generation *g)
{
	enum log_level level = (enum log_level)g->config->log_level;

	template_tell_log_level(m, g);
	tell_generation(m, g,
		&(struct channel_order){
			.kind = CHANNEL_LOG_LEVEL,
			.text = log_level_name(level),
		});
}

void
child_tell_failure(
	struct master *m, const struct generation *g, const char *reason)
{
	tell_generation(m, g,
		&(struct channel_order){
			.kind = CHANNEL_SHOW_FAILURE,
			.text = reason,
		});
}

int64_t
child_ask_where(const struct master *m, pid_t pid)
{
	signal_ask_at_once(pid);
	return m->now_ns + STACKS_MS * MS_NS;
}

static void
say_late(const struct master *m, const struct child *c)
{
	if (c->stopped) {
		log_warnx("master",
			"child pid %d (slot %u) has not finished in time, as "
			"a signal has stopped it; sending SIGKILL",
			(int)c->pid, c->slot);
		unfinished_tell(m, c);
		return;
	}
	if (census_unfinished(m, c) > 0) {
		log_warnx("master",
			"child pid %d (slot %u) has not finished its requests "
			"in time, sending SIGKILL",
			(int)c->pid, c->slot);
		unfinished_tell(m, c);
		return;
	}
	/* Whom the deadline finds without a request has one thing left to do. */
	log_warnx("master",
		"child pid %d (slot %u) has finished its requests, but its "
		"Python does not end: threads that are not daemons, or "
		"functions of atexit, hold it up; make such threads daemons "
		"(daemon=True) and such functions short, or set a longer %s; "
		"sending SIGKILL",
		(int)c->pid, c->slot,
		m->phase == PHASE_STOPPING ? "GracefulShutdownTimeout"
					   : "WorkerDrainTimeout");
}

void
child_due(struct master *m, struct child *c)
{
	c->deadline_ns = NEVER;
	if (birth_expected(c)) {
		birth_lost(m, c);
		return;
	}
	switch (c->life) {
	case LIFECYCLE_STARTING:
		if (!c->failed && !c->timed_out) {
			c->timed_out = true;
			log_errorx("master",
				"child pid %d (slot %u) was not ready within "
				"StartupTimeout; SIGKILL follows, and it is "
				"here:",
				(int)c->pid, c->slot);
			c->deadline_ns = child_ask_where(m, c->pid);
			break;
		}
		c->killed = true;
		kill(c->pid, SIGKILL);
		break;
	case LIFECYCLE_READY:
		throttle_recovered(&m->throttle);
		break;
	case LIFECYCLE_DRAINING:
		say_late(m, c);
		c->killed = true;
		kill(c->pid, SIGKILL);
		break;
	case LIFECYCLE_STOPPING:
		c->killed = true;
		if (c->told && c->ready_ns == 0) {
			kill(c->pid, SIGKILL);
			break;
		}
		log_warnx("master",
			"child pid %d (slot %u) %s, sending SIGKILL",
			(int)c->pid, c->slot,
			c->told ? "did not stop"
				: "closed its channel and lives on");
		kill(c->pid, SIGKILL);
		break;
	case LIFECYCLE_VACANT:
	case LIFECYCLE_STATES:
		break;
	}
}

/* --- what it says ----------------------------------------------------------- */

/* It had begun to serve when it was told that it need not: it may finish as
 * the others do. */
static void
was_ready(struct master *m, struct child *c)
{
	if (c->life != LIFECYCLE_STOPPING || c->ready_ns != 0 || m->stop_now)
		return;
	c->ready_ns = m->now_ns;
	if (m->phase == PHASE_STOPPING)
		c->deadline_ns = m->stop_by_ns;
	else if (!c->may_finish)
		c->deadline_ns = m->now_ns + CHILD_STOP_MS * MS_NS;
	else
		c->deadline_ns = drain_deadline(
			m, m->now->config->worker_drain_timeout);
}

static void
became_ready(struct master *m, struct child *c, const char *text)
{
	if (c->life != LIFECYCLE_STARTING) {
		was_ready(m, c);
		return;
	}
	c->ready_ns = m->now_ns;
	if (c->timed_out)
		log_notice("master",
			"child pid %d (slot %u) is ready after all",
			(int)c->pid, c->slot);
	c->timed_out = false;
	c->deadline_ns = m->now_ns + SETTLED_S * SECOND_NS;
	child_happened(m, c, LIFECYCLE_REPORTED_READY);
	log_info("master", "child pid %d (slot %u) is ready", (int)c->pid,
		c->slot);
	if (m->next != NULL && c->generation == m->next->number)
		restart_commit(m);
	if (c->generation == m->now->number) {
		m->now->served = true;
		if (c->warm)
			m->now->cold_until_ns = 0;
	}
	if (c->generation == m->now->number && strcmp(m->python, text) != 0) {
		strcpy(m->python, text);
		board_show_generation(m);
	}
	if (m->phase == PHASE_STARTING && c->generation == m->now->number)
		master_proven(m);
	else if (m->heritage != NULL && c->generation == m->now->number)
		heir_child_ready(m);
	if (c->generation == m->now->number)
		restart_proven(m, NULL);
	memory_weigh(m, c);
	if (c->replacement)
		pool_replaced(m, c);
}

void
child_cannot_serve(struct master *m, struct child *c, const char *text)
{
	int64_t deadline = m->now_ns + LAST_WORDS_MS * MS_NS;

	if (c->failed)
		return;
	c->failed = true;
	strcpy(c->reason, text);
	if (deadline < c->deadline_ns)
		c->deadline_ns = deadline;
}

static void
wants_retire(struct child *c, enum channel_kind kind, const char *text)
{
	if (c->life != LIFECYCLE_READY || c->wants_retire)
		return;
	c->wants_retire = true;
	strcpy(c->reason, text);
	/* One that grows is somebody's business, and age and number are not. */
	(kind == CHANNEL_TOO_LARGE ? log_notice : log_info)("master",
		"child pid %d (slot %u) wants to be replaced: %s", (int)c->pid,
		c->slot, text);
}

/* It has been sent SIGTERM, say.  It is replaced now and not when its process is
 * over, which a thread or a function of atexit may put off for ever; and it has
 * the time of those that we have told to go.  What is still to be proven waits
 * for its death. */
static void
leaves(struct master *m, struct child *c)
{
	if (c->life != LIFECYCLE_READY || m->phase != PHASE_RUNNING ||
		heir_waits(m))
		return;
	log_info("master", "child pid %d (slot %u) ends by itself", (int)c->pid,
		c->slot);
	census_note_deeds(m, c);
	if (c->generation == m->now->number)
		pool_lost(m, c, "which ends by itself");
	pool_owe(m, 1);
	child_retire(m, c, m->now->config->worker_drain_timeout);
	c->left = true;
}

static void
left_unfinished(struct child *c, const char *text)
{
	unsigned long n = strtoul(text, NULL, 10);

	c->cut = n < CENSUS_MOST ? (unsigned)n : CENSUS_MOST;
}

static void
hear_child(struct master *m, struct child *c,
	const struct channel_message *message)
{
	if (birth_expected(c)) {
		birth_hear(m, c, message);
		return;
	}
	switch (message->kind) {
	case CHANNEL_READY:
		became_ready(m, c, message->text);
		break;
	case CHANNEL_FAILED:
		child_cannot_serve(m, c, message->text);
		break;
	case CHANNEL_WANTS_RETIRE:
	case CHANNEL_TOO_LARGE:
		wants_retire(c, message->kind, message->text);
		break;
	case CHANNEL_MUTEX_BROKEN:
		mutex_failed(m, c);
		wants_retire(c, message->kind, message->text);
		break;
	case CHANNEL_BUSY:
		pool_hurry(m);
		break;
	case CHANNEL_CHANGED:
		changes_heard(m, c, message->text);
		break;
	case CHANNEL_HAS_LOGS:
		c->logs_ahead -= c->logs_ahead > 0;
		break;
	case CHANNEL_LEAVES:
		leaves(m, c);
		break;
	case CHANNEL_CUT:
		left_unfinished(c, message->text);
		break;
	case CHANNEL_NEEDS_SHARED:
		python_needs_shared(m, c->generation, message->text);
		break;
	default:
		if (!c->babbled)
			log_warnx("master",
				"child pid %d (slot %u) sent a message that "
				"makes no sense",
				(int)c->pid, c->slot);
		c->babbled = true;
		break;
	}
}

/* It is about to end, or the application closed what was not its own.  In
 * either case it cannot be told anything any more. */
static void
went_deaf(struct master *m, struct child *c)
{
	int64_t deadline = m->now_ns + LAST_WORDS_MS * MS_NS;

	if (birth_expected(c)) {
		birth_lost(m, c);
		return;
	}
	master_forget(m, &c->channel);
	if (child_active(c))
		child_happened(m, c, LIFECYCLE_TOLD_TO_STOP);
	if (deadline < c->deadline_ns)
		c->deadline_ns = deadline;
}

void
child_listen(struct master *m, struct child *c, int most,
	void (*hear)(struct master *m, struct child *c,
		const struct channel_message *message))
{
	for (int i = 0; i < most && c->channel.fd >= 0; i++) {
		struct channel_message message;
		int rc = channel_receive(c->channel.fd, &message);

		if (rc == -EAGAIN || rc == -EINTR)
			return;
		if (rc == -EPROTO) {
			message = (struct channel_message){0};
		} else if (rc <= 0) {
			went_deaf(m, c);
			return;
		}
		for (size_t j = 0; j < message.n_fds; j++)
			fd_close(&message.fds[j]);
		hear(m, c, &message);
	}
}

void
child_speaks(struct master *m, struct source *s)
{
	child_listen(m, CONTAINER_OF(s, struct child, channel), MESSAGES_A_TURN,
		hear_child);
}

void
child_last_words(struct master *m, struct child *c)
{
	child_listen(m, c, LAST_MESSAGES, hear_child);
	if (c->channel.fd >= 0)
		master_forget(m, &c->channel);
}
