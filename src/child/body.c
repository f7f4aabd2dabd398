/*
 * body.c - the body of the request that runs.  See body.h.
 *
 * The application never sees a byte behind the body's end: what follows is
 * the next request and stays in the connection's input.  After an error in
 * the framing nothing that follows may be believed, so the error stays and
 * the connection is closed.
 */
#include "child/body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/defs.h"
#include "base/log.h"
#include "child/connection.h"
#include "child/direct.h"
#include "child/engine.h"
#include "child/receiving.h"
#include "child/send.h"
#include "child/spare.h"
#include "child/unread.h"
#include "http/chunked.h"
#include "http/request.h"

enum {
	FRAMING_MAX = 16 * 1024, /* of small bodies: sizes and extensions */
	SKIP_MAX = 1024 * 1024,  /* of a body that nobody has read */
	BUFFERED_MAX = 64 * 1024, /* more of a body is not for io's buffers */
};

static bool
is_over(const struct engine *e, uint64_t len)
{
	int64_t most = e->config->limit_request_body;

	return most > 0 && len > (uint64_t)most;
}

/* So long is a chunked body at least of which so much has come: a chunk says how long
 * it is before it comes. */
static uint64_t
at_least(const struct connection *c, uint64_t len)
{
	return len + c->chunked.left;
}

/* --- before the application runs: in a file ---------------------------------------- */

/* A file is no use: the application reads the rest by itself, behind what is in
 * the file so far. */
static int
give_up_spooling(int error)
{
	errno = -error;
	log_warn("child", "RequestBodySpool: a body is not collected");
	return BODY_TO_READ;
}

/* Put what has come behind the head into the file, len bytes of it. */
static int
spool_arrived(struct connection *c, size_t head_len, size_t len)
{
	char *begin = c->in.data + head_len;
	int rc = c->spool.fd < 0 ? spool_open(&c->spool) : 0;

	if (rc == 0)
		rc = spool_add(&c->spool, begin, len);
	if (rc < 0)
		return rc;
	c->in.len -= len;
	memmove(begin, begin + len, c->in.len - head_len);
	return 0;
}

static int
spool_plain(struct engine *e, struct connection *c, uint64_t length,
	size_t head_len)
{
	uint64_t left = length - c->spool.len;
	size_t arrived;
	int rc;

	assert(c->piece.p == NULL && c->in.len >= head_len);
	arrived = c->in.len - head_len;
	rc = spool_arrived(
		c, head_len, arrived < left ? arrived : (size_t)left);
	if (rc < 0)
		return give_up_spooling(rc);
	c->spool.whole = c->spool.len == length;
	if (c->spool.whole)
		return BODY_TO_READ;
	connection_collect(e, c, c->in.len + 1);
	return BODY_AWAITED;
}

static bool
may_spool(const struct engine *e, const struct connection *c)
{
	uint64_t most = (uint64_t)e->config->request_body_spool;

	return most > 0 && c->data_len <= most &&
	       c->spool.len + c->framed <= FRAMING_MAX + 2 * most;
}

/* What is in the file was looked at by the connection's last owner: now by us,
 * or we would not know where in the framing we are. */
static int
look_at_spool(struct connection *c)
{
	char bytes[16384];
	struct spool s = c->spool;
	ssize_t n;
	int rc = CHUNKED_MORE;

	c->spool.known = true;
	while (rc == CHUNKED_MORE &&
		(n = spool_peek(&s, bytes, sizeof(bytes))) > 0) {
		struct str in = {bytes, (size_t)n}, data;

		while ((rc = chunked_next(&c->chunked, &in, &data)) ==
			CHUNKED_DATA)
			c->data_len += data.len;
		spool_pass(&s, (size_t)n);
	}
	return rc < 0 ? rc : 0;
}

/* Of what has been looked at, with this result. */
static int
spool_chunked(struct body *b, struct engine *e, struct connection *c,
	size_t head_len, int result)
{
	int rc = spool_arrived(c, head_len, c->framed);

	if (rc == 0) {
		c->spool.known = true;
		c->framed = 0;
		c->spool.whole = result == CHUNKED_END;
		if (result == CHUNKED_MORE && may_spool(e, c)) {
			connection_collect(e, c, c->in.len + 1);
			return BODY_AWAITED;
		}
	}
	c->chunked = (struct chunked){0};
	c->framed = 0;
	c->data_len = 0;
	b->chunked = true;
	return rc < 0 ? give_up_spooling(rc) : BODY_TO_READ;
}

/* --- before the application runs: in memory ---------------------------------------- */

static int
begin_plain(struct body *b, struct engine *e, struct connection *c,
	const struct request *r, struct str arrived, size_t head_len)
{
	b->left = r->length;
	if (is_over(e, r->length))
		return -413;
	if (c->spool.fd >= 0)
		return spool_plain(e, c, r->length, head_len);
	if (arrived.len >= r->length) {
		b->collected = (struct str){arrived.p, (size_t)r->length};
		b->ended = true;
		return BODY_WHOLE;
	}
	b->waits = r->expects_continue && arrived.len == 0;
	if (r->expects_continue)
		return BODY_TO_READ;
	if (r->length > (uint64_t)e->config->request_body_buffer)
		return r->length <= (uint64_t)e->config->request_body_spool
			       ? spool_plain(e, c, r->length, head_len)
			       : BODY_TO_READ;
	connection_collect(e, c, head_len + (size_t)r->length);
	return BODY_AWAITED;
}

/* Look for the end of a chunked body in what has arrived.  Nothing is taken
 * out of the input yet, so that the connection can go elsewhere meanwhile. */
static int
look_for_end(struct engine *e, struct connection *c, size_t head_len)
{
	struct str in = {c->in.data + head_len + c->framed,
		c->in.len - head_len - c->framed};
	struct str data;
	int rc;

	while ((rc = chunked_next(&c->chunked, &in, &data)) == CHUNKED_DATA) {
		c->data_len += data.len;
		if (is_over(e, c->data_len))
			return -413;
	}
	if (rc >= 0 && is_over(e, at_least(c, c->data_len)))
		return -413;
	c->framed = c->in.len - head_len - in.len;
	return rc;
}

/* Is it worth waiting for the rest?  A client that sends a byte a chunk may
 * not fill the memory with chunks. */
static bool
may_collect(const struct engine *e, const struct connection *c)
{
	uint64_t most = (uint64_t)e->config->request_body_buffer;

	return most > 0 && c->data_len <= most &&
	       c->framed <= FRAMING_MAX + 2 * most;
}

/* Decode what has arrived into c->body, and take it out of the input. */
static int
decode_arrived(struct engine *e, struct connection *c, size_t head_len)
{
	struct str in = {c->in.data + head_len, c->in.len - head_len};
	struct str data;
	int rc;

	c->chunked = (struct chunked){0};
	c->framed = 0;
	c->data_len = 0;
	if (c->body.size == 0)
		c->body = spare_take(e, SIZE_MAX);
	while ((rc = chunked_next(&c->chunked, &in, &data)) == CHUNKED_DATA)
		if (buf_add(&c->body, data.p, data.len) < 0)
			return -503;
	if (in.len > 0)
		memmove(c->in.data + head_len, in.p, in.len);
	c->in.len = head_len + in.len;
	return rc;
}

static int
begin_chunked(struct body *b, struct engine *e, struct connection *c,
	const struct request *r, size_t head_len)
{
	int rc;

	assert(c->in.len >= head_len); /* the caller has stashed it */
	b->waits = r->expects_continue && c->in.len == head_len;
	rc = c->spool.fd >= 0 && !c->spool.known ? look_at_spool(c) : 0;
	if (rc >= 0)
		rc = look_for_end(e, c, head_len);
	if (rc >= 0 && c->spool.fd >= 0)
		return spool_chunked(b, e, c, head_len, rc);
	if (rc == CHUNKED_MORE && !r->expects_continue && may_collect(e, c)) {
		connection_collect(e, c, c->in.len + 1);
		return BODY_AWAITED;
	}
	if (rc == CHUNKED_MORE && !r->expects_continue && may_spool(e, c))
		return spool_chunked(b, e, c, head_len, rc);
	if (rc >= 0)
		rc = decode_arrived(e, c, head_len);
	if (rc < 0)
		return rc;
	b->chunked = true;
	b->collected = (struct str){c->body.data, c->body.len};
	b->total = c->body.len;
	b->ended = rc == CHUNKED_END;
	return b->ended ? BODY_WHOLE : BODY_TO_READ;
}

int
body_begin(struct body *b, struct engine *e, struct connection *c,
	const struct request *r, size_t head_len)
{
	struct str input = unread_of(c);

	*b = (struct body){0};
	if (r->chunked)
		return begin_chunked(b, e, c, r, head_len);
	if (r->has_length && r->length > 0)
		return begin_plain(b, e, c, r,
			(struct str){input.p + head_len, input.len - head_len},
			head_len);
	b->ended = true;
	return BODY_WHOLE;
}

/* Where a head has gone out already, or nobody looks at what follows, the
 * client hears of it by the end of the connection only. */
static int
framing_is_broken(const struct connection *c)
{
	log_info("child",
		"%s: the framing of a request body is broken; closing the "
		"connection",
		c->remote_addr[0] != '\0' ? c->remote_addr : "unix");
	return -EBADMSG;
}

/* --- while it runs ------------------------------------------------------------- */

/* The body may have come while the application did something else: io takes it
 * out of the socket when it is waited for, and not before. */
static bool
has_come(const struct connection *c)
{
	char byte;

	return unread_of(c).len > 0 ||
	       recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int
say_continue(struct body *b, struct engine *e, struct connection *c)
{
	struct str text = STR("HTTP/1.1 100 Continue\r\n\r\n");

	if (!b->waits || b->answered)
		return 0;
	b->waits = false;
	if (has_come(c))
		return 0; /* it did not wait for us */
	return send_interim(e, c, text);
}

static void
ask_for_more(const struct body *b, struct engine *e, struct connection *c)
{
	if (c->direct || (!b->chunked && b->left > BUFFERED_MAX))
		direct_await(e, c);
	else
		receiving_start(e, c);
}

/* Wait until something has arrived. */
static int
await_input(struct body *b, struct engine *e, struct connection *c)
{
	int64_t deadline_ns;
	int rc = say_continue(b, e, c);

	engine_read_clock(e);
	pace_begin(&c->pace, PACE_BODY, e->now_ns);
	c->heard_ns = e->now_ns;
	c->hurry_ns = INT64_MAX;
	deadline_ns = connection_read_deadline(e, c);
	c->input_came = false;
	while (rc == 0 && unread_of(c).len == 0 && !c->input_came) {
		ask_for_more(b, e, c);
		send_await_room(e, c);
		rc = c->at_eof || c->error != 0 ? -ECONNRESET
						: engine_wait(e, deadline_ns);
	}
	send_forget_room(e, c);
	pace_pause(&c->pace, e->now_ns);
	return rc;
}

/* What is there of a plain body: > 0, or 0 when nothing is. */
static ssize_t
take_plain(struct body *b, struct engine *e, struct connection *c, void *data,
	size_t len)
{
	struct str input = unread_of(c);

	if (len > b->left)
		len = (size_t)b->left;
	if (input.len == 0) {
		len = direct_take(e, c, data, len);
		b->waits &= len == 0; /* who sends does not */
	} else {
		if (len > input.len)
			len = input.len;
		memcpy(data, input.p, len);
		unread_consume(e, c, len);
	}
	b->left -= len;
	b->ended = b->left == 0;
	return (ssize_t)len;
}

/* Likewise of a chunked one, of as many chunks as are there.  The decoder is shown
 * no more bytes than there is room for, so that a piece of data always fits.  An
 * error is told of when what came before it has been read: it stays. */
static ssize_t
take_chunked(struct body *b, struct engine *e, struct connection *c, char *data,
	size_t len)
{
	struct str input = unread_of(c);
	size_t used = 0, n = 0;
	int rc = CHUNKED_DATA;

	while (rc != CHUNKED_END && n < len && used < input.len) {
		struct str in = {input.p + used, input.len - used};
		struct str piece = {0};

		if (in.len > len - n)
			in.len = len - n;
		rc = chunked_next(&c->chunked, &in, &piece);
		if (rc < 0)
			break;
		if (piece.len > 0)
			memcpy(data + n, piece.p, piece.len);
		n += piece.len;
		used = (size_t)(in.p - input.p);
	}
	if (rc < 0 && n == 0)
		return framing_is_broken(c);
	unread_consume(e, c, used);
	b->total += n;
	b->ended = rc == CHUNKED_END;
	return is_over(e, at_least(c, b->total)) ? -EFBIG : (ssize_t)n;
}

/* Likewise out of the file, which is read to where the data is wanted. */
static ssize_t
take_spooled(struct body *b, struct engine *e, struct connection *c, char *data,
	size_t len)
{
	ssize_t n;

	while ((n = spool_peek(&c->spool, data, len)) > 0) {
		struct str in = {data, (size_t)n}, piece = in;
		int rc = CHUNKED_DATA;

		if (b->chunked) {
			piece = (struct str){data, 0};
			rc = chunked_next(&c->chunked, &in, &piece);
			spool_pass(&c->spool, (size_t)n - in.len);
		} else {
			spool_pass(&c->spool, (size_t)n);
			b->left -= (uint64_t)n;
		}
		if (rc < 0)
			return framing_is_broken(c);
		b->total += piece.len;
		if (is_over(e, at_least(c, b->total)))
			return -EFBIG;
		b->ended = b->chunked ? rc == CHUNKED_END : b->left == 0;
		if (rc == CHUNKED_DATA)
			memmove(data, piece.p, piece.len);
		if (rc != CHUNKED_MORE)
			return rc == CHUNKED_DATA ? (ssize_t)piece.len : 0;
	}
	return n;
}

static ssize_t
take_collected(struct body *b, void *data, size_t len)
{
	if (len > b->collected.len)
		len = b->collected.len;
	memcpy(data, b->collected.p, len);
	b->collected.p += len;
	b->collected.len -= len;
	return (ssize_t)len;
}

static ssize_t
take(struct body *b, struct engine *e, struct connection *c, void *data,
	size_t len)
{
	if (spool_left(&c->spool) > 0)
		return take_spooled(b, e, c, data, len);
	if (b->chunked)
		return take_chunked(b, e, c, data, len);
	return take_plain(b, e, c, data, len);
}

ssize_t
body_read(struct body *b, struct engine *e, struct connection *c, void *data,
	size_t len)
{
	ssize_t n = 0;
	int rc;

	if (b->error != 0)
		return b->error;
	if (len == 0)
		return say_continue(b, e, c);
	b->begun = true;
	if (b->collected.len > 0)
		return take_collected(b, data, len);
	while (!b->ended && (n = take(b, e, c, data, len)) == 0 && !b->ended)
		if ((n = await_input(b, e, c)) < 0)
			break;
	/* To read what is there is no wait, in which others would be seen to. */
	if (n > 0 && (rc = engine_look(e)) == -ECANCELED)
		n = rc;
	if (n < 0)
		b->error = (int)n;
	return n;
}

void
body_answered(struct body *b)
{
	b->answered = true;
}

/* --- afterwards ---------------------------------------------------------------- */

static void
skip_plain(struct engine *e, struct connection *c, size_t arrived)
{
	size_t len = arrived < c->rest.left ? arrived : (size_t)c->rest.left;

	unread_consume(e, c, len);
	c->rest.left -= len;
	c->rest.exists = c->rest.left > 0;
}

static int
skip_chunked(struct engine *e, struct connection *c, struct str arrived)
{
	struct str in = arrived, data;
	size_t len;
	int rc;

	do
		rc = chunked_next(&c->chunked, &in, &data);
	while (rc == CHUNKED_DATA);
	len = arrived.len - in.len;
	if (rc < 0)
		return framing_is_broken(c);
	unread_consume(e, c, len);
	c->rest.exists = rc != CHUNKED_END;
	if (c->rest.exists && len > c->rest.left)
		return -EFBIG;
	c->rest.left -= len < c->rest.left ? len : c->rest.left;
	return 0;
}

int
body_skip(struct engine *e, struct connection *c)
{
	struct str arrived = unread_of(c);

	if (arrived.len == 0)
		return 0;
	if (c->rest.chunked)
		return skip_chunked(e, c, arrived);
	skip_plain(e, c, arrived.len);
	return 0;
}

bool
body_is_in_the_way(const struct body *b, const struct connection *c, bool whole)
{
	uint64_t here = spool_left(&c->spool) + unread_of(c).len;

	if (b->ended || c->spool.whole)
		return false;
	if (b->waits)
		return true;
	if (b->chunked || (b->begun && !whole))
		return false;
	return b->left > here && b->left - here > SKIP_MAX;
}

/* A client that waits to be told to go on may do so or send its next request:
 * who could tell? */
static bool
can_be_passed(const struct body *b, struct engine *e, struct connection *c)
{
	if (b->error != 0 || (b->waits && !b->ended))
		return false;
	if (b->ended)
		return true;
	c->rest = (struct connection_rest){
		.exists = true,
		.chunked = b->chunked,
		.left = b->chunked ? unread_of(c).len + SKIP_MAX
				   : b->left,
	};
	if (body_skip(e, c) < 0)
		return false;
	return !c->rest.exists || c->rest.left <= SKIP_MAX;
}

/* What nobody has read of the file. */
static void
drop_spool(struct body *b, struct engine *e, struct connection *c)
{
	char bytes[16384];
	ssize_t n = 0;

	if (c->spool.whole)
		b->ended = true;
	while (!b->ended && b->error == 0 && spool_left(&c->spool) > 0) {
		n = take_spooled(b, e, c, bytes, sizeof(bytes));
		if (n < 0)
			b->error = (int)n;
	}
	spool_close(&c->spool);
}

bool
body_finish(struct body *b, struct engine *e, struct connection *c)
{
	bool passed;

	c->rest = (struct connection_rest){0};
	if (UNLIKELY(c->direct))
		direct_end(e, c);
	drop_spool(b, e, c);
	passed = can_be_passed(b, e, c);
	if (!passed)
		c->rest.exists = false;
	b->ended = passed && !c->rest.exists;
	if (c->body.size > 0)
		spare_give(e, &c->body);
	if (!c->rest.exists)
		c->chunked = (struct chunked){0};
	return passed;
}
