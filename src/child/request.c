/*
 * request.c - THE REQUEST: from bytes on a connection to an answer.
 *
 * Read request_serve: it is the way of every request.  A request runs inline,
 * on the thread that owns the ring; what it needs from its client while it
 * runs comes by turning the engine's loop.
 */
#include "child/request.h"

#include <string.h>

#include "base/defs.h"
#include "base/log.h"
#include "child/body.h"
#include "child/connection.h"
#include "child/engine.h"
#include "child/exchange.h"
#include "child/forking.h"
#include "child/peer.h"
#include "child/report.h"
#include "child/send.h"
#include "child/spare.h"
#include "child/unbelieved.h"
#include "child/unread.h"
#include "child/watcher.h"
#include "http/path.h"
#include "http/request.h"
#include "http/response.h"
#include "io/io.h"
#include "python/app.h"

/* --- beginnings ---------------------------------------------------------------------- */

static void
begin(struct engine *e, struct connection *c)
{
	const struct request *r = &e->request;
	long most = e->config->max_keep_alive_requests;

	c->state = CONNECTION_RUNNING;
	c->scan = (struct request_scan){0};
	c->need = 0;
	c->pushed_ns = 0;
	e->gathered.pieces = 0;
	c->requests++;
	c->out = spare_take(e, SIZE_MAX);
	e->response = (struct response){
		.out = &c->out,
		.minor = r->minor,
		.to_head = str_equal(r->method, STR("HEAD")),
		.keep_alive = r->keep_alive && e->config->keep_alive &&
			      !e->finishing &&
			      (most == 0 || c->requests < (unsigned long)most),
		.say_keep_alive = r->asks_keep_alive,
		.date = e->date,
		.server = e->set.server,
	};
}

/* Also where no more than the line has been read, or not all of that. */
static bool
is_head(const struct request *r)
{
	return r->line.len >= 5 && memcmp(r->line.p, "HEAD ", 5) == 0;
}

/* Answer without the application, and hang up: after such a request nothing
 * that follows can be trusted to be one. */
static void
refuse(struct engine *e, struct connection *c, int status, const char *why)
{
	struct report report;

	log_info("child", "%.*s: refused with %d: %s",
		e->client.len > 0 ? (int)e->client.len : 4,
		e->client.len > 0 ? e->client.p : "unix", status, why);
	c->out = spare_take(e, SIZE_MAX);
	e->response = (struct response){
		.out = &c->out,
		.to_head = is_head(&e->request),
		.date = e->date,
		.server = e->set.server,
	};
	report_begin(&report, e, c);
	(void)response_simple(&e->response, status);
	report_head(&report, e, (struct str){c->out.data, c->out.len});
	c->keep = false;
	send_add(c, c->out.data, c->out.len);
	report_end_refused(&report, e, c, status);
	connection_await_sent(e, c);
	send_start(e, c);
}

/* What is known of a request whose head is not whole: its first line. */
static void
describe_unfinished(struct request *r, struct str input)
{
	size_t n = 0;

	while (n < input.len && input.p[n] != '\r' && input.p[n] != '\n')
		n++;
	r->line = (struct str){input.p, n};
	r->method = r->target = r->path = r->host = STR("");
	r->query = (struct str){0};
	r->n_fields = 0;
}

void
request_too_slow(struct engine *e, struct connection *c)
{
	struct str input = unread_of(c);

	if (input.len == 0) {
		connection_close(e, c);
		return;
	}
	describe_unfinished(&e->request, input);
	peer_read_fields(e, c);
	refuse(e, c, 408,
		c->pace.part == PACE_BODY ? "Request body read timeout"
					  : "Request header read timeout");
}

/* The PROXY protocol comes first.  True when it is done with. */
static bool
hear_of_client(struct engine *e, struct connection *c)
{
	int verdict = peer_introduce(e, c);

	if (verdict < 0) {
		describe_unfinished(&e->request, STR(""));
		peer_read_fields(e, c);
		refuse(e, c, -verdict, peer_complaint(c, -verdict));
	}
	return verdict > 0;
}

/* A chunked body is decoded there; and while one is put into a file its head must
 * stay where it is, which a receive buffer does not. */
static bool
needs_memory_of_ours(const struct engine *e)
{
	const struct request *r = &e->request;

	return r->chunked ||
	       (e->config->request_body_spool > 0 &&
		       r->length > (uint64_t)e->config->request_body_buffer);
}

/* The head at the start of the input: its length, 0 when more must come (and
 * is waited for), or -STATUS. */
static ssize_t
read_head(struct engine *e, struct connection *c)
{
	struct str input = unread_of(c);
	ssize_t n;

	n = request_parse(&e->request, input.p, input.len, &e->limits);
	if (n != 0)
		peer_read_fields(e, c);
	if (n > 0 && c->in.len == 0 && needs_memory_of_ours(e)) {
		if (unread_stash(e, c) < 0)
			return -503;
		return read_head(e, c);
	}
	if (n == 0 && unread_stash(e, c) < 0)
		return -503;
	if (n == 0)
		connection_await_head(e, c);
	return n;
}

/* The path as the application is to see it.  "*" is the whole server, and so the
 * application too.  0, or -STATUS with a sentence. */
static int
find_path(struct engine *e, struct str *ret, const char **why)
{
	switch (e->request.form) {
	case REQUEST_AUTHORITY:
		*why = "CONNECT is for proxies";
		return -501;
	case REQUEST_ASTERISK:
		*ret = STR("");
		return 0;
	default:
		return path_find(
			e->request.path, &e->path_rules, &e->path, ret, why);
	}
}

/* Take the request's bytes out of the connection's input, so that they stay
 * where they are however much more arrives.  The verdict, or -STATUS. */
static int
take_request(struct exchange *ex, size_t head_len, int verdict)
{
	struct engine *e = ex->engine;
	size_t len = head_len;

	if (verdict == BODY_WHOLE && !e->request.chunked)
		len += ex->body.collected.len;
	if (unread_take(e, ex->connection, len, &ex->taken) < 0)
		return -503;
	return verdict;
}

static const char *
complaint(const struct engine *e, int status)
{
	if (status == 413)
		return "the body is over LimitRequestBody";
	if (status == 503)
		return "no memory";
	if (status == 400 && request_complaint(&e->request)[0] == '\0')
		return "the framing of the body is broken";
	return request_complaint(&e->request);
}

/* --- the end --------------------------------------------------------------------------- */

/* All is out: nobody needs it any more, and we have the GIL. */
static void
drop_held(struct engine *e, struct connection *c)
{
	app_drop(e->set.app, c->held);
	c->held = NULL;
}

/* With the answers to others; at once where no watcher would see to it that it does
 * not wait for a long request. */
static void
start_sending(struct engine *e, struct connection *c)
{
	send_start(e, c);
	if (UNLIKELY(watcher_failed(e->set.watcher)))
		io_start(e->io);
}

/* Send what the application left to be sent, and let the ring finish it. */
static void
finish(struct exchange *ex)
{
	struct app_exchange *x = &ex->app;
	struct engine *e = ex->engine;
	struct connection *c = ex->connection;

	report_head(&ex->report, e, (struct str){c->out.data, c->out.len});
	c->keep = body_finish(&ex->body, e, c) && e->response.keep_alive;
	c->client_closes = ex->body.ended && !e->request.keep_alive;
	if (!c->file.exists && !c->pushed)
		exchange_add_end(ex);
	c->pushed = false;
	if (c->part == c->n_parts)
		drop_held(e, c);
	report_end(&ex->report, e, c, x);
	send_learn(e, c);
	unread_give_back(e, &ex->taken);
	c->to_close = e->response.framing == RESPONSE_TO_CLOSE;
	if (x->broken) {
		c->keep = false;
		c->broken_off = c->to_close;
	}
	connection_await_sent(e, c);
	if (c->error != 0)
		connection_close(e, c);
	else if (c->file.exists)
		sendfile_go_on(e, c);
	else if (c->part < c->n_parts)
		start_sending(e, c);
	else
		connection_answered(e, c);
}

void
request_serve(struct engine *e, struct connection *c)
{
	struct exchange ex = {.engine = e, .connection = c};
	const char *why;
	struct str path;
	ssize_t head_len;
	int body, rc;

	if (UNLIKELY(c->told.awaits != 0) && !hear_of_client(e, c))
		return;
	head_len = read_head(e, c);
	if (head_len == 0)
		return;
	if (head_len < 0) {
		refuse(e, c, (int)-head_len, complaint(e, (int)-head_len));
		return;
	}
	rc = find_path(e, &path, &why);
	if (rc < 0) {
		refuse(e, c, -rc, why);
		return;
	}
	body = body_begin(&ex.body, e, c, &e->request, (size_t)head_len);
	if (body == BODY_AWAITED)
		return;
	if (body >= 0)
		body = take_request(&ex, (size_t)head_len, body);
	if (body < 0) {
		refuse(e, c, -body, complaint(e, -body));
		return;
	}

	begin(e, c);
	report_begin(&ex.report, e, c);
	ex.app = (struct app_exchange){
		.request = &e->request,
		.path = path,
		.unique_id = e->id,
		.peer = &c->peer,
		.forwarded = &e->forwarded,
		.client = &exchange_client,
		.response = &e->response,
		.body = ex.body.collected,
		.collected = body == BODY_WHOLE,
	};
	e->running = c;
	e->running_since_ns = e->now_ns;
	watcher_start(e->set.watcher);
	watch_begin(e->set.watch, e->now_ns);
	app_call(e->set.app, &ex.app);
	watch_end(e->set.watch);
	/* The application has forked, and the copy has come out of it here:
	 * it has no client and no ring. */
	if (UNLIKELY(*e->set.forked))
		forking_leave_copy(app_copy_status(e->set.app));
	e->running = NULL;
	if (UNLIKELY(ex.app.hidden != 0))
		unbelieved_tell(e->set.unbelieved, c, ex.app.hidden);
	finish(&ex);
	connection_settle(e, c);
}
