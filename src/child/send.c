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
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/defs.h"
#include "child/connection.h"
#include "child/engine.h"
#include "child/watcher.h"
#include "io/io.h"

enum {
	SEND_MAX = 1024 * 1024, /* at once, so that progress is seen */
	COPIED = 16 * 1024, /* sending a larger piece costs less than a copy */
	PUSHED_PARTS = 64,  /* at once */
	QUICK_ONES = 16,    /* then the next response is, too */
	LONG_AGO = 1,       /* and not never */
};

void
send_add(struct connection *c, const void *data, size_t len)
{
	if (c->part == c->n_parts)
		c->part = c->n_parts = 0;
	if (len == 0)
		return;
	assert(c->n_parts < CONNECTION_PARTS);
	c->parts[c->n_parts++] = (struct iovec){(void *)data, len};
}

/* The first of what is to be sent, no more parts than that; how many. */
static inline unsigned
open_window(const struct connection *c, struct iovec *window, unsigned most)
{
	size_t room = SEND_MAX, n_parts = c->n_parts - c->part;
	const struct iovec *next = c->parts + c->part;
	unsigned n = 0;

	for (; n < n_parts + c->n_more && n < most && room > 0; n++) {
		if (n == n_parts)
			next = c->more;
		window[n] = *next++;
		if (window[n].iov_len > room)
			window[n].iov_len = room;
		room -= window[n].iov_len;
	}
	return n;
}

size_t
send_left(const struct connection *c)
{
	size_t left = 0;

	for (unsigned i = c->part; i < c->n_parts; i++)
		left += c->parts[i].iov_len;
	for (size_t i = 0; i < c->n_more; i++)
		left += c->more[i].iov_len;
	return left;
}

void
send_start(struct engine *e, struct connection *c)
{
	c->n_window = open_window(c, c->window, CONNECTION_PARTS);
	c->sending = true;
	c->in_flight++;
	io_send(e->io, c, c->fd, c->window, c->n_window);
}

int
send_push(struct connection *c)
{
	struct iovec window[PUSHED_PARTS];
	struct msghdr message = {.msg_iov = window};
	ssize_t n;

	message.msg_iovlen = open_window(c, window, PUSHED_PARTS);
	do
		n = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	send_count(c, (size_t)n);
	return 0;
}

/* All parts are out: what is held behind them. */
static void
next_parts(struct connection *c)
{
	if (c->part < c->n_parts || c->n_more == 0)
		return;
	c->part = c->n_parts = 0;
	for (; c->n_more > 0 && c->n_parts < CONNECTION_PARTS; c->n_more--)
		c->parts[c->n_parts++] = *c->more++;
}

/* Nobody is to be sent anything any more. */
static void
give_up(struct connection *c)
{
	c->part = c->n_parts;
	c->n_more = 0;
}

/* Likewise, and nothing of the request that runs is needed. */
static int
refuse(struct engine *e, struct connection *c)
{
	give_up(c);
	e->gathered.pieces = 0;
	return c->error;
}

void
send_count(struct connection *c, size_t len)
{
	c->bytes_out += len;
	while (c->part < c->n_parts && len >= c->parts[c->part].iov_len) {
		len -= c->parts[c->part++].iov_len;
		next_parts(c);
	}
	if (c->part < c->n_parts) {
		c->parts[c->part].iov_base =
			(char *)c->parts[c->part].iov_base + len;
		c->parts[c->part].iov_len -= len;
	}
}

static size_t
window_len(const struct connection *c)
{
	size_t len = 0;

	for (unsigned i = 0; i < c->n_window; i++)
		len += c->window[i].iov_len;
	return len;
}

bool
send_ended(struct engine *e, struct connection *c, int result)
{
	if (c->withdrawn || result == -EAGAIN)
		result = 0;
	c->sending = c->withdrawn = false;
	if (result < 0 && c->error == 0)
		c->error = result;
	if (result > 0)
		send_count(c, (size_t)result);
	if (c->error != 0 || c->state == CONNECTION_CLOSING)
		give_up(c);
	if (c->part == c->n_parts)
		return true;
	if (result > 0 && (size_t)result == window_len(c))
		send_start(e, c);
	else
		send_await_room(e, c);
	return false;
}

bool
send_go_on(struct engine *e, struct connection *c)
{
	send_more(c);
	if (c->error != 0)
		give_up(c);
	send_await_room(e, c);
	return c->part == c->n_parts;
}

/* --- while a request runs ------------------------------------------------------ */

/* PEP 3333 has it that what is kept goes on while the application makes the
 * next piece, and it is the watcher who sees to that. */
static size_t
most_kept(const struct engine *e)
{
	if (watcher_failed(e->set.watcher))
		return 0;
	return (size_t)e->config->response_buffer_size;
}

/* Is what was kept before not all out? */
static bool
begins_with_kept(const struct connection *c)
{
	const char *first;

	if (c->part == c->n_parts || c->kept.len == 0)
		return false;
	first = c->parts[c->part].iov_base;
	return first >= c->kept.data && first < c->kept.data + c->kept.len;
}

/* What is left belongs to the application, which may go on: copy it, behind
 * what was kept before.  0, or -ENOMEM and nothing has changed. */
static int
keep(struct connection *c)
{
	struct buf *kept = &c->kept;
	bool some = begins_with_kept(c);
	size_t before = some ? c->parts[c->part].iov_len : 0;

	if (buf_reserve(kept, send_left(c) - before) == NULL) {
		kept->failed = false;
		return -ENOMEM;
	}
	buf_consume(kept, kept->len - before);
	for (unsigned i = some ? c->part + 1 : c->part; i < c->n_parts; i++)
		(void)buf_add(kept, c->parts[i].iov_base, c->parts[i].iov_len);
	for (; c->n_more > 0; c->n_more--, c->more++)
		(void)buf_add(kept, c->more->iov_base, c->more->iov_len);
	c->parts[0] = (struct iovec){kept->data, kept->len};
	c->part = 0;
	c->n_parts = 1;
	return 0;
}

void
send_more(struct connection *c)
{
	int rc = c->part < c->n_parts ? send_push(c) : 0;

	if (c->error == 0)
		c->error = rc;
}

void
send_wait_for_room(struct engine *e, struct connection *c)
{
	c->awaits_room = true;
	c->in_flight++;
	io_writable(e->io, c, c->fd);
}

void
send_await_room(struct engine *e, struct connection *c)
{
	if (c->part < c->n_parts && !c->awaits_room)
		send_wait_for_room(e, c);
}

void
send_forget_room(struct engine *e, struct connection *c)
{
	int rc = 0;

	if (c->awaits_room)
		io_cancel(e->io, c, IO_WRITABLE, c->fd);
	while (c->awaits_room && (rc == 0 || rc == -ECANCELED))
		rc = engine_wait(e, INT64_MAX);
	/* The application has closed the ring: nothing of it comes any more. */
	if (c->awaits_room && c->error == 0)
		c->error = rc;
}

/* Wait until no more than most bytes are left. */
static int
await_room(struct engine *e, struct connection *c, size_t most)
{
	struct progress *p = &c->progress;
	int rc = 0;

	engine_read_clock(e);
	progress_begin(p, e->config->timeout * MS_NS, e->now_ns);
	while (rc == 0 && c->error == 0 && send_left(c) > most) {
		send_await_room(e, c);
		rc = engine_wait(e, p->look_ns);
		if (rc == -ETIMEDOUT &&
			progress_look(p, c->fd, c->bytes_out, e->now_ns))
			rc = 0;
	}
	send_forget_room(e, c);
	return rc;
}

/* Does somebody send what is kept, should the application take its time? */
static bool
is_watched(const struct engine *e)
{
	return e->set.watcher != NULL && !watcher_is_away(e->set.watcher);
}

/* Pieces that come faster than the watcher looks are gathered: each alone would
 * be a packet, or wake the client, and the watcher sends what there is as soon as
 * the application takes its time with the next one. */
static bool
follows_closely(struct engine *e, struct connection *c)
{
	int64_t now_ns;

	if (!is_watched(e))
		return false;
	now_ns = clock_monotonic_ns();
	if (now_ns - c->pushed_ns >= ENGINE_LONG_NS) {
		e->pieces_are_slow |= c->pushed_ns != 0;
		c->pushed_ns = now_ns;
		return false;
	}
	watcher_hurry(e->set.watcher, now_ns);
	return true;
}

/* The first of a response may be gathered as well, where others have been quick.  The
 * watcher is not hurried for that, which would cost each of them: where it is wrong
 * it is so seldom. */
static bool
is_followed_closely(struct engine *e, struct connection *c)
{
	if (c->pushed_ns != 0 || e->quick_in_a_row < QUICK_ONES ||
		!is_watched(e))
		return follows_closely(e, c);
	c->pushed_ns = clock_monotonic_ns();
	return true;
}

void
send_learn(struct engine *e, const struct connection *c)
{
	bool quick = !e->pieces_are_slow &&
		     e->now_ns - c->pushed_ns < ENGINE_LONG_NS;

	if (c->pushed_ns == 0)
		return;
	e->quick_in_a_row = quick ? e->quick_in_a_row + 1 : 0;
	e->pieces_are_slow = false;
}

int
send_last(const struct engine *e, struct connection *c)
{
	if (e->queue.first != NULL && send_left(c) <= COPIED &&
		most_kept(e) > 0 && is_watched(e) &&
		clock_monotonic_ns() - e->running_since_ns < ENGINE_LONG_NS)
		return 0;
	return send_push(c);
}

int
send_due(struct connection *c)
{
	if (LIKELY(c->part == c->n_parts) ||
		clock_monotonic_ns() - c->pushed_ns < ENGINE_LONG_NS)
		return 0;
	return send_push(c);
}

/* --- pieces that are lent ---------------------------------------------------------- */

static void
begin_gathering(struct gathered *g, struct connection *c)
{
	if (c->part == c->n_parts)
		buf_clear(&c->kept);
	g->pieces = 0;
	g->len = g->n_parts = g->text_len = 0;
	c->more = g->parts;
	c->n_more = 0;
}

/* What frames them is short and is copied. */
static void
add_text(struct gathered *g, struct str text)
{
	char *to = g->text + g->text_len;

	if (text.len == 0)
		return;
	memcpy(to, text.p, text.len);
	g->text_len += text.len;
	g->parts[g->n_parts++] = (struct iovec){to, text.len};
}

/* Behind what was gathered before.  False when there is no place for it. */
static bool
gather(struct gathered *g, struct connection *c, struct str out,
	struct str data, struct str tail)
{
	size_t before = g->n_parts;

	if (before + 3 > ARRAY_LEN(g->parts) ||
		out.len + tail.len > sizeof(g->text) - g->text_len)
		return false;
	add_text(g, out);
	if (data.len > 0)
		g->parts[g->n_parts++] =
			(struct iovec){(void *)data.p, data.len};
	add_text(g, tail);
	g->pieces++;
	g->len += data.len;
	c->n_more += g->n_parts - before;
	next_parts(c);
	return true;
}

static bool
is_full(const struct gathered *g)
{
	return g->pieces >= SEND_GATHERED || g->len >= SEND_MAX;
}

/* --- a piece ------------------------------------------------------------------------- */

/* Send what there is; what is left then is a copy, and no more than may be kept, so
 * nothing is lent any more. */
static int
send_all(struct engine *e, struct connection *c)
{
	int rc = send_push(c);

	if (rc == 0 && send_left(c) > most_kept(e))
		rc = await_room(e, c, most_kept(e));
	else if (rc == 0)
		rc = engine_look(e);
	if (rc == 0 && c->part < c->n_parts && keep(c) < 0)
		rc = await_room(e, c, 0);
	if (c->error == 0)
		c->error = rc;
	if (c->error != 0)
		return refuse(e, c);
	e->gathered.pieces = 0;
	return 0;
}

static int
send_apart(struct engine *e, struct connection *c, struct str out,
	struct str data, struct str tail)
{
	bool closely =
		out.len + data.len <= COPIED && is_followed_closely(e, c);

	if (c->part == c->n_parts)
		buf_clear(&c->kept);
	send_add(c, out.p, out.len);
	send_add(c, data.p, data.len);
	send_add(c, tail.p, tail.len);
	if (closely && send_left(c) <= most_kept(e) && keep(c) == 0)
		return 0;
	return send_all(e, c);
}

int
send_piece(struct engine *e, struct connection *c, struct str out,
	struct str data, struct str tail)
{
	bool added = false;

	if (c->error != 0)
		return refuse(e, c);
	/* Behind those that are lent, and out with them, also when it is
	 * nothing at all. */
	if (e->gathered.pieces > 0) {
		added = gather(&e->gathered, c, out, data, tail);
		(void)send_all(e, c);
	}
	if (added || c->error != 0 || out.len + data.len + tail.len == 0)
		return c->error;
	return send_apart(e, c, out, data, tail);
}

int
send_interim(struct engine *e, struct connection *c, struct str head)
{
	int64_t pushed_ns = c->pushed_ns;
	bool slow = e->pieces_are_slow;
	int rc;

	c->pushed_ns = LONG_AGO;
	rc = send_piece(e, c, head, STR(""), STR(""));
	c->pushed_ns = pushed_ns;
	e->pieces_are_slow = slow;
	return rc;
}

int
send_lent(struct engine *e, struct connection *c, struct str out,
	struct str data, struct str tail)
{
	struct gathered *g = &e->gathered;

	if (c->error != 0 || data.len <= COPIED || most_kept(e) == 0 ||
		!follows_closely(e, c))
		return send_piece(e, c, out, data, tail);
	if (g->pieces == 0)
		begin_gathering(g, c);
	if (!gather(g, c, out, data, tail))
		return send_piece(e, c, out, data, tail);
	return is_full(g) ? send_all(e, c) : 1;
}

int
send_reclaim(struct engine *e, struct connection *c)
{
	return send_piece(e, c, STR(""), STR(""), STR(""));
}
