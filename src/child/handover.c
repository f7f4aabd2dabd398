/*
 * handover.c - connections given to siblings, and taken from them.
 *
 * Bytes that have been read must travel with their connection, so receiving
 * ends first, and what its last completion brought is passed on too.  The
 * giver closes its descriptor and nothing more: a shutdown would reach the
 * client.  The taker, for the same reason, ends such a connection by shutdown
 * and close: the giver may still hold the socket open for a moment.
 */
#include "child/handover.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "child/accept.h"
#include "child/connection.h"
#include "child/crew.h"
#include "child/deprived.h"
#include "child/engine.h"
#include "child/unread.h"
#include "io/io.h"
#include "net/handoff.h"

enum {
	FULL_MS = 1,     /* before a full pool is tried again */
	QUIET_MS = 1000, /* a sibling that sends junk must not fill the log */
	IO_RESERVE = 64, /* operations left to the worker */
	ALL = 128,       /* taken at once, before they are served */
};

/* --- taking ------------------------------------------------------------------ */

void
handover_watch(struct engine *e)
{
	if (e->set.take < 0 || e->pool_watched ||
		(e->retiring && !e->finishing) || accept_pauses(e) ||
		!engine_leads(e))
		return;
	e->pool_watched = true;
	io_poll(e->io, &e->pool_owner, e->set.take);
}

/* Another child has shut it, as only an application could, and the master will
 * replace us all.  Until then each of us serves what it has. */
static void
lose_pool(struct engine *e)
{
	if (e->set.give >= 0)
		log_warnx("child", "the pool's socket has been shut; serving "
				   "without it");
	e->set.give = e->set.take = -1;
	e->finishing |= e->retiring;
}

static void
tell_of_junk(struct engine *e)
{
	if (e->now_ns < e->quiet_until_ns)
		return;
	e->quiet_until_ns = e->now_ns + QUIET_MS * MS_NS;
	log_warnx("child", "a message in the pool was no connection; dropped");
}

/* One message; false when there was none. */
static bool
take_one(struct engine *e)
{
	struct handoff handoff;
	int rc;

	connection_expect(e, true);
	rc = handoff_receive(e->set.take, &handoff, &e->room);
	if (rc == HANDOFF_CONNECTION) {
		(void)connection_adopt(e, &handoff);
		handoff_room_fini(&e->room);
	}
	connection_expect(e, false);
	switch (rc) {
	case HANDOFF_CONNECTION:
		return true;
	case HANDOFF_NUDGE:
		accept_look(e);
		return true;
	case -EMFILE:
		accept_make_room(e, rc);
		return false;
	case -EPROTO:
		tell_of_junk(e);
		return true;
	case -EPIPE:
		lose_pool(e);
		return false;
	case -EBADF:
	case -ENOTSOCK:
		deprived_leave(e, rc);
		lose_pool(e);
		return false;
	default:
		return false;
	}
}

void
handover_unwatch(struct engine *e)
{
	if (e->pool_watched)
		io_cancel(e->io, &e->pool_owner, IO_POLL, e->set.take);
}

void
handover_take(struct engine *e, int result)
{
	e->pool_watched = false;
	if (result == -EBADF || result == -EPERM) {
		deprived_leave(e, -EBADF);
		lose_pool(e);
		return;
	}
	if ((e->retiring && !e->finishing) || e->stopping ||
		e->running != NULL || !engine_leads(e))
		/* This wait may have used up a sibling's wake-up. */
		(void)handoff_nudge(e->set.give);
	else if (result > 0)
		(void)take_one(e);
}

void
handover_take_all(struct engine *e)
{
	for (int i = 0; i < ALL && e->set.take >= 0 && !e->stopping &&
			!accept_pauses(e); i++)
		if (!take_one(e))
			break;
}

bool
handover_take_last(struct engine *e)
{
	return e->set.take >= 0 && take_one(e);
}

/* --- giving ------------------------------------------------------------------ */

/* To another worker of this child, else to a sibling. */
static int
send_away(struct engine *e, const struct handoff *h)
{
	if (e->set.crew != NULL &&
		crew_give(e->set.crew, e->set.worker, h) == 0)
		return 0;
	return e->set.give >= 0 ? handoff_send(e->set.give, h) : -EPIPE;
}

static void
wait_for_room(struct engine *e, struct connection *c)
{
	c->deadline_ns = e->now_ns + FULL_MS * MS_NS;
	connection_list_add(&e->leaving, c);
}

static struct handoff
handoff_of(const struct connection *c, int64_t deadline_ns)
{
	return (struct handoff){
		.fd = c->fd,
		.requests = c->requests,
		.deadline_ns = deadline_ns,
		.since_ns = c->since_ns,
		.peer = c->told,
		.part = c->pace.part,
		.began_ns = c->pace.begin_ns,
		.part_bytes = c->pace.bytes,
		.spool = c->spool.fd,
		.spool_len = c->spool.fd >= 0 ? c->spool.len : 0,
		.bytes = unread_of(c),
	};
}

void
handover_go_on(struct engine *e, struct connection *c)
{
	struct handoff handoff = handoff_of(c, c->patience_ns);
	int rc;

	if (c->receiving)
		return; /* its last completion is still to come */
	if (c->error != 0 || (c->at_eof && handoff.bytes.len == 0)) {
		connection_close(e, c);
		return;
	}
	rc = send_away(e, &handoff);
	switch (rc) {
	case 0:
		connection_let_go(e, c);
		break;
	case -EAGAIN:
		(void)unread_stash(e, c);
		wait_for_room(e, c);
		break;
	case -EPIPE:
		lose_pool(e);
		connection_go_on(e, c);
		break;
	default:
		connection_close(e, c);
	}
}

bool
handover_has_room(const struct engine *e)
{
	return io_room(e->io) > IO_RESERVE;
}

static bool
may_go_now(const struct engine *e, const struct connection *c)
{
	return c->error == 0 && handover_has_room(e);
}

static struct handoff
handoff_now(const struct engine *e, const struct connection *c)
{
	bool waits = c->list == &e->parked || c->list == &e->reading;

	if (c->state == CONNECTION_LEAVING)
		return handoff_of(c, c->patience_ns);
	return handoff_of(c, waits ? c->deadline_ns : INT64_MAX);
}

static bool
go_now(struct engine *e, struct connection *c,
	int (*send)(struct engine *, const struct handoff *))
{
	struct handoff handoff = handoff_now(e, c);

	if (!may_go_now(e, c) || send(e, &handoff) < 0)
		return false;
	connection_let_go(e, c);
	return true;
}

bool
handover_give_now(struct engine *e, struct connection *c)
{
	return go_now(e, c, send_away);
}

static int
deal(struct engine *e, const struct handoff *h)
{
	return crew_deal(e->set.crew, h);
}

bool
handover_deal(struct engine *e, struct connection *c)
{
	return go_now(e, c, deal);
}

static int
even_out(struct engine *e, const struct handoff *h)
{
	return crew_even_out(e->set.crew, e->set.worker, h);
}

bool
handover_even_out(struct engine *e, struct connection *c)
{
	return go_now(e, c, even_out);
}

static int
give_back(struct engine *e, const struct handoff *h)
{
	return crew_give(e->set.crew, e->set.worker, h);
}

bool
handover_give_back(struct engine *e, struct connection *c)
{
	return go_now(e, c, give_back);
}

void
handover_give(struct engine *e, struct connection *c)
{
	connection_leave(e, c);
	if (c->receiving)
		io_cancel(e->io, c, IO_RECEIVE, c->fd);
	else
		handover_go_on(e, c);
}

void
handover_give_waiting(struct engine *e, struct connection_list *list)
{
	struct connection *c, *next;

	for (c = list->first; c != NULL; c = next) {
		next = c->next;
		handover_give(e, c);
	}
}

void
handover_retry(struct engine *e)
{
	struct connection *c;

	while ((c = e->leaving.first) != NULL && c->deadline_ns <= e->now_ns) {
		connection_list_remove(c);
		handover_go_on(e, c);
		connection_settle(e, c);
	}
}
