/*
 * engine.c - one worker's loop.  See engine.h.
 *
 * A turn: start what was asked for and wait; look at the clock; handle what
 * has completed; close what has waited too long; bury; and then serve, one
 * after the other, the connections that have something to look at.
 */
#include "child/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "child/accept.h"
#include "child/crew.h"
#include "child/deprived.h"
#include "child/descriptors.h"
#include "child/due.h"
#include "child/event.h"
#include "child/flush.h"
#include "child/forking.h"
#include "child/handover.h"
#include "child/libraries.h"
#include "child/orders.h"
#include "child/report.h"
#include "child/request.h"
#include "child/send.h"
#include "child/share.h"
#include "child/spent.h"
#include "child/watcher.h"
#include "net/channel.h"

enum {
	LOADING_NS = 20000,       /* less than any library takes to be loaded */
	GIVE_AGAIN_NS = 10000000, /* to look whether somebody is idle by now */
	ROUNDS = 64,              /* of events in a turn, beside the first */
};

void
engine_read_clock(struct engine *e)
{
	int64_t now = clock_monotonic_ns();

	e->real_us += (now - e->now_ns) / 1000;
	e->now_ns = now;
}

static void
set_date(struct engine *e, int64_t second)
{
	e->date_second = second;
	date_format(e->date, second);
}

void
engine_renew_date(struct engine *e)
{
	int64_t second = clock_coarse_s();

	if (UNLIKELY(second > e->date_second))
		set_date(e, second);
}

/* Once a turn: the real time anew, which somebody may have set, and the text
 * of the Date header. */
static void
begin_turn(struct engine *e)
{
	e->now_ns = clock_monotonic_ns();
	e->real_us = clock_real_us();
	if (e->real_us / 1000000 != e->date_second)
		set_date(e, e->real_us / 1000000);
	__atomic_store_n(
		&e->set.page->page->heartbeat_us, e->real_us, __ATOMIC_RELAXED);
}

void
engine_queue(struct engine *e, struct connection *c)
{
	c->state = CONNECTION_QUEUED;
	c->round = e->round;
	if (c->since_ns == 0)
		c->since_ns = e->now_ns;
	connection_list_add(&e->queue, c);
}

bool
engine_ask_to_retire(struct engine *e, enum channel_kind kind, const char *why)
{
	uint32_t *asked = &e->set.page->page->wants_retire;

	if (__atomic_exchange_n(asked, 1, __ATOMIC_RELAXED) != 0)
		return true;
	if (channel_send(e->set.channel, kind, 0, why, NULL, 0) != -EAGAIN)
		return true;
	__atomic_store_n(asked, 0, __ATOMIC_RELAXED);
	return false;
}

/* --- turns --------------------------------------------------------------------- */

static void
dispatch_all(struct engine *e, int n)
{
	e->stashed = false;
	for (int i = 0; i < n; i++)
		event_happened(e, &e->events[i]);
}

int
engine_turn(struct engine *e, int64_t timeout_ns)
{
	int n = io_wait(e->io, e->events, ENGINE_EVENTS, timeout_ns);
	int rounds = 0;

	if (n < 0)
		return n;
	begin_turn(e);
	e->heard = n > 0;
	dispatch_all(e, n);
	/* All of it: the watcher gives no connection away that may have bytes
	 * in a completion.  But without memory there may be no end of them. */
	while (UNLIKELY(n == ENGINE_EVENTS && io_pending(e->io)) &&
		rounds++ < ROUNDS) {
		n = io_wait(e->io, e->events, ENGINE_EVENTS, 0);
		dispatch_all(e, n);
	}
	due_clients(e);
	return n < 0 ? n : 0;
}

/* How long a request may wait for its client before others are better off with
 * what is ours; -1 = as long as it takes. */
static int64_t
until_given(const struct engine *e)
{
	int64_t left = e->running_since_ns + ENGINE_LONG_NS - e->now_ns;

	if (e->set.watch == NULL || e->finishing)
		return -1;
	return left > 0 ? left : 0;
}

/* The watcher does not look while the engine is ours.  A leader is one no more
 * although it has nothing to give: who comes next is for somebody else. */
static void
give_all(struct engine *e)
{
	if (e->set.crew != NULL && engine_leads(e)) {
		handover_unwatch(e);
		accept_disarm(e);
		(void)crew_resign(e->set.crew, e->set.worker);
		/* What came for the leader before; from now on nothing does. */
		share_take_parcels(e);
	} else if (accept_is_trying(e)) {
		accept_disarm(e);
	}
	if (e->set.give >= 0)
		share_give_queue(e);
	if (e->set.crew != NULL)
		crew_show_ready(e->set.crew, e->set.worker, e->queue.n);
}

/* The request that runs is told so, each time it asks for more. */
static void
count_cut(struct engine *e)
{
	if (e->cut_since_ns == e->running_since_ns)
		return;
	e->cut_since_ns = e->running_since_ns;
	e->n_cut++;
}

/* While a request runs. */
static int
turn_for(struct engine *e, int64_t timeout_ns)
{
	int64_t given_ns = until_given(e), first_ns;
	int rc;

	if (given_ns == 0) {
		give_all(e);
		accept_arm_for_others(e);
		given_ns = e->queue.first != NULL ? GIVE_AGAIN_NS : 0;
	}
	first_ns = due_in_ns(e); /* also of what finds the pool full */
	if (given_ns > 0 && given_ns < timeout_ns)
		timeout_ns = given_ns;
	if (first_ns >= 0 && first_ns < timeout_ns)
		timeout_ns = first_ns;
	/* Orders must be heard for as long as it takes, and not one alone. */
	share_watch(e);
	orders_watch(e);
	report_flush(e);
	rc = engine_turn(e, timeout_ns);
	if (rc < 0)
		return rc;
	orders_obey(e);
	if (e->stopping)
		return -ECANCELED;
	if (e->leave_by_ns == 0 || e->now_ns < e->leave_by_ns)
		return 0;
	count_cut(e);
	return -ECANCELED;
}

int
engine_wait(struct engine *e, int64_t deadline_ns)
{
	int64_t timeout_ns = deadline_ns - e->now_ns;

	return timeout_ns > 0 ? turn_for(e, timeout_ns) : -ETIMEDOUT;
}

int
engine_look(struct engine *e)
{
	int64_t now_ns = clock_monotonic_ns();

	if (now_ns - e->now_ns < ENGINE_LONG_NS)
		return 0;
	engine_read_clock(e);
	return turn_for(e, 0);
}

/* The old code would only hide that the new one has crashed. */
static void
show_failure(struct engine *e)
{
	struct err err = {0};

	if (app_show_failure(e->set.app, e->failure, false, &err) < 0)
		log_errorx("child", "%s", err.text);
	e->failure[0] = '\0';
}

/* With the GIL: let go of what Python must be told of. */
static void
tell_python(struct engine *e)
{
	struct connection *c;

	if (UNLIKELY(e->failure[0] != '\0'))
		show_failure(e);
	spent_drop(e);
	while ((c = e->buried.first) != NULL) {
		connection_list_remove(c);
		if (c->held != NULL)
			app_drop(e->set.app, c->held);
		app_forget_peer(e->set.app, &c->peer);
		if (e->n_spare < ENGINE_SPARE)
			e->spare[e->n_spare++] = c;
		else
			free(c);
	}
}

/* The page is the child's, and other workers count there as well. */
static void
show(uint32_t *shown, const struct connection_list *list, uint32_t *field)
{
	if (LIKELY(list->n == *shown))
		return;
	__atomic_fetch_add(field, list->n - *shown, __ATOMIC_RELAXED);
	*shown = list->n;
}

/* Those that need no worker while they wait. */
static void
show_waiting(struct engine *e)
{
	struct wsgid_page *page = e->set.page->page;

	show(&e->shown_parked, &e->parked, &page->parked);
	show(&e->shown_sending, &e->sending, &page->writing);
	show(&e->shown_lingering, &e->lingering, &page->closing);
}

static void
serve_queue(struct engine *e)
{
	int64_t since_ns = e->now_ns, most_ns;
	struct connection *c;

	share_queue(e);
	most_ns = share_batch_ns(e);
	while ((c = e->queue.first) != NULL && !e->stopping) {
		connection_list_remove(c);
		spent_drop(e); /* of requests that have waited */
		request_serve(e, c);
		/* Responses go out before io is full: with completions that
		 * nobody has looked at the watcher could do nothing.  Logs
		 * are to be written without the GIL.  And the first answer does
		 * not wait for the last. */
		if (!handover_has_room(e) ||
			access_log_is_full(e->set.access_log) ||
			e->now_ns - since_ns > most_ns)
			break;
	}
}

/* Those of a list that are in this state. */
static unsigned
count_in(const struct connection_list *list, enum connection_state state)
{
	unsigned n = 0;

	for (const struct connection *c = list->first; c != NULL; c = c->next)
		n += c->state == state;
	return n;
}

unsigned
engine_cut(const struct engine *e)
{
	return e->n_cut + count_in(&e->reading, CONNECTION_COLLECTING) +
	       count_in(&e->queue, CONNECTION_QUEUED) +
	       count_in(&e->sending, CONNECTION_SENDING);
}

bool
engine_leads(const struct engine *e)
{
	return e->set.crew == NULL || crew_leads(e->set.crew, e->set.worker);
}

static bool
is_done(struct engine *e)
{
	if (e->stopping)
		return true;
	if (!e->retiring || e->n_connections > 0 || e->acceptor.under_way)
		return false;
	if (!e->finishing && e->pool_watched)
		return false;
	/* All that is there: idle ones are said good-bye to together, and a
	 * nudge brings no connection, and nothing would wake us again. */
	while (e->finishing && engine_leads(e) && handover_take_last(e))
		if (e->queue.first != NULL)
			return false;
	if (e->n_connections > 0)
		return false;
	return e->set.crew == NULL || crew_done(e->set.crew, e->set.worker);
}

/* --- the loop ------------------------------------------------------------------------ */

static bool
has_something_for_python(const struct engine *e)
{
	return e->queue.first != NULL || e->spent != NULL ||
	       e->buried.first != NULL || e->failure[0] != '\0';
}

static void
settle(struct engine *e)
{
	e->settled = true;
	app_enter(e->set.app);
	forking_lock_imports(e->set.forking, e->set.app);
	app_settle(e->set.app);
	forking_unlock_imports(e->set.forking);
	app_leave(e->set.app);
}

/* Without the GIL: what is to be heard of, and then the wait.  New clients are for
 * who has served all that were there when he last asked for any: under load there
 * are always others. */
static int
wait_for_something(struct engine *e)
{
	bool at_once;
	int rc;

	share_watch(e);
	orders_watch(e);
	if (e->queue.first == NULL || e->queue.first->round == e->round) {
		accept_arm(e);
		handover_watch(e);
		e->round++;
	}
	report_flush(e);
	share_show(e, e->queue.first == NULL && !e->retiring);
	at_once = e->queue.first != NULL || accept_is_trying(e) || !e->settled;
	rc = engine_turn(e, at_once ? 0 : due_in_ns(e));
	share_show(e, false);
	/* Who has come may have sent something, which is heard in the next turn. */
	if (UNLIKELY(!e->settled) && !e->heard && !accept_is_trying(e) &&
		!has_something_for_python(e))
		settle(e);
	return rc;
}

/* Waiting for the GIL takes time when other threads have it, and none of it is
 * the next request's.  It may take long, as an extension may keep it: so the
 * watcher looks after the queue meanwhile. */
static void
enter_python(struct engine *e)
{
	int64_t since_ns = e->now_ns;

	e->entering = true;
	share_begin(e);
	watch_begin(e->set.watch, e->now_ns);
	if (e->set.crew != NULL)
		crew_line_up(e->set.crew, e->set.worker, e->now_ns);
	app_enter(e->set.app);
	if (e->set.crew != NULL)
		crew_step_in(e->set.crew, e->set.worker, clock_monotonic_ns());
	watch_end(e->set.watch);
	e->entering = false;
	report_kept_out(e, false);
	engine_read_clock(e);
	if (UNLIKELY(e->now_ns - since_ns > ENGINE_LONG_NS))
		share_catch_up(e);
}

/* What loads a library takes its time: a request that was faster than this has
 * loaded none, and is not charged for a look. */
static void
look_at_libraries(struct engine *e, int64_t since_ns)
{
	if (UNLIKELY(e->now_ns - since_ns > LOADING_NS))
		libraries_look(e->set.libraries);
}

/* With the GIL, and then without it. */
static void
serve_with_python(struct engine *e)
{
	int64_t since_ns;

	enter_python(e);
	since_ns = e->now_ns;
	tell_python(e);
	serve_queue(e);
	tell_python(e); /* of what has ended within a request, too */
	app_leave(e->set.app);
	look_at_libraries(e, since_ns);
}

/* What would wake the other workers is lost, too, it may be: one of them might
 * never hear that it shall stop. */
static void
leave_broken(struct engine *e, int error)
{
	if (descriptors_find_lost(e->set.descriptors) >= 0) {
		deprived_leave(e, error);
		if (e->set.crew != NULL)
			deprived_end(e);
	} else if (e->set.give >= 0) {
		(void)handoff_nudge(e->set.give);
	}
	orders_give(e, CREW_STOP, 0);
}

/* At once: the end of Python may take so long that the process is killed in it, and
 * then the client would be told that it has all. */
static void
reset_cut(const struct connection_list *list)
{
	for (const struct connection *c = list->first; c != NULL; c = c->next)
		connection_reset_if_cut(c);
}

int
engine_run(struct engine *e)
{
	int rc = 0;

	watch_me(e->set.watch);
	e->set.page->workers[e->set.worker].thread = (uint32_t)gettid();
	app_leave(e->set.app);
	for (;;) {
		orders_obey(e);
		share_rest(e);
		due_child(e);
		if (is_done(e))
			break;
		rc = wait_for_something(e);
		if (rc < 0)
			break;
		if (has_something_for_python(e))
			serve_with_python(e);
		show_waiting(e);
		if (e->leave_by_ns > 0 && e->now_ns >= e->leave_by_ns) {
			rc = -ETIMEDOUT;
			break;
		}
	}
	if (e->stopping && rc == 0)
		accept_withdraw(e);
	flush_last(e);
	report_out_all(e);
	reset_cut(&e->sending);
	reset_cut(&e->ending);
	access_log_flush(e->set.access_log);
	if (rc < 0 && rc != -ETIMEDOUT)
		leave_broken(e, rc);
	app_enter(e->set.app);
	return rc;
}

/* --- beginning and end ------------------------------------------------------------ */

int
engine_init(struct engine *e, const struct engine_settings *settings)
{
	const struct config *config = settings->config;

	memset(e, 0, sizeof(*e));
	e->singly_ns = INT64_MAX;
	e->set = *settings;
	e->config = config;
	e->io = settings->io;
	e->limits = (struct request_limits){
		.line = (size_t)config->limit_request_line,
		.fields = config->limit_request_fields > 0
				  ? (size_t)config->limit_request_fields
				  : REQUEST_FIELDS_MAX,
		.field_size = (size_t)config->limit_request_field_size,
	};
	e->path_rules = (struct path_rules){
		.slashes = (enum path_slashes)config->allow_encoded_slashes,
		.merge = config->merge_slashes,
		.mount = str_of(config->mount_point),
	};
	unique_id_init(&e->ids);
	e->most_connections = accept_most();
	begin_turn(e);
	return 0;
}

static void
free_list(struct engine *e, struct connection_list *list)
{
	struct connection *c;

	while ((c = list->first) != NULL) {
		connection_list_remove(c);
		sendfile_end(e, c);
		buf_fini(&c->untold.lines);
		if (c->fd >= 0)
			close(c->fd);
		buf_fini(&c->in);
		buf_fini(&c->body);
		buf_fini(&c->out);
		buf_fini(&c->kept);
		spool_close(&c->spool);
		free(c);
	}
}

/* io is gone by now, so nothing of a connection is under way. */
void
engine_fini(struct engine *e)
{
	free_list(e, &e->queue);
	free_list(e, &e->reading);
	free_list(e, &e->parked);
	free_list(e, &e->sending);
	free_list(e, &e->lingering);
	free_list(e, &e->leaving);
	free_list(e, &e->ending);
	free_list(e, &e->buried);
	buf_fini(&e->head);
	buf_fini(&e->path);
	while (e->n_spare > 0)
		free(e->spare[--e->n_spare]);
	while (e->n_spare_buffers > 0)
		buf_fini(&e->spare_buffers[--e->n_spare_buffers]);
}
