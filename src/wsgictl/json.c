/*
 * json.c - a server's state for programs.  See report.h.
 *
 * The keys are the scoreboard's names and never change their meaning; new
 * ones may be added.  The schema is in the manual page.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/printable.h"
#include "scoreboard/times.h"
#include "wsgictl/document.h"
#include "wsgictl/instance.h"
#include "wsgictl/report.h"
#include "wsgictl/snapshot.h"

/* A path need not be UTF-8. */
static json_t *
cleaned(const char *text)
{
	AUTO_FREE char *copy = strdup(text);

	if (copy == NULL)
		return json_null();
	return json_stringn(copy, printable_clean(copy, strlen(copy), ""));
}

static void
set_text(json_t *object, const char *key, const char *text)
{
	json_t *value = text != NULL ? json_string(text) : json_null();

	if (value == NULL)
		value = cleaned(text);
	(void)json_object_set_new(object, key, value);
}

static void
set_number(json_t *object, const char *key, uint64_t number)
{
	(void)json_object_set_new(
		object, key, json_integer((json_int_t)number));
}

/* Of a time that is not: null. */
static void
set_time(json_t *object, const char *key, int64_t us)
{
	(void)json_object_set_new(
		object, key, us > 0 ? json_integer(us) : json_null());
}

/* What is not known is null. */
static void
set_known(json_t *object, const char *key, int64_t number)
{
	(void)json_object_set_new(
		object, key, number >= 0 ? json_integer(number) : json_null());
}

static json_t *
reload_object(const struct wsgid_board *b)
{
	json_t *o = json_object();

	set_text(o, "result", snapshot_reload_name(b->reload_result));
	set_time(o, "begin_us", b->reload_begin_us);
	set_time(o, "end_us", b->reload_end_us);
	set_text(o, "reason",
		b->reload_reason[0] != '\0' ? b->reload_reason : NULL);
	set_text(o, "log", b->reload_log[0] != '\0' ? b->reload_log : NULL);
	return o;
}

static json_t *
server_object(const struct snapshot *s)
{
	const struct wsgid_board *b = &s->board;
	json_t *o = json_object();

	set_text(o, "version", b->version);
	set_text(o, "mpm", b->mpm);
	set_text(o, "accept", b->accept);
	set_text(o, "io_engine", s->io_engine);
	set_text(o, "python", b->python);
	set_text(o, "application", b->application);
	set_text(o, "listeners", b->listeners);
	set_number(o, "max_request_workers", b->max_request_workers);
	set_number(o, "generation", b->generation);
	set_time(o, "start_us", b->start_us);
	set_time(o, "restart_us", b->restart_us);
	set_time(o, "updated_us", b->updated_us);
	(void)json_object_set_new(o, "reload", reload_object(b));
	return o;
}

static json_t *
counts_object(const struct snapshot *s)
{
	json_t *o = json_object();

	set_number(o, "busy", s->busy);
	set_number(o, "idle", s->idle);
	set_number(o, "starting", s->starting);
	set_number(o, "graceful", s->graceful);
	set_number(o, "unknown", s->unknown);
	return o;
}

static json_t *
children_object(const struct snapshot *s)
{
	json_t *o = json_object();

	set_number(o, "now", s->children);
	set_number(o, "started", s->board.children_started);
	set_number(o, "crashed", s->board.children_crashed);
	(void)json_object_set_new(
		o, "throttled", json_boolean(s->board.throttled));
	set_known(o, "template_pid",
		s->board.template_pid > 0 ? s->board.template_pid : -1);
	return o;
}

static json_t *
connections_object(const struct snapshot *s)
{
	json_t *o = json_object();

	set_number(o, "open", s->connections);
	set_number(o, "parked", s->parked);
	set_number(o, "writing", s->writing);
	set_number(o, "closing", s->closing);
	return o;
}

/* Null where the master has not answered. */
static json_t *
queues_array(const struct queues *q)
{
	json_t *array = q->known ? json_array() : json_null();

	for (size_t i = 0; i < q->n; i++) {
		json_t *o = json_object();

		set_text(o, "listener", q->all[i].listener);
		set_number(o, "waiting", q->all[i].waiting);
		set_number(o, "limit", q->all[i].limit);
		(void)json_array_append_new(array, o);
	}
	return array;
}

static json_t *
totals_object(const struct snapshot *s)
{
	json_t *o = json_object();
	double up = (double)(s->now_us - s->counted_us) / 1e6;

	set_time(o, "since_us", s->counted_us);
	set_number(o, "requests", s->requests);
	set_number(o, "connections", s->accepted);
	set_number(o, "bytes_in", s->bytes_in);
	set_number(o, "bytes_out", s->bytes_out);
	set_number(o, "busy_us", s->busy_us);
	set_number(o, "refused", s->refused);
	set_number(o, "aborted", s->aborted);
	(void)json_object_set_new(o, "requests_per_second",
		json_real(up > 0 ? (double)s->requests / up : 0));
	(void)json_object_set_new(o, "bytes_per_second",
		json_real(up > 0 ? (double)s->bytes_out / up : 0));
	return o;
}

static json_t *
times_object(const struct wsgid_times *t)
{
	json_t *o = json_object();

	set_number(o, "count", times_count(t));
	set_number(o, "sum_us", t->sum_us);
	set_number(o, "p50_us", times_share(t, .5));
	set_number(o, "p90_us", times_share(t, .9));
	set_number(o, "p99_us", times_share(t, .99));
	set_number(o, "max_us", t->max_us);
	return o;
}

static json_t *
durations_object(const struct wsgid_durations *d)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "wait", times_object(&d->wait));
	(void)json_object_set_new(
		o, "application", times_object(&d->application));
	(void)json_object_set_new(o, "total", times_object(&d->total));
	return o;
}

static json_t *
worker_object(const struct snapshot_worker *w, bool query)
{
	json_t *o = json_object();
	const char state[2] = {snapshot_row_letter(w), '\0'};

	set_number(o, "slot", w->slot);
	set_number(o, "worker", w->worker);
	set_number(o, "pid", (uint64_t)w->pid);
	set_number(o, "thread", w->record.thread);
	set_number(o, "generation", w->generation);
	set_text(o, "lifecycle", snapshot_lifecycle_name(w->lifecycle));
	set_text(o, "state", state);
	set_number(o, "requests", w->record.requests);
	set_number(o, "slot_requests", w->slot_requests);
	set_number(o, "slot_bytes_out", w->slot_bytes_out);
	set_number(o, "slot_busy_us", w->slot_busy_us);
	set_number(o, "bytes_out", w->record.bytes_out);
	set_time(o, "begin_us", w->record.begin_us);
	set_time(o, "end_us", w->record.end_us);
	set_known(o, "cpu_us", w->cpu_us);
	set_known(o, "rss_bytes", w->rss);
	set_text(o, "client", w->record.client);
	set_text(o, "method", w->record.method);
	set_text(o, "target", w->record.target);
	if (query)
		set_text(o, "query", w->record.query);
	return o;
}

static json_t *
workers_array(const struct snapshot *s, bool query)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->n_workers; i++)
		(void)json_array_append_new(
			array, worker_object(&s->workers[i], query));
	return array;
}

static void
add_snapshot(json_t *o, const struct report *r, bool with_workers)
{
	const struct snapshot *s = r->snapshot;
	size_t shown = snapshot_shown_letters(s);

	(void)json_object_set_new(o, "now_us", json_integer(s->now_us));
	(void)json_object_set_new(o, "server", server_object(s));
	(void)json_object_set_new(
		o, "scoreboard", json_stringn(s->letters, shown));
	(void)json_object_set_new(o, "workers", counts_object(s));
	(void)json_object_set_new(o, "children", children_object(s));
	(void)json_object_set_new(o, "connections", connections_object(s));
	(void)json_object_set_new(o, "listen_queues", queues_array(&r->queues));
	(void)json_object_set_new(o, "totals", totals_object(s));
	(void)json_object_set_new(
		o, "durations", durations_object(&s->durations));
	if (with_workers)
		(void)json_object_set_new(
			o, "rows", workers_array(s, r->query));
}

int
report_json(struct buf *to, const struct report *r, bool with_workers)
{
	const struct instance *i = r->instance;
	json_t *o = json_object();

	set_text(o, "name", i->name);
	set_text(o, "state", report_state(r));
	(void)json_object_set_new(
		o, "pid", i->pid > 0 ? json_integer(i->pid) : json_null());
	(void)json_object_set_new(o, "ready",
		i->state == INSTANCE_RUNNING && r->snapshot == NULL
			? json_null()
			: json_boolean(report_is_ready(r)));
	set_text(o, "directory", i->directory);
	set_text(o, "pid_file", i->has_pid_file ? i->pid_file : NULL);
	if (r->snapshot != NULL)
		add_snapshot(o, r, with_workers);
	else
		set_text(o, "reason", r->reason);
	return document_write(to, o);
}
