/*
 * pool.c - keeping the number of children right.
 *
 * Three reasons to start one: another died (it is owed, and comes at once unless
 * children keep dying before anybody has asked them for anything), another shall
 * go (a reload, or it has done its share: the new one comes first), or the policy
 * wants more.  While a crash loop lasts one child at a time is tried, after the
 * throttle's delay.
 */
#include "master/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "master/buckets.h"
#include "master/census.h"
#include "master/child.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/spawn.h"
#include "master/state.h"
#include "master/template.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"

enum { HURRY_MS = 100 }; /* between turns that somebody has asked for */

/* Has one said that it cannot serve, and is not dead yet?  Only with its death
 * the throttle hears of it. */
static bool
somebody_fails(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life != LIFECYCLE_VACANT &&
			m->children[i].failed)
			return true;
	return false;
}

/* How many may be started at this moment. */
static int
may_start(const struct master *m, const struct census *census)
{
	if (somebody_fails(m) ||
		throttle_delay(&m->throttle, m->now_ns) > 0 ||
		!template_takes_orders(m, m->now))
		return 0;
	if (m->throttle.failures > 1)
		return census->starting == 0 ? 1 : 0;
	return SPAWN_RATE;
}

static bool
start(struct master *m, bool replacement)
{
	struct child *c;
	struct err err = {0};

	if (spawn_child(m, m->now, &c, &err) == 0) {
		c->replacement = replacement;
		m->told_no_slot = false;
		return true;
	}
	if (!m->told_no_slot)
		log_errorx("master", "%s; trying again later", err.text);
	m->told_no_slot = true;
	throttle_failed(&m->throttle, m->now_ns, 0);
	return false;
}

void
pool_owe(struct master *m, int children)
{
	m->owed += children;
}

void
pool_failed(struct master *m, const struct child *c, const char *how)
{
	int64_t lived = c->ready_ns != 0 ? m->now_ns - c->ready_ns : 0;
	unsigned before = m->throttle.failures;
	char who[24] = "one";
	int64_t delay;

	if (c->pid > 0)
		snprintf(who, sizeof(who), "pid %d", (int)c->pid);
	throttle_failed(&m->throttle, m->now_ns, lived);
	delay = throttle_delay(&m->throttle, m->now_ns);
	if (delay > 0 && m->throttle.failures != before)
		log_warnx("master",
			"children fail one after the other (%u so far): the "
			"next one is tried in %d s; the last was %s, %s",
			m->throttle.failures,
			(int)((delay + SECOND_NS - 1) / SECOND_NS), who, how);
}

void
pool_lost(struct master *m, const struct child *c, const char *how)
{
	if (c->began)
		throttle_lost(&m->throttle, c->answered);
	else
		pool_failed(m, c, how);
}

static void
pay(struct master *m)
{
	struct census census;
	int vacant, n;

	if (m->owed == 0)
		return;
	census_take(m, &census);
	vacant = census_vacant(m, &census);
	if (m->owed > vacant)
		m->owed = vacant;
	n = may_start(m, &census);
	while (m->owed > 0 && n-- > 0 && start(m, false))
		m->owed--;
}

/* --- replacing the living ---------------------------------------------------- */

/* One of the same bucket rather than another, so that none is without. */
static struct child *
better(const struct master *m, const struct child *by, struct child *a,
	struct child *b)
{
	unsigned bucket = buckets_of_slot(m, by->slot);

	return a == NULL || (buckets_of_slot(m, a->slot) != bucket &&
				    buckets_of_slot(m, b->slot) == bucket)
		       ? b
		       : a;
}

static struct child *
find_outgoing(const struct master *m, const struct child *by)
{
	struct child *obsolete = NULL, *tired = NULL;

	for (unsigned i = 0; i < m->n_slots; i++) {
		struct child *c = &m->children[i];

		if (c->life != LIFECYCLE_READY)
			continue;
		if (child_obsolete(m, c))
			obsolete = better(m, by, obsolete, c);
		else if (c->wants_retire)
			tired = better(m, by, tired, c);
	}
	return obsolete != NULL ? obsolete : tired;
}

static void
tell_progress(struct master *m, const struct child *by, const struct child *c)
{
	char new_pid[16], old_pid[16], left[16];
	struct census census;

	census_take(m, &census);
	snprintf(new_pid, sizeof(new_pid), "%d", (int)by->pid);
	snprintf(old_pid, sizeof(old_pid), "%d", (int)c->pid);
	snprintf(left, sizeof(left), "%d", census.obsolete);
	CONTROL_TELL(m, "replaced", old_pid, new_pid, left);
}

void
pool_replaced(struct master *m, struct child *by)
{
	struct child *c = find_outgoing(m, by);

	by->replacement = false;
	if (c == NULL)
		return;
	child_retire(m, c, m->now->config->worker_drain_timeout);
	if (m->reloading)
		tell_progress(m, by, c);
}

static bool
goes(const struct master *m, const struct child *c)
{
	return c->life == LIFECYCLE_READY &&
	       (c->wants_retire || child_obsolete(m, c));
}

/* With as many others as a reload still allows, who shall go goes without a
 * replacement. */
static void
retire_surplus(struct master *m, const struct census *census)
{
	if (census->outgoing == 0 ||
		census->ready - census->outgoing < census_limit(m))
		return;
	log_info("master", "%d %s more than there may be now, and %s",
		census->outgoing,
		census->outgoing == 1 ? "child is" : "children are",
		census->outgoing == 1 ? "finishes" : "finish");
	for (unsigned i = 0; i < m->n_slots; i++)
		if (goes(m, &m->children[i]))
			child_retire(m, &m->children[i],
				m->now->config->worker_drain_timeout);
}

/* A reload goes one by one; the tired ones may be some more at once where
 * there are many of them. */
static int
replacements_at_once(const struct master *m, const struct census *census)
{
	return m->reloading ? 1 : 1 + census->ready / 8;
}

/* Who was to go has died before the replacement was ready, which now has that
 * place for its own. */
static void
promote_replacements(struct master *m)
{
	struct census census;
	int surplus;

	if (m->next != NULL)
		return; /* its first child stands for nobody yet */
	census_take(m, &census);
	surplus = census.replacements - census.outgoing;
	for (unsigned i = 0; i < m->n_slots && surplus > 0; i++) {
		struct child *c = &m->children[i];

		if (c->life != LIFECYCLE_STARTING || !c->replacement)
			continue;
		c->replacement = false;
		surplus--;
	}
}

static void
replace(struct master *m)
{
	struct census census;
	int want, n;

	if (m->next != NULL)
		return; /* its first child is the replacement */
	census_take(m, &census);
	retire_surplus(m, &census);
	census_take(m, &census);
	want = replacements_at_once(m, &census);
	if (want > census.outgoing)
		want = census.outgoing;
	want -= census.replacements;
	n = may_start(m, &census);
	while (want-- > 0 && n-- > 0 && start(m, true))
		continue;
}

/* --- the policy --------------------------------------------------------------- */

static void
say_remark(const struct master *m, const struct mpm_plan *plan,
	const struct census *census)
{
	const char *what = census_of_threads(m) ? "threads" : "children";

	/* A pool of fixed size is meant to be as full as it is. */
	if (m->now->config->processes > 0)
		return;
	if (plan->remark == MPM_SPAWNING_FAST)
		log_info("master",
			"server seems busy: starting %d children; there are "
			"%d %s idle and %d in all",
			plan->spawn, census->idle, what,
			census->workers + census->starting_workers);
	if (plan->remark == MPM_LIMIT_REACHED)
		log_errorx("master",
			"server reached MaxRequestWorkers (%ld), consider "
			"raising it",
			census_worker_limit(m));
	if (plan->remark == MPM_LIMIT_NEAR)
		log_errorx("master",
			"server is within MinSpareThreads (%ld) of "
			"MaxRequestWorkers (%ld), consider raising the latter",
			m->now->config->min_spare_threads,
			census_worker_limit(m));
}

static void
maintain(struct master *m)
{
	const struct config *c = m->now->config;
	struct mpm_limits limits = census_limits(m);
	struct census census;
	struct mpm_census counts;
	struct mpm_plan plan;
	struct child *idle;
	int may;

	census_take(m, &census);
	census_look(m, &census);
	may = may_start(m, &census);
	if (may == 0)
		return;
	counts = census_for_policy(m, &census);
	plan = census_of_threads(m)
		       ? worker_plan(&limits, &counts, &m->memory)
		       : prefork_plan(&limits, &counts, &m->memory);
	/* While children keep dying more of them are no remedy, but what is
	 * missing is still tried. */
	if (plan.spawn > may)
		plan.spawn = may;
	say_remark(m, &plan, &census);
	while (plan.spawn-- > 0 && start(m, false))
		continue;
	/* Replacements make the pool larger for a moment; wait for that. */
	if (plan.retire > 0 && census.outgoing == 0 && m->next == NULL) {
		idle = census_idle_child(m);
		if (idle != NULL)
			child_retire(m, idle, c->worker_drain_timeout);
	}
}

void
pool_turn(struct master *m)
{
	promote_replacements(m);
	pay(m);
	replace(m);
	if (m->now_ns < m->turn_ns)
		return;
	m->last_turn_ns = m->now_ns;
	m->turn_ns = m->now_ns + SECOND_NS;
	/* What one master has less, the other one has more. */
	if (!upgrade_running(m) && !heir_waits(m))
		maintain(m);
}

void
pool_hurry(struct master *m)
{
	int64_t soon = m->last_turn_ns + HURRY_MS * MS_NS;
	struct census census;

	if (m->phase != PHASE_RUNNING || soon >= m->turn_ns)
		return;
	census_take(m, &census);
	census_look(m, &census);
	if (census.idle == 0 && census.starting == 0)
		m->turn_ns = soon;
}
