/*
 * receiving.c - when a connection receives, and how much at a time.  See receiving.h.
 *
 * A receive of many pieces is asked for once and serves request after request.  But a
 * kernel may miss the reset of a connection that comes while it hands one of them out
 * (6.18 does, one of some 5,000 times).  That costs nothing where the client has said
 * all: a response follows, or KeepAliveTimeout.  Who is still to say something, as the
 * rest of a body, would be waited for until Timeout, and he is gone: from him one piece
 * is received at a time.
 */
#include "child/receiving.h"

#include <stdbool.h>

#include "base/clock.h"
#include "child/connection.h"
#include "child/engine.h"
#include "io/io.h"

enum {
	UNREAD_MAX = 128 * 1024, /* kept for a request that does not read */
	SINGLY_MS = 1000, /* who waits longer is received piece by piece */
};

/* A head has its own limits, and nothing would read on when they are far away. */
static bool
has_enough(const struct connection *c)
{
	size_t unread = c->in.len + c->piece.len;
	size_t most = UNREAD_MAX;

	if (c->state == CONNECTION_READING)
		return false;
	if (c->state == CONNECTION_COLLECTING && c->need > most)
		most = c->need;
	return unread > most;
}

void
receiving_stop(struct engine *e, struct connection *c)
{
	if (c->receiving && !c->paused)
		io_cancel(e->io, c, IO_RECEIVE, c->fd);
	c->paused = true;
}

/* Who is about to begin a request, or has said all of it. */
static bool
wants_many(const struct connection *c)
{
	switch (c->state) {
	case CONNECTION_PARKED:
	case CONNECTION_QUEUED:
	case CONNECTION_SENDING:
		return c->bytes_in > 0 && !c->sends_much;
	default:
		return false;
	}
}

/* Most have what they wait for in a moment, in which to change costs too much. */
static void
receive_singly(struct engine *e, struct connection *c)
{
	switch (c->state) {
	case CONNECTION_READING:
	case CONNECTION_COLLECTING:
		if (e->singly_ns == INT64_MAX)
			e->singly_ns = e->now_ns + SINGLY_MS * MS_NS;
		break;
	case CONNECTION_LINGERING:
		break; /* it does not wait for long, whatever comes */
	default:
		receiving_stop(e, c);
	}
}

void
receiving_start(struct engine *e, struct connection *c)
{
	bool many = wants_many(c);

	if (c->at_eof || c->error != 0 || c->state == CONNECTION_CLOSING ||
		c->state == CONNECTION_LEAVING || c->direct)
		return;
	if (has_enough(c)) {
		receiving_stop(e, c);
		return;
	}
	if (c->receiving) {
		if (c->receives_many && !many)
			receive_singly(e, c);
		return;
	}
	c->paused = false;
	c->receiving = true;
	c->receives_many = many;
	c->in_flight++;
	if (many)
		io_receive(e->io, c, c->fd);
	else
		io_receive_once(e->io, c, c->fd);
}

void
receiving_is_due(struct engine *e)
{
	e->singly_ns = INT64_MAX;
	for (struct connection *c = e->reading.first; c != NULL; c = c->next)
		if (c->receiving && c->receives_many)
			receiving_stop(e, c);
}
