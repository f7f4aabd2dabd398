/*
 * report.c - what the world is told of a request.  See report.h.
 *
 * On the hot path: some twenty stores, four copies of text that status shows, and
 * one look at the clock for each request, at its end, which is the next one's
 * beginning.
 */
#include "child/report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/log.h"
#include "child/access_log.h"
#include "child/connection.h"
#include "child/crew.h"
#include "child/deprived.h"
#include "child/engine.h"
#include "child/send.h"
#include "child/share.h"
#include "child/tracebacks.h"
#include "child/watcher.h"
#include "io/io.h"
#include "net/channel.h"
#include "scoreboard/times.h"

/* A response of which no more is left: the kernel takes it, as a rule. */
enum { TOLD_AT_ONCE = 16 * 1024 };

static const struct str protocols[] = {STR("HTTP/1.0"), STR("HTTP/1.1")};

/* Bytes that the parser has checked, so they need no cleaning; none may be at
 * no address. */
static void
put(char *to, size_t size, struct str s)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	if (n > 0)
		memcpy(to, s.p, n);
	to[n] = '\0';
}

/* A URI that was refused may have a password in it: what stands before the
 * last "@" is cut, but for the scheme. */
static void
put_target(char *to, size_t size, struct str path)
{
	const char *at, *slashes;
	size_t scheme = 0;

	put(to, size, path);
	if (LIKELY(path.len == 0 || path.p[0] == '/'))
		return;
	at = memrchr(path.p, '@', path.len);
	if (at == NULL)
		return;
	slashes = memmem(path.p, path.len, "//", 2);
	if (slashes != NULL && slashes < at)
		scheme = (size_t)(slashes + 2 - path.p);
	if (scheme >= size)
		return;
	path.len -= (size_t)(at + 1 - path.p);
	path.p = at + 1;
	put(to + scheme, size - scheme, path);
}

static struct wsgid_worker *
worker_of(struct engine *e)
{
	return &e->set.page->workers[e->set.worker];
}

unsigned
report_unfinished(const struct engine *e)
{
	const struct wsgid_page_map *p = e->set.page;
	unsigned n = __atomic_load_n(&p->page->writing, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < p->n_workers; i++)
		n += scoreboard_in_request(__atomic_load_n(
			&p->workers[i].state, __ATOMIC_RELAXED));
	return n;
}

void
report_cut(const struct engine *e, unsigned n)
{
	char text[16];

	if (n == 0)
		return;
	log_warnx("child", "%u %s cut off: not finished in time", n,
		n == 1 ? "request was" : "requests were");
	snprintf(text, sizeof(text), "%u", n);
	if (!deprived_of_master(e))
		(void)channel_send(
			e->set.channel, CHANNEL_CUT, 0, text, NULL, 0);
}

static uint32_t
idle_state(const struct engine *e)
{
	return e->retiring ? WSGID_WORKER_IDLE_KILL : WSGID_WORKER_READY;
}

void
report_state(struct engine *e, enum wsgid_worker_state state)
{
	worker_of(e)->state = (uint32_t)state;
}

void
report_kept_out(struct engine *e, bool on)
{
	uint32_t *state = &worker_of(e)->state;

	if (on)
		*state = WSGID_WORKER_READ;
	else if (UNLIKELY(*state == WSGID_WORKER_READ))
		*state = idle_state(e);
}

void
report_begin(struct report *r, struct engine *e, struct connection *c)
{
	struct wsgid_worker *w = worker_of(e);

	*r = (struct report){
		.begin_ns = e->now_ns,
		.begin_us = e->real_us,
		.since_ns = c->since_ns,
		.bytes_out = c->bytes_out,
	};
	c->since_ns = 0;
	e->id = unique_id_next(&e->ids, (uint32_t)(e->real_us / 1000000));
	w->begin_us = e->real_us;
	/* Somebody has set the clock back: who begins is not at the end. */
	if (UNLIKELY(w->end_us > w->begin_us))
		w->end_us = 0;
	put(w->client, sizeof(w->client), e->client);
	put(w->method, sizeof(w->method), e->request.method);
	put_target(w->target, sizeof(w->target), e->request.path);
	put(w->query, sizeof(w->query), e->request.query);
	w->state = WSGID_WORKER_WRITE;
}

void
report_head(struct report *r, struct engine *e, struct str out)
{
	if (r->head_len > 0 || out.len == 0)
		return;
	r->head_len = e->response.head_len;
	if (!access_log_wants_headers(e->set.access_log))
		return;
	buf_clear(&e->head);
	(void)buf_add(
		&e->head, out.p, r->head_len < out.len ? r->head_len : out.len);
}

static void
say_overdue(const struct engine *e, const char *where)
{
	const struct request *r = &e->request;

	log_errorx("child",
		"\"%.*s\" from %s takes longer than RequestTimeout; it %s, and "
		"its child will be replaced:",
		(int)r->line.len, r->line.p,
		e->running->remote_addr[0] != '\0' ? e->running->remote_addr
						   : "a unix: client",
		where);
}

static bool
is_overdue(const struct engine *e)
{
	int64_t limit_ns = e->config->request_timeout * 1000000;

	return UNLIKELY(limit_ns > 0) && e->running != NULL &&
	       clock_monotonic_ns() - e->running_since_ns >= limit_ns;
}

/* True when it has not been said yet. */
static bool
ask_to_retire(struct engine *e)
{
	bool first = e->overdue_since_ns != e->running_since_ns;

	e->overdue_since_ns = e->running_since_ns;
	(void)engine_ask_to_retire(
		e, CHANNEL_WANTS_RETIRE, "a request is over RequestTimeout");
	return first;
}

void
report_overdue(struct engine *e, pid_t worker)
{
	if (LIKELY(!is_overdue(e)) || !ask_to_retire(e))
		return;
	say_overdue(e, "is here");
	if (worker == gettid())
		tracebacks_write(e->set.app);
	else
		tracebacks_ask(worker);
}

void
report_overdue_here(struct engine *e, const struct app_exchange *x)
{
	char where[512];

	if (x->pieces == NULL) {
		report_overdue(e, gettid());
		return;
	}
	if (LIKELY(!is_overdue(e)) ||
		e->described_since_ns == e->running_since_ns)
		return;
	e->described_since_ns = e->running_since_ns;
	if (ask_to_retire(e))
		say_overdue(e, "has just yielded one more piece of its body");
	else /* the watcher has, and may have met it in no line of Python */
		log_errorx("child", "it has yielded one more piece since:");
	app_describe_pieces(e->set.app, x, where, sizeof(where));
	log_errorx("child", "  %s", where);
}

/* --- the access log ------------------------------------------------------------ */

static struct str
request_header(const void *subject, struct str name, size_t *from)
{
	return request_field(subject, name, from);
}

/* Out of the head as it was sent. */
static struct str
response_header(const void *subject, struct str name, size_t *from)
{
	const struct buf *head = subject;

	while (*from < head->len) {
		const char *p = head->data + *from, *colon;
		const char *eol = memchr(p, '\r', head->len - *from);

		if (eol == NULL)
			break;
		*from += (size_t)(eol - p) + 2;
		colon = memchr(p, ':', (size_t)(eol - p));
		if (colon != NULL &&
			str_equal_nocase(
				(struct str){p, (size_t)(colon - p)}, name))
			return str_trim((struct str){
				colon + 1, (size_t)(eol - colon - 1)});
	}
	return (struct str){0};
}

static struct record
describe(const struct report *r, struct engine *e, const struct connection *c,
	int status, bool aborted, uint64_t bytes_out)
{
	const struct request *q = &e->request;

	return (struct record){
		.client = e->client,
		.peer = c->peer.remote_addr,
		.local = c->peer.server_addr,
		.local_port = c->local_port,
		.remote_port = e->client_port,
		.line = q->line,
		.method = q->method,
		.path = q->path,
		.query = q->query,
		.protocol = protocols[q->minor != 0],
		.host = q->host,
		.request_id = e->id,
		.status = status,
		.body_bytes = e->response.sent,
		.bytes_in = c->bytes_in - c->reported_in,
		.bytes_out = bytes_out,
		.begin_us = r->begin_us,
		.duration_us = (e->now_ns - r->begin_ns) / 1000,
		.keep_alives = c->requests > 0 ? c->requests - 1 : 0,
		.pid = getpid(),
		.thread = gettid(),
		.aborted = aborted,
		.kept_alive = c->keep,
		.request_header = request_header,
		.request = q,
		.response_header = response_header,
		.response = &e->head,
	};
}

/* Workers of one child count in the same page. */
static void
add(const struct engine *e, uint64_t *count, uint64_t n)
{
	if (LIKELY(e->set.crew == NULL))
		*count += n;
	else
		__atomic_fetch_add(count, n, __ATOMIC_RELAXED);
}

static void
raise_to(const struct engine *e, uint64_t *most, uint64_t n)
{
	uint64_t before = __atomic_load_n(most, __ATOMIC_RELAXED);

	if (e->set.crew == NULL)
		*most = n;
	else
		while (before < n &&
			!__atomic_compare_exchange_n(most, &before, n, true,
				__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
}

static void
count_time(const struct engine *e, struct wsgid_times *t, uint64_t us)
{
	add(e, &t->counts[times_bucket(us)], 1);
	add(e, &t->sum_us, us);
	if (UNLIKELY(us > __atomic_load_n(&t->max_us, __ATOMIC_RELAXED)))
		raise_to(e, &t->max_us, us);
}

static void
count_durations(const struct report *r, const struct engine *e)
{
	struct wsgid_durations *d = &e->set.page->page->durations;
	uint64_t wait = (uint64_t)(r->begin_ns - r->since_ns) / 1000;
	uint64_t all = (uint64_t)(e->now_ns - r->since_ns) / 1000;

	count_time(e, &d->wait, wait);
	count_time(e, &d->application, all - wait);
	count_time(e, &d->total, all);
}

static void
note_duration(struct engine *e, int64_t ns)
{
	/* However long a few take, it says nothing of the others. */
	if (ns > e->usual_ns)
		e->usual_ns += e->usual_ns / 4 + 1000;
	else
		e->usual_ns -= e->usual_ns / 8;
	/* Who is behind one of them must not wait for the watcher that long while
	 * somebody is idle. */
	if (UNLIKELY(e->usual_ns > ENGINE_LONG_NS || share_sees_long_ones(e)) &&
		share_has_idle(e))
		watcher_hurry(e->set.watcher, e->now_ns);
	if (LIKELY(e->set.crew == NULL))
		e->lately_ns += (ns - e->lately_ns) / 8;
	else
		crew_note_duration(e->set.crew, ns, ns > ENGINE_LONG_NS);
}

/* --- the end --------------------------------------------------------------------- */

/* What is left is so much that it is seen whether the client takes it. */
static bool
is_told_later(const struct connection *c, uint64_t left, bool aborted)
{
	return left > TOLD_AT_ONCE && !aborted && c->error == 0;
}

static void
tell_log(struct engine *e, const struct record *record, struct buf *held)
{
	struct access_log *log = e->set.access_log;

	if (log == NULL)
		return;
	if (held == NULL || access_log_begin(log, record, held) < 0)
		access_log_write(log, record);
}

static void
tell_later(
	const struct report *r, struct connection *c, int status, uint64_t left)
{
	c->untold = (struct report_untold){
		.exists = true,
		.status = status,
		.begin_ns = r->begin_ns,
		.begin_us = r->begin_us,
		.bytes_in = c->bytes_in - c->reported_in,
		.before = r->bytes_out,
		.told = c->bytes_out,
		.whole = c->bytes_out + left,
	};
}

static void
end(struct report *r, struct engine *e, struct connection *c, int status,
	bool aborted)
{
	struct wsgid_page *page = e->set.page->page;
	struct wsgid_worker *w = worker_of(e);
	uint64_t out = c->bytes_out - r->bytes_out;
	uint64_t left = send_left(c) + sendfile_left(c);
	bool later = is_told_later(c, left, aborted);
	struct record record;

	if (UNLIKELY(later))
		tell_later(r, c, status, left);
	else
		out += left;
	engine_read_clock(e);
	add(e, &page->requests, 1);
	if (UNLIKELY(e->set.most_requests > 0 &&
		     __atomic_load_n(&page->requests, __ATOMIC_RELAXED) >=
			     e->set.most_requests))
		engine_ask_to_retire(
			e, CHANNEL_WANTS_RETIRE, "MaxRequests is reached");
	add(e, &page->bytes_in, c->bytes_in - c->reported_in);
	add(e, &page->bytes_out, out);
	add(e, &page->busy_us, (uint64_t)(e->now_ns - r->begin_ns) / 1000);
	if (UNLIKELY(aborted))
		add(e, &page->aborted, 1);
	w->requests++;
	w->bytes_out += out;
	w->end_us = r->begin_us + (e->now_ns - r->begin_ns) / 1000;
	w->state = idle_state(e);
	if (e->set.access_log != NULL) {
		record = describe(r, e, c, status, aborted, out);
		tell_log(e, &record, later ? &c->untold.lines : NULL);
	}
	c->reported_in = c->bytes_in;
	note_duration(e, e->now_ns - r->begin_ns);
}

void
report_end(struct report *r, struct engine *e, struct connection *c,
	const struct app_exchange *x)
{
	end(r, e, c, x->status, x->broken);
	count_durations(r, e);
}

static const char *
why_unsent(const struct connection *c)
{
	if (c->error != 0)
		return strerror(-c->error);
	return c->state == CONNECTION_CLOSING
		       ? "the client has taken none of it for Timeout"
		       : "this child ends";
}

static void
say_unsent(const struct connection *c)
{
	log_info("child", "%s: %llu bytes of a response were not sent: %s",
		c->remote_addr[0] != '\0' ? c->remote_addr : "unix",
		(unsigned long long)(c->untold.whole - c->bytes_out),
		why_unsent(c));
}

void
report_out(struct engine *e, struct connection *c, int64_t now_ns)
{
	struct wsgid_page *page = e->set.page->page;
	struct report_untold *u = &c->untold;
	struct record record;

	if (LIKELY(!u->exists))
		return;
	record = (struct record){
		.status = u->status,
		.bytes_in = u->bytes_in,
		.bytes_out = c->bytes_out - u->before,
		.begin_us = u->begin_us,
		.duration_us = (now_ns - u->begin_ns) / 1000,
		.aborted = c->bytes_out < u->whole,
		.kept_alive = c->keep,
	};
	add(e, &page->bytes_out, c->bytes_out - u->told);
	worker_of(e)->bytes_out += c->bytes_out - u->told;
	if (record.aborted) {
		add(e, &page->aborted, 1);
		say_unsent(c);
	}
	if (u->lines.len > 0)
		access_log_finish(e->set.access_log, &u->lines, &record);
	buf_fini(&u->lines);
	u->exists = false;
}

static void
out_all(struct engine *e, const struct connection_list *list)
{
	for (struct connection *c = list->first; c != NULL; c = c->next)
		report_out(e, c, e->now_ns);
}

void
report_out_all(struct engine *e)
{
	out_all(e, &e->sending);
	out_all(e, &e->ending);
}

void
report_end_refused(
	struct report *r, struct engine *e, struct connection *c, int status)
{
	add(e, &e->set.page->page->refused, 1);
	end(r, e, c, status, false);
}

void
report_flush(struct engine *e)
{
	struct wsgid_worker *w = worker_of(e);
	uint32_t before = w->state;

	if (access_log_is_empty(e->set.access_log))
		return;
	io_start(e->io);
	w->state = WSGID_WORKER_LOG;
	access_log_flush(e->set.access_log);
	w->state = before;
}
