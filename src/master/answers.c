/*
 * answers.c - what the control socket is asked for, a function for each verb.
 *
 * Some answers come at once, others when what was asked for has happened: then
 * the client waits, and whoever makes it happen ends that.  How lines come and
 * go, control.c knows.
 */
#include "master/answers.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/signals.h"
#include "built_with.h"
#include "config/config.h"
#include "control/control.h"
#include "master/census.h"
#include "master/child.h"
#include "master/control_priv.h"
#include "master/generation.h"
#include "master/logs.h"
#include "master/relay.h"
#include "master/restart.h"
#include "master/say.h"
#include "master/scale.h"
#include "master/state.h"
#include "master/stop.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"
#include "net/address.h"
#include "net/backlog.h"
#include "net/listen.h"

enum { LOGS_S = 2 }; /* for busy children to take new logs */

struct verb {
	const char *name;
	size_t arguments; /* at most */
	void (*answer)(struct master *m, struct client *c,
		const struct control_line *request);
};

static void
answer_version(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	LINE(c, "+", "version", "wsgid/" WSGID_VERSION);
	LINE(c, "+", "python", m->now->python.facts.version);
	client_ok(c);
}

static bool
is_same_place(const struct generation *g, size_t a, size_t b)
{
	return address_equal(
		&g->listeners[a].address, &g->listeners[b].address);
}

/* All buckets of an address together. */
static void
answer_queue(const struct master *m, struct client *c, size_t first)
{
	const struct generation *g = m->now;
	struct backlog all = {0};
	char text[ADDRESS_TEXT], waiting[16], limit[16];

	for (size_t i = first; i < g->n_listeners; i++) {
		struct backlog one;

		if (!is_same_place(g, first, i))
			continue;
		if (backlog_look(g->listeners[i].fd, &one) < 0)
			return; /* it is not known */
		all.waiting += one.waiting;
		all.limit += one.limit;
	}
	address_format(&g->listeners[first].address, text);
	snprintf(waiting, sizeof(waiting), "%u", all.waiting);
	snprintf(limit, sizeof(limit), "%u", all.limit);
	LINE(c, "+", "listen-queue", text, waiting, limit);
}

static void
answer_listen_queues(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	for (size_t i = 0; i < m->now->n_listeners; i++) {
		size_t first = 0;

		while (!is_same_place(m->now, first, i))
			first++;
		if (first == i)
			answer_queue(m, c, i);
	}
	client_ok(c);
}

static void
list_children(struct master *m, struct client *c)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct child *child = &m->children[i];
		char slot[16], pid[16], generation[16];

		if (child->life == LIFECYCLE_VACANT)
			continue;
		snprintf(slot, sizeof(slot), "%u", child->slot);
		snprintf(pid, sizeof(pid), "%d", (int)child->pid);
		snprintf(generation, sizeof(generation), "%u",
			child->generation);
		LINE(c, "+", "child", slot, pid, generation,
			lifecycle_name(child->life));
	}
}

static void
answer_status(
	struct master *m, struct client *c, const struct control_line *request)
{
	static const char *const phases[] = {
		[PHASE_STARTING] = "starting",
		[PHASE_RUNNING] = "running",
		[PHASE_STOPPING] = "stopping",
		[PHASE_OVER] = "stopping",
	};
	struct buf listeners = {0};
	struct census census;

	(void)request;
	census_take(m, &census);
	census_look(m, &census);
	say_listeners(m->now, &listeners);
	LINE(c, "+", "name", m->name);
	LINE(c, "+", "state", phases[m->phase]);
	client_number(c, "pid", getpid());
	client_number(c, "generation", m->now->number);
	LINE(c, "+", "reload", m->reloading ? "running" : "none");
	LINE(c, "+", "listeners", buf_text(&listeners));
	if (m->now->config->application != NULL)
		LINE(c, "+", "application", m->now->config->application);
	LINE(c, "+", "python", m->python);
	client_number(c, "starting", census.starting_workers);
	client_number(c, "idle", census.idle);
	client_number(c, "busy", census.workers - census.idle);
	client_number(c, "draining", census.draining);
	client_number(c, "limit", census_worker_limit(m));
	buf_fini(&listeners);
	list_children(m, c);
	client_ok(c);
}

/* Answered when the reload has ended. */
static void
answer_reload(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	if (m->phase == PHASE_STOPPING) {
		client_error(c, CONTROL_STOPPING);
		return;
	}
	c->waits = WAITS_FOR_RELOAD;
	c->deadline_ns = NEVER;
	LINE(c, "+", "reloading");
	restart_begin(m, false, "asked by the control socket");
}

/* Apache's ungraceful one.  Answered when a child of the new generation
 * serves, or its first one has failed. */
static void
answer_restart(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	if (m->phase == PHASE_STOPPING) {
		client_error(c, CONTROL_STOPPING);
		return;
	}
	c->waits = WAITS_FOR_RESTART;
	c->after = m->last_generation;
	c->deadline_ns = NEVER;
	LINE(c, "+", "restarting");
	restart_begin(m, true, "asked by the control socket");
}

/* Answered when the new master has taken over, or when it has failed. */
static void
answer_upgrade(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	c->waits = WAITS_FOR_UPGRADE;
	c->deadline_ns = NEVER;
	LINE(c, "+", "upgrading");
	upgrade_begin(m, "asked by the control socket");
}

/* Answered when there are so many. */
static void
answer_scale(
	struct master *m, struct client *c, const struct control_line *request)
{
	AUTO_FREE char *text = NULL;
	struct err err = {0};
	struct census before;
	char *end = NULL;
	long n = 0;

	census_take(m, &before);
	if (request->n > 1)
		text = strndup(request->words[1].p, request->words[1].len);
	if (text != NULL && text[0] >= '0' && text[0] <= '9')
		n = strtol(text, &end, 10);
	if (end == NULL || *end != '\0') {
		client_error(c, "scale needs a number of processes");
		return;
	}
	if (scale_begin(m, n, &err) < 0) {
		client_error(c, err.text);
		return;
	}
	client_number(c, "before", before.ready);
	client_number(c, "processes", n);
	c->waits = WAITS_FOR_SCALE;
	c->deadline_ns = NEVER;
}

/* What is being finished, and how many milliseconds it has; 0: as long as it
 * takes. */
static void
say_finishing(struct master *m, struct client *c, int64_t timeout_ms)
{
	struct census census;

	census_take(m, &census);
	census_look(m, &census);
	client_number(c, "finishing",
		census.workers - census.idle + census.finishing);
	client_number(c, "within-ms", timeout_ms);
}

/* What we have left to do ends by itself, and is not the server. */
static bool
is_for_successor(const struct master *m, struct client *c)
{
	if (m->succeeded)
		client_error(c, CONTROL_SUCCEEDED);
	return m->succeeded;
}

static void
stop_gracefully(struct master *m, struct client *c)
{
	if (is_for_successor(m, c))
		return;
	say_finishing(m, c, m->now->config->graceful_shutdown_timeout);
	client_ok(c);
	/* A second one, unlike a second signal, changes nothing. */
	if (m->phase != PHASE_STOPPING)
		stop_begin(m, true, "asked by the control socket");
}

/* As SIGTERM, or at once. */
static void
answer_stop(
	struct master *m, struct client *c, const struct control_line *request)
{
	bool apache = m->now->config->signal_style == CONFIG_SIGNALS_APACHE;
	bool now = request->n > 1;

	if (now && !str_equal(request->words[1], STR("now"))) {
		client_error(c, "stop has no argument but \"now\"");
		return;
	}
	if (!now && !apache) {
		stop_gracefully(m, c);
		return;
	}
	if (is_for_successor(m, c))
		return;
	LINE(c, "+", "now");
	client_ok(c);
	stop_begin(m, false, "asked by the control socket");
}

static void
answer_graceful_stop(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	stop_gracefully(m, c);
}

/* Answered when the server has stopped. */
static void
answer_await_stop(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)m;
	(void)request;
	c->waits = WAITS_FOR_STOP;
	c->deadline_ns = NEVER;
	LINE(c, "+", "waiting");
}

void
answers_end_stop(struct master *m, struct client *c)
{
	if (m->cut_short && m->cut == 0)
		LINE(c, "+", "cut-off", "unknown");
	else
		client_number(c, "cut-off", m->cut);
	client_ok(c);
}

static bool
is_waited_for(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (logs_of_child(m, &m->children[i]) == LOGS_OLD_YET)
			return true;
	return false;
}

/* Children that are in a request hear nothing, and those of an earlier
 * generation have logs of their own. */
void
answers_end_logs(struct master *m, struct client *c)
{
	if (c->deadline_ns > m->now_ns && is_waited_for(m))
		return;
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct child *child = &m->children[i];
		char pid[16];

		if (logs_of_child(m, child) == LOGS_NEW)
			continue;
		snprintf(pid, sizeof(pid), "%d", (int)child->pid);
		LINE(c, "+", "behind", pid,
			child->stopped ? "stopped"
				       : lifecycle_name(child->life));
	}
	client_end_wait(m, c, NULL);
}

static void
answer_reopen_logs(
	struct master *m, struct client *c, const struct control_line *request)
{
	struct err err = {0};

	(void)request;
	if (logs_reopen(m, &err) < 0) {
		log_errorx("master", "logs cannot be reopened: %s", err.text);
		client_error(c, err.text);
		return;
	}
	log_notice("master", "logs reopened, asked by the control socket");
	client_number(c, "access-logs", (long long)m->now->n_logs);
	LINE(c, "+", "error-log",
		m->now->config->error_log != NULL ? m->now->config->error_log
						  : "-");
	c->waits = WAITS_FOR_LOGS;
	c->deadline_ns = m->now_ns + LOGS_S * SECOND_NS;
	answers_end_logs(m, c);
}

static void
set_log_level(struct master *m, struct client *c, const char *name)
{
	int level = log_level_of(name);
	struct err err = {0};

	if (level < 0) {
		client_error(c,
			"a log level is one of error, warn, notice, info "
			"and debug");
		return;
	}
	if (generation_set_log_level(m->now, (enum log_level)level, &err) < 0) {
		client_error(c, err.text);
		return;
	}
	log_notice("master",
		"LogLevel %s until the next reload, asked by the "
		"control socket",
		name);
	log_set_level((enum log_level)level);
	child_tell_log_level(m, m->now);
}

static void
answer_log_level(
	struct master *m, struct client *c, const struct control_line *request)
{
	AUTO_FREE char *name = NULL;
	int level;

	if (request->n > 1) {
		name = strndup(request->words[1].p, request->words[1].len);
		set_log_level(m, c, name != NULL ? name : "");
	}
	if (c->answered)
		return;
	level = m->now->config->log_level;
	LINE(c, "+", "log-level", log_level_name((enum log_level)level));
	client_ok(c);
}

/* They come through the child's output, as a rule behind our answer. */
static void
ask_for_stacks(struct master *m, struct client *c, const struct child *child)
{
	log_notice("master",
		"the stacks of child pid %d (slot %u), asked for by the "
		"control "
		"socket:",
		(int)child->pid, child->slot);
	relay_expect_stacks(m, child->pid);
	kill(child->pid, signal_traceback());
	client_number(c, "stacks", child->pid);
}

static void
answer_stacks(
	struct master *m, struct client *c, const struct control_line *request)
{
	unsigned long long pid = 0;
	bool all = request->n == 1;

	if (!all &&
		(str_to_u64(request->words[1], &pid) < 0 || pid == 0 ||
			pid > INT_MAX || child_of_pid(m, (pid_t)pid) == NULL)) {
		client_error(c, "there is no child of that pid");
		return;
	}
	LINE(c, "+", "error-log",
		m->now->config->error_log != NULL ? m->now->config->error_log
						  : "-");
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct child *child = &m->children[i];

		if (child->life != LIFECYCLE_VACANT && child->pid > 0 &&
			(all || child->pid == (pid_t)pid))
			ask_for_stacks(m, c, child);
	}
	client_ok(c);
}

static const struct verb verbs[] = {
	{"status", 0, answer_status},
	{"reload", 0, answer_reload},
	{"restart", 0, answer_restart},
	{"upgrade", 0, answer_upgrade},
	{"scale", 1, answer_scale},
	{"stop", 1, answer_stop},
	{"graceful-stop", 0, answer_graceful_stop},
	{"await-stop", 0, answer_await_stop},
	{"reopen-logs", 0, answer_reopen_logs},
	{"log-level", 1, answer_log_level},
	{"stacks", 1, answer_stacks},
	{"version", 0, answer_version},
	{"listen-queues", 0, answer_listen_queues},
};

static void
say_unknown(struct client *c)
{
	struct buf text = {0};

	buf_add_text(&text, "unknown verb; there are");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		buf_printf(&text, "%s %s",
			i == 0                     ? ""
			: i + 1 < ARRAY_LEN(verbs) ? ","
						   : " and",
			verbs[i].name);
	client_error(c, buf_text(&text));
	buf_fini(&text);
}

void
answers_give(struct master *m, struct client *c, struct str text)
{
	struct control_line request;

	if (control_decode(&request, text) < 0) {
		client_error(c, "this is no request: one line, a verb and its "
				"arguments, separated by one space");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!str_equal(request.words[0], str_of(verbs[i].name)))
			continue;
		if (request.n - 1 <= verbs[i].arguments)
			verbs[i].answer(m, c, &request);
		else if (verbs[i].arguments == 0)
			client_error(c, "this verb takes no arguments");
		else
			client_error(c, "this verb takes one argument");
		return;
	}
	say_unknown(c);
}
