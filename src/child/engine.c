/*
 * engine.c - one worker's loop.  See engine.h.
 *
 * A turn: start what was asked for and wait; look at the clock; handle what
 * has completed; close what has waited too long; bury; and then serve, one
 * after the other, the connections that have something to look at.
 */
#include "child/engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/log.h"
#include "child/request.h"
#include "net/channel.h"
#include "net/listen.h"

enum {
	OUT_KEPT = 32 * 1024,   /* larger response buffers are given back */
	PAUSE_MS = 100,         /* of accepting, when it cannot go on */
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

/* --- accepting -------------------------------------------------------------- */

static bool
may_accept(const struct engine *e)
{
	return !e->retiring && e->set.n_listeners > 0 &&
	       e->now_ns >= e->accept_not_before_ns;
}

/* New connections are for a process that is about to be idle.  With one
 * listener the wait is an accept, with several a poll of the set that holds
 * them: an accept on each would take several connections at once. */
static void
wait_for_client(struct engine *e)
{
	e->accepting = true;
	e->set.page->page->accepting = 1;
	if (e->set.set >= 0)
		io_poll(e->io, &e->accept_owner, e->set.set);
	else
		io_accept(e->io, &e->accept_owner, e->set.listeners[0]);
}

static void
arm_accept(struct engine *e)
{
	if (e->accepting || !may_accept(e))
		return;
	e->looked_again = false;
	wait_for_client(e);
}

static void
disarm_accept(struct engine *e)
{
	if (!e->accepting)
		return;
	if (e->set.set >= 0)
		io_cancel(e->io, &e->accept_owner, IO_POLL, e->set.set);
	else
		io_cancel(e->io, &e->accept_owner, IO_ACCEPT,
			e->set.listeners[0]);
}

static void
pause_accepting(struct engine *e, int error, const char *why)
{
	e->accept_not_before_ns = e->now_ns + PAUSE_MS * ms;
	errno = -error;
	log_warn("child", "accept: %s; new connections wait", why);
}

/* A descriptor is needed more by a new client than by one that is idle. */
static void
make_room(struct engine *e, int error)
{
	if (e->parked.first != NULL)
		connection_close(e, e->parked.first);
	else
		pause_accepting(e, error,
			"descriptors or memory are short (see ulimit -n)");
}

static void
count_accepted(struct engine *e)
{
	long most = e->config->max_connections_per_child;

	e->accepted++;
	e->set.page->page->accepted++;
	if (most == 0 || e->asked_to_retire || e->accepted < (uint64_t)most)
		return;
	/* The master starts a replacement and then tells us to go: until then
	 * we serve, so that capacity is never short. */
	e->asked_to_retire = true;
	e->set.page->page->wants_retire = 1;
	(void)channel_send(e->set.channel, CHANNEL_WANTS_RETIRE, 0,
		"MaxConnectionsPerChild is reached", NULL, 0);
}

static void
on_accepted(struct engine *e, int result)
{
	if (result >= 0) {
		count_accepted(e);
		if (connection_open(e, result) == NULL)
			log_warnx("child", "no memory for a connection");
		return;
	}
	switch (result) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
		make_room(e, result);
		break;
	case -EINVAL:
	case -EBADF:
	case -ENETDOWN:
		/* The socket itself is ill: do not spin on it. */
		pause_accepting(e, result, "the listener fails");
		break;
	default:
		/* It concerned one client, or was a wake-up for a connection
		 * that a sibling took. */
		break;
	}
}

/* A wait that was cancelled may have used up the one wake-up that the kernel
 * gives for a connection, and then nobody else is woken for it: so who leaves
 * looks once more, and takes what it finds. */
static void
look_once_more(struct engine *e)
{
	int fd = e->set.set >= 0 ? e->set.set : e->set.listeners[0];
	struct pollfd door = {.fd = fd, .events = POLLIN};

	if (e->looked_again || poll(&door, 1, 0) <= 0)
		return;
	e->looked_again = true;
	wait_for_client(e);
	disarm_accept(e);
}

static void
on_accept_event(struct engine *e, const struct io_event *event)
{
	size_t from;

	e->accepting = false;
	e->set.page->page->accepting = 0;
	if (event->result == -ECANCELED) {
		look_once_more(e);
		return;
	}
	if (event->kind == IO_ACCEPT)
		on_accepted(e, event->result);
	else if (event->result > 0)
		on_accepted(
			e, listen_accept_from_set(e->set.set, e->set.listeners,
				   e->set.n_listeners, &from));
}

/* --- the master's orders ----------------------------------------------------- */

static void
start_retiring(struct engine *e, uint32_t deadline_ms)
{
	struct connection *c;

	e->retiring = true;
	if (deadline_ms > 0)
		e->leave_by_ns = e->now_ns + (int64_t)deadline_ms * ms;
	disarm_accept(e);
	while ((c = e->parked.first) != NULL)
		connection_linger(e, c);
}

static uint32_t
deadline_of(const struct config *config)
{
	return (uint32_t)config->graceful_shutdown_timeout;
}

static void
take_order(struct engine *e, struct channel_message *m)
{
	switch (m->kind) {
	case CHANNEL_RETIRE:
		start_retiring(e, m->deadline_ms);
		break;
	case CHANNEL_STOP:
		e->stopping = true;
		break;
	case CHANNEL_LOGS:
		access_log_replace(e->set.access_log, m->fds, m->n_fds);
		m->n_fds = 0;
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
		start_retiring(e, deadline_of(e->config));
	}
	if (rc != 0)
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
		on_accept_event(e, event);
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
	while ((c = e->reading.first) != NULL && c->deadline_ns <= e->now_ns)
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

	if (e->queue.first != NULL)
		return 0;
	sooner_of(&when, &e->parked);
	sooner_of(&when, &e->reading);
	sooner_of(&when, &e->sending);
	sooner_of(&when, &e->lingering);
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
	expire(e);
	return 0;
}

int
engine_wait(struct engine *e, int64_t deadline_ns)
{
	int64_t timeout_ns = deadline_ns - e->now_ns;
	int rc;

	if (timeout_ns <= 0)
		return -ETIMEDOUT;
	if (e->queue.first == NULL) {
		int64_t until_expiry = patience(e);

		if (until_expiry >= 0 && until_expiry < timeout_ns)
			timeout_ns = until_expiry;
	}
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

/* Siblings are better off with the next connection when ours take long. */
static void
serve_queue(struct engine *e)
{
	struct connection *c;

	if (e->queue.first != NULL && e->lately_ns > LONG_REQUEST_US * 1000) {
		disarm_accept(e);
		(void)turn(e, 0);
	}
	while ((c = e->queue.first) != NULL && !e->stopping) {
		connection_list_remove(c);
		request_serve(e, c);
	}
}

static bool
is_done(const struct engine *e)
{
	if (e->stopping)
		return true;
	return e->retiring && e->n_connections == 0 && !e->accepting;
}

static void
show(struct engine *e)
{
	struct wsgid_page *page = e->set.page->page;

	page->connections = e->n_connections;
	page->parked = e->n_parked;
}

int
engine_run(struct engine *e)
{
	int rc = 0;

	io_poll(e->io, &e->channel_owner, e->set.channel);
	while (!is_done(e)) {
		arm_accept(e);
		access_log_flush(e->set.access_log);
		app_leave(e->set.app);
		rc = turn(e, patience(e));
		app_enter(e->set.app);
		if (rc < 0)
			break;
		if (UNLIKELY(sigterm_came) && !e->retiring)
			start_retiring(e, deadline_of(e->config));
		tell_python(e);
		serve_queue(e);
		show(e);
		if (e->leave_by_ns > 0 && e->now_ns >= e->leave_by_ns) {
			rc = -ETIMEDOUT;
			break;
		}
	}
	access_log_flush(e->set.access_log);
	return rc;
}

/* --- beginning and end ------------------------------------------------------------ */

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

/* io is gone by now, so nothing of a connection is under way. */
void
engine_fini(struct engine *e)
{
	free_list(&e->queue);
	free_list(&e->reading);
	free_list(&e->parked);
	free_list(&e->sending);
	free_list(&e->lingering);
	free_list(&e->finished);
	free_list(&e->buried);
	buf_fini(&e->head);
	while (e->n_spare > 0)
		free(e->spare[--e->n_spare]);
	while (e->n_spare_out > 0)
		buf_fini(&e->spare_out[--e->n_spare_out]);
}
