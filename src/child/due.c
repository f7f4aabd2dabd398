/*
 * due.c - what is due now, and when the next thing will be.  See due.h.
 */
#include "child/due.h"

#include "base/defs.h"
#include "child/connection.h"
#include "child/engine.h"
#include "child/handover.h"
#include "child/receiving.h"
#include "child/recycle.h"
#include "child/request.h"
#include "net/channel.h"

void
due_clients(struct engine *e)
{
	struct connection *c;

	while ((c = e->parked.first) != NULL && c->deadline_ns <= e->now_ns)
		connection_linger(e, c);
	while ((c = e->lingering.first) != NULL && c->deadline_ns <= e->now_ns)
		connection_close(e, c);
	while ((c = e->sending.first) != NULL && c->deadline_ns <= e->now_ns)
		if (!connection_moves(e, c))
			connection_close(e, c);
	if (e->singly_ns <= e->now_ns)
		receiving_is_due(e);
	handover_retry(e);
	/* Refusing takes what a request that runs has in use: after it. */
	while (e->running == NULL && (c = e->reading.first) != NULL &&
		c->deadline_ns <= e->now_ns)
		if (!connection_may_wait(e, c))
			request_too_slow(e, c);
}

static void
sooner(int64_t *when, int64_t deadline_ns)
{
	if (deadline_ns < *when)
		*when = deadline_ns;
}

static void
sooner_of(int64_t *when, const struct connection_list *list)
{
	if (list->first != NULL)
		sooner(when, list->first->deadline_ns);
}

static bool
looks_at_itself(const struct engine *e)
{
	return e->set.recycle != NULL && e->running == NULL && !e->retiring &&
	       engine_leads(e);
}

void
due_child(struct engine *e)
{
	struct recycle *r = e->set.recycle;
	char why[RECYCLE_WHY];

	if (!looks_at_itself(e) || LIKELY(e->now_ns < r->look_ns))
		return;
	if (recycle_is_due(r, e->now_ns, why) &&
		engine_ask_to_retire(e,
			r->large ? CHANNEL_TOO_LARGE : CHANNEL_WANTS_RETIRE,
			why))
		recycle_end(r);
}

int64_t
due_in_ns(const struct engine *e)
{
	int64_t when = INT64_MAX;

	sooner_of(&when, &e->parked);
	if (e->running == NULL)
		sooner_of(&when, &e->reading);
	sooner_of(&when, &e->sending);
	sooner_of(&when, &e->lingering);
	sooner_of(&when, &e->leaving);
	sooner(&when, e->singly_ns);
	if (e->retiring && e->leave_by_ns > 0)
		sooner(&when, e->leave_by_ns);
	if (e->acceptor.not_before_ns > e->now_ns && !e->retiring)
		sooner(&when, e->acceptor.not_before_ns);
	if (looks_at_itself(e))
		sooner(&when, e->set.recycle->look_ns);
	if (when == INT64_MAX)
		return -1;
	return when > e->now_ns ? when - e->now_ns : 0;
}
