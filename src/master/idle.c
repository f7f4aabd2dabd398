/*
 * idle.c - ending when there is nothing to do, to be started again by the next
 * client.
 *
 * Only for sockets that systemd passes: it goes on listening, and starts the
 * service when somebody comes.  Idle means that nobody has connected or asked
 * for anything, and that nobody is connected but those who may ask for more on
 * a connection that they keep: what they get is what the end of
 * KeepAliveTimeout would give them.
 */
#include "master/idle.h"

#include <stdio.h>

#include "base/log.h"
#include "config/config.h"
#include "master/census.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/state.h"
#include "master/stop.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

enum { LOOKS = 10 }; /* within IdleExit */

/* Grows with everything that anybody does. */
static uint64_t
count_deeds(const struct master *m)
{
	struct census_deeds deeds = census_deeds(m);

	return deeds.requests + deeds.connections;
}

static bool
somebody_is_busy(const struct master *m)
{
	struct census census;

	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct wsgid_page *page;

		if (m->children[i].life == LIFECYCLE_VACANT)
			continue;
		page = scoreboard_page(m->scoreboard, i);
		if (page != NULL && page->connections > page->parked)
			return true;
	}
	census_take(m, &census);
	census_look(m, &census);
	return census.workers > census.idle || m->reloading;
}

/* When the youngest child that is ready became so. */
static int64_t
last_ready_ns(const struct master *m)
{
	int64_t last_ns = 0;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life == LIFECYCLE_READY &&
			m->children[i].ready_ns > last_ns)
			last_ns = m->children[i].ready_ns;
	return last_ns;
}

static int64_t
limit_ns(const struct master *m)
{
	return m->now->config->idle_exit * MS_NS;
}

/* How long a child that has just become ready has to accept who came before. */
static int64_t
settling_ns(const struct master *m)
{
	int64_t look_ns = limit_ns(m) / LOOKS;

	return look_ns < SECOND_NS ? look_ns : SECOND_NS;
}

/* That children change is our own doing: it keeps us from leaving now, but is no
 * work.  Where none is ready somebody may be waiting whom we cannot see. */
static bool
children_change(const struct master *m)
{
	struct census census;

	census_take(m, &census);
	return census.ready == 0 || census.starting + census.draining > 0 ||
	       m->now_ns - last_ready_ns(m) < settling_ns(m);
}

static bool
applies(const struct master *m)
{
	return limit_ns(m) > 0 && m->now->passed && m->phase == PHASE_RUNNING &&
	       !heir_waits(m);
}

void
idle_warn(const struct master *m)
{
	if (limit_ns(m) > 0 && !m->now->passed)
		log_warnx("master",
			"IdleExit is for sockets that systemd passes, which "
			"start the server again: without them it is ignored");
}

static void
leave(struct master *m)
{
	char why[64];

	snprintf(why, sizeof(why), "nothing to do for %g s (IdleExit)",
		(double)m->now->config->idle_exit / 1000);
	stop_begin(m, true, why);
}

void
idle_turn(struct master *m)
{
	uint64_t deeds;

	if (!applies(m)) {
		m->idle.since_ns = 0;
		return;
	}
	if (m->idle.since_ns != 0 && m->now_ns < m->idle.look_ns)
		return;
	m->idle.look_ns = m->now_ns + limit_ns(m) / LOOKS;
	deeds = count_deeds(m);
	if (m->idle.since_ns == 0 || deeds != m->idle.deeds ||
		somebody_is_busy(m)) {
		m->idle.since_ns = m->now_ns;
		m->idle.deeds = deeds;
	} else if (m->now_ns - m->idle.since_ns >= limit_ns(m) &&
		   !children_change(m)) {
		leave(m);
	}
}

int64_t
idle_deadline(const struct master *m)
{
	if (!applies(m))
		return NEVER;
	return m->idle.since_ns == 0 ? m->now_ns : m->idle.look_ns;
}
