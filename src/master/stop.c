/*
 * stop.c - the end of the server.
 *
 * Gracefully: accept no more, let the children finish for as long as
 * GracefulShutdownTimeout allows, then stop them.  By INT or QUIT: stop them at
 * once, with a moment for what Python has to finish.  Asked a second time: not
 * even that.  Whatever children do, it ends; and when requests were cut off
 * that were to be finished, the exit status says so.
 */
#include "master/stop.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exits.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/config.h"
#include "control/control.h"
#include "master/activation.h"
#include "master/board.h"
#include "master/census.h"
#include "master/child.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/predecessor.h"
#include "master/service.h"
#include "master/state.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"
#include "net/handoff.h"
#include "net/listen.h"

/* For a process that not even SIGKILL ends. */
#define GIVE_UP (6 * SECOND_NS)

enum {
	HURRY_MS = 100,   /* for who is in no request; who asks twice has none */
	LAST_CALL_MS = 5, /* for who has just connected */
};

static void
stop_children_now(struct master *m, int64_t patience_ms)
{
	m->stop_now = true;
	m->give_up_ns = m->now_ns + patience_ms * MS_NS + GIVE_UP;
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life != LIFECYCLE_VACANT)
			child_stop(m, &m->children[i], patience_ms);
}

/* One deadline for all, those too that were told to go before. */
static void
retire_children(struct master *m, int64_t timeout_ms)
{
	if (timeout_ms > 0) {
		m->stop_by_ns = m->now_ns + timeout_ms * MS_NS;
		m->give_up_ns = m->stop_by_ns + GIVE_UP;
	}
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct child *c = &m->children[i];

		if (c->life != LIFECYCLE_VACANT)
			child_retire(m, c, timeout_ms);
	}
}

/* One whom the kernel has let in and nobody else yet: false when there is none, or no
 * way to pass him on. */
static bool
let_one_in(struct master *m, size_t i)
{
	const struct generation *g = m->now;
	size_t from;
	int fd = listen_accept_any(&g->listeners[i].fd, 1, &from), rc;
	int protocol = g->protocols[i] - '0';
	const struct handoff client =
		handoff_of_client(fd, protocol & CONFIG_LISTENER_PROXY,
			protocol & CONFIG_LISTENER_HTTPS);

	if (fd < 0)
		return false;
	rc = handoff_send(m->pool_give, &client);
	close(fd);
	return rc == 0;
}

static void
let_all_in(struct master *m)
{
	for (size_t i = 0; i < m->now->n_listeners; i++)
		for (long n = m->now->config->listen_backlog;
			n > 0 && let_one_in(m, i); n--)
			continue;
}

/* They may have sent their requests already, and would be reset: who finishes takes
 * them out of the pool before he leaves.  Who has connected and is about to send is
 * deferred by the kernel (AcceptFilter), and has a moment to come as well. */
static void
let_in_who_waits(struct master *m)
{
	for (size_t i = 0; i < m->now->n_listeners; i++) {
		const struct listener *l = &m->now->listeners[i];

		if (fd_set_nonblock(l->fd, true) < 0)
			return;
		listen_defer_no_more(l);
	}
	for (int ms = 0; ms < LAST_CALL_MS; ms++) {
		let_all_in(m);
		(void)poll(NULL, 0, 1);
	}
	let_all_in(m);
}

/* A busy child cannot close its copy of a listener: without shutting it,
 * clients would be let in by the kernel, and then wait for nobody.  Where
 * sockets are others' too, systemd's or another master's, who comes waits for
 * these. */
static void
close_doors(struct master *m)
{
	for (size_t i = 0; i < m->now->n_listeners; i++) {
		if (!m->shared)
			listen_shut(&m->now->listeners[i]);
		/* By its file the next server's clients find it. */
		else
			m->now->listeners[i].unlink_path = false;
	}
	generation_close_listeners(m->now);
	generation_destroy(m->next);
	m->next = NULL;
	activation_close(m);
}

static void
say_why(bool graceful, int64_t timeout_ms, const char *why)
{
	if (!graceful)
		log_notice("master", "%s: stopping at once", why);
	else if (timeout_ms > 0)
		log_notice("master", "%s: stopping gracefully within %g s", why,
			(double)timeout_ms / 1000);
	else
		log_notice("master", "%s: stopping gracefully", why);
}

static void
cut(struct master *m, int n)
{
	if (n <= 0)
		return;
	m->cut += (unsigned)n;
	m->cut_short = true;
}

void
stop_cuts(struct master *m)
{
	struct census census;

	if (!m->drains || m->stop_now)
		return;
	census_take(m, &census);
	census_look(m, &census);
	cut(m, census.workers - census.idle + census.finishing);
	m->cut_short |= predecessor_lives(m);
}

/* A second request means: now. */
static void
hurry(struct master *m, const char *why)
{
	if (m->hurried)
		return;
	m->hurried = true;
	if (why != NULL)
		say_why(false, 0, why);
	stop_cuts(m);
	upgrade_abandon(m, false);
	stop_children_now(m, HURRY_MS);
}

void
stop_begin(struct master *m, bool graceful, const char *why)
{
	int64_t timeout = m->now->config->graceful_shutdown_timeout;

	if (m->phase == PHASE_STOPPING) {
		hurry(m, why);
		return;
	}
	if (why != NULL)
		say_why(graceful, timeout, why);
	if (graceful)
		heir_say_finishing(m);
	if (graceful && predecessor_lives(m))
		log_notice("master",
			"the old master, pid %d, is waited for: it finishes "
			"requests, too",
			(int)m->predecessor.pid);
	service_stopping(m, graceful);
	m->phase = PHASE_STOPPING;
	upgrade_abandon(m, graceful);
	m->give_up_ns = NEVER;
	m->reload_wanted = false;
	control_reloaded(m, CONTROL_STOPPING);
	if (graceful && !m->shared)
		let_in_who_waits(m);
	close_doors(m);
	board_show_stop(m);
	m->drains = graceful;
	if (graceful)
		retire_children(m, timeout);
	else
		stop_children_now(m, CHILD_STOP_MS);
}

void
stop_reaped(
	struct master *m, const struct child *dead, int unfinished, int status)
{
	if (!m->drains || m->stop_now)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_CUT)
		unfinished = dead->cut > 0 ? (int)dead->cut : 1;
	cut(m, unfinished);
}

void
stop_after_upgrade(struct master *m)
{
	m->phase = PHASE_STOPPING;
	m->give_up_ns = NEVER;
	m->reload_wanted = false;
	control_reloaded(m, CONTROL_SUCCEEDED);
	close_doors(m);
	retire_children(m, m->now->config->worker_drain_timeout);
}

void
stop_turn(struct master *m)
{
	struct census census;

	if (m->phase != PHASE_STOPPING)
		return;
	census_take(m, &census);
	if (census.starting + census.ready + census.draining == 0 &&
		m->templates == NULL && !predecessor_lives(m) &&
		(m->succeeded || !upgrade_running(m))) {
		m->phase = PHASE_OVER;
		return;
	}
	if (m->now_ns < m->give_up_ns)
		return;
	if (census.starting + census.ready + census.draining > 0)
		log_errorx("master",
			"%d children cannot be ended, leaving them behind",
			census.starting + census.ready + census.draining);
	if (predecessor_lives(m))
		log_errorx("master",
			"the old master, pid %d, does not end, leaving it "
			"behind",
			(int)m->predecessor.pid);
	m->phase = PHASE_OVER;
}
