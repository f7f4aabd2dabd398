/*
 * watchdog.c - does the server make progress?
 *
 * systemd restarts a service that does not say so in time.  The loop that says
 * it turns as long as the master is alive, which is not enough: children may
 * all be stuck.  A child makes progress unless nobody in it has had the GIL for
 * DeadlockTimeout, or all its workers have been in one request each for longer
 * than WatchdogRequestTime.  One that does is enough.  Where none is ready,
 * others are being started, and that is progress for as long, and no longer:
 * they may crash, or hang in their import, for ever.  In a crash loop one that
 * is ready counts from its first answer or its tenth second on: so those that
 * come up, and crash at once or at their first request, are no progress either.
 * A start and a restart of the whole server have their own limit,
 * StartupTimeout.
 *
 * Children's clocks are not compared with ours: what counts is for how long
 * they have shown the same, so neither a lie nor a jump of the clock can do
 * more than to make us wait.
 */
#include "master/watchdog.h"

#include <signal.h>

#include "base/log.h"
#include "base/signals.h"
#include "config/config.h"
#include "master/census.h"
#include "master/generation.h"
#include "master/state.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

/* For how long has it been this value? */
static int64_t
unchanged(struct sighting *s, int64_t value, int64_t now_ns)
{
	if (s->since_ns == 0 || s->value != value)
		*s = (struct sighting){.value = value, .since_ns = now_ns};
	return now_ns - s->since_ns;
}

static bool
is_over(int64_t ns, int64_t limit_ms)
{
	return limit_ms > 0 && ns > limit_ms * MS_NS;
}

/* When the youngest of its requests began; 0: a worker has none. */
static int64_t
youngest_request(const struct master *m, const struct child *c)
{
	const struct wsgid_worker *workers =
		scoreboard_workers(m->scoreboard, c->slot, c->workers);
	int64_t youngest = 0;

	for (unsigned i = 0; workers != NULL && i < c->workers; i++) {
		if (!scoreboard_in_request(workers[i].state))
			return 0;
		if (workers[i].begin_us > youngest)
			youngest = workers[i].begin_us;
	}
	return youngest;
}

/* 0 is no time: it has no pulse. */
static bool
is_deadlocked(struct master *m, struct child *c)
{
	const struct wsgid_page *page = scoreboard_page(m->scoreboard, c->slot);
	int64_t gil_us = page != NULL ? page->gil_us : 0;
	int64_t ns = unchanged(&c->gil, gil_us, m->now_ns);

	return gil_us != 0 && is_over(ns, m->now->config->deadlock_timeout);
}

static bool
is_overdue(struct master *m, struct child *c)
{
	int64_t begin_us = youngest_request(m, c);
	int64_t ns = unchanged(&c->youngest, begin_us, m->now_ns);

	return begin_us != 0 &&
	       is_over(ns, m->now->config->watchdog_request_time);
}

struct verdict {
	int ready, deadlocked, overdue;
	int settled;   /* of those that are ready */
	bool deserted; /* nobody has been ready for too long */
};

/* In a crash loop one has to come further than those before it. */
static bool
is_settled(const struct master *m, const struct child *c)
{
	return !throttle_doubts(&m->throttle) || census_answered(m, c) ||
	       m->now_ns - c->ready_ns >= SETTLED_S * SECOND_NS;
}

/* To be asked each time, for the next. */
static bool
is_deserted(struct master *m, int settled)
{
	bool nobody = settled == 0 && !m->restarting;
	int64_t ns = unchanged(&m->deserted, nobody, m->now_ns);

	return nobody && is_over(ns, m->now->config->watchdog_request_time);
}

static struct verdict
look(struct master *m)
{
	struct verdict v = {0};

	for (unsigned i = 0; i < m->n_slots; i++) {
		struct child *c = &m->children[i];

		if (c->life != LIFECYCLE_READY)
			continue;
		v.ready++;
		v.settled += is_settled(m, c);
		/* Both are to be looked at, for next time. */
		if (is_deadlocked(m, c)) {
			v.deadlocked++;
			(void)is_overdue(m, c);
		} else {
			v.overdue += is_overdue(m, c);
		}
	}
	v.deserted = is_deserted(m, v.settled);
	return v;
}

/* Where they are stuck is asked before they are killed for it: what answers
 * needs no GIL. */
static void
ask_for_tracebacks(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life == LIFECYCLE_READY &&
			m->children[i].pid > 0)
			signal_ask_at_once(m->children[i].pid);
}

static void
say_deserted(const struct master *m)
{
	log_errorx("master",
		"no child has been ready for %g s (WatchdogRequestTime), or "
		"none for more than a moment: they end, or do not come to the "
		"end of their start, and the lines above say why; systemd's "
		"watchdog is told nothing any more and will restart the "
		"service",
		(double)m->now->config->watchdog_request_time / 1000);
}

static void
say_stuck(struct master *m, const struct verdict *v)
{
	const struct config *c = m->now->config;

	log_errorx("master",
		"no child makes progress: of %d, %d have not taken the GIL for "
		"%g s (DeadlockTimeout) and the workers of %d are in requests "
		"of more than %g s (WatchdogRequestTime); systemd's watchdog "
		"is told nothing any more and will restart the service; this "
		"is where they are:",
		v->ready, v->deadlocked, (double)c->deadlock_timeout / 1000,
		v->overdue, (double)c->watchdog_request_time / 1000);
	ask_for_tracebacks(m);
}

bool
watchdog_progress(struct master *m)
{
	struct verdict v = {0};
	bool stuck;

	if (m->phase == PHASE_RUNNING)
		v = look(m);
	stuck = v.deserted ||
		(v.ready > 0 && v.deadlocked + v.overdue == v.ready);
	if (stuck && !m->told_stuck) {
		if (v.deserted)
			say_deserted(m);
		else
			say_stuck(m, &v);
	}
	if (!stuck && m->told_stuck)
		log_notice("master", "children make progress again");
	m->told_stuck = stuck;
	return !stuck;
}
