/*
 * flush.c - responses go on while the worker that made them is away.  See
 * flush.h.
 *
 * A send that io has not started yet is withdrawn before, and one that has been
 * started is over, as io.h says: so nothing is sent twice.
 */
#include "child/flush.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "child/connection.h"
#include "child/engine.h"
#include "child/handover.h"
#include "child/report.h"
#include "child/send.h"
#include "child/sendfile.h"
#include "io/io.h"

bool
flush_is_due(const struct connection *c)
{
	return c->state == CONNECTION_SENDING && c->error == 0 &&
	       (c->part < c->n_parts || c->file.exists);
}

static void
push(struct engine *e, struct connection *c)
{
	int rc = c->file.exists ? sendfile_push(e, c) : send_push(c);

	if (rc < 0 && rc != -EAGAIN)
		c->error = rc;
}

bool
flush(struct engine *e, struct connection *c)
{
	if (!handover_has_room(e) || (c->sending && !c->withdrawn))
		return false;
	push(e, c);
	if (flush_is_due(c))
		return true;
	/* The worker waits for room no longer, of which there may be none for long. */
	if (c->awaits_room)
		io_cancel(e->io, c, IO_WRITABLE, c->fd);
	/* The worker may be away for long, or for ever. */
	report_out(e, c, clock_monotonic_ns());
	if (!c->keep && c->error == 0)
		(void)shutdown(c->fd, SHUT_WR);
	return true;
}

struct withdrawal {
	struct engine *engine;
	bool any;
};

static void
flush_one(void *arg, void *owner)
{
	struct withdrawal *w = arg;
	struct connection *c = owner;

	w->any = true;
	c->withdrawn = true;
	if (flush_is_due(c))
		(void)flush(w->engine, c);
}

bool
flush_unsent(struct engine *e)
{
	struct withdrawal w = {.engine = e};

	io_withdraw_sends(e->io, flush_one, &w);
	return w.any;
}

/* What is withdrawn must be sent, for which there may be no room; else io does. */
void
flush_last(struct engine *e)
{
	if (handover_has_room(e))
		(void)flush_unsent(e);
	io_start(e->io);
}
