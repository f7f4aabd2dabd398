/*
 * census.c - what children there are, and who of them is idle.
 *
 * The state of a child is what the master knows; whether it is busy is what
 * the child says in its page.  It may lie, so it is asked nothing else.
 */
#include "master/state.h"

static bool
worker_is_idle(uint32_t state)
{
	return state == WSGID_WORKER_READY || state == WSGID_WORKER_STARTING ||
	       state == WSGID_WORKER_DEAD || state == 0;
}

static bool
child_idle(const struct master *m, const struct child *c)
{
	const struct wsgid_worker *w =
		scoreboard_worker(m->scoreboard, c->slot, 0);

	return w == NULL || worker_is_idle(w->state);
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
			ret->replacements += c->replacement;
			break;
		case LIFECYCLE_READY:
			ret->ready++;
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

void
census_look(const struct master *m, struct census *census)
{
	census->idle = 0;
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life == LIFECYCLE_READY)
			census->idle += child_idle(m, &m->children[i]);
}

long
census_limit(const struct master *m)
{
	long limit = config_most_children(m->now->config);

	return limit < m->server_limit ? limit : m->server_limit;
}

int
census_vacant(const struct master *m, const struct census *census)
{
	long left = census_limit(m) - census->starting - census->ready;

	return left > 0 ? (int)left : 0;
}

struct mpm_census
census_for_policy(const struct master *m, const struct census *census)
{
	return (struct mpm_census){
		.idle = census->idle + census->starting,
		.busy = census->ready - census->idle,
		.vacant = census_vacant(m, census),
	};
}

bool
census_settled(const struct master *m, const struct census *census)
{
	return census_vacant(m, census) == 0 &&
	       census->starting + census->ready <=
		       m->now->config->max_spare_servers;
}

/* The highest slot first, so that the low ones are the long-lived. */
struct child *
census_idle_child(const struct master *m)
{
	for (unsigned i = m->n_slots; i-- > 0;) {
		struct child *c = &m->children[i];

		if (c->life == LIFECYCLE_READY && child_idle(m, c))
			return c;
	}
	return NULL;
}
