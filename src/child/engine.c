/*
 * engine.c - one worker's loop.  See engine.h.
 *
 * A turn: start what was asked for and wait; look at the clock; handle what
 * has completed; close what has waited too long; bury; and then serve, one
 * after the other, the connections that have something to look at.
 */
#include "child/engine.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/log.h"
#include "child/accept.h"
#include "child/balance.h"
#include "child/handover.h"
#include "child/orphan.h"
#include "child/report.h"
#include "child/request.h"
#include "child/watcher.h"
#include "lock/accept_mutex.h"
#include "lock/locker.h"
#include "net/channel.h"

enum {
	OUT_KEPT = 32 * 1024,   /* larger response buffers are given back */
	BALANCE_MS = 10,        /* between two looks at the siblings */
	LONG_REQUEST_US = 1000, /* from here on siblings are better off with
	                           * the next connection */
};

static const int64_t ms = 1000000;

/* Set by the handler, looked at once a turn; the only way for a signal to
 * reach a loop. */
static volatile sig_atomic_t sigterm_came;

void
engine_on_sigterm(int signal)
{
	(void)signal;
	sigterm_came = 1;
}

/* --- small things ----------------------------------------------------------- */

void
engine_read_clock(struct engine *e)
{
	int64_t now = clock_monotonic_ns();

	e->real_us += (now - e->now_ns) / 1000;
	e->now_ns = now;
}

/* Once a turn: the real time anew, which somebody may have set, and the text
 * of the Date header. */
static void
begin_turn(struct engine *e)
{
	e->now_ns = clock_monotonic_ns();
	e->real_us = clock_real_us();
	if (e->real_us / 1000000 != e->date_second) {
		e->date_second = e->real_us / 1000000;
		date_format(e->date, e->date_second);
	}
	e->set.page->page->heartbeat_us = e->real_us;
}

void
engine_queue(struct engine *e, struct connection *c)
{
	if (c->state == CONNECTION_PARKED)
		e->n_parked--;
	c->state = CONNECTION_QUEUED;
	connection_list_add(&e->queue, c);
}

void
engine_ask_to_retire(struct engine *e, const char *why)
{
	if (e->asked_to_retire)
		return;
	e->asked_to_retire = true;
	e->set.page->page->wants_retire = 1;
	(void)channel_send(
		e->set.channel, CHANNEL_WANTS_RETIRE, 0, why, NULL, 0);
}

void
engine_leave(struct engine *e, int error)
{
	errno = -error;
	log_error(
		"child", "has the application closed our descriptors? leaving");
	e->stopping = true;
}

struct buf
engine_take_out(struct engine *e)
{
	if (e->n_spare_out > 0)
		return e->spare_out[--e->n_spare_out];
	return (struct buf){0};
}

void
engine_give_out(struct engine *e, struct buf *out)
{
	buf_clear(out);
	if (out->size > 0 && out->size <= OUT_KEPT &&
		e->n_spare_out < ENGINE_SPARE)
		e->spare_out[e->n_spare_out++] = *out;
	else
		buf_fini(out);
	*out = (struct buf){0};
}

/* --- the master's orders ----------------------------------------------------- */

/* Who waits for the rest of a request, or for nothing, is as well off with a
 * sibling.  A chunked body that was decoded in part stays. */
static void
give_waiting(struct engine *e, struct connection_list *list)
{
	struct connection *c, *next;

	for (c = list->first; c != NULL; c = next) {
		next = c->next;
		if (connection_is_whole(c))
			handover_give(e, c);
	}
}

static void
start_retiring(struct engine *e, uint32_t deadline_ms, bool finishing)
{
	struct connection *c;

	e->retiring = true;
	e->finishing = finishing || e->set.give < 0;
	if (deadline_ms > 0)
		e->leave_by_ns = e->now_ns + (int64_t)deadline_ms * ms;
	accept_disarm(e);
	if (!e->finishing) {
		handover_unwatch(e);
		give_waiting(e, &e->parked);
		give_waiting(e, &e->reading);
		return;
	}
	while ((c = e->parked.first) != NULL)
		connection_linger(e, c);
}

/* Everybody leaves: on SIGTERM, which no master sends to a child that serves,
 * and when the master is gone. */
static void
finish_alone(struct engine *e)
{
	start_retiring(e, (uint32_t)e->config->graceful_shutdown_timeout, true);
}

static void
take_order(struct engine *e, struct channel_message *m)
{
	switch (m->kind) {
	case CHANNEL_RETIRE:
		start_retiring(e, m->deadline_ms, false);
		break;
	case CHANNEL_FINISH:
		start_retiring(e, m->deadline_ms, true);
		break;
	case CHANNEL_STOP:
		e->stopping = true;
		break;
	case CHANNEL_LOGS:
		access_log_replace(e->set.access_log, m->fds, m->n_fds);
		m->n_fds = 0;
		break;
	case CHANNEL_LOG_LEVEL:
		if (log_level_of(m->text) >= 0)
			log_set_level((enum log_level)log_level_of(m->text));
		break;
	default:
		log_warnx("child", "the master sent order %u, unknown here",
			m->kind);
	}
	for (size_t i = 0; i < m->n_fds; i++)
		close(m->fds[i]);
}

static void
on_channel(struct engine *e)
{
	struct channel_message message;
	int rc;

	while ((rc = channel_receive(e->set.channel, &message)) == 1)
		take_order(e, &message);
	if (rc == 0 && !e->retiring) {
		log_warnx("child", "the master is gone; finishing and leaving");
		orphan_shut_listeners();
		if (e->set.mutex != NULL)
			accept_mutex_orphan(e->set.mutex);
		finish_alone(e);
	}
	if (rc == -EBADF || rc == -ENOTSOCK)
		engine_leave(e, rc);
	else if (rc != 0)
		io_poll(e->io, &e->channel_owner, e->set.channel);
}

/* --- events ------------------------------------------------------------------ */

static void
on_end_of_input(struct engine *e, struct connection *c)
{
	switch (c->state) {
	case CONNECTION_PARKED:
	case CONNECTION_READING:
	case CONNECTION_COLLECTING:
	case CONNECTION_LINGERING:
		connection_close(e, c);
		break;
	default:
		/* It has asked for something already, and gets its answer. */
		break;
	}
}

/* No receive buffer was free.  Between requests they come back as soon as the
 * queue is served; while a request runs the queue stands still, so what it
 * holds is copied out of the buffers. */
static void
on_buffers_short(struct engine *e, struct connection *c)
{
	struct connection *waiting;

	if (e->running != NULL)
		for (waiting = e->queue.first; waiting != NULL;
			waiting = waiting->next)
			if (connection_stash(e, waiting) < 0)
				break;
	connection_receive(e, c);
}

static void
on_receive(struct engine *e, struct connection *c, const struct io_event *event)
{
	if (!event->more) {
		c->receiving = false;
		c->in_flight--;
	}
	if (event->result > 0) {
		connection_received(e, c, event->data, (size_t)event->result,
			event->buffer);
	} else if (event->result == -ENOBUFS) {
		on_buffers_short(e, c);
	} else if (event->result == -ECANCELED) {
		connection_receive(e, c);
	} else if (event->result == 0) {
		c->at_eof = true;
		on_end_of_input(e, c);
	} else {
		c->error = event->result;
		on_end_of_input(e, c);
	}
	if (c->state == CONNECTION_LEAVING)
		handover_go_on(e, c);
	connection_settle(e, c);
}

static void
on_send(struct engine *e, struct connection *c, const struct io_event *event)
{
	c->in_flight--;
	if (!connection_sent(e, c, event->result)) {
		/* Some of it has gone: Timeout begins anew. */
		if (c->state == CONNECTION_SENDING)
			connection_await_sent(e, c);
		return;
	}
	if (c->state == CONNECTION_SENDING && c->held != NULL)
		connection_list_add(&e->finished, c);
	else if (c->state == CONNECTION_SENDING)
		connection_answered(e, c);
	connection_settle(e, c);
}

static void
dispatch(struct engine *e, const struct io_event *event)
{
	if (LIKELY(event->kind == IO_RECEIVE))
		on_receive(e, event->owner, event);
	else if (LIKELY(event->kind == IO_SEND))
		on_send(e, event->owner, event);
	else if (event->owner == &e->accept_owner)
		accept_happened(e, event);
	else if (event->owner == &e->lock_owner)
		e->lock_watched = false;
	else if (event->owner == &e->pool_owner)
		handover_take(e, event->result);
	else
		on_channel(e);
}

/* --- time ---------------------------------------------------------------------- */

/* What has waited too long: a client that sends no request, or not the rest of
 * one, or does not take its response. */
static void
expire(struct engine *e)
{
	struct connection *c;

	while ((c = e->parked.first) != NULL && c->deadline_ns <= e->now_ns)
		connection_linger(e, c);
	while ((c = e->lingering.first) != NULL && c->deadline_ns <= e->now_ns)
		connection_close(e, c);
	while ((c = e->sending.first) != NULL && c->deadline_ns <= e->now_ns)
		connection_close(e, c);
	handover_retry(e);
	/* Refusing takes what a request that runs has in use: after it. */
	while (e->running == NULL && (c = e->reading.first) != NULL &&
		c->deadline_ns <= e->now_ns)
		request_too_slow(e, c);
}

static void
sooner(int64_t *when, int64_t deadline_ns)
{
	if (deadline_ns < *when)
		*when = deadline_ns;
}

static void
sooner_of(int64_t *when, const struct connection_list *list)
{
	if (list->first != NULL)
		sooner(when, list->first->deadline_ns);
}

/* How long io may wait: until the first thing that expires; -1 = for ever. */
static int64_t
patience(const struct engine *e)
{
	int64_t when = INT64_MAX;

	if (e->queue.first != NULL || accept_is_trying(e))
		return 0;
	sooner_of(&when, &e->parked);
	if (e->running == NULL)
		sooner_of(&when, &e->reading);
	sooner_of(&when, &e->sending);
	sooner_of(&when, &e->lingering);
	sooner_of(&when, &e->leaving);
	if (e->retiring && e->leave_by_ns > 0)
		sooner(&when, e->leave_by_ns);
	if (!e->accepting && !e->retiring && e->accept_not_before_ns > 0)
		sooner(&when, e->accept_not_before_ns);
	if (when == INT64_MAX)
		return -1;
	return when > e->now_ns ? when - e->now_ns : 0;
}

/* --- turns --------------------------------------------------------------------- */

/* Wait, and turn what has completed into states.  No GIL, no Python. */
static int
turn(struct engine *e, int64_t timeout_ns)
{
	int n = io_wait(e->io, e->events, ENGINE_EVENTS, timeout_ns);

	if (n < 0)
		return n;
	begin_turn(e);
	for (int i = 0; i < n; i++)
		dispatch(e, &e->events[i]);
	/* All of it: while a request runs the watcher may give a connection
	 * away, and must not leave bytes of it behind in a completion. */
	while (UNLIKELY(n == ENGINE_EVENTS && io_pending(e->io))) {
		n = io_wait(e->io, e->events, ENGINE_EVENTS, 0);
		for (int i = 0; i < n; i++)
			dispatch(e, &e->events[i]);
	}
	expire(e);
	return n < 0 ? n : 0;
}

/* How long the queue waits for a request that waits for its client, before
 * siblings are better off with it; -1 = as long as it takes. */
static int64_t
until_given(const struct engine *e)
{
	int64_t left = e->running_since_ns + LONG_REQUEST_US * 1000 - e->now_ns;

	if (e->watcher == NULL || e->finishing)
		return -1;
	return left > 0 ? left : 0;
}

/* The watcher does not look while the engine is ours. */
static void
give_queue(struct engine *e)
{
	if (until_given(e) == 0)
		give_waiting(e, &e->queue);
}

int
engine_wait(struct engine *e, int64_t deadline_ns)
{
	int64_t timeout_ns = deadline_ns - e->now_ns, until_turn;
	int rc;

	if (timeout_ns <= 0)
		return -ETIMEDOUT;
	give_queue(e);
	until_turn = e->queue.first != NULL ? until_given(e) : patience(e);
	if (until_turn >= 0 && until_turn < timeout_ns)
		timeout_ns = until_turn;
	access_log_flush(e->set.access_log);
	rc = turn(e, timeout_ns);
	if (rc < 0)
		return rc;
	if (e->stopping || (e->leave_by_ns > 0 && e->now_ns >= e->leave_by_ns))
		return -ECANCELED;
	return 0;
}

/* With the GIL: let go of what Python must be told of. */
static void
tell_python(struct engine *e)
{
	struct connection *c;

	while ((c = e->finished.first) != NULL) {
		connection_list_remove(c);
		app_drop(e->set.app, c->held);
		c->held = NULL;
		connection_answered(e, c);
		connection_settle(e, c);
	}
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

/* Several requests at once, and siblings that have nothing to do: some of them
 * get a connection.  The last to come have waited least. */
static void
spread(struct engine *e)
{
	size_t ready = 0, excess;
	struct connection *c;

	if (e->set.balance == NULL || e->now_ns < e->balance_at_ns ||
		e->queue.first == e->queue.last)
		return;
	e->balance_at_ns = e->now_ns + BALANCE_MS * ms;
	for (c = e->queue.first; c != NULL; c = c->next)
		ready++;
	excess = balance_excess(e->set.balance, e->n_connections, ready);
	while (excess-- > 0 && handover_give_now(e, e->queue.last))
		continue;
}

/* What siblings see of us. */
static void
show_peer(struct engine *e, bool idle)
{
	struct balance_peer *me;

	if (e->set.balance == NULL)
		return;
	me = &e->set.balance->peers[e->set.balance->slot];
	me->connections = e->n_connections;
	me->idle = idle;
}

/* Siblings are better off with the next connection when ours take long. */
static void
serve_queue(struct engine *e)
{
	struct connection *c;

	spread(e);
	if (e->queue.first != NULL && (e->lately_ns > LONG_REQUEST_US * 1000 ||
					      accept_keeps_others_waiting(e))) {
		accept_disarm(e);
		(void)turn(e, 0);
	}
	while ((c = e->queue.first) != NULL && !e->stopping) {
		connection_list_remove(c);
		request_serve(e, c);
	}
}

static bool
is_done(struct engine *e)
{
	if (e->stopping)
		return true;
	if (!e->retiring || e->n_connections > 0 || e->accepting)
		return false;
	if (!e->finishing)
		return !e->pool_watched;
	/* A nudge brings no connection, and nothing would wake us again. */
	while (handover_take_last(e))
		if (e->n_connections > 0)
			return false;
	return true;
}

int
engine_run(struct engine *e)
{
	int rc = 0;

	io_poll(e->io, &e->channel_owner, e->set.channel);
	while (!is_done(e)) {
		accept_arm(e);
		handover_watch(e);
		app_leave(e->set.app);
		report_flush(e);
		show_peer(e, e->queue.first == NULL && !e->retiring);
		rc = turn(e, patience(e));
		show_peer(e, false);
		app_enter(e->set.app);
		if (rc == 0)
			rc = e->broken;
		if (rc < 0)
			break;
		if (UNLIKELY(sigterm_came) && !e->retiring)
			finish_alone(e);
		tell_python(e);
		serve_queue(e);
		e->set.page->page->parked = e->n_parked;
		if (e->leave_by_ns > 0 && e->now_ns >= e->leave_by_ns) {
			rc = -ETIMEDOUT;
			break;
		}
	}
	access_log_flush(e->set.access_log);
	return rc;
}

/* --- beginning and end ------------------------------------------------------------ */

static unsigned
descriptors_for_clients(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > UINT_MAX)
		return UINT_MAX;
	return (unsigned)(limit.rlim_cur - limit.rlim_cur / 4);
}

/* Children that began together must not all go together. */
static uint64_t
choose_most_requests(const struct config *config)
{
	uint64_t chance = 0;

	if (config->max_requests == 0)
		return 0;
	(void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
	return (uint64_t)config->max_requests +
	       chance % ((uint64_t)config->max_requests_jitter + 1);
}

int
engine_init(struct engine *e, const struct engine_settings *settings)
{
	const struct config *config = settings->config;

	memset(e, 0, sizeof(*e));
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
	e->most_connections = descriptors_for_clients();
	e->most_requests = choose_most_requests(config);
	begin_turn(e);
	return 0;
}

static void
free_list(struct connection_list *list)
{
	struct connection *c;

	while ((c = list->first) != NULL) {
		connection_list_remove(c);
		if (c->fd >= 0)
			close(c->fd);
		buf_fini(&c->in);
		buf_fini(&c->body);
		buf_fini(&c->out);
		free(c);
	}
}

static void
abandon_list(const struct connection_list *list)
{
	for (const struct connection *c = list->first; c != NULL; c = c->next)
		if (c->fd >= 0)
			close(c->fd);
}

void
engine_abandon(struct engine *e)
{
	e->forked = true;
	abandon_list(&e->queue);
	abandon_list(&e->reading);
	abandon_list(&e->parked);
	abandon_list(&e->sending);
	abandon_list(&e->lingering);
	abandon_list(&e->leaving);
	abandon_list(&e->ending);
	abandon_list(&e->finished);
	if (e->running != NULL)
		close(e->running->fd);
	if (e->io != NULL)
		close(io_fd(e->io));
	watcher_abandon(e->watcher);
	locker_destroy(e->locker);
	accept_mutex_destroy(e->set.mutex);
}

void
engine_leave_forked(void)
{
	fflush(NULL);
	_exit(0);
}

/* io is gone by now, so nothing of a connection is under way. */
void
engine_fini(struct engine *e)
{
	free_list(&e->queue);
	free_list(&e->reading);
	free_list(&e->parked);
	free_list(&e->sending);
	free_list(&e->lingering);
	free_list(&e->leaving);
	free_list(&e->ending);
	free_list(&e->finished);
	free_list(&e->buried);
	buf_fini(&e->head);
	while (e->n_spare > 0)
		free(e->spare[--e->n_spare]);
	while (e->n_spare_out > 0)
		buf_fini(&e->spare_out[--e->n_spare_out]);
}
