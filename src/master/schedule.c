/*
 * schedule.c - when the master must look again though nothing happens.
 *
 * Every deadline of the master is found here, so that the loop needs no
 * timers of its own and none can be forgotten.
 */
#include "master/schedule.h"

#include "master/census.h"
#include "master/changes.h"
#include "master/control.h"
#include "master/guard.h"
#include "master/idle.h"
#include "master/logs.h"
#include "master/predecessor.h"
#include "master/relay.h"
#include "master/restart.h"
#include "master/service.h"
#include "master/state.h"
#include "master/template.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Starts that are due, but for the throttle. */
static int64_t
next_start(const struct master *m, const struct census *census)
{
	int64_t delay = throttle_delay(&m->throttle, m->now_ns);

	if (m->owed == 0 && census->outgoing == 0)
		return NEVER;
	/* Without a delay it was tried in this turn already: it waits for
	 * an event, or for the next maintenance. */
	return delay > 0 ? m->now_ns + delay : NEVER;
}

int64_t
schedule_next(const struct master *m)
{
	int64_t next = control_deadline(m);
	struct census census;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life != LIFECYCLE_VACANT)
			next = earlier(next, m->children[i].deadline_ns);
	next = earlier(next, template_deadline(m));
	next = earlier(next, upgrade_deadline(m));
	next = earlier(next, service_deadline(m));
	next = earlier(next, idle_deadline(m));
	next = earlier(next, logs_deadline(m));
	next = earlier(next, relay_deadline(m));
	if (m->phase == PHASE_STOPPING)
		return earlier(
			next, earlier(m->give_up_ns, predecessor_deadline(m)));
	if (m->phase != PHASE_RUNNING)
		return next;
	next = earlier(next, restart_deadline(m));
	next = earlier(next, changes_deadline(m));
	if (m->nudges_due > 0)
		next = earlier(next, m->nudge_ns);
	next = earlier(next, guard_deadline(m));
	census_take(m, &census);
	next = earlier(next, next_start(m, &census));
	if (!census_settled(m, &census) || census.outgoing > 0)
		next = earlier(next, m->turn_ns);
	return next;
}
