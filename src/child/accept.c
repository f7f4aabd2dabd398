/*
 * accept.c - waiting for new clients, while there is a worker for them.
 *
 * The wait is exclusive in the kernel: for one connection one of the waiting
 * processes is woken.  So a wake-up must not be lost: who ends his wait, or
 * was stuck while it was woken, puts a nudge into the pool, which makes an
 * idle sibling look.
 */
#include "child/accept.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "child/connection.h"
#include "child/crew.h"
#include "child/deprived.h"
#include "child/engine.h"
#include "io/io.h"
#include "lock/accept_mutex.h"
#include "lock/locker.h"
#include "net/channel.h"
#include "net/handoff.h"
#include "net/listen.h"

enum {
	PAUSE_MS = 100, /* of accepting, when it cannot go on */
	KNOCK_MS = 10,  /* between two nudges for who waits in a bucket */
	SLOW_MS = 1000, /* with a request, and its descriptor may be wanted */
	ALL = 128,      /* accepted at once, before they are served */
	VAIN = 64,      /* wake-ups in a row for nobody, as a sibling that has
	                 * put something into the set can cause for ever */
	LAST_TURNS = 10, /* of a millisecond at most, until an accept has ended; it
	                  * does so in the first */
};

static int
door_of(const struct engine *e)
{
	return e->set.set >= 0 ? e->set.set : e->set.listeners[0];
}

static bool
may_accept(const struct engine *e)
{
	return !e->retiring && !e->stopping && engine_leads(e) &&
	       e->set.n_listeners > 0 && !accept_pauses(e);
}

static void
hold_off(struct engine *e, int for_ms)
{
	e->acceptor.not_before_ns = e->now_ns + for_ms * MS_NS;
}

/* A leader may begin to wait while the last one's wait is being cancelled. */
static void
show_waiting(struct engine *e, bool waits)
{
	if (e->acceptor.shown == waits)
		return;
	e->acceptor.shown = waits;
	__atomic_fetch_add(&e->set.page->page->accepting, waits ? 1 : -1U,
		__ATOMIC_RELAXED);
}

static void
set_waiting(struct engine *e, bool waits)
{
	e->acceptor.under_way = waits;
	show_waiting(e, waits);
}

void
accept_show_away(struct engine *e)
{
	show_waiting(e, false);
}

/* New connections are for a process that is about to be idle.  The wait is a
 * poll, of the listener or of the set that holds several: a process that dies
 * while it waits for readiness has taken nothing with it, and one that has
 * started an accept may have. */
static void
wait_for_client(struct engine *e)
{
	set_waiting(e, true);
	e->acceptor.kind = IO_POLL;
	e->acceptor.looking = false;
	/* What is in the set of a bucket is the master's business. */
	if (e->set.set >= 0 && !e->set.in_buckets)
		io_poll_set(e->io, &e->accept_owner, e->set.set,
			e->set.listeners, e->set.n_listeners);
	else
		io_poll(e->io, &e->accept_owner, door_of(e));
}

/* It has been removed, or destroyed by an application.  We serve those that we
 * have, and are replaced by one that has a new mutex. */
static void
lose_mutex(struct engine *e, int error)
{
	struct err err = {0};

	(void)accept_mutex_explain(e->set.mutex, error, &err);
	if (e->acceptor.mutex_error == 0)
		log_errorx("child", "%s", err.text);
	e->acceptor.mutex_error = error;
	__atomic_store_n(&e->set.page->page->wants_retire, 1, __ATOMIC_RELAXED);
	e->acceptor.mutex_told =
		channel_send(e->set.channel, CHANNEL_MUTEX_BROKEN, 0, err.text,
			NULL, 0) != -EAGAIN;
	/* To be said again when the master has read what it was told. */
	if (!e->acceptor.mutex_told)
		hold_off(e, PAUSE_MS);
}

/* The locker is the child's: if another worker leads by now, and has asked, the
 * turn is that one's. */
static void
give_turn_up(struct engine *e)
{
	if (e->set.locker != NULL)
		locker_release(e->set.locker, e);
}

/* With a mutex only its holder waits, who has nothing else to do: whoever has, looks
 * without a turn between his requests (share.c).  The thread that waits for the mutex
 * is not this one: we hear of it as of everything else. */
static bool
has_turn(struct engine *e)
{
	int held;

	if (e->set.locker == NULL)
		return true;
	if (e->acceptor.mutex_error != 0) {
		if (!e->acceptor.mutex_told)
			lose_mutex(e, e->acceptor.mutex_error);
		return false;
	}
	if (e->queue.first != NULL)
		return false;
	held = locker_ask(e->set.locker, e);
	if (held == 0)
		held = locker_held(e->set.locker);
	if (held == -EAGAIN) { /* no thread to wait with, for now */
		hold_off(e, PAUSE_MS);
		return false;
	}
	if (held < 0) {
		lose_mutex(e, held);
		return false;
	}
	if (held == 0 && !e->lock_watched) {
		e->lock_watched = true;
		io_poll(e->io, &e->lock_owner, locker_fd(e->set.locker));
	}
	return held > 0;
}

bool
accept_is_trying(const struct engine *e)
{
	return e->acceptor.under_way && e->acceptor.kind == IO_ACCEPT;
}

/* A wait that was cancelled may have used up the one wake-up that the kernel
 * gives for a connection, and then nobody else is woken for it: so somebody is
 * made to look, who may be the next to wait here. */
static void
pass_wake_up_on(struct engine *e)
{
	struct pollfd door = {.fd = door_of(e), .events = POLLIN};

	if ((e->acceptor.looking && e->running == NULL) || e->set.give < 0)
		return; /* we wait anew, which begins with looking */
	if (poll(&door, 1, 0) > 0)
		(void)handoff_nudge(e->set.give);
}

/* From now on who comes is for us again, and at once, or for somebody who waits by
 * himself.  The last who came may have been left to a next nudge. */
static void
end_knocking(struct engine *e)
{
	if (LIKELY(!e->acceptor.knocking))
		return;
	e->acceptor.knocking = false;
	if (e->acceptor.under_way)
		return;
	e->acceptor.not_before_ns = 0;
	if (!may_accept(e))
		pass_wake_up_on(e);
}

void
accept_arm(struct engine *e)
{
	end_knocking(e);
	/* A sibling was faster: back to the wait that takes nothing. */
	if (accept_is_trying(e) && e->acceptor.tried && !e->acceptor.looking)
		accept_look(e);
	e->acceptor.tried = accept_is_trying(e);
	if (e->acceptor.under_way && !e->retiring)
		show_waiting(e, true);
	if (e->acceptor.under_way || !may_accept(e) || !has_turn(e))
		return;
	wait_for_client(e);
}

void
accept_arm_for_others(struct engine *e)
{
	if (!e->set.in_buckets || e->retiring)
		return;
	if (e->set.crew != NULL && crew_is_led(e->set.crew)) {
		end_knocking(e);
		return;
	}
	if (e->acceptor.under_way || accept_pauses(e))
		return;
	wait_for_client(e);
	show_waiting(e, false);
	e->acceptor.knocking = true;
}

/* The next nudge is for when nobody has come by then. */
static void
knock(struct engine *e)
{
	struct pollfd pool = {.fd = e->set.take, .events = POLLIN};

	set_waiting(e, false);
	if (e->set.give >= 0 && poll(&pool, 1, 0) == 0)
		(void)handoff_nudge(e->set.give);
	hold_off(e, KNOCK_MS);
}

bool
accept_keeps_others_waiting(const struct engine *e)
{
	return e->set.locker != NULL;
}

void
accept_disarm(struct engine *e)
{
	end_knocking(e);
	if (!e->acceptor.under_way) {
		give_turn_up(e);
		return;
	}
	io_cancel(e->io, &e->accept_owner, e->acceptor.kind, door_of(e));
}

static void
pause_accepting(struct engine *e, int error, const char *why)
{
	hold_off(e, PAUSE_MS);
	/* Who waits, has waked us and nobody else. */
	if (e->set.give >= 0)
		(void)handoff_nudge(e->set.give);
	if (e->acceptor.told_short)
		return;
	e->acceptor.told_short = true;
	errno = -error;
	log_warn("child", "accept: %s; new connections wait", why);
}

/* Has it been with its request for a while?  Who has only just come is about to
 * send it, or has. */
static bool
takes_its_time(const struct engine *e, const struct connection *c)
{
	return e->now_ns - c->pace.begin_ns > SLOW_MS * MS_NS;
}

/* The connection that is needed least: who has been idle longest, else who has
 * been longest with the head of a request.  NULL when there is neither. */
static struct connection *
find_oldest(const struct engine *e)
{
	struct connection *c = e->parked.first;

	if (c == NULL)
		c = e->reading.first;
	if (c == NULL || (c->list == &e->reading && !takes_its_time(e, c)))
		return NULL;
	return c;
}

/* Its descriptor may be in use for a moment. */
static void
close_for_room(struct engine *e, struct connection *c)
{
	connection_close(e, c);
	if (c->fd >= 0)
		e->acceptor.room_awaited = c;
}

bool
accept_pauses(const struct engine *e)
{
	return e->acceptor.room_awaited != NULL ||
	       e->now_ns < e->acceptor.not_before_ns;
}

/* A descriptor is needed more by a new client than by one that is idle, with
 * whichever worker that is. */
void
accept_make_room(struct engine *e, int error)
{
	struct connection *c = find_oldest(e);
	bool first = !e->acceptor.asked_for_room;

	if (accept_pauses(e))
		return; /* it is being made */
	if (c != NULL) {
		close_for_room(e, c);
		return;
	}
	if (e->set.crew != NULL) {
		e->acceptor.asked_for_room = true;
		hold_off(e, PAUSE_MS);
		crew_ask_for_room(e->set.crew, e->set.worker);
		if (first)
			return;
	}
	pause_accepting(
		e, error, "descriptors or memory are short (see ulimit -n)");
}

void
accept_hear(struct engine *e)
{
	struct connection *c = find_oldest(e);

	if (e->acceptor.asked_for_room && crew_has_room(e->set.crew))
		e->acceptor.not_before_ns = 0;
	else if (c != NULL && crew_takes_room_order(e->set.crew))
		close_for_room(e, c);
}

void
accept_has_room(struct engine *e, const struct connection *c)
{
	if (e->acceptor.room_awaited != c)
		return;
	e->acceptor.room_awaited = NULL;
	if (!engine_leads(e))
		crew_made_room(e->set.crew);
}

/* Some descriptors are left to the application. */
static void
keep_below_limit(struct engine *e)
{
	if (connection_total(e) < e->most_connections)
		return;
	if (e->parked.first != NULL)
		connection_close(e, e->parked.first);
	else if (e->set.crew != NULL)
		crew_ask_for_room(e->set.crew, e->set.worker);
}

static void
count_accepted(struct engine *e)
{
	long most = e->config->max_connections_per_child;
	uint64_t accepted = __atomic_add_fetch(
		&e->set.page->page->accepted, 1, __ATOMIC_RELAXED);

	if (most > 0 && accepted >= (uint64_t)most)
		engine_ask_to_retire(e, CHANNEL_WANTS_RETIRE,
			"MaxConnectionsPerChild is reached");
}

/* As connection_open takes it. */
static int
protocol_of(const struct engine *e, size_t listener)
{
	const char *all = e->config->listener_protocols;

	if (all == NULL || listener >= strlen(all))
		return CONFIG_PROXY_OFF;
	return all[listener] - '0';
}

static void
on_accepted(struct engine *e, int result, size_t listener)
{
	if (result >= 0) {
		e->acceptor.told_short = e->acceptor.asked_for_room = false;
		e->acceptor.vain = 0;
		count_accepted(e);
		keep_below_limit(e);
		if (connection_open(e, result, protocol_of(e, listener)) < 0)
			log_warnx("child", "no memory for a connection");
		return;
	}
	switch (result) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
		accept_make_room(e, result);
		break;
	case -EINVAL:
		/* The master has shut it, and its order is on the way; or a
		 * sibling has, and the master makes it listen again. */
		hold_off(e, PAUSE_MS);
		break;
	case -EBADF:
	case -ENOTSOCK:
	case -EOPNOTSUPP:
		deprived_leave(e, result);
		hold_off(e, PAUSE_MS);
		break;
	case -ENETDOWN:
		/* The socket itself is ill: do not spin on it. */
		pause_accepting(e, result, "the listener fails");
		break;
	default:
		/* It concerned one client, or was a wake-up for a connection
		 * that a sibling took. */
		break;
	}
}

/* One that is there, if no sibling was faster; false when there was none. */
static bool
accept_one(struct engine *e)
{
	size_t from = 0;
	int fd;

	connection_expect(e, true);
	if (e->set.set >= 0)
		fd = listen_accept_from_set(e->set.set, e->set.listeners,
			e->set.n_listeners, &from);
	else
		fd = listen_accept_any(e->set.listeners, 1, &from);
	on_accepted(e, fd, from);
	connection_expect(e, false);
	return fd >= 0;
}

/* The set was readable; for whom it never ends to be, that is no reason to do
 * nothing else. */
static void
accept_of_set(struct engine *e)
{
	if (accept_one(e) || ++e->acceptor.vain < VAIN)
		return;
	e->acceptor.vain = 0;
	hold_off(e, PAUSE_MS);
}

/* Somebody is there: one listener is asked by way of the ring. */
static void
try_to_accept(struct engine *e)
{
	e->acceptor.kind = IO_ACCEPT;
	e->acceptor.tried = e->acceptor.looking = false;
	connection_expect(e, true);
	io_accept(e->io, &e->accept_owner, e->set.listeners[0]);
}

/* We leave at once, and it has come just now: it is for whoever goes on, and where
 * nobody does it ends with the pool as all others do. */
static void
pass_client_on(struct engine *e, int fd)
{
	int protocol = protocol_of(e, 0);
	const struct handoff client =
		handoff_of_client(fd, protocol & CONFIG_LISTENER_PROXY,
			protocol & CONFIG_LISTENER_HTTPS);

	if (e->set.give >= 0)
		(void)handoff_send(e->set.give, &client);
	close(fd);
}

static void
accept_ended(struct engine *e, int result)
{
	if (result >= 0 && e->stopping)
		pass_client_on(e, result);
	else if (result != -ECANCELED)
		on_accepted(e, result, 0);
	connection_expect(e, false);
}

void
accept_happened(struct engine *e, const struct io_event *event)
{
	bool may_go_on = !e->retiring && !e->stopping && engine_leads(e);
	bool is_there = event->kind == IO_POLL && event->result > 0;

	/* An error is for a leader to tell of, and nothing to try at once again. */
	if (e->running != NULL && e->acceptor.knocking && !e->retiring &&
		(is_there || (event->result != -ECANCELED && !may_go_on))) {
		knock(e);
		return;
	}
	if (is_there && may_go_on && e->set.set < 0) {
		try_to_accept(e);
		return;
	}
	set_waiting(e, false);
	give_turn_up(e);
	if (event->result == -ECANCELED ||
		(event->kind == IO_POLL && !may_go_on))
		pass_wake_up_on(e);
	if (event->kind == IO_ACCEPT)
		accept_ended(e, event->result);
	else if (is_there && may_go_on)
		accept_of_set(e);
	else if (event->result == -EPERM && may_go_on)
		on_accepted(e, -ENOTSOCK, 0); /* nothing that epoll takes */
	else if (event->result < 0 && may_go_on)
		on_accepted(e, event->result, 0);
}

void
accept_withdraw(struct engine *e)
{
	if (!accept_is_trying(e))
		return;
	e->acceptor.looking = false;
	accept_disarm(e);
	for (int i = 0; i < LAST_TURNS && e->acceptor.under_way; i++)
		if (engine_turn(e, MS_NS) < 0)
			break;
}

/* As accept_one, by way of the ring: the wait for a client ends in one turn, and
 * accepting is another. */
static void
try_by_ring(struct engine *e)
{
	if (!e->acceptor.under_way)
		wait_for_client(e);
	(void)engine_turn(e, 0);
	if (accept_is_trying(e))
		(void)engine_turn(e, 0);
}

/* A nudge ends the wait, and wants that somebody looks. */
static bool
accept_one_by_ring(struct engine *e)
{
	const uint64_t *accepted = &e->set.page->page->accepted;
	uint64_t before = __atomic_load_n(accepted, __ATOMIC_RELAXED);

	try_by_ring(e);
	if (e->acceptor.looking && may_accept(e))
		try_by_ring(e);
	return __atomic_load_n(accepted, __ATOMIC_RELAXED) > before;
}

/* It needs no turn: with several listeners it only looks, and where it goes on to wait
 * there is one listener, and no mutex. */
bool
accept_next(struct engine *e)
{
	if (!may_accept(e))
		return false;
	return e->set.set < 0 ? accept_one_by_ring(e) : accept_one(e);
}

void
accept_all(struct engine *e)
{
	for (int i = 0; i < ALL && accept_next(e); i++)
		continue;
}

/* The one who waits may have been dealt to a bucket whose children are all
 * busy.  There may be more of them, for whom somebody else shall look. */
static void
accept_of_any_bucket(struct engine *e)
{
	size_t from = 0;
	int fd;

	connection_expect(e, true);
	fd = listen_accept_any(e->set.listeners, e->set.n_listeners, &from);
	on_accepted(e, fd, from);
	connection_expect(e, false);
	if (fd >= 0)
		(void)handoff_nudge(e->set.give);
}

void
accept_look(struct engine *e)
{
	e->acceptor.looking = e->acceptor.under_way;
	accept_disarm(e);
	if (e->set.in_buckets && may_accept(e))
		accept_of_any_bucket(e);
}

unsigned
accept_most(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > UINT_MAX)
		return UINT_MAX;
	return (unsigned)(limit.rlim_cur - limit.rlim_cur / 4);
}
