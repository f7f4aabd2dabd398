/*
 * restart.c - a new generation beside the old.
 *
 * Nothing of what serves is touched before the new configuration has been
 * read, its sockets are bound, its logs open and one child has imported the
 * application under it.  Until then a failure costs a message.  From then on
 * the new generation is the server, and pool.c lets the children of the old
 * one go one by one, each after its replacement is ready.
 *
 * Apache's own restart on HUP (SignalStyle apache) stops the old ones at once,
 * and it is over when a new one serves, or cannot.
 */
#include "master/restart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "master/board.h"
#include "master/census.h"
#include "master/changes.h"
#include "master/child.h"
#include "master/control.h"
#include "master/coredump.h"
#include "master/fdstore.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/idle.h"
#include "master/logs.h"
#include "master/master.h"
#include "master/pool.h"
#include "master/python.h"
#include "master/said.h"
#include "master/service.h"
#include "master/spawn.h"
#include "master/state.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"
#include "net/address.h"
#include "net/listen.h"
#include "scoreboard/scoreboard.h"

enum {
	HOLD_OFF = 10,      /* turns without faster growth, as in Apache */
	OVERTAKEN_MS = 1000, /* an import that has taken so long is not waited
	                      * for when its code has changed again; less is,
	                      * as one save may be many changes */
};

static void
end(struct master *m, uint32_t result, const char *reason)
{
	m->reloading = m->restarting = false;
	m->reload_over_ns = m->now_ns;
	board_show_reload(m, result, reason);
	service_reloaded(m, result == WSGID_RELOAD_DONE ? NULL : reason);
	control_reloaded(m, result == WSGID_RELOAD_DONE ? NULL : reason);
}

static void
failed(struct master *m, const char *reason)
{
	log_errorx("master", "reload failed, the old configuration goes on: %s",
		reason);
	end(m, WSGID_RELOAD_FAILED, reason);
}

/* --- what cannot change while the server lives ------------------------------- */

static void
tell_fixed(struct master *m, const char *directive)
{
	char text[128];

	snprintf(text, sizeof(text),
		"%s changes only when wsgid is stopped and started", directive);
	log_warnx("master", "%s", text);
	CONTROL_TELL(m, "warning", text);
}

/* What runs has them from its start, whatever each configuration since has said. */
static void
keep_fixed(struct master *m, struct config *c)
{
	static const char *const fixed[] = {"RunDirectory", "Mutex", "PidFile",
		"ControlGroup", "ScoreBoardFile"};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (config_keep_text(c, fixed[i], m->now->config))
			tell_fixed(m, fixed[i]);
}

/* --- begin ------------------------------------------------------------------- */

/* The log has the rest. */
void
master_sum_up(const struct config *c, struct err *err)
{
	const struct config_message *m;
	const char *first = NULL;
	size_t n = 0;

	for (size_t i = 0; (m = config_message(c, i)) != NULL; i++) {
		if (!m->fatal)
			continue;
		if (first == NULL)
			first = m->text;
		n++;
	}
	if (n == 1)
		err_setx(err, EINVAL, "%s", first);
	else if (n > 1)
		err_setx(err, EINVAL, "%zu mistakes, the first: %s", n, first);
}

static void
tell_messages(struct master *m, const struct config *c)
{
	const struct config_message *message;

	for (size_t i = 0; (message = config_message(c, i)) != NULL; i++)
		if (message->fatal)
			said_line(m, "mistake", message->text);
		else
			CONTROL_TELL(m, "warning", message->text);
}

/* 0, or a negative errno and a reason. */
static int
settle(struct master *m, struct config *c, struct err *err)
{
	struct buf notices = {0};
	int rc;

	if (m->n_passed > 0)
		config_forget_port(c);
	rc = master_settle(c, m->now->config, &notices);
	logs_say_messages(c);
	tell_messages(m, c);
	logs_say_lines(&notices);
	buf_fini(&notices);
	if (rc < 0) {
		master_sum_up(c, err);
		return rc;
	}
	if (c->application == NULL)
		return err_setx(
			err, EINVAL, "there is no WSGIApplication any more");
	return 0;
}

/* The new configuration, settled, or NULL and a reason. */
static struct config *
read_config(struct master *m, struct err *err)
{
	struct config *c = m->order->read(m->order->arg, err);

	if (c == NULL || settle(m, c, err) == 0)
		return c;
	config_destroy(c);
	return NULL;
}

static struct generation *
make_candidate(struct master *m, struct err *err)
{
	struct generation *g;
	struct config *c = read_config(m, err);

	if (c == NULL)
		return NULL;
	keep_fixed(m, c);
	if (generation_create(&g, m, c, m->now, err) < 0) {
		config_destroy(c);
		return NULL;
	}
	if (python_choose(m, g, err) == 0)
		return g;
	generation_destroy(g);
	return NULL;
}

/* A socket file that was gone has been made anew, and leads to another socket
 * than before. */
static void
tell_found(struct master *m, size_t i)
{
	char text[ADDRESS_TEXT + 128];

	snprintf(text, sizeof(text),
		"Listen %s: somebody had removed the socket file; there is a "
		"new one",
		m->now->asked[i]);
	log_warnx("master", "%s", text);
	CONTROL_TELL(m, "warning", text);
	fdstore_replace(m, i);
}

static void
look_for_lost(struct master *m, const struct generation *old)
{
	for (size_t i = 0; i < m->now->n_listeners; i++)
		for (size_t j = 0; j < old->n_listeners; j++)
			if (strcmp(m->now->asked[i], old->asked[j]) == 0 &&
				m->now->listeners[i].inode !=
					old->listeners[j].inode)
				tell_found(m, i);
}

/* The candidate becomes the server. */
static void
take_over(struct master *m)
{
	struct generation *old = m->now;

	generation_succeed(m->next, old);
	m->now = m->next;
	m->next = NULL;
	logs_use(m->now);
	look_for_lost(m, old);
	generation_check_buffers(m->now);
	coredump_warn(m->now->config);
	idle_warn(m);
	generation_destroy(old);
	m->memory = (struct mpm_memory){
		.spawn_rate = 1,
		.hold_off = HOLD_OFF,
	};
	throttle_recovered(&m->throttle);
	board_show_generation(m);
}

static void
stop_everybody(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life != LIFECYCLE_VACANT)
			child_stop(m, &m->children[i], CHILD_STOP_MS);
}

static void
begin_ungraceful(struct master *m)
{
	stop_everybody(m);
	take_over(m);
	scoreboard_board(m->scoreboard)->restart_us = clock_real_us();
	m->owed = 0;
	pool_owe(m, (int)m->now->config->start_servers);
	m->restarting = true;
	log_notice("master", "restarted: generation %u", m->now->number);
}

void
restart_proven(struct master *m, const char *reason)
{
	/* To whom has asked for it the old ones' end makes a difference. */
	control_restarted(m, reason);
	if (m->restarting)
		end(m, reason == NULL ? WSGID_RELOAD_DONE : WSGID_RELOAD_FAILED,
			reason == NULL ? "" : reason);
}

/* Who restarts again need not wait for a child that cannot start. */
static bool
must_wait(const struct master *m, bool ungraceful)
{
	return upgrade_running(m) || heir_waits(m) ||
	       (m->restarting && !ungraceful);
}

static void
begin_graceful(struct master *m)
{
	struct err err = {0};

	if (spawn_first(m, m->next, true, &err) < 0) {
		generation_destroy(m->next);
		m->next = NULL;
		failed(m, err.text);
	}
}

void
restart_begin(struct master *m, bool ungraceful, const char *why)
{
	struct err err = {0};

	if (m->phase == PHASE_STOPPING)
		return;
	if (m->phase == PHASE_STARTING || m->next != NULL ||
		must_wait(m, ungraceful)) {
		log_notice("master", "%s: %s follows what is under way", why,
			ungraceful ? "a restart" : "a reload");
		m->reload_wanted = true;
		m->reload_ungraceful |= ungraceful;
		return;
	}
	log_notice("master", "%s: %s", why,
		ungraceful ? "restarting" : "reloading gracefully");
	changes_forget(m);
	m->reloading = true;
	m->reload_since_ns = m->now_ns;
	m->reload_since_us = clock_real_us();
	said_begin(m);
	service_reloading(m);
	board_show_reload(m, WSGID_RELOAD_RUNNING, "");
	m->next = make_candidate(m, &err);
	if (m->next == NULL)
		failed(m, err.text);
	else if (ungraceful)
		begin_ungraceful(m);
	else
		begin_graceful(m);
}

/* --- and its end -------------------------------------------------------------- */

void
restart_commit(struct master *m)
{
	char number[16];

	take_over(m);
	snprintf(number, sizeof(number), "%u", m->now->number);
	CONTROL_TELL(m, "ready", number);
	log_notice("master",
		"generation %u is ready and takes over: %d to %ld children",
		m->now->number, (int)m->now->config->start_servers,
		census_limit(m));
}

static void
stop_candidate(struct master *m)
{
	unsigned number = m->next->number;

	for (unsigned i = 0; i < m->n_slots; i++) {
		struct child *c = &m->children[i];

		if (c->life != LIFECYCLE_VACANT && c->generation == number)
			child_stop(m, c, CHILD_STOP_MS);
	}
	generation_destroy(m->next);
	m->next = NULL;
}

/* Who has just changed the code looks at the page, and not into the log. */
void
restart_fail(struct master *m, const char *reason)
{
	stop_candidate(m);
	if (m->now->config->reload)
		child_tell_failure(m, m->now, reason);
	failed(m, reason);
}

/* When to give up what is being imported for what has changed since. */
int64_t
restart_deadline(const struct master *m)
{
	if (m->phase != PHASE_RUNNING || m->next == NULL || !m->reload_wanted ||
		!m->now->config->reload)
		return NEVER;
	return m->reload_since_ns + OVERTAKEN_MS * MS_NS;
}

/* Who waits for a reload waits for the next one. */
static void
give_up_overtaken(struct master *m)
{
	if (m->now_ns < restart_deadline(m))
		return;
	log_notice("master",
		"generation %u is given up: its code has changed while it was "
		"imported",
		m->next->number);
	stop_candidate(m);
	m->reloading = false;
}

/* The old ones have all been told; where the new configuration starts with
 * more children than there were, the rest follows at once.  Those of the new
 * generation that have done their share already are no reason to go on: on a
 * busy server there may always be some, each with its replacement. */
static void
finish(struct master *m)
{
	struct census census;
	int missing;

	census_take(m, &census);
	if (census.obsolete > 0)
		return;
	missing = (int)m->now->config->start_servers - census_active(&census) -
		  m->owed;
	if (missing > 0)
		pool_owe(m, missing);
	log_notice("master",
		"reload done: generation %u serves alone, %d %s finishing",
		m->now->number, census.draining,
		census.draining == 1 ? "child is" : "children are");
	end(m, WSGID_RELOAD_DONE, "");
}

void
restart_turn(struct master *m)
{
	bool ungraceful = m->reload_ungraceful;

	give_up_overtaken(m);
	if (m->phase != PHASE_RUNNING || m->next != NULL)
		return;
	if (m->reloading && !m->restarting)
		finish(m);
	if (!m->reload_wanted || must_wait(m, ungraceful))
		return;
	m->reload_wanted = m->reload_ungraceful = false;
	restart_begin(m, ungraceful, "asked again meanwhile");
}
