/*
 * snapshot.c - what a server does at one moment.  See snapshot.h.
 */
#include "wsgictl/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "scoreboard/scoreboard.h"
#include "scoreboard/times.h"
#include "scoreboard/totals.h"
#include "wsgictl/process.h"

const char *
snapshot_lifecycle_name(uint32_t lifecycle)
{
	static const char *const names[] = {
		[WSGID_PROCESS_VACANT] = "vacant",
		[WSGID_PROCESS_STARTING] = "starting",
		[WSGID_PROCESS_READY] = "ready",
		[WSGID_PROCESS_DRAINING] = "draining",
		[WSGID_PROCESS_STOPPING] = "stopping",
	};

	return lifecycle < ARRAY_LEN(names) ? names[lifecycle] : "unknown";
}

const char *
snapshot_reload_name(uint32_t result)
{
	static const char *const names[] = {
		[WSGID_RELOAD_NONE] = "none",
		[WSGID_RELOAD_RUNNING] = "running",
		[WSGID_RELOAD_DONE] = "done",
		[WSGID_RELOAD_FAILED] = "failed",
	};

	return result < ARRAY_LEN(names) ? names[result] : "unknown";
}

static void
count(struct snapshot *s, char letter)
{
	if (scoreboard_letter_idle(letter)) {
		s->idle++;
		return;
	}
	switch (letter) {
	case WSGID_WORKER_DEAD:
		break;
	case WSGID_WORKER_STARTING:
		s->starting++;
		break;
	case WSGID_WORKER_GRACEFUL:
	case WSGID_WORKER_IDLE_KILL:
		s->graceful++;
		break;
	case WSGID_WORKER_UNKNOWN:
		s->unknown++;
		break;
	default:
		s->busy++;
	}
}

/* Of a slot: its child, and those before it. */
static void
add_totals(struct snapshot *s, const struct wsgid_process *p)
{
	totals_add(&s->requests, p->past_requests);
	totals_add(&s->accepted, p->past_connections);
	totals_add(&s->bytes_in, p->past_bytes_in);
	totals_add(&s->bytes_out, p->past_bytes_out);
	totals_add(&s->busy_us, p->past_busy_us);
}

static void
add_page(struct snapshot *s, const struct wsgid_page *page)
{
	durations_add(&s->durations, &page->durations);
	s->connections += page->connections;
	s->parked += page->parked;
	s->writing += page->writing;
	s->closing += page->closing;
	s->refused += page->refused;
	s->aborted += page->aborted;
	if (s->io_engine[0] == '\0')
		memcpy(s->io_engine, page->io_engine, sizeof(s->io_engine));
}

/* How many of the worker records of its page the child uses. */
static unsigned
workers_of(const struct snapshot *s, const struct wsgid_process *p)
{
	return p->workers >= 1 && p->workers <= s->board.worker_count
		       ? p->workers
		       : s->board.worker_count;
}

/* One row for each worker of a child; page is NULL where it cannot be read. */
static void
add_workers(struct snapshot *s, struct scoreboard_view *view,
	const struct wsgid_process *p, const struct wsgid_page *page,
	const struct snapshot_worker *row)
{
	struct scoreboard_letters letters =
		scoreboard_letters(p->lifecycle, page);
	unsigned n = workers_of(s, p);

	for (unsigned i = 0; i < n && i < s->per_slot; i++) {
		struct snapshot_worker *w = &s->workers[s->n_workers];

		*w = *row;
		w->worker = i;
		(void)scoreboard_read_worker(view, row->slot, i, &w->record);
		w->letter = scoreboard_letter(&letters, w->record.state);
		count(s, w->letter);
		s->letters[(size_t)row->slot * s->per_slot + i] = w->letter;
		s->n_workers++;
	}
}

/* No clock but the children's own is looked at that anybody could set. */
static bool
is_deadlocked(const struct snapshot *s, const struct wsgid_process *p,
	const struct wsgid_page *page)
{
	int64_t age_us = clock_monotonic_ns() / 1000 - page->gil_monotonic_us;

	return p->lifecycle == WSGID_PROCESS_READY &&
	       s->board.deadlock_us > 0 && page->gil_monotonic_us > 0 &&
	       age_us > s->board.deadlock_us;
}

static int
grow(struct snapshot *s)
{
	size_t n = s->n_workers + s->per_slot;
	struct snapshot_worker *more;

	more = reallocarray(s->workers, n, sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	s->workers = more;
	return 0;
}

static int
add_slot(struct snapshot *s, struct scoreboard_view *view, unsigned slot,
	bool alive)
{
	struct snapshot_worker row = {.slot = slot, .cpu_us = -1, .rss = -1};
	struct process process;
	struct wsgid_process p;
	struct wsgid_page page;
	bool seen;

	scoreboard_read_process(view, slot, &p);
	seen = p.pid > 0 && scoreboard_read_page(view, slot, &page) == 0;
	if (seen)
		totals_add_page(&p, &page);
	add_totals(s, &p);
	if (p.pid <= 0)
		return 0;
	if (grow(s) < 0)
		return -ENOMEM;
	s->children++;
	row.slot_requests = p.past_requests;
	row.slot_bytes_out = p.past_bytes_out;
	row.slot_busy_us = p.past_busy_us;
	s->unseen += !seen && p.lifecycle == WSGID_PROCESS_READY;
	if (seen) {
		add_page(s, &page);
		if (alive && is_deadlocked(s, &p, &page))
			s->deadlocked += workers_of(s, &p);
	}
	row.pid = p.pid;
	row.generation = p.generation;
	row.lifecycle = p.lifecycle;
	if (alive && process_read(p.pid, &process) == 0) {
		row.cpu_us = process.cpu_us;
		row.rss = process.rss;
	}
	add_workers(s, view, &p, seen ? &page : NULL, &row);
	return 0;
}

/* ThreadLimit may be far above what children have: a string of dots alone
 * would show nothing. */
static unsigned
most_workers(const struct snapshot *s, struct scoreboard_view *view)
{
	unsigned most = 0;

	for (unsigned slot = 0; slot < s->board.process_count; slot++) {
		struct wsgid_process p;

		scoreboard_read_process(view, slot, &p);
		if (p.pid > 0 && workers_of(s, &p) > most)
			most = workers_of(s, &p);
	}
	return most > 0 ? most : 1;
}

static int
read_all(struct snapshot *s, struct scoreboard_view *view, bool alive,
	struct err *err)
{
	s->per_slot = most_workers(s, view);
	s->n_letters = (size_t)s->board.process_count * s->per_slot;
	s->letters = malloc(s->n_letters + 1);
	if (s->letters == NULL)
		return err_set(err, ENOMEM, "scoreboard");
	memset(s->letters, WSGID_WORKER_DEAD, s->n_letters);
	s->letters[s->n_letters] = '\0';
	for (unsigned slot = 0; slot < s->board.process_count; slot++)
		if (add_slot(s, view, slot, alive) < 0)
			return err_set(err, ENOMEM, "scoreboard");
	return 0;
}

int
snapshot_take(struct snapshot *ret, const char *path, bool alive,
	int64_t now_us, struct err *err)
{
	struct snapshot s = {.now_us = now_us};
	struct scoreboard_view *view;
	int rc = scoreboard_open(&view, path, err);

	if (rc < 0)
		return rc;
	scoreboard_read_board(view, &s.board);
	s.durations = s.board.past_durations;
	s.counted_us =
		s.board.counted_us != 0 ? s.board.counted_us : s.board.start_us;
	if (!alive)
		s.now_us = s.board.updated_us;
	rc = read_all(&s, view, alive, err);
	scoreboard_close(view);
	if (rc < 0)
		snapshot_fini(&s);
	else
		*ret = s;
	return rc;
}

void
snapshot_fini(struct snapshot *s)
{
	free(s->letters);
	free(s->workers);
	s->letters = NULL;
	s->workers = NULL;
}

char
snapshot_row_letter(const struct snapshot_worker *w)
{
	return w->letter == WSGID_WORKER_GRACEFUL ? (char)w->record.state
						  : w->letter;
}

size_t
snapshot_shown_letters(const struct snapshot *s)
{
	size_t n = s->board.max_request_workers;

	if (n > s->n_letters)
		n = s->n_letters;
	for (size_t i = n; i < s->n_letters; i++)
		if (s->letters[i] != WSGID_WORKER_DEAD)
			n = i + 1;
	return n;
}
