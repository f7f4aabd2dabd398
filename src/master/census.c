/*
 * census.c - what children there are, and how many of their workers idle.
 *
 * The state of a child, and how many workers it has, is what the master knows;
 * which of these are busy, and whether it has served anybody, is what the child
 * says in its page.  It may lie, so it is asked nothing else.
 */
#include "master/census.h"

#include "config/config.h"
#include "master/buckets.h"
#include "master/child.h"
#include "master/generation.h"
#include "master/pool.h"
#include "master/state.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

static bool
worker_is_idle(uint32_t state)
{
	return state == WSGID_WORKER_READY || state == WSGID_WORKER_STARTING ||
	       state == WSGID_WORKER_DEAD || state == 0;
}

/* How many of its workers are idle; a child that has no page yet is all
 * idle. */
static int
idle_workers(const struct master *m, const struct child *c)
{
	const struct wsgid_worker *workers =
		scoreboard_workers(m->scoreboard, c->slot, c->workers);
	int n = 0;

	if (workers == NULL)
		return (int)c->workers;
	for (unsigned i = 0; i < c->workers; i++)
		n += worker_is_idle(workers[i].state);
	return n;
}

void
census_take(const struct master *m, struct census *ret)
{
	*ret = (struct census){0};
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct child *c = &m->children[i];

		switch (c->life) {
		case LIFECYCLE_STARTING:
			ret->starting++;
			ret->starting_workers += (int)c->workers;
			ret->replacements += c->replacement;
			break;
		case LIFECYCLE_READY:
			ret->ready++;
			ret->workers += (int)c->workers;
			ret->obsolete += child_obsolete(m, c);
			ret->outgoing +=
				c->wants_retire || child_obsolete(m, c);
			break;
		case LIFECYCLE_DRAINING:
		case LIFECYCLE_STOPPING:
			ret->draining++;
			break;
		case LIFECYCLE_VACANT:
		case LIFECYCLE_STATES:
			break;
		}
	}
}

/* What a child that was told to go has to finish. */
static int
finishing(const struct master *m, const struct child *c)
{
	const struct wsgid_worker *workers =
		scoreboard_workers(m->scoreboard, c->slot, c->workers);
	int n = 0;

	for (unsigned i = 0; workers != NULL && i < c->workers; i++)
		n += scoreboard_in_request(workers[i].state);
	return n;
}

int
census_unfinished(const struct master *m, const struct child *c)
{
	const struct wsgid_page *page = scoreboard_page(m->scoreboard, c->slot);
	uint32_t writing = page != NULL ? page->writing : 0;

	return finishing(m, c) +
	       (int)(writing < CENSUS_MOST ? writing : CENSUS_MOST);
}

bool
census_answered(const struct master *m, const struct child *c)
{
	const struct wsgid_page *page = scoreboard_page(m->scoreboard, c->slot);

	return page != NULL && c->ready_ns != 0 && page->requests > 0;
}

static bool
began(const struct master *m, const struct child *c)
{
	const struct wsgid_worker *workers =
		scoreboard_workers(m->scoreboard, c->slot, c->workers);

	for (unsigned i = 0;
		workers != NULL && c->ready_ns != 0 && i < c->workers; i++)
		if (workers[i].begin_us != 0)
			return true;
	return census_answered(m, c);
}

struct census_deeds
census_deeds(const struct master *m)
{
	struct census_deeds all = {0};

	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct wsgid_process *p =
			scoreboard_process(m->scoreboard, i);
		const struct wsgid_page *page = NULL;

		if (m->children[i].life != LIFECYCLE_VACANT)
			page = scoreboard_page(m->scoreboard, i);
		all.requests += p->past_requests;
		all.connections += p->past_connections;
		if (page != NULL) {
			all.requests += page->requests;
			all.connections += page->accepted;
		}
	}
	return all;
}

void
census_note_deeds(const struct master *m, struct child *c)
{
	c->began = began(m, c);
	c->answered = census_answered(m, c);
}

void
census_look(const struct master *m, struct census *census)
{
	census->idle = census->finishing = 0;
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct child *c = &m->children[i];

		if (c->life == LIFECYCLE_READY)
			census->idle += idle_workers(m, c);
		else if (c->life == LIFECYCLE_DRAINING ||
			 c->life == LIFECYCLE_STOPPING)
			census->finishing += finishing(m, c);
	}
}

long
census_limit(const struct master *m)
{
	long limit = config_most_children(m->now->config);

	return limit < m->server_limit ? limit : m->server_limit;
}

long
census_worker_limit(const struct master *m)
{
	return census_limit(m) * m->now->config->threads_per_child;
}

bool
census_of_threads(const struct master *m)
{
	return m->now->config->mpm == CONFIG_MPM_WORKER;
}

struct mpm_limits
census_limits(const struct master *m)
{
	const struct config *c = m->now->config;
	bool threads = census_of_threads(m);

	return (struct mpm_limits){
		.min_spare = (int)(threads ? c->min_spare_threads
					   : c->min_spare_servers),
		.max_spare = (int)(threads ? c->max_spare_threads
					   : c->max_spare_servers),
		.max_spawn_rate = SPAWN_RATE,
	};
}

int
census_active(const struct census *census)
{
	return census->starting + census->ready - census->replacements;
}

int
census_vacant(const struct master *m, const struct census *census)
{
	long left = census_limit(m) - census_active(census);

	return left > 0 ? (int)left : 0;
}

struct mpm_census
census_for_policy(const struct master *m, const struct census *census)
{
	return (struct mpm_census){
		.idle = census->idle + census->starting_workers,
		.busy = census->workers - census->idle,
		.vacant = census_vacant(m, census),
		.starting = census->starting_workers,
	};
}

bool
census_settled(const struct master *m, const struct census *census)
{
	return census_vacant(m, census) == 0 &&
	       census->starting_workers + census->workers <=
		       census_limits(m).max_spare;
}

/* The highest slot first, so that the low ones are the long-lived. */
struct child *
census_idle_child(const struct master *m)
{
	struct child *idlest = NULL;
	int most = 0;

	for (unsigned i = m->n_slots; i-- > 0;) {
		struct child *c = &m->children[i];
		int idle = c->life == LIFECYCLE_READY ? idle_workers(m, c) : 0;

		if (idle > most && buckets_can_spare(m, c)) {
			idlest = c;
			most = idle;
		}
	}
	return idlest;
}
