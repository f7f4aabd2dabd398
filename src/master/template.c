/*
 * template.c - the processes that have the application and fork children.
 *
 * With WSGIPreloadApplication a generation has one of them: it is started like
 * a child, proves the application like a first child, and from then on makes
 * the children of its generation: spawn.c sends the order, and birth.c waits
 * for what comes of it.
 *
 * When it dies, its children go on; another one is started, with the delays of
 * children that fail.
 */
#include "master/template.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "master/birth.h"
#include "master/board.h"
#include "master/child.h"
#include "master/generation.h"
#include "master/master_priv.h"
#include "master/python.h"
#include "master/relay.h"
#include "master/restart.h"
#include "master/spawn.h"
#include "master/state.h"
#include "mpm/mpm.h"
#include "net/channel.h"
#include "net/inherit.h"
#include "scoreboard/scoreboard.h"

enum { ORDERS = 32 }; /* that are not carried out yet, at most */

static struct child *
find(const struct master *m, unsigned generation)
{
	struct child *t = m->templates;

	while (t != NULL && (t->generation != generation || t->told))
		t = t->next;
	return t;
}

struct child *
template_of_pid(const struct master *m, pid_t pid)
{
	struct child *t = m->templates;

	while (t != NULL && t->pid != pid)
		t = t->next;
	return t;
}

struct child *
template_ready(const struct master *m, const struct generation *g)
{
	struct child *t = find(m, g->number);

	return t != NULL && t->ready_ns != 0 && t->channel.fd >= 0 ? t : NULL;
}

bool
template_takes_orders(const struct master *m, const struct generation *g)
{
	int orders = 0;

	if (!g->config->preload_application)
		return true;
	for (unsigned i = 0; i < m->n_slots; i++)
		orders += birth_expected(&m->children[i]);
	return orders < ORDERS && template_ready(m, g) != NULL;
}

/* --- its end ------------------------------------------------------------------ */

void
template_kill(struct master *m, unsigned generation, const char *why)
{
	struct child *t = find(m, generation);

	if (t == NULL || t->killed)
		return;
	log_errorx("master", "template pid %d: %s, sending SIGKILL",
		(int)t->pid, why);
	t->killed = true;
	if (!t->failed) {
		t->failed = true;
		snprintf(t->reason, sizeof(t->reason),
			"the template process: %s", why);
	}
	kill(t->pid, SIGKILL);
}

static void
tell_to_stop(struct master *m, struct child *t)
{
	int64_t patience = t->ready_ns != 0 ? CHILD_STOP_MS : IMPORT_STOP_MS;

	if (t->channel.fd < 0 ||
		channel_send(t->channel.fd, CHANNEL_STOP, 0, NULL, NULL, 0) < 0)
		kill(t->pid, SIGTERM);
	t->told = true;
	t->deadline_ns = m->now_ns + patience * MS_NS;
	if (t->deadline_ns > m->stop_by_ns)
		t->deadline_ns = m->stop_by_ns;
}

static void
due(struct master *m, struct child *t)
{
	t->deadline_ns = NEVER;
	if (!t->told && !t->failed && !t->timed_out && t->channel.fd >= 0) {
		t->timed_out = true;
		log_errorx("master",
			"template pid %d was not ready within StartupTimeout; "
			"SIGKILL follows, and it is here:",
			(int)t->pid);
		t->deadline_ns = child_ask_where(m, t->pid);
		return;
	}
	if (t->ready_ns != 0) {
		log_warnx("master", "template pid %d %s, sending SIGKILL",
			(int)t->pid,
			t->told ? "did not stop"
				: "closed its channel and lives on");
	}
	t->killed = true;
	kill(t->pid, SIGKILL);
}

/* --- what it says ------------------------------------------------------------- */

static struct generation *
generation_of(const struct master *m, const struct child *t)
{
	if (t->generation == m->now->number)
		return m->now;
	if (m->next != NULL && t->generation == m->next->number)
		return m->next;
	return NULL;
}

/* Its generation is to be proven by one child that serves. */
static void
fork_first(struct master *m, struct generation *g)
{
	struct err err = {0};
	struct child *c;

	if (spawn_child(m, g, &c, &err) == 0)
		c->replacement = g == m->next;
	else if (g == m->next)
		restart_fail(m, err.text);
	else
		master_fail(m, EXIT_FAILURE, err.text);
}

static void
became_ready(struct master *m, struct child *t)
{
	struct generation *g = generation_of(m, t);

	if (t->ready_ns != 0 || t->told)
		return;
	t->ready_ns = m->now_ns;
	t->timed_out = false;
	t->deadline_ns = NEVER;
	log_info("master",
		"template pid %d (generation %u) has imported the application",
		(int)t->pid, t->generation);
	board_show_template(m);
	if (g != NULL && t->warm)
		g->cold_until_ns = 0;
	if (g != NULL && (g == m->next || m->phase == PHASE_STARTING))
		fork_first(m, g);
}

static void
hear(struct master *m, struct child *t, const struct channel_message *message)
{
	switch (message->kind) {
	case CHANNEL_READY:
		became_ready(m, t);
		break;
	case CHANNEL_FAILED:
		child_cannot_serve(m, t, message->text);
		break;
	case CHANNEL_NEEDS_SHARED:
		python_needs_shared(m, t->generation, message->text);
		break;
	default:
		if (!t->babbled)
			log_warnx("master",
				"template pid %d sent a message that makes no "
				"sense",
				(int)t->pid);
		t->babbled = true;
	}
}

void
template_speaks(struct master *m, struct source *s)
{
	child_listen(m, CONTAINER_OF(s, struct child, channel), MESSAGES_A_TURN,
		hear);
}

void
template_tell_log_level(struct master *m, const struct generation *g)
{
	struct child *t = find(m, g->number);

	if (t != NULL && t->channel.fd >= 0)
		(void)channel_send(t->channel.fd, CHANNEL_LOG_LEVEL, 0,
			log_level_name((enum log_level)g->config->log_level),
			NULL, 0);
}

/* --- its death ---------------------------------------------------------------- */

void
template_bury(struct master *m, struct child *t, struct child *ret)
{
	struct child **link = &m->templates;

	relay_drain(m, t->pid);
	/* Its reason may still be unread. */
	child_listen(m, t, LAST_MESSAGES, hear);
	if (t->channel.fd >= 0)
		master_forget(m, &t->channel);
	*ret = *t;
	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	free(t);
	board_show_template(m);
}

/* --- its beginning -------------------------------------------------------------- */

int
template_start(struct master *m, const struct generation *g, struct err *err)
{
	struct child *t = calloc(1, sizeof(*t));
	struct spawned spawned;
	int rc;

	if (t == NULL)
		return err_set(err, ENOMEM, "template process");
	rc = spawn_template(m, g, &spawned, err);
	if (rc < 0) {
		free(t);
		return rc;
	}
	*t = (struct child){
		.channel = {.fd = -1},
		.next = m->templates,
		.pid = spawned.pid,
		.generation = g->number,
		.deadline_ns = NEVER,
		.warm = spawn_warm_up(m, g) != INHERIT_COLD,
		.replacement = true, /* nobody is owed for it */
	};
	if (g->config->startup_timeout > 0)
		t->deadline_ns = m->now_ns + g->config->startup_timeout * MS_NS;
	m->templates = t;
	scoreboard_board(m->scoreboard)->templates_started++;
	board_show_template(m);
	rc = relay_open(m, spawned.output, t->pid);
	if (rc == 0)
		rc = master_watch(
			m, &t->channel, spawned.channel, template_speaks);
	else
		close(spawned.channel);
	if (rc < 0)
		template_kill(m, g->number, strerror(-rc));
	log_info("master", "template pid %d (generation %u) started",
		(int)t->pid, t->generation);
	return 0;
}

/* --- every turn ------------------------------------------------------------------ */

/* The current generation has none any more. */
static bool
is_missing(const struct master *m)
{
	return m->phase == PHASE_RUNNING &&
	       m->now->config->preload_application &&
	       find(m, m->now->number) == NULL;
}

static void
replace(struct master *m)
{
	struct err err = {0};

	if (!is_missing(m) || throttle_delay(&m->throttle, m->now_ns) > 0)
		return;
	if (template_start(m, m->now, &err) == 0)
		return;
	log_errorx("master", "%s; trying again later", err.text);
	throttle_failed(&m->throttle, m->now_ns, 0);
}

void
template_renew(struct master *m)
{
	struct child *t = find(m, m->now->number);

	if (t != NULL)
		tell_to_stop(m, t);
}

void
template_turn(struct master *m)
{
	for (struct child *t = m->templates; t != NULL; t = t->next) {
		if (t->deadline_ns <= m->now_ns)
			due(m, t);
		if (!t->told && (m->phase == PHASE_STOPPING ||
					generation_of(m, t) == NULL))
			tell_to_stop(m, t);
	}
	replace(m);
}

int64_t
template_deadline(const struct master *m)
{
	int64_t next = NEVER;

	for (const struct child *t = m->templates; t != NULL; t = t->next)
		if (t->deadline_ns < next)
			next = t->deadline_ns;
	/* Without a delay it was tried in this turn. */
	if (is_missing(m) &&
		m->now_ns + throttle_delay(&m->throttle, m->now_ns) < next)
		next = m->now_ns + throttle_delay(&m->throttle, m->now_ns);
	return next;
}

void
template_close_all(struct master *m)
{
	while (m->templates != NULL) {
		struct child *t = m->templates;

		m->templates = t->next;
		if (t->channel.fd >= 0)
			master_forget(m, &t->channel);
		free(t);
	}
}
