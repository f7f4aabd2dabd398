/*
 * send.c - what goes out to a client.  See send.h.
 *
 * The parts are what is left to be sent, and the window is the beginning of
 * them that one call is given: io keeps pointers to the window while a send is
 * under way, so it lies in the connection and stays as it is.
 */
#include "child/send.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "child/connection.h"
#include "child/engine.h"
#include "io/io.h"

enum {
	SEND_MAX = 1024 * 1024, /* sent at once, so that progress is seen */
};

static const int64_t ms = 1000000;

static void
open_window(struct connection *c)
{
	size_t room = SEND_MAX;
	unsigned n = 0;

	for (unsigned i = c->part; i < c->n_parts && room > 0; i++, n++) {
		c->window[n] = c->parts[i];
		if (c->window[n].iov_len > room)
			c->window[n].iov_len = room;
		room -= c->window[n].iov_len;
	}
	c->n_window = n;
}

void
send_start(struct engine *e, struct connection *c)
{
	open_window(c);
	c->sending = true;
	c->in_flight++;
	io_send(e->io, c, c->fd, c->window, c->n_window);
}

int
send_push(struct connection *c)
{
	struct msghdr message = {.msg_iov = c->window};
	ssize_t n;

	open_window(c);
	message.msg_iovlen = c->n_window;
	do
		n = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	send_count(c, (size_t)n);
	return 0;
}

void
send_count(struct connection *c, size_t len)
{
	c->bytes_out += len;
	while (c->part < c->n_parts && len >= c->parts[c->part].iov_len)
		len -= c->parts[c->part++].iov_len;
	if (c->part < c->n_parts) {
		c->parts[c->part].iov_base =
			(char *)c->parts[c->part].iov_base + len;
		c->parts[c->part].iov_len -= len;
	}
}

bool
send_ended(struct engine *e, struct connection *c, int result)
{
	assert(!c->withdrawn || result <= 0);
	if (c->withdrawn)
		result = 0;
	c->sending = c->withdrawn = false;
	if (result < 0 && c->error == 0)
		c->error = result;
	if (result > 0)
		send_count(c, (size_t)result);
	/* A send that was cancelled may have sent some of it. */
	if (c->error != 0 || c->state == CONNECTION_CLOSING)
		c->part = c->n_parts;
	if (c->part == c->n_parts)
		return true;
	send_start(e, c);
	return false;
}

/* What is being sent belongs to the application, which must not go on before
 * the kernel has let go of it. */
static void
abandon_send(struct engine *e, struct connection *c, int error)
{
	int rc;

	c->error = error;
	io_cancel(e->io, c, IO_SEND, c->fd);
	while (c->sending) {
		rc = engine_wait(e, INT64_MAX);
		assert(rc == 0 || rc == -ECANCELED);
	}
}

int
send_and_wait(struct engine *e, struct connection *c, struct str out,
	const void *data, size_t len, struct str tail)
{
	int64_t patience_ns = e->config->timeout * ms;
	uint64_t sent = c->bytes_out;
	int64_t deadline_ns;
	int rc = 0;

	if (c->error != 0 || out.len + len + tail.len == 0)
		return c->error;
	c->parts[0] = (struct iovec){(void *)out.p, out.len};
	c->parts[1] = (struct iovec){(void *)data, len};
	c->parts[2] = (struct iovec){(void *)tail.p, tail.len};
	c->part = 0;
	c->n_parts = 3;
	engine_read_clock(e);
	deadline_ns = patience_ns > 0 ? e->now_ns + patience_ns : INT64_MAX;
	send_start(e, c);
	while (rc == 0 && c->sending) {
		rc = engine_wait(e, deadline_ns);
		if (c->bytes_out != sent && patience_ns > 0)
			deadline_ns = e->now_ns + patience_ns;
		sent = c->bytes_out;
	}
	if (c->sending)
		abandon_send(e, c, rc);
	return c->error;
}
