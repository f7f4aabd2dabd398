/*
 * flush.c - responses go on while the worker that made them is away.  See
 * flush.h.
 *
 * Of a send that waits for room nothing is out yet, as io.h says, and before
 * the worker can wait again it is cancelled.  So nothing is sent twice.
 */
#include "child/flush.h"

#include <sys/socket.h>

#include "child/connection.h"
#include "child/engine.h"
#include "child/handover.h"
#include "child/send.h"
#include "child/sendfile.h"
#include "io/io.h"

bool
flush_is_due(const struct connection *c)
{
	return c->state == CONNECTION_SENDING && c->error == 0 &&
	       (c->part < c->n_parts || c->file.exists);
}

/* The worker's io shall not send it, too. */
static void
withdraw(struct engine *e, struct connection *c)
{
	if (!c->sending || c->withdrawn)
		return;
	io_cancel(e->io, c, IO_SEND, c->fd);
	c->withdrawn = true;
}

static void
push(struct connection *c)
{
	int rc = send_push(c);

	if (rc < 0)
		c->error = rc;
}

/* The worker waits for room no longer, of which there may be none for long. */
static void
push_file(struct engine *e, struct connection *c)
{
	(void)sendfile_push(e, c);
	if (!c->file.exists && c->awaits_room)
		io_cancel(e->io, c, IO_WRITABLE, c->fd);
}

bool
flush(struct engine *e, struct connection *c)
{
	if (!handover_has_room(e))
		return false;
	withdraw(e, c);
	if (c->file.exists)
		push_file(e, c);
	else
		push(c);
	if (!c->keep && c->error == 0 && !flush_is_due(c))
		(void)shutdown(c->fd, SHUT_WR);
	return true;
}
