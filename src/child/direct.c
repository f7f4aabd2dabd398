/*
 * direct.c - a large body, read out of the socket by who wants it.  See direct.h.
 *
 * Never beside a receive of io's: one that is woken again and again, and finds that
 * somebody else has taken the bytes, goes to a thread of the kernel's in the end,
 * which takes what comes whenever it comes.
 */
#include "child/direct.h"

#include <errno.h>
#include <sys/socket.h>

#include "child/connection.h"
#include "child/engine.h"
#include "child/receiving.h"
#include "io/io.h"

enum { MUCH_AT_ONCE = 16 * 1024 };

/* Before anybody has waited for it, what comes counts for the body's rate. */
static void
begin_part(const struct engine *e, struct connection *c)
{
	if (c->pace.part == PACE_BODY)
		return;
	pace_begin(&c->pace, PACE_BODY, e->now_ns);
	pace_pause(&c->pace, e->now_ns);
}

size_t
direct_take(struct engine *e, struct connection *c, void *data, size_t len)
{
	ssize_t n;

	if (c->at_eof || c->error != 0 || c->receiving)
		return 0;
	n = recv(c->fd, data, len, MSG_DONTWAIT);
	if (n > 0) {
		c->sends_much |= n >= MUCH_AT_ONCE;
		begin_part(e, c);
		connection_heard(e, c, (size_t)n);
		return (size_t)n;
	}
	if (n == 0)
		c->at_eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->error = -errno;
	return 0;
}

void
direct_await(struct engine *e, struct connection *c)
{
	c->direct = true;
	if (c->at_eof || c->error != 0 || c->awaits_input)
		return;
	if (c->receiving) { /* that ends first, and may bring something */
		receiving_stop(e, c);
		return;
	}
	c->awaits_input = true;
	c->in_flight++;
	io_readable(e->io, c, c->fd);
}

void
direct_happened(struct engine *e, struct connection *c, int result)
{
	c->in_flight--;
	c->awaits_input = false;
	c->input_came = true;
	if (result < 0 && result != -ECANCELED && c->error == 0)
		c->error = result;
	connection_settle(e, c);
}

void
direct_end(struct engine *e, struct connection *c)
{
	if (c->awaits_input)
		io_cancel(e->io, c, IO_READABLE, c->fd);
	c->direct = false;
}
