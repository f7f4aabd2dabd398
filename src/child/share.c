/*
 * share.c - sharing the work: with the other workers of this child, and with
 * its siblings.  See share.h.
 */
#include "child/share.h"

#include "base/clock.h"
#include "base/defs.h"
#include "child/accept.h"
#include "child/balance.h"
#include "child/connection.h"
#include "child/crew.h"
#include "child/engine.h"
#include "child/handover.h"
#include "child/orders.h"
#include "child/sigterm.h"
#include "child/unread.h"
#include "io/io.h"
#include "net/handoff.h"

enum {
	BALANCE_MS = 10,    /* between two looks at the siblings */
	HEAVY_MS = 50,      /* a large body may wait for who is idle */
	BATCH_NS = 1000000, /* of requests whose answers are sent together */
	BATCH_MOST_NS = 4000000, /* where the first has waited so long itself */
	OFTEN = CREW_ALL / 32,   /* long ones, as a crew counts them */
	SOMETIMES = CREW_ALL / 512, /* one is seen for some hundred requests */
};

/* On the average; or, as then most of what a worker takes on would wait behind one of
 * those, several of a hundred. */
static bool
requests_are_long(const struct engine *e)
{
	if (e->set.crew == NULL)
		return e->lately_ns > ENGINE_LONG_NS;
	return crew_lately(e->set.crew) > ENGINE_LONG_NS ||
	       crew_long_ones(e->set.crew) > OFTEN;
}

bool
share_sees_long_ones(const struct engine *e)
{
	int ones = e->set.crew != NULL ? crew_long_ones(e->set.crew) : 0;

	return UNLIKELY(ones > SOMETIMES) && ones <= OFTEN;
}

/* When requests are long each gets a worker of its own, as far as there are
 * idle ones; the first to wait is the first to go.  Who does not lead keeps
 * that one: most likely it was dealt, and dealt on it would go round for as
 * long as anybody is idle, and be served by nobody. */
static void
deal_queue(struct engine *e)
{
	struct connection *c = e->queue.first, *next;

	if (e->set.crew == NULL || c == NULL || !requests_are_long(e))
		return;
	for (c = engine_leads(e) ? c : c->next; c != NULL; c = next) {
		next = c->next;
		if (!handover_deal(e, c))
			break;
	}
}

/* Others are better off with the next connection when ours take long. */
static void
stop_waiting(struct engine *e)
{
	bool long_ones = requests_are_long(e);

	if (!long_ones && !accept_keeps_others_waiting(e))
		return;
	if (long_ones && e->set.crew != NULL)
		(void)crew_resign(e->set.crew, e->set.worker);
	accept_disarm(e);
	(void)engine_turn(e, 0);
}

/* The last of so many waits for long, if they are served one after the other. */
static bool
is_long_queue(const struct engine *e, size_t ready)
{
	return e->usual_ns * (int64_t)ready > BALANCE_MS * MS_NS;
}

/* How many are better off with siblings: those who are idle, or where all are busy
 * and the last of them waits for long, one whose queue is shorter. */
static size_t
find_excess(const struct engine *e, size_t ready)
{
	const struct balance *b = e->set.balance;

	if (!engine_leads(e))
		return 0;
	if (balance_has_idle(b))
		return balance_excess(b, connection_total(e), ready);
	return is_long_queue(e, ready) && balance_has_shorter(b, ready);
}

static void
show_ready(struct engine *e)
{
	if (e->set.crew != NULL)
		crew_show_ready(e->set.crew, e->set.worker, e->queue.n);
	if (engine_leads(e))
		balance_show_ready(e->set.balance, e->queue.n);
}

/* Several requests at once: some of them go to other workers of this child, or to
 * siblings.  The last to come have waited least. */
static void
spread(struct engine *e)
{
	size_t excess;

	show_ready(e);
	if (e->now_ns < e->balance_at_ns || e->queue.first == e->queue.last)
		return;
	e->balance_at_ns = e->now_ns + BALANCE_MS * MS_NS;
	if (e->set.crew != NULL && is_long_queue(e, e->queue.n) &&
		!share_has_idle(e))
		(void)handover_even_out(e, e->queue.last);
	excess = find_excess(e, e->queue.n);
	while (excess-- > 0 && handover_give_now(e, e->queue.last))
		continue;
}

bool
share_has_idle_sibling(const struct engine *e)
{
	return balance_has_idle(e->set.balance);
}

bool
share_has_idle(const struct engine *e)
{
	if (share_has_idle_sibling(e))
		return true;
	if (e->set.crew == NULL)
		return false;
	return crew_has_idle(e->set.crew) ||
	       (!engine_leads(e) && crew_leader_waits(e->set.crew));
}

/* To send is to go through the whole network, and to wake somebody up: it costs less
 * for several.  So answers may wait for others as long as the first request has
 * waited, while requests are short and nobody else could serve them. */
int64_t
share_batch_ns(const struct engine *e)
{
	const struct connection *first = e->queue.first;
	int64_t waited_ns = first != NULL ? e->now_ns - first->since_ns : 0;

	if (waited_ns <= BATCH_NS || e->set.crew != NULL ||
		requests_are_long(e) || share_has_idle(e))
		return BATCH_NS;
	return waited_ns < BATCH_MOST_NS ? waited_ns : BATCH_MOST_NS;
}

/* In the pool it would lie in a file, and if nobody is soon through with his own come
 * back to us; so it goes there when it has waited as long as that costs nothing. */
static bool
is_better_here(const struct engine *e, const struct connection *c)
{
	if (e->retiring || unread_of(c).len <= HANDOFF_INLINE ||
		share_has_idle(e))
		return false;
	return (e->set.crew == NULL && e->set.alone) ||
	       e->now_ns - c->since_ns < HEAVY_MS * MS_NS;
}

/* Who could not be given is in the queue again. */
void
share_give_queue(struct engine *e)
{
	struct connection *c = e->queue.first, *next;

	for (uint32_t n = e->queue.n; n > 0; n--, c = next) {
		next = c->next;
		if (!is_better_here(e, c))
			handover_give(e, c);
	}
}

void
share_catch_up(struct engine *e)
{
	if (engine_leads(e) && !e->retiring && !share_has_idle_sibling(e)) {
		handover_take_all(e);
		accept_all(e);
	}
	(void)engine_turn(e, 0);
}

void
share_show(struct engine *e, bool idle)
{
	if (!engine_leads(e))
		return;
	if (e->set.crew != NULL)
		crew_show_leader(e->set.crew, idle);
	balance_show(e->set.balance, connection_total(e), idle);
}

static bool
take_parcel(struct engine *e)
{
	struct parcel *p = crew_take(e->set.crew, e->set.worker);

	if (p == NULL)
		return false;
	(void)connection_adopt(e, crew_parcel_content(p));
	crew_free_parcel(p);
	return true;
}

/* They may have been on their way when we were told to retire. */
void
share_take_parcels(struct engine *e)
{
	bool any = false;

	while (take_parcel(e))
		any = true;
	if (!any || !e->retiring || e->finishing)
		return;
	handover_give_waiting(e, &e->parked);
	handover_give_waiting(e, &e->reading);
}

bool
share_take_what_fits(struct engine *e)
{
	bool some = false;

	while (handover_has_room(e) && take_parcel(e))
		some = true;
	return some;
}

/* Whoever gets such a request begins with it anew, finds that some of it is missing,
 * and is then another one that holds it and does not lead. */
static bool
has_begun(const struct connection *c)
{
	return c->state == CONNECTION_COLLECTING || unread_of(c).len > 0;
}

/* What has come or gone on here since we do not lead.  What was idle already
 * stays until it is not: there may be thousands of those, and each request that
 * is a bit long would have all of them move. */
static void
give_back(struct engine *e, struct connection_list *list)
{
	struct connection *c, *before;

	for (c = list->last; c != NULL && c->reign == e->reign; c = before) {
		before = c->prev;
		if (!has_begun(c) && !handover_give_back(e, c))
			break;
	}
}

static void
give_all_back(struct engine *e)
{
	give_back(e, &e->parked);
	give_back(e, &e->reading);
}

/* When requests are long a worker is woken for each anyway: its client's next one
 * may as well come to it as to the leader, who would deal it to somebody.  That is
 * true of one client, where there is a worker for each, as others would wait for
 * longer, and where siblings have as many. */
static bool
keeps_its_client(const struct engine *e)
{
	return requests_are_long(e) && e->n_connections == 1 &&
	       connection_total(e) <= (uint32_t)e->config->threads_per_child &&
	       balance_excess(e->set.balance, connection_total(e), 2) == 0;
}

void
share_rest(struct engine *e)
{
	bool keeps;

	if (e->set.crew == NULL || (e->led && engine_leads(e)))
		return;
	keeps = keeps_its_client(e);
	if (e->queue.first == NULL
			? crew_rest(e->set.crew, e->set.worker, keeps)
			: crew_stand_in(e->set.crew, e->set.worker)) {
		e->led = true;
		return;
	}
	if (e->led)
		e->reign++;
	e->led = false;
	/* It is not for us to let the mutex go that a new leader may have. */
	if (e->acceptor.under_way)
		accept_disarm(e);
	handover_unwatch(e);
	if (!e->retiring && !keeps)
		give_all_back(e);
}

void
share_watch(struct engine *e)
{
	if (e->set.crew == NULL || e->bell_watched)
		return;
	e->bell_watched = true;
	io_poll(e->io, &e->bell_owner, crew_bell(e->set.crew, e->set.worker));
}

void
share_heard(struct engine *e)
{
	e->bell_watched = false;
	crew_answer_bell(e->set.crew, e->set.worker);
	share_take_parcels(e);
	accept_hear(e);
	/* Whoever else waits for the master may be stuck. */
	if (!engine_leads(e))
		return;
	orders_hear(e);
	if (sigterm_came())
		orders_hear_sigterm(e);
}

void
share_begin(struct engine *e)
{
	bool came;

	if (e->set.crew == NULL)
		return;
	/* From now on nobody makes it the leader; but somebody may have. */
	came = crew_work(e->set.crew, e->set.worker);
	if (engine_leads(e)) {
		crew_show_leader(e->set.crew, false);
		return;
	}
	if (came)
		share_take_parcels(e);
	if (!e->retiring)
		give_all_back(e);
}

/* Would nobody let the next client in before we are through?  When requests are long
 * we resign, and another worker that is idle does, or a sibling.  While they are short
 * we lead, and wait ourselves; but with a mutex that is for siblings that are idle. */
static bool
is_nobody_at_the_door(const struct engine *e)
{
	if (requests_are_long(e))
		return !share_has_idle(e);
	return accept_keeps_others_waiting(e) && !share_has_idle_sibling(e);
}

/* Where all are busy the pool is the queue of all, and who took one of it for each
 * round of his own would let those in it wait for many rounds.  New clients come in
 * one by one, as whoever is through with his own sooner has the next. */
static void
take_others_in(struct engine *e)
{
	if (!engine_leads(e) || e->retiring)
		return;
	if (requests_are_long(e) && !share_has_idle_sibling(e))
		handover_take_all(e);
	if (is_nobody_at_the_door(e))
		(void)accept_next(e);
}

void
share_queue(struct engine *e)
{
	take_others_in(e);
	deal_queue(e);
	spread(e);
	if (e->queue.first == NULL)
		return;
	stop_waiting(e);
}
