/*
 * connection.c - one client, from accept to close.  See connection.h.
 *
 * What happens here happens between requests or while one waits, so nothing
 * may call Python: a connection that holds Python objects is put on a list of
 * the engine's, and the loop lets go of them when it has the GIL.
 */
#include "child/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "child/accept.h"
#include "child/body.h"
#include "child/clients.h"
#include "child/engine.h"
#include "child/handover.h"
#include "child/peer.h"
#include "child/receiving.h"
#include "child/report.h"
#include "child/spare.h"
#include "child/standard.h"
#include "child/unread.h"
#include "child/watcher.h"
#include "net/handoff.h"

enum {
	LINGER_MS = 2000,        /* for each piece, as in Apache */
	LINGER_TOTAL_MS = 30000,
	LAST_MS = 1000, /* for the request that is the last */
};

/* --- lists ----------------------------------------------------------------- */

void
connection_list_remove(struct connection *c)
{
	struct connection_list *list = c->list;

	if (list == NULL)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		list->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		list->last = c->prev;
	c->next = c->prev = NULL;
	c->list = NULL;
	list->n--;
}

static void
list_insert(struct connection_list *list, struct connection *after,
	struct connection *c)
{
	list->n++;
	c->list = list;
	c->prev = after;
	c->next = after != NULL ? after->next : list->first;
	if (c->prev != NULL)
		c->prev->next = c;
	else
		list->first = c;
	if (c->next != NULL)
		c->next->prev = c;
	else
		list->last = c;
}

void
connection_list_add(struct connection_list *list, struct connection *c)
{
	connection_list_remove(c);
	list_insert(list, list->last, c);
}

/* To its place, looked for from near on (NULL: from the head), which is not c:
 * the first of a list is the first to expire. */
static void
list_place(struct connection_list *list, struct connection *near,
	struct connection *c)
{
	struct connection *after = near, *next;

	connection_list_remove(c);
	while (after != NULL && after->deadline_ns > c->deadline_ns)
		after = after->prev;
	while ((next = after != NULL ? after->next : list->first) != NULL &&
		next->deadline_ns <= c->deadline_ns)
		after = next;
	list_insert(list, after, c);
}

/* Most come to the end of the list, or near it. */
static void
list_place_late(struct connection_list *list, struct connection *c)
{
	connection_list_remove(c);
	list_place(list, list->last, c);
}

/* Wait in state, on list, for at most timeout_ms (0: for ever), which is the
 * same for all of the list. */
static void
wait_in(struct engine *e, struct connection *c, enum connection_state state,
	struct connection_list *list, int64_t timeout_ms)
{
	c->state = state;
	c->reign = e->reign;
	c->deadline_ns =
		timeout_ms > 0 ? e->now_ns + timeout_ms * MS_NS : INT64_MAX;
	connection_list_add(list, c);
}

int64_t
connection_read_deadline(const struct engine *e, const struct connection *c)
{
	const struct config_read_timeout *t = &e->config->request_read_timeout;
	int64_t timeout_ns = e->config->timeout * MS_NS;
	int64_t until_ns = pace_deadline(
		&c->pace, c->pace.part == PACE_BODY ? &t->body : &t->header);

	if (timeout_ns > 0 && c->heard_ns + timeout_ns < until_ns)
		until_ns = c->heard_ns + timeout_ns;
	return c->hurry_ns < until_ns ? c->hurry_ns : until_ns;
}

/* Wait in state for more of a part of a request.  What comes changes the
 * deadline, but not at once the place in the list: connection_may_wait. */
static void
wait_for_part(struct engine *e, struct connection *c,
	enum connection_state state, enum pace_part part)
{
	c->state = state;
	c->reign = e->reign;
	pace_begin(&c->pace, part, e->now_ns);
	c->heard_ns = e->now_ns;
	c->hurry_ns = INT64_MAX;
	c->deadline_ns = connection_read_deadline(e, c);
	list_place_late(&e->reading, c);
}

bool
connection_may_wait(struct engine *e, struct connection *c)
{
	int64_t until_ns = connection_read_deadline(e, c);

	if (until_ns <= e->now_ns)
		return false;
	c->deadline_ns = until_ns;
	list_place_late(c->list, c);
	return true;
}

/* Its deadline may be sooner than its list's timeout says: true if it is, and
 * this is no longer its place. */
static bool
hurry(struct connection *c, int64_t deadline_ns)
{
	if (deadline_ns >= c->deadline_ns)
		return false;
	c->deadline_ns = c->hurry_ns = deadline_ns;
	return true;
}

/* --- opening --------------------------------------------------------------- */

/* Whoever kills this child wants to know, at that moment, what it cost; and
 * the kernel may have given us what we are about to take. */
static void
show_count(struct engine *e, uint32_t change)
{
	uint32_t *connections = &e->set.page->page->connections;

	if (e->set.crew == NULL)
		*connections += change;
	else
		__atomic_fetch_add(connections, change, __ATOMIC_RELAXED);
}

uint32_t
connection_total(const struct engine *e)
{
	return __atomic_load_n(
		&e->set.page->page->connections, __ATOMIC_RELAXED);
}

static void
count(struct engine *e, uint32_t change)
{
	e->n_connections += change;
	show_count(e, change);
}

void
connection_expect(struct engine *e, bool expected)
{
	show_count(e, expected ? 1 : -1U);
}

static struct connection *
take_spare(struct engine *e)
{
	if (e->n_spare > 0)
		return e->spare[--e->n_spare];
	return malloc(sizeof(struct connection));
}

static struct connection *
make(struct engine *e, int fd, bool *left)
{
	struct connection *c = take_spare(e);
	int moved = standard_avoid(e->set.standard, fd);

	if (c == NULL || moved < 0) {
		free(c);
		close(moved < 0 ? fd : moved);
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->fd = fd = moved;
	c->spool = SPOOL_NONE;
	*left = !peer_find(e, c);
	clients_add(e->set.clients, fd);
	count(e, 1);
	return c;
}

int
connection_open(struct engine *e, int fd, int protocol)
{
	bool left = false;
	struct connection *c = make(e, fd, &left);

	if (c == NULL)
		return -ENOMEM;
	if (left) {
		connection_close(e, c);
		return 0;
	}
	c->told.awaits = protocol & CONFIG_LISTENER_PROXY;
	if (protocol & CONFIG_LISTENER_HTTPS)
		peer_is_https(c);
	wait_for_part(e, c, CONNECTION_READING, PACE_HEADER);
	if (e->finishing)
		connection_await_last(e, c);
	receiving_start(e, c);
	return 0;
}

static void
park(struct engine *e, struct connection *c)
{
	wait_in(e, c, CONNECTION_PARKED, &e->parked,
		e->config->keep_alive_timeout);
}

int64_t
connection_last_ns(const struct engine *e, const struct connection *c)
{
	int64_t timeout_ms = e->config->keep_alive_timeout;
	int64_t since_ns = e->now_ns;

	if (c->state == CONNECTION_READING && unread_of(c).len == 0)
		since_ns = c->pace.begin_ns;
	else if (c->state != CONNECTION_PARKED)
		return INT64_MAX;
	else if (timeout_ms > 0)
		since_ns = c->deadline_ns - timeout_ms * MS_NS;
	return since_ns + LAST_MS * MS_NS;
}

void
connection_await_last(const struct engine *e, struct connection *c)
{
	if (hurry(c, connection_last_ns(e, c)))
		list_place_late(c->list, c);
}

/* Those that get a sooner deadline keep their order, so that each finds its
 * place a little behind that of the one before it: their number may be large. */
void
connection_await_last_all(const struct engine *e, struct connection_list *list)
{
	struct connection *c, *next, *near = NULL;

	for (c = list->first; c != NULL; c = next) {
		next = c->next;
		if (!hurry(c, connection_last_ns(e, c)))
			continue;
		list_place(list, near, c);
		near = c;
	}
}

/* What it has waited with its last owner counts. */
static void
wait_on(struct engine *e, struct connection *c, int64_t deadline_ns)
{
	if (c->requests > 0)
		park(e, c);
	else
		wait_for_part(e, c, CONNECTION_READING, PACE_HEADER);
	if (hurry(c, deadline_ns))
		list_place_late(c->list, c);
	if (e->finishing)
		connection_await_last(e, c);
}

/* What its client has done while nobody looked: 0, or poll's bits. */
static int
look_at(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

/* While its request waited for somebody to serve it; the kernel would still
 * hand it out.  Whoever has only shut his own side waits for the answer. */
static bool
has_left(int seen)
{
	return (seen & (POLLERR | POLLHUP)) != 0;
}

/* Time in which what the client had sent lay unread is not the client's: since
 * when it did is known where somebody saw it come. */
static struct pace
pace_of(const struct engine *e, const struct handoff *handoff, bool unread)
{
	if (handoff->part >= PACE_PARTS || handoff->began_ns > e->now_ns ||
		(unread && handoff->since_ns == 0))
		return (struct pace){0};
	return (struct pace){
		.part = (enum pace_part)handoff->part,
		.begin_ns = handoff->began_ns,
		.pause_ns = handoff->since_ns > handoff->began_ns &&
					    handoff->since_ns <= e->now_ns
				    ? handoff->since_ns
				    : 0,
		.bytes = handoff->part_bytes,
	};
}

/* False when there is no number for it. */
static bool
take_spool(
	struct engine *e, const struct handoff *handoff, struct spool *spool)
{
	int fd;

	if (handoff->spool_len == 0)
		return true;
	fd = standard_avoid(e->set.standard, handoff->spool);
	*spool = (struct spool){.fd = fd >= 0 ? fd : handoff->spool,
		.len = handoff->spool_len};
	return fd >= 0;
}

struct connection *
connection_adopt(struct engine *e, const struct handoff *handoff)
{
	struct spool spool = SPOOL_NONE;
	int seen = look_at(handoff->fd);
	bool left = false;
	struct connection *c = make(e, handoff->fd, &left);
	bool whole = take_spool(e, handoff, &spool);

	if (c == NULL) {
		spool_close(&spool);
		return NULL;
	}
	c->spool = spool;
	if (!whole || left || has_left(seen)) {
		connection_close(e, c);
		return NULL;
	}
	c->foreign = true;
	c->requests = handoff->requests;
	if (handoff->since_ns > 0 && handoff->since_ns <= e->now_ns)
		c->since_ns = handoff->since_ns;
	c->bytes_in = handoff->bytes.len;
	peer_be_told(e, c, &handoff->peer);
	c->pace = pace_of(e, handoff, (seen & POLLIN) != 0);
	if (buf_add(&c->in, handoff->bytes.p, handoff->bytes.len) < 0) {
		connection_close(e, c);
		return NULL;
	}
	if (c->in.len > 0)
		engine_queue(e, c);
	else if ((seen & POLLIN) != 0)
		wait_on(e, c, INT64_MAX); /* it has sent in time */
	else
		wait_on(e, c, handoff->deadline_ns);
	receiving_start(e, c);
	return c;
}

/* --- input ----------------------------------------------------------------- */

static void skip_rest(struct engine *e, struct connection *c);

/* The head has grown: is there something to parse, whole or wrong? */
static bool
head_is_ripe(struct engine *e, struct connection *c)
{
	if (c->scan.seen == 0)
		return true; /* the first piece: parsing it is the scan */
	return request_scan(&c->scan, c->in.data, c->in.len, &e->limits) != 0;
}

/* Has what the connection waits for arrived? */
static bool
wakes(struct engine *e, struct connection *c)
{
	switch (c->state) {
	case CONNECTION_PARKED:
		return true;
	case CONNECTION_READING:
		return c->told.awaits != 0 || head_is_ripe(e, c);
	case CONNECTION_COLLECTING:
		return c->in.len + c->piece.len >= c->need;
	default:
		return false;
	}
}

/* It will wait for its client, and with a receive buffer of each that waits there
 * would be none to receive with what they wait for. */
static bool
let_go_of_buffer(struct engine *e, struct connection *c)
{
	if (unread_stash(e, c) == 0)
		return true;
	connection_close(e, c);
	return false;
}

/* The watcher has seen something come, which was not the rest of it. */
static void
forget_arrival(struct connection *c)
{
	if (c->state == CONNECTION_READING || c->state == CONNECTION_COLLECTING)
		c->since_ns = 0;
}

void
connection_heard(const struct engine *e, struct connection *c, size_t len)
{
	c->bytes_in += len;
	c->pace.bytes += len;
	c->heard_ns = e->now_ns;
}

void
connection_received(struct engine *e, struct connection *c, char *data,
	size_t len, uint16_t buffer)
{
	connection_heard(e, c, len);
	if (c->state == CONNECTION_LINGERING ||
		c->state == CONNECTION_CLOSING) {
		io_release(e->io, buffer);
		if (c->state == CONNECTION_LINGERING)
			connection_linger(e, c);
		return;
	}
	if (unread_add(e, c, data, len, buffer) < 0) {
		connection_close(e, c);
		return;
	}
	if (c->state == CONNECTION_SKIPPING) {
		skip_rest(e, c);
		return;
	}
	if (wakes(e, c)) {
		engine_queue(e, c);
	} else {
		forget_arrival(c);
		if (c->state != CONNECTION_RUNNING && !let_go_of_buffer(e, c))
			return;
	}
	/* Whether more is wanted than the first piece is to be seen. */
	if (c->receiving || c->state != CONNECTION_QUEUED)
		receiving_start(e, c);
}

/* It waits for more, but its receiving may have ended while it was queued: with
 * the client's end, or because there was more than enough. */
static void
receive_on(struct engine *e, struct connection *c)
{
	if (c->at_eof || c->error != 0)
		connection_close(e, c);
	else
		receiving_start(e, c);
}

void
connection_await_head(struct engine *e, struct connection *c)
{
	struct str input = unread_of(c);

	if (c->scan.seen == 0)
		(void)request_scan(&c->scan, input.p, input.len, &e->limits);
	c->since_ns = 0;
	wait_for_part(e, c, CONNECTION_READING, PACE_HEADER);
	receive_on(e, c);
}

void
connection_collect(struct engine *e, struct connection *c, size_t need)
{
	if (!let_go_of_buffer(e, c))
		return;
	c->need = need;
	c->since_ns = 0;
	wait_for_part(e, c, CONNECTION_COLLECTING, PACE_BODY);
	receive_on(e, c);
}

/* --- output ---------------------------------------------------------------- */

/* Of all on the list the next look is equally far away. */
static void
look_later(struct engine *e, struct connection *c)
{
	c->deadline_ns = c->progress.look_ns;
	connection_list_add(&e->sending, c);
}

static void
wait_for_progress(
	struct engine *e, struct connection *c, enum connection_state state)
{
	c->state = state;
	c->reign = e->reign;
	progress_begin(&c->progress, e->config->timeout * MS_NS, e->now_ns);
	look_later(e, c);
}

void
connection_await_sent(struct engine *e, struct connection *c)
{
	if (UNLIKELY(c->piece.p != NULL) && unread_stash(e, c) < 0)
		c->error = -ENOMEM;
	wait_for_progress(e, c, CONNECTION_SENDING);
}

bool
connection_moves(struct engine *e, struct connection *c)
{
	if (!progress_look(&c->progress, c->fd, c->bytes_out, e->now_ns))
		return false;
	look_later(e, c);
	return true;
}

/* Its worker may not know it yet: the watcher asks. */
bool
connection_is_answered(const struct connection *c)
{
	return c->state == CONNECTION_SENDING && c->keep &&
	       c->part == c->n_parts && !c->rest.exists && !c->file.exists &&
	       !c->at_eof;
}

void
connection_go_on(struct engine *e, struct connection *c)
{
	if (e->retiring && !e->finishing) {
		handover_give(e, c);
		return;
	}
	if (unread_of(c).len > 0)
		engine_queue(e, c);
	else if (c->at_eof)
		connection_close(e, c);
	else
		park(e, c);
	if (e->finishing)
		connection_await_last(e, c);
	receiving_start(e, c);
}

/* What a client has begun to send it sends, and the next request is behind it. */
static void
skip_rest(struct engine *e, struct connection *c)
{
	int rc = body_skip(e, c);

	if (rc < 0) {
		connection_linger(e, c);
	} else if (!c->rest.exists) {
		connection_go_on(e, c);
	} else if (c->at_eof) {
		connection_close(e, c);
	} else {
		wait_for_progress(e, c, CONNECTION_SKIPPING);
		receiving_start(e, c);
	}
}

/* What is left unread when we close makes the kernel reset the connection, and the
 * client may miss its answer.  Without a turn of the loop we may not have heard. */
static bool
has_read_all(const struct connection *c)
{
	char byte;

	return unread_of(c).len == 0 &&
	       (c->at_eof ||
		       recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0);
}

/* The descriptor is closed in the turn in which the receive has ended, which may be
 * behind a long request.  That it has all the client learns by this. */
static void
close_now(struct engine *e, struct connection *c)
{
	if (c->in_flight > 0)
		(void)shutdown(c->fd, SHUT_WR);
	connection_close(e, c);
}

void
connection_answered(struct engine *e, struct connection *c)
{
	report_out(e, c, e->now_ns);
	spare_give(e, &c->out);
	if (c->kept.size > 0)
		spare_give(e, &c->kept);
	c->pace = (struct pace){0};
	if (c->error != 0 || c->broken_off)
		connection_close(e, c);
	else if (c->keep && c->rest.exists)
		skip_rest(e, c);
	else if (c->keep)
		connection_go_on(e, c);
	else if (c->client_closes && has_read_all(c))
		close_now(e, c);
	else
		connection_linger(e, c);
}

/* --- leaving for a sibling --------------------------------------------------- */

void
connection_leave(struct engine *e, struct connection *c)
{
	c->patience_ns = e->now_ns + e->config->timeout * MS_NS;
	if (c->list == &e->parked || c->list == &e->reading)
		c->patience_ns = c->deadline_ns;
	c->state = CONNECTION_LEAVING;
	connection_list_add(&e->ending, c);
}

void
connection_let_go(struct engine *e, struct connection *c)
{
	c->foreign = false; /* no shutdown: it lives on */
	connection_close(e, c);
}

/* --- closing --------------------------------------------------------------- */

void
connection_linger(struct engine *e, struct connection *c)
{
	if (c->at_eof || c->error != 0) {
		connection_close(e, c);
		return;
	}
	/* A stop does not wait any longer for who goes on sending. */
	if (c->state == CONNECTION_LINGERING && e->finishing) {
		receiving_start(e, c);
		return;
	}
	if (c->state != CONNECTION_LINGERING) {
		(void)shutdown(c->fd, SHUT_WR);
		c->linger_end_ns =
			e->now_ns +
			(e->finishing ? LINGER_MS : LINGER_TOTAL_MS) * MS_NS;
		unread_drop(e, c);
	}
	wait_in(e, c, CONNECTION_LINGERING, &e->lingering, LINGER_MS);
	if (c->deadline_ns > c->linger_end_ns)
		connection_close(e, c);
	else
		receiving_start(e, c);
}

void
connection_close(struct engine *e, struct connection *c)
{
	if (c->state == CONNECTION_CLOSING)
		return;
	c->state = CONNECTION_CLOSING;
	connection_list_add(&e->ending, c);
	if (c->receiving)
		io_cancel(e->io, c, IO_RECEIVE, c->fd);
	if (c->sending)
		io_cancel(e->io, c, IO_SEND, c->fd);
	if (c->awaits_room)
		io_cancel(e->io, c, IO_WRITABLE, c->fd);
	if (c->awaits_input)
		io_cancel(e->io, c, IO_READABLE, c->fd);
	connection_settle(e, c);
}

/* A reset, which is what this makes of a TCP connection whoever else holds it, takes
 * bytes along that the client has not received, of a response that is of no use.  A
 * Unix socket knows none: it says no, and is closed. */
void
connection_reset_if_cut(const struct connection *c)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	if (c->to_close && (c->broken_off || send_left(c) > 0 ||
				   sendfile_left(c) > 0))
		(void)connect(c->fd, &nobody, sizeof(nobody));
}

void
connection_settle(struct engine *e, struct connection *c)
{
	if (c->state != CONNECTION_CLOSING || c->in_flight > 0 || c->fd < 0)
		return;
	watch_forget(e->set.watch, c);
	report_out(e, c, e->now_ns);
	connection_reset_if_cut(c);
	sendfile_end(e, c);
	if (c->foreign)
		(void)shutdown(c->fd, SHUT_RDWR);
	clients_remove(e->set.clients, c->fd);
	close(c->fd);
	c->fd = -1;
	accept_has_room(e, c);
	unread_drop(e, c);
	buf_fini(&c->body);
	spool_close(&c->spool);
	spare_give(e, &c->out);
	spare_give(e, &c->kept);
	count(e, -1U);
	connection_list_add(&e->buried, c);
}
