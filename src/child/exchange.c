/*
 * exchange.c - what an application asks of its client.  See exchange.h.
 *
 * While it does, the worker is with the client and not in the application, so the
 * watcher does not look.  A copy of the process, which the application has forked,
 * has no client: it is told so.
 */
#include "child/exchange.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "child/connection.h"
#include "child/engine.h"
#include "child/send.h"
#include "child/sendfile.h"
#include "child/watcher.h"
#include "http/response.h"

/* To the client; NULL: there is none. */
static struct exchange *
turn_to_client(struct app_exchange *x)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, app);

	if (UNLIKELY(*ex->engine->set.forked))
		return NULL;
	watch_end(ex->engine->set.watch);
	return ex;
}

/* Back to the application.  What is kept is the watcher's business now.  Who ends it
 * has either seen that, or has it seen here that it is gone. */
static void
turn_back(const struct exchange *ex)
{
	struct engine *e = ex->engine;
	struct connection *c = ex->connection;
	bool some = c->part < c->n_parts;

	watch_begin(e->set.watch, clock_monotonic_ns());
	if (LIKELY(!some || !watcher_is_away(e->set.watcher)))
		return;
	watch_end(e->set.watch);
	if (c->error == 0)
		c->error = send_push(c);
	watch_begin(e->set.watch, clock_monotonic_ns());
}

/* Its head goes out with what comes now. */
static void
begin_response(struct exchange *ex)
{
	const struct buf *out = &ex->connection->out;

	report_head(&ex->report, ex->engine, (struct str){out->data, out->len});
	body_answered(&ex->body);
}

static ssize_t
client_read(struct app_exchange *x, void *data, size_t len)
{
	struct exchange *ex = turn_to_client(x);
	struct engine *e;
	struct connection *c;
	ssize_t n;

	if (UNLIKELY(ex == NULL))
		return -ECHILD;
	e = ex->engine;
	c = ex->connection;
	report_state(e, WSGID_WORKER_READ);
	if (c->error == 0)
		c->error = send_due(c);
	n = body_read(&ex->body, e, c, data, len);
	report_state(e, WSGID_WORKER_WRITE);
	/* Who calls its client all the time is never seen by the watcher. */
	report_overdue_here(e, x);
	turn_back(ex);
	return n;
}

static int
client_send_with(struct app_exchange *x, const void *data, size_t len,
	struct str tail,
	int (*send)(struct engine *e, struct connection *c, struct str out,
		struct str data, struct str tail))
{
	struct exchange *ex = turn_to_client(x);
	struct connection *c;
	int rc;

	if (UNLIKELY(ex == NULL))
		return -ECHILD;
	c = ex->connection;
	begin_response(ex);
	rc = send(ex->engine, c, (struct str){c->out.data, c->out.len},
		(struct str){data, len}, tail);
	buf_clear(&c->out);
	report_overdue_here(ex->engine, x);
	turn_back(ex);
	return rc;
}

static int
client_send(
	struct app_exchange *x, const void *data, size_t len, struct str tail)
{
	return client_send_with(x, data, len, tail, send_piece);
}

static int
client_lend(
	struct app_exchange *x, const void *data, size_t len, struct str tail)
{
	return client_send_with(x, data, len, tail, send_lent);
}

static int
client_reclaim(struct app_exchange *x)
{
	struct exchange *ex = turn_to_client(x);
	int rc;

	if (UNLIKELY(ex == NULL))
		return -ECHILD;
	rc = send_reclaim(ex->engine, ex->connection);
	turn_back(ex);
	return rc;
}

void
exchange_add_end(const struct exchange *ex)
{
	const struct app_exchange *x = &ex->app;
	struct connection *c = ex->connection;

	c->held = x->held;
	if (c->error != 0)
		return;
	send_add(c, c->out.data, c->out.len);
	if (x->held != NULL)
		send_add(c, x->held_data, x->held_len);
	c->more = x->held_more;
	c->n_more = x->n_held_more;
}

static int
client_push(struct app_exchange *x)
{
	struct exchange *ex = turn_to_client(x);
	struct connection *c;

	if (UNLIKELY(ex == NULL))
		return -ECHILD;
	c = ex->connection;
	begin_response(ex);
	exchange_add_end(ex);
	c->pushed = true;
	if (c->error == 0)
		c->error = send_last(ex->engine, c);
	report_overdue(ex->engine, gettid());
	turn_back(ex);
	return c->error;
}

/* The file is sent when the application is done: nothing waits for the watcher. */
static int
client_send_file(struct app_exchange *x, int fd, int64_t offset, uint64_t len)
{
	struct exchange *ex = turn_to_client(x);
	int rc;

	if (UNLIKELY(ex == NULL)) {
		close(fd);
		return -ECHILD;
	}
	begin_response(ex);
	rc = sendfile_begin(ex->engine, ex->connection, fd, offset, len);
	watch_begin(ex->engine->set.watch, clock_monotonic_ns());
	return rc;
}

static void
client_before_head(struct app_exchange *x, bool whole)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, app);

	engine_renew_date(ex->engine);
	if (body_is_in_the_way(&ex->body, ex->connection, whole))
		x->response->keep_alive = false;
}

/* It is none of the response: neither logged as its head nor the end of the
 * time in which the client may be told to go on. */
static int
client_send_interim(struct app_exchange *x, struct str head)
{
	struct exchange *ex = turn_to_client(x);
	int rc;

	if (UNLIKELY(ex == NULL))
		return -ECHILD;
	rc = send_interim(ex->engine, ex->connection, head);
	turn_back(ex);
	return rc;
}

const struct app_client exchange_client = {
	.read = client_read,
	.send = client_send,
	.lend = client_lend,
	.reclaim = client_reclaim,
	.push = client_push,
	.send_file = client_send_file,
	.send_interim = client_send_interim,
	.before_head = client_before_head,
};
