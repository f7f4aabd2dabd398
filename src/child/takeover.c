/*
 * takeover.c - what is done for the clients of a worker that is stuck.  See
 * takeover.h.
 */
#include "child/takeover.h"

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/defs.h"
#include "child/accept.h"
#include "child/balance.h"
#include "child/connection.h"
#include "child/crew.h"
#include "child/engine.h"
#include "child/flush.h"
#include "child/handover.h"
#include "child/hangup.h"
#include "child/orders.h"
#include "child/report.h"
#include "child/send.h"
#include "child/share.h"
#include "child/sigterm.h"
#include "child/unread.h"
#include "lock/locker.h"
#include "net/channel.h"
#include "net/handoff.h"

enum {
	GIL_PATIENCE_NS =
		12000000, /* waiting for it is usual, twice 5 ms at most */
	TELL_NS = 50000000, /* the master hears of it that often at most */
	AT_ONCE = 128,      /* connections, before the worker may come back */
	IN_ORDER = 1024,    /* of those that are ready */
	TAKEN_PAUSE = 4,    /* looks at most between nudges that are taken */
	GIL_LONG_NS = 100000000, /* from here on it is said */
	UNUSUAL = 4,        /* times what requests usually take */
	PREEMPTED_NS = 12000000, /* so long others may have the processor */
	USUAL_MOST_NS = 50000000, /* no longer one is usual, whatever others take */
};

void
takeover_forget(struct takeover *t, struct connection *c)
{
	if (c->watched != 0)
		(void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	c->watched = 0;
}

void
takeover_push_own(const struct engine *e)
{
	struct connection *c = e->running;

	if (c != NULL && c->error == 0 && c->part < c->n_parts)
		(void)send_push(c);
}

/* False when it could not be.  Who may not be given is not listened to: the wait would
 * end at once, again and again. */
static bool
give(struct takeover *t, struct connection *c)
{
	if (t->may_give == 0) {
		t->listens &= c->watched == 0;
		return true;
	}
	if (!handover_give_now(t->engine, c))
		return false;
	t->may_give--;
	return true;
}

/* Those that another worker can serve as they are: nobody has looked at what they
 * sent; or they are answered, and have sent the next request already; or are to
 * leave, as the order came as the last thing before the request, or the pool was
 * full. */
static bool
waits_for_a_worker(const struct engine *e, const struct connection *c)
{
	return c->list == &e->queue || c->state == CONNECTION_LEAVING ||
	       (connection_is_answered(c) && unread_of(c).len > 0);
}

static bool
give_waiting(struct takeover *t, const struct connection_list *list)
{
	struct connection *c, *next;
	bool all = true;

	for (c = list->first; c != NULL; c = next) {
		next = c->next;
		if (waits_for_a_worker(t->engine, c))
			all &= give(t, c);
	}
	return all;
}

static bool
may_leave(const struct connection *c)
{
	return (c->state == CONNECTION_PARKED && !c->hung_up) ||
	       c->state == CONNECTION_READING ||
	       c->state == CONNECTION_COLLECTING || connection_is_answered(c);
}

/* What it must be ready for so that we can do something for it. */
static uint32_t
awaited_of(const struct connection *c)
{
	if (flush_is_due(c))
		return EPOLLOUT;
	return may_leave(c) ? EPOLLIN | EPOLLRDHUP : 0;
}

static bool
look_for(struct takeover *t, struct connection *c, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};
	int how = c->watched != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == 0)
		takeover_forget(t, c);
	else if (epoll_ctl(t->epoll, how, c->fd, &event) == 0)
		c->watched = events;
	return c->watched == events;
}

/* Have some more of a list's connections watched; true when all are. */
static bool
add(struct takeover *t, struct connection_list *list, int *left)
{
	bool all = true;

	for (struct connection *c = list->first; c != NULL; c = c->next) {
		uint32_t events = awaited_of(c);

		if (events == c->watched)
			continue;
		if (*left == 0)
			return false;
		(*left)--;
		all &= look_for(t, c, events);
	}
	return all;
}

/* One that is ready: the worker is away, so it still is what it was when epoll
 * was asked.  False when there is more to do for it. */
static bool
look_at(struct takeover *t, struct connection *c)
{
	bool done = true;

	if (flush_is_due(c))
		done = flush(t->engine, c);
	else if (may_leave(c))
		return give(t, c);
	if (c->watched != awaited_of(c))
		done &= look_for(t, c, awaited_of(c));
	return done;
}

static void
note_arrival(struct connection *c, int64_t now_ns)
{
	if (c->since_ns == 0 && !flush_is_due(c) && may_leave(c))
		c->since_ns = now_ns;
}

static bool
came_before(const struct epoll_event *a, const struct epoll_event *b)
{
	const struct connection *one = a->data.ptr, *other = b->data.ptr;

	return one->since_ns < other->since_ns;
}

/* Who came first is first: epoll puts who was not given behind who came meanwhile. */
static void
put_in_order(struct epoll_event *events, int n)
{
	for (int i = 1; i < n; i++) {
		struct epoll_event one = events[i];
		int at = i;

		for (; at > 0 && came_before(&one, &events[at - 1]); at--)
			events[at] = events[at - 1];
		events[at] = one;
	}
}

static bool
look_at_ready(struct takeover *t)
{
	struct epoll_event events[IN_ORDER];
	int n = epoll_wait(t->epoll, events, IN_ORDER, 0);
	int64_t now_ns = n > 0 ? clock_monotonic_ns() : 0;
	bool all = n <= AT_ONCE || t->may_give == 0;

	for (int i = 0; i < n; i++)
		note_arrival(events[i].data.ptr, now_ns - n + i);
	put_in_order(events, n);
	for (int i = 0; i < n && i < AT_ONCE; i++)
		all &= look_at(t, events[i].data.ptr);
	return all;
}

/* What only a leader looks after, and this one waits for as well: the master's
 * orders, and the turn to accept. */
static void
call_leader(struct takeover *t)
{
	struct engine *e = t->engine;
	struct pollfd p[] = {
		{.fd = e->channel_watched ? e->set.channel : -1},
		{.fd = e->sigterm_watched ? e->set.sigterm : -1},
		{.fd = e->lock_watched ? locker_fd(e->set.locker) : -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		p[i].events = POLLIN;
	if (poll(p, ARRAY_LEN(p), 0) > 0)
		crew_call_leader(e->set.crew);
}

/* A wait of the worker's may have used up the wake-up for what is there; and
 * that of a nudge, or another stuck worker's has.  So there are more nudges,
 * ever more seldom, for as long as nobody comes.  Where they are taken, the next
 * look may find another client, or the same whom nobody can serve. */
static void
pass_wake_up_on(struct takeover *t)
{
	struct engine *e = t->engine;
	struct pollfd door = {.fd = -1, .events = POLLIN};
	struct pollfd pool = {.fd = e->set.take, .events = POLLIN};
	bool untaken, waits;

	/* In a bucket nobody else may be waiting at all. */
	if (e->acceptor.under_way || e->set.in_buckets)
		door.fd = e->set.set >= 0 ? e->set.set : e->set.listeners[0];
	if (door.fd < 0 && !e->pool_watched)
		return;
	untaken = poll(&pool, 1, 0) > 0;
	waits = (untaken && e->pool_watched) || poll(&door, 1, 0) > 0;
	if (!waits) {
		t->knocks = 0;
		t->pause = 1;
		return;
	}
	t->calm = false;
	if (!untaken && t->pause > TAKEN_PAUSE)
		t->pause = TAKEN_PAUSE;
	if (++t->knocks < t->pause)
		return;
	(void)handoff_nudge(e->set.give);
	t->knocks = 0;
	t->pause *= 2;
}

/* It may have been the last idle worker: the master need not find that out
 * when its second is over.  Nor that SIGTERM has come, which who is stuck does not
 * hear: another child is to take its place, and its time to be limited. */
static void
tell_master(struct takeover *t)
{
	int64_t now = clock_monotonic_ns();

	if (now - *t->told_ns < TELL_NS)
		return;
	*t->told_ns = now;
	if (sigterm_came())
		orders_say_leaving(t->engine);
	else
		(void)channel_send(t->engine->set.channel, CHANNEL_BUSY, 0,
			NULL, NULL, 0);
}

/* What other workers have passed on to this one. */
static void
take_parcels(struct takeover *t)
{
	if (share_take_what_fits(t->engine))
		t->all_watched = false;
}

/* What is the business of one worker becomes another one's, while there is
 * one that is idle. */
static void
replace_leader(struct takeover *t)
{
	struct engine *e = t->engine;
	bool somebody = false;

	if (e->set.crew != NULL) {
		somebody = crew_resign(e->set.crew, e->set.worker);
		take_parcels(t);
		call_leader(t);
	}
	if (!somebody || sigterm_came())
		tell_master(t);
}

/* The lists are the stuck worker's: nobody changes them but we. */
static void
watch_connections(struct takeover *t)
{
	struct engine *e = t->engine;
	int left = AT_ONCE;
	bool all;

	if (t->all_watched)
		return;
	all = add(t, &e->sending, &left);
	all &= add(t, &e->parked, &left);
	all &= add(t, &e->reading, &left);
	t->all_watched = all;
}

/* Does it take much longer than most do here?  What may be no more than another
 * process that has the processor does not count. */
static bool
is_unusual(const struct engine *e)
{
	int64_t since_ns = clock_monotonic_ns() - e->running_since_ns;

	return since_ns > USUAL_MOST_NS ||
	       (since_ns > PREEMPTED_NS && since_ns > UNUSUAL * e->usual_ns);
}

/* How many are better off elsewhere: all behind an unusual request, else one with
 * each sibling that is idle, or all with other workers of this child.  Where everybody
 * is busy, who is given away would wait there, and go round. */
static size_t
find_allowance(const struct engine *e)
{
	if (is_unusual(e))
		return SIZE_MAX;
	if (e->set.crew != NULL)
		return share_has_idle(e) ? SIZE_MAX : 0;
	return balance_count_idle(e->set.balance);
}

/* What others can serve now. */
static void
give_all(struct takeover *t)
{
	struct engine *e = t->engine;

	t->calm &= give_waiting(t, &e->queue);
	t->calm &= give_waiting(t, &e->sending);
	t->calm &= give_waiting(t, &e->ending);
	t->calm &= give_waiting(t, &e->leaving);
	watch_connections(t);
	t->calm &= t->all_watched;
	if (e->n_connections > (e->running != NULL))
		t->calm &= look_at_ready(t);
}

static void
look_after(struct takeover *t)
{
	struct engine *e = t->engine;
	bool helps;

	t->listens = true;
	accept_show_away(e);
	replace_leader(t);
	takeover_push_own(e);
	if (hangup_is_due(e)) {
		hangup_idle(e, clock_monotonic_ns());
		t->all_watched = false;
	}
	if (flush_unsent(e))
		t->all_watched = false;
	t->may_give = find_allowance(e);
	helps = t->may_give > 0;
	give_all(t);
	if (e->set.crew != NULL)
		crew_show_ready(e->set.crew, e->set.worker, e->queue.n);
	if (helps)
		pass_wake_up_on(t);
	report_overdue(e, t->worker);
}

/* It has requests, and cannot begin them: it is not idle, for the policy as well. */
static void
show_entrant(const struct takeover *t)
{
	struct engine *e = t->engine;

	if (clock_monotonic_ns() - t->since_ns >= GIL_LONG_NS)
		report_kept_out(e, e->queue.first != NULL);
}

/* The worker waits for the GIL, which another thread of this child keeps for
 * long: so other workers of it would be no better off, but siblings are.  The
 * lead stays, as whoever had it would wait likewise. */
static void
look_after_entrant(struct takeover *t)
{
	struct engine *e = t->engine;
	bool idle = share_has_idle_sibling(e);

	if (sigterm_came())
		tell_master(t);
	show_entrant(t);
	t->listens = idle &&
		     clock_monotonic_ns() - t->since_ns >= GIL_PATIENCE_NS;
	t->calm = t->listens || !idle;
	if (!t->listens)
		return;
	t->may_give = SIZE_MAX;
	if (e->set.crew != NULL)
		take_parcels(t);
	if (flush_unsent(e))
		t->all_watched = false;
	give_all(t);
	pass_wake_up_on(t);
}

void
takeover_begin(struct takeover *t)
{
	t->since_ns = clock_monotonic_ns();
	t->knocks = 0;
	t->pause = 1;
	t->all_watched = false;
	/* What its client does now is for the worker. */
	if (t->engine->running != NULL)
		takeover_forget(t, t->engine->running);
}

void
takeover_look(struct takeover *t)
{
	if (t->engine->entering)
		look_after_entrant(t);
	else
		look_after(t);
}
