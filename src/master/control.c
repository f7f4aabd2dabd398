/*
 * control.c - the control socket: what the administrator's tool asks.
 *
 * One request a connection, as control/control.h has it.  A client that
 * says nothing, or too much, or does not read, is closed by its deadline;
 * the loop never waits for one.  Who may connect is door.c's to say, and what
 * the answer is answers.c's.
 */
#include "master/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "control/control.h"
#include "master/answers.h"
#include "master/control_priv.h"
#include "master/door.h"
#include "master/generation.h"
#include "master/heritage.h"
#include "master/master_priv.h"
#include "master/said.h"
#include "master/state.h"

enum {
	ASK_S = 10,        /* to send the line, or to read the answer */
	REST_S = 1,        /* when descriptors are short */
	RESTS = 256,       /* reads, for what nobody wants */
	TOLD = 256 * 1024, /* bytes of progress for one that does not read */
};

static void
destroy(struct master *m, struct client *c)
{
	struct client **link = &m->control.clients;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	m->control.n_clients--;
	master_forget(m, &c->source);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

/* --- lines ---------------------------------------------------------------- */

/* One line; the words end with NULL. */
void
client_line(struct client *c, const char *const *texts)
{
	struct str words[CONTROL_WORDS];
	size_t n = 0;

	while (n < CONTROL_WORDS && texts[n] != NULL) {
		words[n] = str_of(texts[n]);
		n++;
	}
	(void)control_encode(&c->out, words, n);
}

void
client_number(struct client *c, const char *name, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	LINE(c, "+", name, text);
}

void
client_ok(struct client *c)
{
	LINE(c, "ok");
	c->answered = true;
}

void
client_error(struct client *c, const char *sentence)
{
	LINE(c, "error", sentence);
	c->answered = true;
}

/* That it has gone altogether is always heard. */
static void
watch_for(struct master *m, struct client *c, bool to_write)
{
	struct epoll_event event = {.data.ptr = &c->source};

	if (!c->half_closed)
		event.events |= EPOLLIN;
	if (to_write)
		event.events |= EPOLLOUT;

	(void)epoll_ctl(m->epoll, EPOLL_CTL_MOD, c->source.fd, &event);
}

/* Are there lines that it could not read in time? */
static bool
mark_missing(struct client *c)
{
	bool missed = c->missed;

	if (missed)
		LINE(c, "+", "log", "(lines are missing here)");
	c->missed = false;
	return missed;
}

/* Not flushed here: its own handler may have called us. */
void
client_end_wait(struct master *m, struct client *c, const char *reason)
{
	c->waits = WAITS_FOR_NOTHING;
	c->deadline_ns = m->now_ns + ASK_S * SECOND_NS;
	if (reason != NULL && mark_missing(c))
		said_again(m, c);
	if (reason == NULL)
		client_ok(c);
	else
		client_error(c, reason);
	watch_for(m, c, true);
}

/* --- the conversation -------------------------------------------------------- */

/* What it has sent and nobody has read would make an error of our answer: the
 * socket's own limit is that of the rest, for more is not let in. */
static void
take_leave(struct client *c)
{
	char rest[CONTROL_LINE];

	(void)shutdown(c->source.fd, SHUT_RD);
	for (int i = 0; i < RESTS; i++)
		if (recv(c->source.fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
			break;
}

/* Send what there is; the client is closed after its last line. */
static void
flush(struct master *m, struct client *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->source.fd, c->out.data, c->out.len,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			watch_for(m, c, true);
			return;
		}
		if (n < 0) {
			destroy(m, c);
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if (!c->answered) {
		watch_for(m, c, false);
		return;
	}
	take_leave(c);
	destroy(m, c);
}

static void
take_request(struct master *m, struct client *c)
{
	const char *end = memchr(c->in.data, '\n', c->in.len);

	if (end != NULL)
		answers_give(m, c,
			(struct str){c->in.data, (size_t)(end - c->in.data)});
	else if (c->in.len >= CONTROL_LINE)
		client_error(c, "the request is too long");
}

/* Take what it sends.  Its one request is all we want; the end of its side
 * is none, for a tool may say its line and close that half.  false when the
 * client is gone. */
static bool
listen_to(struct master *m, struct client *c)
{
	char *to = buf_reserve(&c->in, CONTROL_LINE);
	ssize_t n;

	if (to == NULL)
		return false;
	n = recv(c->source.fd, to, CONTROL_LINE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->half_closed = n == 0;
	if (c->answered || c->waits != WAITS_FOR_NOTHING)
		return true;
	c->in.len += (size_t)n;
	if (n > 0)
		take_request(m, c);
	else
		client_error(c, "the request does not end with a newline");
	return true;
}

static void
client_ready(struct master *m, struct source *s)
{
	struct client *c = CONTAINER_OF(s, struct client, source);
	bool here;

	if (c->half_closed)
		/* Nothing to send and woken all the same: it has gone. */
		here = c->out.len > 0 || c->answered;
	else
		here = listen_to(m, c);
	if (here)
		flush(m, c);
	else
		destroy(m, c);
}

static void
watch_listener(struct master *m, bool watched)
{
	struct epoll_event event = {
		.events = watched ? EPOLLIN : 0,
		.data.ptr = &m->control.listener,
	};

	(void)epoll_ctl(
		m->epoll, EPOLL_CTL_MOD, m->control.listener.fd, &event);
	m->control.rest_ns = watched ? NEVER : m->now_ns + REST_S * SECOND_NS;
}

/* Who goes where there is no place for one more, the first the soonest. */
enum claim {
	CLAIM_NONE,  /* it has said nothing yet, or has its answer */
	CLAIM_OTHER, /* somebody else's, where it is root who comes */
	CLAIM_STOP,  /* it only looks on, until the end of the server */
	CLAIM_STAYS,
};

static enum claim
claim_of(const struct client *c, uid_t uid)
{
	if (c->uid == 0 && uid != 0)
		return CLAIM_STAYS;
	if (c->waits == WAITS_FOR_NOTHING)
		return CLAIM_NONE;
	if (c->uid != 0 && uid == 0)
		return CLAIM_OTHER;
	return c->waits == WAITS_FOR_STOP ? CLAIM_STOP : CLAIM_STAYS;
}

/* Nobody is kept out by those who say nothing, and root by nobody else: the one
 * that came first goes.  Where all have asked for something that takes its
 * time, false. */
static bool
make_room(struct master *m, uid_t uid)
{
	enum claim least = CLAIM_STAYS;
	struct client *leaves = NULL;

	if (m->control.n_clients < CONTROL_CLIENTS)
		return true;
	/* The list begins with the last. */
	for (struct client *c = m->control.clients; c != NULL; c = c->next) {
		enum claim claim = claim_of(c, uid);

		if (claim == CLAIM_STAYS || claim > least)
			continue;
		least = claim;
		leaves = c;
	}
	if (leaves != NULL)
		destroy(m, leaves);
	return leaves != NULL;
}

/* Its request is not waited for: it may be slow to come. */
static void
turn_away(int fd)
{
	struct client c = {0};

	client_error(&c, CONTROL_FULL);
	(void)send(fd, c.out.data, c.out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_fini(&c.out);
}

/* Whoever cannot be let in for want of descriptors or memory stays in the
 * queue, and the socket readable: the loop would turn for nothing else. */
static void
listener_ready(struct master *m, struct source *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			watch_listener(m, false);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL || !door_admits(fd, m->now->config, &c->uid)) {
		free(c);
		close(fd);
		return;
	}
	if (!make_room(m, c->uid)) {
		turn_away(fd);
		free(c);
		close(fd);
		return;
	}
	if (master_watch(m, &c->source, fd, client_ready) < 0) {
		free(c);
		return;
	}
	c->deadline_ns = m->now_ns + ASK_S * SECOND_NS;
	c->next = m->control.clients;
	m->control.clients = c;
	m->control.n_clients++;
}

void
control_tell(struct master *m, const char *const *words)
{
	const char *all[CONTROL_WORDS + 1] = {"+"};

	for (size_t i = 1; i < CONTROL_WORDS && words[i - 1] != NULL; i++)
		all[i] = words[i - 1];
	for (struct client *c = m->control.clients; c != NULL; c = c->next) {
		if (c->waits == WAITS_FOR_NOTHING || c->waits == WAITS_FOR_STOP)
			continue;
		if (c->out.len > TOLD) {
			c->missed = true;
			continue;
		}
		(void)mark_missing(c);
		client_line(c, all);
		watch_for(m, c, true);
	}
}

void
control_reloaded(struct master *m, const char *reason)
{
	for (struct client *c = m->control.clients; c != NULL; c = c->next) {
		/* The one that it waits for is still to come. */
		if (m->reload_wanted || (c->waits != WAITS_FOR_RELOAD &&
						c->waits != WAITS_FOR_RESTART))
			continue;
		/* A restart has only begun when the old ones are gone. */
		if (c->waits == WAITS_FOR_RELOAD || reason != NULL)
			client_end_wait(m, c, reason);
	}
}

bool
control_awaits_reload(const struct master *m)
{
	for (const struct client *c = m->control.clients; c != NULL;
		c = c->next)
		if (c->waits == WAITS_FOR_RELOAD ||
			c->waits == WAITS_FOR_RESTART)
			return true;
	return false;
}

void
control_restarted(struct master *m, const char *reason)
{
	for (struct client *c = m->control.clients; c != NULL; c = c->next)
		if (c->waits == WAITS_FOR_RESTART && m->now->number > c->after)
			client_end_wait(m, c, reason);
}

void
control_scaled(struct master *m, const char *reason)
{
	for (struct client *c = m->control.clients; c != NULL; c = c->next)
		if (c->waits == WAITS_FOR_SCALE)
			client_end_wait(m, c, reason);
}

void
control_upgraded(struct master *m, const char *reason)
{
	for (struct client *c = m->control.clients; c != NULL; c = c->next)
		if (c->waits == WAITS_FOR_UPGRADE)
			client_end_wait(m, c, reason);
}

/* What was said to them so far has to be out: the rest is another program's. */
int
control_bequeath(struct master *m, struct heritage *h)
{
	int rc = 0;

	for (struct client *c = m->control.clients; rc == 0 && c != NULL;
		c = c->next) {
		if (c->waits != WAITS_FOR_UPGRADE &&
			c->waits != WAITS_FOR_RELOAD &&
			c->waits != WAITS_FOR_RESTART)
			continue;
		if (c->out.len > 0)
			(void)send(c->source.fd, c->out.data, c->out.len,
				MSG_NOSIGNAL | MSG_DONTWAIT);
		buf_clear(&c->out);
		rc = heritage_add_client(h, c->source.fd);
	}
	return rc;
}

/* To the program that was started in place it is a reload. */
int
control_adopt(struct master *m, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		close(fd);
		return -ENOMEM;
	}
	/* Where the kernel does not say who it is, it is not root. */
	if (!door_admits(fd, m->now->config, &c->uid))
		c->uid = (uid_t)-1;
	rc = master_watch(m, &c->source, fd, client_ready);
	if (rc < 0) {
		free(c);
		return rc;
	}
	c->deadline_ns = NEVER;
	c->waits = WAITS_FOR_RELOAD;
	c->next = m->control.clients;
	m->control.clients = c;
	m->control.n_clients++;
	return 0;
}

void
control_turn(struct master *m)
{
	struct client *c, *next;

	if (m->control.rest_ns <= m->now_ns)
		watch_listener(m, true);
	for (c = m->control.clients; c != NULL; c = next) {
		next = c->next;
		if (c->waits == WAITS_FOR_LOGS)
			answers_end_logs(m, c);
		else if (c->deadline_ns <= m->now_ns)
			destroy(m, c);
	}
}

int64_t
control_deadline(const struct master *m)
{
	int64_t first = m->control.rest_ns;

	for (struct client *c = m->control.clients; c != NULL; c = c->next)
		if (c->deadline_ns < first)
			first = c->deadline_ns;
	return first;
}

/* --- opening and closing ------------------------------------------------------ */

int
control_open(struct master *m, struct err *err)
{
	AUTO_FREE char *path = NULL;
	int fd, rc;

	if (m->run.path == NULL)
		return 0;
	if (asprintf(&path, "%s/%s.ctl", m->run.path, m->name) < 0) {
		path = NULL;
		return err_set(err, ENOMEM, "control socket");
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "control socket");
	rc = door_open(&m->control, fd, path, m->now->config, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	rc = master_watch(m, &m->control.listener, fd, listener_ready);
	if (rc < 0)
		return err_set(err, -rc, "control socket");
	m->control.path = path;
	path = NULL;
	return 0;
}

void
control_close(struct master *m)
{
	while (m->control.clients != NULL) {
		struct client *c = m->control.clients;

		if (c->waits == WAITS_FOR_STOP)
			answers_end_stop(m, c);
		/* An answer may have been given in this last turn. */
		if (c->out.len > 0)
			(void)send(c->source.fd, c->out.data, c->out.len,
				MSG_NOSIGNAL | MSG_DONTWAIT);
		destroy(m, c);
	}
	if (m->control.path == NULL)
		return;
	master_forget(m, &m->control.listener);
	door_remove(&m->control);
	free(m->control.path);
	m->control.path = NULL;
}
