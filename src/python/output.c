/*
 * output.c - from blocks of a body to the client.
 *
 * Small blocks are copied behind the head, so that a small response is one
 * piece; a large one is sent from where it is.  Nothing waits here longer
 * than PEP 3333 allows: who calls output_block says when to flush.  The GIL is
 * given up around the client, and nowhere else.
 *
 * While more may come a slow client is waited for once enough is kept for it, or
 * what it does not take would fill the memory.  The end of a body is not: its
 * last block, or all that are there, are held as they are, pushed as far as the
 * client takes them, and the worker is free.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	SMALL = 32 * 1024,   /* copying this costs less than a second piece */
	GATHERED = 64 * 1024 /* no more than about this is kept back */
};

void
output_raise(int error, const char *what)
{
	AUTO_DECREF PyObject *text = NULL;
	AUTO_DECREF PyObject *exception = NULL;
	const char *why;

	switch (error) {
	case ECONNRESET:
	case EPIPE:
		why = "the client has closed the connection";
		break;
	case ECHILD:
		why = "the client is that of the process that has forked this "
		      "one";
		break;
	case ETIMEDOUT:
		why = "the client was too slow: Timeout is over, or "
		      "RequestReadTimeout of a request body";
		break;
	case EBADMSG:
		why = "the framing of the request body is broken";
		break;
	case EFBIG:
		why = "the request body is over LimitRequestBody";
		break;
	default:
		why = strerror(error);
		break;
	}
	text = PyUnicode_FromFormat("%s: %s", what, why);
	if (text == NULL)
		return;
	/* OSError makes itself the subclass that belongs to the number. */
	exception = PyObject_CallFunction(PyExc_OSError, "iO", error, text);
	if (exception != NULL)
		PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
}

static enum output_result
no_memory(void)
{
	PyErr_NoMemory();
	return OUTPUT_RAISED;
}

/* Of what the client was asked to do, which gave rc. */
static enum output_result
outcome(struct call *c, int rc)
{
	if (rc <= 0)
		Py_CLEAR(c->lent);
	if (LIKELY(rc >= 0))
		return OUTPUT_OK;
	c->send_error = rc;
	c->x->broken = true;
	return OUTPUT_GONE;
}

/* A place in the list, before the client has it. */
static bool
may_lend(struct call *c, PyObject *block)
{
	if (block == NULL)
		return false;
	if (c->lent == NULL)
		c->lent = PyList_New(0);
	if (c->lent != NULL && PyList_Append(c->lent, block) == 0)
		return true;
	PyErr_Clear(); /* it is sent as any other */
	return false;
}

/* block: what the data is of, if it may be lent. */
static enum output_result
send_with(struct call *c, PyObject *block, const void *data, size_t len,
	struct str tail)
{
	struct app_exchange *x = c->x;
	bool lent;
	int rc;

	if (UNLIKELY(c->send_error != 0))
		return OUTPUT_GONE;
	assert(!c->pushed);
	c->sent = true;
	lent = may_lend(c, block);
	Py_BEGIN_ALLOW_THREADS;
	rc = lent ? x->client->lend(x, data, len, tail)
		  : x->client->send(x, data, len, tail);
	Py_END_ALLOW_THREADS;
	buf_clear(x->response->out);
	c->base = 0;
	return outcome(c, rc);
}

void
output_reclaim(struct call *c)
{
	int rc;

	if (LIKELY(c->lent == NULL))
		return;
	Py_BEGIN_ALLOW_THREADS;
	rc = c->x->client->reclaim(c->x);
	Py_END_ALLOW_THREADS;
	(void)outcome(c, rc);
}

enum output_result
output_file(struct call *c, int fd, int64_t offset, uint64_t len)
{
	struct response *r = c->x->response;
	int rc = c->send_error;

	if (rc < 0) {
		close(fd);
		return OUTPUT_GONE;
	}
	c->sent = true;
	r->sent += len;
	Py_BEGIN_ALLOW_THREADS;
	rc = c->x->client->send_file(c->x, fd, offset, len);
	Py_END_ALLOW_THREADS;
	c->base = 0;
	return outcome(c, rc);
}

static enum output_result
push(struct call *c)
{
	struct app_exchange *x = c->x;
	int rc;

	c->sent = c->pushed = true;
	Py_BEGIN_ALLOW_THREADS;
	rc = x->client->push(x);
	Py_END_ALLOW_THREADS;
	c->base = x->response->out->len;
	return outcome(c, rc);
}

/* Can nothing come behind what there is of the body? */
static bool
is_whole(const struct call *c)
{
	const struct response *r = c->x->response;

	return c->ended ||
	       (c->committed && (r->framing == RESPONSE_NO_BODY ||
					(r->framing == RESPONSE_LENGTH &&
						r->sent == r->length)));
}

enum output_result
output_flush(struct call *c)
{
	const struct app_exchange *x = c->x;

	if (c->send_error != 0)
		return OUTPUT_GONE;
	if (c->pushed || (x->response->out->len == c->base && !x->held))
		return OUTPUT_OK;
	if (is_whole(c)) {
		output_reclaim(c);
		return c->send_error != 0 ? OUTPUT_GONE : push(c);
	}
	return send_with(c, NULL, NULL, 0, (struct str){0});
}

enum output_result
output_commit(struct call *c, int64_t known_length)
{
	struct response *r = c->x->response;

	if (UNLIKELY(!c->started)) {
		PyErr_SetString(PyExc_RuntimeError,
			"the application produced its response without "
			"calling start_response()");
		return OUTPUT_RAISED;
	}
	c->x->client->before_head(c->x, known_length >= 0);
	if (c->read_error != 0)
		r->keep_alive = false; /* the next request cannot be found */
	if (UNLIKELY(response_end_head(r, known_length) < 0))
		return no_memory();
	c->committed = true;
	return OUTPUT_OK;
}

static void
tell_excess(struct call *c)
{
	const struct response *r = c->x->response;

	if (r->framing != RESPONSE_LENGTH || c->told_excess)
		return;
	c->told_excess = true;
	c->x->failed = true;
	call_complain(c,
		"the application sent more than its Content-Length of %llu "
		"bytes: the rest is cut off",
		(unsigned long long)r->length);
}

static enum output_result
send_large(struct call *c, PyObject *block, const void *data, size_t len)
{
	struct response *r = c->x->response;
	struct str tail = {0};
	bool crlf_behind = false;
	char *to = buf_reserve(r->out, 20);

	if (to == NULL)
		return no_memory();
	r->out->len += response_frame(r, len, to, &crlf_behind);
	if (crlf_behind)
		tail = STR("\r\n");
	return send_with(c, block, data, len, tail);
}

bool
output_may_be_held(const struct call *c)
{
	enum response_framing framing = c->x->response->framing;

	return framing == RESPONSE_LENGTH || framing == RESPONSE_TO_CLOSE;
}

static bool
uses_up_length(const struct response *r, size_t len)
{
	return r->framing == RESPONSE_LENGTH && len == r->length - r->sent;
}

/* The last of the body stays where it is: no copy of it is made, and nobody
 * waits for it. */
static void
hold(struct call *c, PyObject *block, size_t len)
{
	struct app_exchange *x = c->x;

	x->response->sent += len;
	Py_INCREF(block);
	x->held = block;
	x->held_data = PyBytes_AS_STRING(block);
	x->held_len = len;
}

/* Cut the blocks' parts to what is allowed; how many are left. */
static size_t
fill_parts(struct iovec *parts, PyObject *blocks, size_t allowed)
{
	size_t n = 0;

	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(blocks); i++) {
		PyObject *block = PyList_GET_ITEM(blocks, i);
		size_t len = (size_t)PyBytes_GET_SIZE(block);

		if (len > allowed)
			len = allowed;
		allowed -= len;
		if (len > 0)
			parts[n++] =
				(struct iovec){PyBytes_AS_STRING(block), len};
	}
	return n;
}

/* Where the parts lie is one more object in the list, which holds them all. */
static enum output_result
hold_all(struct call *c, PyObject *blocks, size_t allowed)
{
	struct app_exchange *x = c->x;
	AUTO_DECREF PyObject *room = PyBytes_FromStringAndSize(NULL,
		PyList_GET_SIZE(blocks) * (Py_ssize_t)sizeof(struct iovec));
	struct iovec *parts;
	size_t n;

	if (room == NULL)
		return OUTPUT_RAISED;
	parts = (struct iovec *)(void *)PyBytes_AS_STRING(room);
	n = fill_parts(parts, blocks, allowed);
	if (PyList_Append(blocks, room) < 0)
		return OUTPUT_RAISED;
	x->response->sent += allowed;
	Py_INCREF(blocks);
	x->held = blocks;
	x->held_data = parts[0].iov_base;
	x->held_len = parts[0].iov_len;
	x->held_more = parts + 1;
	x->n_held_more = n - 1;
	return OUTPUT_OK;
}

enum output_result
output_last_blocks(struct call *c, PyObject *blocks, size_t total)
{
	size_t allowed = response_allowed(c->x->response, total);

	if (UNLIKELY(c->send_error != 0))
		return OUTPUT_GONE;
	if (UNLIKELY(allowed < total))
		tell_excess(c);
	return allowed > 0 ? hold_all(c, blocks, allowed) : OUTPUT_OK;
}

/* block: what the data is of, where it may be held; last: nothing follows. */
static enum output_result
put_block(struct call *c, PyObject *block, bool last, const void *data,
	size_t len)
{
	struct response *r = c->x->response;
	size_t allowed;

	if (len == 0)
		return OUTPUT_OK;
	if (!c->committed) {
		enum output_result result = output_commit(c, -1);

		if (result != OUTPUT_OK)
			return result;
	}
	if (UNLIKELY(c->send_error != 0))
		return OUTPUT_GONE;
	allowed = response_allowed(r, len);
	if (UNLIKELY(allowed < len))
		tell_excess(c);
	if (allowed == 0)
		return OUTPUT_OK;
	last = last ? output_may_be_held(c) : uses_up_length(r, allowed);
	if (allowed > SMALL && block != NULL && last) {
		output_reclaim(c);
		if (c->send_error != 0)
			return OUTPUT_GONE;
		hold(c, block, allowed);
		return OUTPUT_OK;
	}
	if (allowed > SMALL)
		return send_large(c, block, data, allowed);
	if (UNLIKELY(response_body(r, data, allowed) < 0))
		return no_memory();
	return r->out->len > GATHERED ? output_flush(c) : OUTPUT_OK;
}

enum output_result
output_block(struct call *c, const void *data, size_t len)
{
	return put_block(c, NULL, false, data, len);
}

enum output_result
output_bytes(struct call *c, PyObject *block)
{
	return put_block(c, block, false, PyBytes_AS_STRING(block),
		(size_t)PyBytes_GET_SIZE(block));
}

enum output_result
output_last_block(struct call *c, PyObject *block)
{
	return put_block(c, block, true, PyBytes_AS_STRING(block),
		(size_t)PyBytes_GET_SIZE(block));
}

/* They go out together with what ends the body, but a last piece of it is waited
 * for no more than any other. */
static enum output_result
end_lent(struct call *c)
{
	if (LIKELY(c->lent == NULL))
		return OUTPUT_OK;
	if (c->x->response->framing == RESPONSE_CHUNKED)
		return send_with(c, NULL, NULL, 0, (struct str){0});
	output_reclaim(c);
	return c->send_error != 0 ? OUTPUT_GONE : OUTPUT_OK;
}

enum output_result
output_end(struct call *c)
{
	struct response *r = c->x->response;
	int rc;

	c->ended = true;
	if (c->send_error != 0)
		return OUTPUT_GONE;
	rc = response_end(r);
	if (LIKELY(rc == 0))
		return end_lent(c);
	if (rc != -EPIPE)
		return no_memory();
	c->x->failed = true;
	c->x->broken = true;
	call_complain(c,
		"the application sent %llu bytes of the %llu that its "
		"Content-Length promised: the connection is closed",
		(unsigned long long)r->sent, (unsigned long long)r->length);
	return OUTPUT_OK;
}

void
output_reset(struct call *c)
{
	struct buf *out = c->x->response->out;

	out->len = c->base;
	out->failed = false;
	if (c->sent)
		return;
	*c->x->response = c->pristine;
	c->started = false;
	c->committed = false;
}
