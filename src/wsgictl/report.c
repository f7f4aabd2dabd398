/*
 * report.c - a server's state for people.  See report.h.
 */
#include "wsgictl/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/defs.h"
#include "scoreboard/times.h"
#include "wsgictl/instance.h"
#include "wsgictl/snapshot.h"
#include "wsgictl/words.h"

enum { LETTERS_A_LINE = 64 };

#define LABEL "  %-12s "

const char *
report_state(const struct report *r)
{
	switch (r->instance->state) {
	case INSTANCE_RUNNING:
		if (r->instance->stopped)
			return "stopped by a signal";
		if (r->busy)
			return "busy";
		return report_is_stopping(r) ? "stopping" : "running";
	case INSTANCE_DEAD:
		return "dead";
	case INSTANCE_UNKNOWN:
		return "unknown";
	case INSTANCE_ABSENT:
		break;
	}
	return "stopped";
}

bool
report_is_ready(const struct report *r)
{
	const struct snapshot *s = r->snapshot;

	return r->instance->state == INSTANCE_RUNNING && s != NULL &&
	       s->idle + s->busy + s->unknown > s->deadlocked;
}

bool
report_is_stopping(const struct report *r)
{
	return r->instance->state == INSTANCE_RUNNING && r->snapshot != NULL &&
	       r->snapshot->board.stopping_us > 0;
}

static void
add_head(struct buf *to, const struct report *r)
{
	const struct instance *i = r->instance;
	const struct snapshot *s = r->snapshot;

	buf_printf(to, "%s [%s] ",
		s != NULL && s->board.version[0] != '\0' ? s->board.version
							 : "wsgid",
		i->name);
	switch (i->state) {
	case INSTANCE_RUNNING:
		buf_printf(to, "is %s, pid %d",
			report_is_stopping(r) ? "stopping" : "running",
			(int)i->pid);
		if (s != NULL) {
			buf_add_text(to, ", up ");
			words_duration(to, s->now_us - s->board.start_us);
		}
		break;
	case INSTANCE_DEAD:
		buf_add_text(to, "is dead: ");
		if (i->has_pid_file)
			buf_printf(to, "its pid file %s was left behind",
				i->pid_file);
		else
			buf_printf(to, "it has left files in %s", i->directory);
		break;
	case INSTANCE_UNKNOWN:
	case INSTANCE_ABSENT:
		buf_add_text(to, "may or may not run");
	}
	buf_add_char(to, '\n');
}

static void
add_unreadiness(struct buf *to, const struct report *r)
{
	const struct snapshot *s = r->snapshot;

	if (s->deadlocked > 0)
		buf_printf(to,
			"%s: something has kept the GIL of %s for longer than "
			"DeadlockTimeout\n",
			report_is_ready(r) ? "not all children serve"
					   : "no child serves",
			report_is_ready(r) ? "the others" : "each");
	else if (!report_is_ready(r))
		buf_printf(to, "no child serves%s\n",
			s->board.python[0] == '\0'
				? " yet: the first one is starting"
				: "");
	if (s->unseen > 0)
		buf_printf(to,
			"%u of the %u children serve unseen: their pages in "
			"the run directory cannot be read; is it full, or was "
			"it cleared?\n",
			s->unseen, s->children);
}

static void
add_warnings(struct buf *to, const struct report *r)
{
	const struct instance *i = r->instance;

	if (i->state == INSTANCE_RUNNING && i->stopped)
		buf_printf(to,
			"the master is stopped by a signal: children serve "
			"but none is replaced; kill -CONT %d lets it go on\n",
			(int)i->pid);
	else if (r->busy)
		buf_add_text(to, "the master is busy: it has not answered "
				 "within a second\n");
	if (report_is_stopping(r)) {
		buf_add_text(to, "it has been told to stop ");
		words_duration(to,
			r->snapshot->now_us - r->snapshot->board.stopping_us);
		buf_add_text(to, " ago: what runs is finished\n");
	} else if (i->state == INSTANCE_RUNNING && r->snapshot != NULL) {
		add_unreadiness(to, r);
	}
	if (i->state == INSTANCE_DEAD && r->snapshot != NULL)
		buf_add_text(to, "this is the last that it wrote:\n");
	if (r->snapshot == NULL && r->reason != NULL)
		buf_printf(to, "%s\n", r->reason);
}

static void
add_text(struct buf *to, const char *label, const char *text)
{
	if (text[0] != '\0')
		buf_printf(to, LABEL "%s\n", label, text);
}

/* Whose each is, where there are several listeners. */
static void
add_queues(struct buf *to, const struct queues *q, const char *listeners)
{
	for (size_t i = 0; i < q->n; i++) {
		const struct queue *one = &q->all[i];

		buf_printf(to, LABEL "%" PRIu64 " of %" PRIu64,
			i == 0 ? "listen queue" : "", one->waiting, one->limit);
		if (strchr(listeners, ' ') != NULL)
			buf_printf(to, " at %s", one->listener);
		buf_add_char(to, '\n');
	}
}

static void
add_application(struct buf *to, const struct wsgid_board *b)
{
	if (b->template_pid <= 0) {
		add_text(to, "application", b->application);
		return;
	}
	buf_printf(to, LABEL "%s, preloaded by pid %d\n", "application",
		b->application, (int)b->template_pid);
}

static void
add_engine(struct buf *to, const struct snapshot *s)
{
	const struct wsgid_board *b = &s->board;

	buf_printf(to, LABEL "%s, at most ", "MPM", b->mpm);
	words_count(to, b->max_request_workers, "worker", "workers");
	buf_add_char(to, '\n');
	if (s->io_engine[0] == '\0' && b->accept[0] == '\0')
		return;
	buf_printf(to, LABEL "%s%s%s\n", "accept", s->io_engine,
		s->io_engine[0] != '\0' && b->accept[0] != '\0' ? ", " : "",
		b->accept);
}

static void
add_reload(struct buf *to, const struct snapshot *s)
{
	const struct wsgid_board *b = &s->board;

	buf_printf(to, LABEL "%u", "generation", b->generation);
	if (b->reload_result == WSGID_RELOAD_NONE) {
		/* Whoever takes over counts on from the old master's. */
		buf_add_text(
			to, b->generation > 1
				    ? "; not reloaded since the last upgrade\n"
				    : ", never reloaded\n");
		return;
	}
	if (b->reload_result == WSGID_RELOAD_RUNNING) {
		buf_add_text(to, "; a reload is running since ");
		words_duration(to, s->now_us - b->reload_begin_us);
		buf_add_char(to, '\n');
		return;
	}
	buf_add_text(to, "; last reload ");
	words_time(to, b->reload_begin_us);
	if (b->reload_result == WSGID_RELOAD_DONE) {
		buf_add_text(to, ", done in ");
		words_duration(to, b->reload_end_us - b->reload_begin_us);
		buf_add_char(to, '\n');
		return;
	}
	/* That of an ungraceful restart has gone before. */
	buf_printf(to, " FAILED, the old generation %s:\n" LABEL "%s\n",
		b->restart_us > b->reload_begin_us ? "had ended" : "went on",
		"", b->reload_reason);
}

static void
add_letters(struct buf *to, const struct snapshot *s)
{
	size_t n = snapshot_shown_letters(s);

	for (size_t at = 0; at < n; at += LETTERS_A_LINE) {
		size_t len = n - at < LETTERS_A_LINE ? n - at : LETTERS_A_LINE;

		buf_printf(to, LABEL "%.*s\n", "", (int)len, s->letters + at);
	}
}

static void
add_workers(struct buf *to, const struct snapshot *s)
{
	buf_printf(to, LABEL "%u busy, %u idle", "workers", s->busy, s->idle);
	if (s->starting > 0)
		buf_printf(to, ", %u starting", s->starting);
	if (s->graceful > 0)
		buf_printf(to, ", %u finishing", s->graceful);
	if (s->unknown > 0)
		buf_printf(to, ", %u unknown", s->unknown);
	buf_add_char(to, '\n');
	add_letters(to, s);
	buf_printf(to, LABEL "%u open, %u of them kept alive and idle",
		"connections", s->connections, s->parked);
	if (s->writing > 0)
		buf_printf(to, ", %u taking their answers", s->writing);
	if (s->closing > 0)
		buf_printf(to, ", %u closing", s->closing);
	buf_add_char(to, '\n');
}

/* With a decimal while it is small. */
static void
add_rate(struct buf *to, double n, double seconds)
{
	double rate = seconds > 0 ? n / seconds : 0;

	buf_printf(to, rate < 9.95 ? "%.1f" : "%.0f", rate);
}

static void
add_totals(struct buf *to, const struct snapshot *s)
{
	double up = (double)(s->now_us - s->counted_us) / 1e6;

	buf_printf(to, LABEL, "requests");
	words_count(to, s->requests, "request on ", "requests on ");
	words_count(to, s->accepted, "connection, ", "connections, ");
	add_rate(to, (double)s->requests, up);
	buf_add_text(to, "/s since ");
	if (s->counted_us < s->board.start_us)
		words_time(to, s->counted_us);
	else
		buf_add_text(to, "the start");
	if (s->requests > 0) {
		buf_add_text(to, "; ");
		words_duration(to, (int64_t)(s->busy_us / s->requests));
		buf_add_text(to, " each");
	}
	buf_add_char(to, '\n');
	buf_printf(to, LABEL, "traffic");
	words_size(to, (double)s->bytes_in);
	buf_add_text(to, " in, ");
	words_size(to, (double)s->bytes_out);
	buf_add_text(to, " out, ");
	words_size(to, up > 0 ? (double)s->bytes_out / up : 0);
	buf_add_text(to, "/s\n");
}

/* The decimals that matter for a request. */
static void
add_time(struct buf *to, const char *label, uint64_t us)
{
	struct buf text = {0};

	if (us < 1000)
		buf_printf(&text, "%llu us", (unsigned long long)us);
	else if (us < 10000)
		buf_printf(&text, "%.1f ms", (double)us / 1e3);
	else
		words_duration(
			&text, (int64_t)(us < INT64_MAX ? us : INT64_MAX));
	buf_printf(to, " %s %-8s", label, buf_text(&text));
	buf_fini(&text);
}

static void
add_times(struct buf *to, const char *label, const char *what,
	const struct wsgid_times *t)
{
	static const struct {
		const char *label;
		double share;
	} shares[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}};
	size_t len;

	buf_printf(to, LABEL "%-12s", label, what);
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		add_time(to, shares[i].label, times_share(t, shares[i].share));
	add_time(to, "max", t->max_us);
	for (len = to->len; len > 0 && to->data[len - 1] == ' '; len--)
		continue;
	to->len = len;
	buf_add_char(to, '\n');
}

static void
add_durations(struct buf *to, const struct snapshot *s)
{
	const struct wsgid_durations *d = &s->durations;

	if (times_count(&d->total) == 0)
		return;
	add_times(to, "durations", "wait", &d->wait);
	add_times(to, "", "application", &d->application);
	add_times(to, "", "total", &d->total);
}

static void
add_children(struct buf *to, const struct snapshot *s)
{
	const struct wsgid_board *b = &s->board;

	buf_printf(to, LABEL "%u now, %llu started, %llu crashed", "children",
		s->children, (unsigned long long)b->children_started,
		(unsigned long long)b->children_crashed);
	if (b->throttled)
		buf_add_text(to, "; they fail one after the other, so starts "
				 "are delayed: see the error log");
	buf_add_char(to, '\n');
}

void
report_status(struct buf *to, const struct report *r)
{
	const struct snapshot *s = r->snapshot;

	add_head(to, r);
	add_warnings(to, r);
	if (s == NULL)
		return;
	add_application(to, &s->board);
	add_text(to, "listeners", s->board.listeners);
	add_queues(to, &r->queues, s->board.listeners);
	add_text(to, "Python", s->board.python);
	buf_printf(to, LABEL, "started");
	words_time(to, s->board.start_us);
	if (s->board.restart_us > s->board.start_us) {
		buf_add_text(to, ", restarted ");
		words_time(to, s->board.restart_us);
	}
	buf_add_char(to, '\n');
	add_engine(to, s);
	add_reload(to, s);
	add_workers(to, s);
	add_totals(to, s);
	add_durations(to, s);
	add_children(to, s);
}

void
report_reload_log(struct buf *to, const struct report *r)
{
	const char *line;
	size_t len;

	if (r->snapshot == NULL ||
		r->snapshot->board.reload_result != WSGID_RELOAD_FAILED)
		return;
	line = r->snapshot->board.reload_log;
	if (*line != '\0')
		buf_add_text(to, "\nWhat was said when the reload failed:\n");
	for (; *line != '\0'; line += len) {
		len = strcspn(line, "\n");
		buf_printf(to, "  %.*s\n", (int)len, line);
		len += line[len] == '\n';
	}
}

/* --- a row a worker ---------------------------------------------------------- */

static void
add_milliseconds(struct buf *to, int width, int64_t us)
{
	buf_printf(to, " %*lld", width, (long long)(us < 0 ? 0 : us / 1000));
}

static void
add_memory(struct buf *to, int64_t rss)
{
	struct buf text = {0};

	if (rss >= 0)
		words_size(&text, (double)rss);
	else
		buf_add_text(&text, "-");
	buf_printf(to, " %8s", buf_text(&text));
	buf_fini(&text);
}

static void
add_request(struct buf *to, const struct wsgid_worker *w, bool query)
{
	query = query && w->query[0] != '\0';
	buf_printf(to, " %-15s %s%s%s%s%s\n",
		w->client[0] != '\0' ? w->client : "-", w->method,
		w->method[0] != '\0' ? " " : "", w->target, query ? "?" : "",
		query ? w->query : "");
}

static void
add_size(struct buf *to, uint64_t bytes)
{
	struct buf text = {0};

	words_size(&text, (double)bytes);
	buf_printf(to, " %8s", buf_text(&text));
	buf_fini(&text);
}

/* By the child's own word, which may be any number. */
static int64_t
microseconds_between(int64_t begin_us, int64_t end_us)
{
	int64_t us;

	return __builtin_sub_overflow(end_us, begin_us, &us) ? 0 : us;
}

/* Since something has happened, in seconds. */
static long long
quiet_for(const struct snapshot *s, int64_t last_us)
{
	return last_us > 0 && s->now_us > last_us
		       ? (long long)((s->now_us - last_us) / 1000000)
		       : 0;
}

static void
add_row(struct buf *to, const struct snapshot *s,
	const struct snapshot_worker *w, bool query)
{
	const struct wsgid_worker *r = &w->record;
	bool within = r->begin_us > r->end_us;
	struct buf srv = {0}, acc = {0}, cpu = {0};

	buf_printf(&srv, "%u-%u", w->slot, w->generation);
	if (s->board.worker_count > 1)
		buf_printf(&srv, ".%u", w->worker);
	buf_printf(&acc, "%llu/%llu", (unsigned long long)r->requests,
		(unsigned long long)w->slot_requests);
	if (w->cpu_us >= 0)
		buf_printf(&cpu, "%.2f", (double)w->cpu_us / 1e6);
	else
		buf_add_text(&cpu, "-");
	buf_printf(to, "%-8s %7d %-8s %c %11s %8s", buf_text(&srv), (int)w->pid,
		snapshot_lifecycle_name(w->lifecycle), snapshot_row_letter(w),
		buf_text(&acc), buf_text(&cpu));
	add_memory(to, w->rss);
	buf_printf(
		to, " %6lld", quiet_for(s, within ? r->begin_us : r->end_us));
	add_milliseconds(to, 7,
		microseconds_between(
			r->begin_us, within ? s->now_us : r->end_us));
	add_milliseconds(to, 9, (int64_t)w->slot_busy_us);
	add_size(to, r->bytes_out);
	add_size(to, w->slot_bytes_out);
	add_request(to, r, query);
	buf_fini(&srv);
	buf_fini(&acc);
	buf_fini(&cpu);
}

void
report_workers(struct buf *to, const struct report *r)
{
	const struct snapshot *s = r->snapshot;

	if (s == NULL)
		return;
	buf_printf(to,
		"\n%-8s %7s %-8s %s %11s %8s %8s %6s %7s %9s %8s %8s %-15s "
		"%s\n",
		"Srv", "PID", "Life", "M", "Acc", "CPU", "Memory", "SS", "Req",
		"Dur", "Child", "Slot", "Client", "Request");
	for (size_t i = 0; i < s->n_workers; i++)
		add_row(to, s, &s->workers[i], r->query);
	buf_add_text(to,
		"\nSrv: slot-generation, .thread; M: _ idle, S starting, "
		"R reading, W working,\nL logging, K idle with connections "
		"kept alive, C idle with some that close,\nI idle and about "
		"to go, G finishing, ? not known; Acc: requests of the\n"
		"worker/in the slot; CPU: seconds; SS: seconds since the last "
		"request began or\nended; Req: its milliseconds; Dur: those "
		"of all in the slot; Child, Slot: sent by\nthe worker, in "
		"the slot\n");
}
