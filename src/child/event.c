/*
 * event.c - what has completed becomes a state of its connection.
 *
 * Nothing here touches Python: this also happens while an application waits.
 */
#include "child/event.h"

#include <errno.h>

#include "base/defs.h"
#include "child/accept.h"
#include "child/connection.h"
#include "child/crew.h"
#include "child/direct.h"
#include "child/engine.h"
#include "child/handover.h"
#include "child/orders.h"
#include "child/receiving.h"
#include "child/send.h"
#include "child/sendfile.h"
#include "child/share.h"
#include "child/spent.h"
#include "child/unread.h"
#include "io/io.h"

static void
on_end_of_input(struct engine *e, struct connection *c)
{
	switch (c->state) {
	case CONNECTION_PARKED:
	case CONNECTION_READING:
	case CONNECTION_COLLECTING:
	case CONNECTION_SKIPPING:
	case CONNECTION_LINGERING:
		connection_close(e, c);
		break;
	default:
		/* It has asked for something already, and gets its answer. */
		break;
	}
}

/* No receive buffer was free: what the queue holds, which is not served before all
 * is received, is copied out of them; once for all who lack one at a time. */
static void
on_buffers_short(struct engine *e, struct connection *c)
{
	struct connection *waiting = e->stashed ? NULL : e->queue.first;

	for (; waiting != NULL; waiting = waiting->next)
		if (unread_stash(e, waiting) < 0)
			break;
	e->stashed = true;
	receiving_start(e, c);
}

static void
on_receive(struct engine *e, struct connection *c, const struct io_event *event)
{
	if (!event->more) {
		c->receiving = false;
		c->in_flight--;
	}
	if (event->result > 0) {
		connection_received(e, c, event->data, (size_t)event->result,
			event->buffer);
	} else if (event->result == -ENOBUFS) {
		on_buffers_short(e, c);
	} else if (event->result == -ECANCELED) {
		receiving_start(e, c);
	} else if (event->result == 0) {
		c->at_eof = true;
		on_end_of_input(e, c);
	} else {
		c->error = event->result;
		on_end_of_input(e, c);
	}
	if (c->state == CONNECTION_LEAVING)
		handover_go_on(e, c);
	connection_settle(e, c);
}

/* Of bytes that were out before, more may be now, or all. */
static void
sent(struct engine *e, struct connection *c, uint64_t before, bool all)
{
	if (all) {
		spent_add(e, c);
		if (c->state == CONNECTION_SENDING)
			connection_answered(e, c);
	} else if (c->state == CONNECTION_SENDING && c->bytes_out != before) {
		connection_await_sent(e, c); /* Timeout begins anew */
	}
	connection_settle(e, c);
}

static void
on_send(struct engine *e, struct connection *c, const struct io_event *event)
{
	uint64_t before = c->bytes_out;

	c->in_flight--;
	sent(e, c, before, send_ended(e, c, event->result));
}

/* There is room for more, of a response that is being made as well. */
static void
on_writable(
	struct engine *e, struct connection *c, const struct io_event *event)
{
	uint64_t before = c->bytes_out;
	bool all = false;

	c->in_flight--;
	c->awaits_room = false;
	if (event->result < 0 && event->result != -ECANCELED && c->error == 0)
		c->error = event->result;
	if (c->state == CONNECTION_RUNNING)
		send_more(c);
	else if (c->state == CONNECTION_SENDING && c->file.exists)
		sendfile_go_on(e, c);
	else if (c->state == CONNECTION_SENDING)
		all = send_go_on(e, c);
	sent(e, c, before, all);
}

static void
on_channel(struct engine *e)
{
	e->channel_watched = false;
	orders_hear(e);
}

/* The turn to accept has come, which only a leader makes use of. */
static void
on_lock(struct engine *e)
{
	e->lock_watched = false;
	if (!engine_leads(e))
		crew_call_leader(e->set.crew);
}

void
event_happened(struct engine *e, const struct io_event *event)
{
	if (LIKELY(event->kind == IO_RECEIVE))
		on_receive(e, event->owner, event);
	else if (LIKELY(event->kind == IO_SEND))
		on_send(e, event->owner, event);
	else if (event->kind == IO_WRITABLE)
		on_writable(e, event->owner, event);
	else if (UNLIKELY(event->kind == IO_READABLE))
		direct_happened(e, event->owner, event->result);
	else if (event->owner == &e->accept_owner)
		accept_happened(e, event);
	else if (event->owner == &e->pool_owner)
		handover_take(e, event->result);
	else if (event->owner == &e->lock_owner)
		on_lock(e);
	else if (event->owner == &e->bell_owner)
		share_heard(e);
	else if (event->owner == &e->sigterm_owner)
		orders_hear_sigterm(e);
	else
		on_channel(e);
}
