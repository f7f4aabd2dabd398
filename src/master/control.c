/*
 * control.c - the control socket: what the administrator's tool asks.
 *
 * One request a connection, as control/control.h has it.  A client that
 * says nothing, or too much, or does not read, is closed by its deadline;
 * the loop never waits for one.  Who may connect is door.c's to say.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "built_with.h"
#include "control/control.h"
#include "master/children.h"
#include "master/heritage.h"
#include "master/state.h"

enum {
	ASK_S = 10,        /* to send the line, or to read the answer */
	REST_S = 1,        /* when descriptors are short */
	LOGS_S = 2,        /* for busy children to take new logs */
	TOLD = 256 * 1024, /* bytes of progress for one that does not read */
};

enum wait {
	WAITS_FOR_NOTHING,
	WAITS_FOR_RELOAD,
	WAITS_FOR_RESTART,
	WAITS_FOR_UPGRADE,
	WAITS_FOR_SCALE,
	WAITS_FOR_LOGS,
};

struct client {
	struct source source;
	struct client *next;
	uid_t uid;           /* whose it is */
	int64_t deadline_ns; /* NEVER while it waits for something */
	enum wait waits;
	unsigned after; /* restart: for a generation younger than this */
	bool answered;
	bool half_closed; /* it has said all; the answer is still wanted */
	struct buf in;
	struct buf out;
};

struct verb {
	const char *name;
	size_t arguments; /* at most */
	void (*answer)(struct master *m, struct client *c,
		const struct control_line *request);
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

/* --- answers ---------------------------------------------------------------- */

/* One line; the words end with NULL. */
static void
line(struct client *c, const char *const *texts)
{
	struct str words[CONTROL_WORDS];
	size_t n = 0;

	while (n < CONTROL_WORDS && texts[n] != NULL) {
		words[n] = str_of(texts[n]);
		n++;
	}
	(void)control_encode(&c->out, words, n);
}

#define LINE(c, ...) line((c), (const char *const[]){__VA_ARGS__, NULL})

static void
line_number(struct client *c, const char *name, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	LINE(c, "+", name, text);
}

static void
say_ok(struct client *c)
{
	LINE(c, "ok");
	c->answered = true;
}

static void
say_error(struct client *c, const char *sentence)
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

/* Not flushed here: its own handler may have called us. */
static void
end_wait(struct master *m, struct client *c, const char *reason)
{
	c->waits = WAITS_FOR_NOTHING;
	c->deadline_ns = m->now_ns + ASK_S * SECOND_NS;
	if (reason == NULL)
		say_ok(c);
	else
		say_error(c, reason);
	watch_for(m, c, true);
}

static void
answer_version(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	LINE(c, "+", "version", "wsgid/" WSGID_VERSION);
	LINE(c, "+", "python", m->now->python.facts.version);
	say_ok(c);
}

static void
list_children(struct master *m, struct client *c)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct child *child = &m->children[i];
		char slot[16], pid[16], generation[16];

		if (child->life == LIFECYCLE_VACANT)
			continue;
		snprintf(slot, sizeof(slot), "%u", child->slot);
		snprintf(pid, sizeof(pid), "%d", (int)child->pid);
		snprintf(generation, sizeof(generation), "%u",
			child->generation);
		LINE(c, "+", "child", slot, pid, generation,
			lifecycle_name(child->life));
	}
}

static void
answer_status(
	struct master *m, struct client *c, const struct control_line *request)
{
	static const char *const phases[] = {
		[PHASE_STARTING] = "starting",
		[PHASE_RUNNING] = "running",
		[PHASE_STOPPING] = "stopping",
		[PHASE_OVER] = "stopping",
	};
	struct buf listeners = {0};
	struct census census;

	(void)request;
	census_take(m, &census);
	census_look(m, &census);
	say_listeners(m->now, &listeners);
	LINE(c, "+", "name", m->name);
	LINE(c, "+", "state", phases[m->phase]);
	line_number(c, "pid", getpid());
	line_number(c, "generation", m->now->number);
	LINE(c, "+", "reload", m->reloading ? "running" : "none");
	LINE(c, "+", "listeners", buf_text(&listeners));
	if (m->now->config->application != NULL)
		LINE(c, "+", "application", m->now->config->application);
	LINE(c, "+", "python", m->python);
	line_number(c, "starting", census.starting_workers);
	line_number(c, "idle", census.idle);
	line_number(c, "busy", census.workers - census.idle);
	line_number(c, "draining", census.draining);
	line_number(c, "limit", census_worker_limit(m));
	buf_fini(&listeners);
	list_children(m, c);
	say_ok(c);
}

/* Answered when the reload has ended. */
static void
answer_reload(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	if (m->phase == PHASE_STOPPING) {
		say_error(c, CONTROL_STOPPING);
		return;
	}
	c->waits = WAITS_FOR_RELOAD;
	c->deadline_ns = NEVER;
	LINE(c, "+", "reloading");
	restart_begin(m, false, "asked by the control socket");
}

/* Apache's ungraceful one.  Answered when a child of the new generation
 * serves, or its first one has failed. */
static void
answer_restart(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	if (m->phase == PHASE_STOPPING) {
		say_error(c, CONTROL_STOPPING);
		return;
	}
	c->waits = WAITS_FOR_RESTART;
	c->after = m->last_generation;
	c->deadline_ns = NEVER;
	LINE(c, "+", "restarting");
	restart_begin(m, true, "asked by the control socket");
}

/* Answered when the new master has taken over, or when it has failed. */
static void
answer_upgrade(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	c->waits = WAITS_FOR_UPGRADE;
	c->deadline_ns = NEVER;
	LINE(c, "+", "upgrading");
	upgrade_begin(m, "asked by the control socket");
}

/* Answered when there are so many. */
static void
answer_scale(
	struct master *m, struct client *c, const struct control_line *request)
{
	AUTO_FREE char *text = NULL;
	struct err err = {0};
	char *end = NULL;
	long before = census_limit(m), n = 0;

	if (request->n > 1)
		text = strndup(request->words[1].p, request->words[1].len);
	if (text != NULL && text[0] >= '0' && text[0] <= '9')
		n = strtol(text, &end, 10);
	if (end == NULL || *end != '\0') {
		say_error(c, "scale needs a number of processes");
		return;
	}
	if (scale_begin(m, n, &err) < 0) {
		say_error(c, err.text);
		return;
	}
	line_number(c, "before", before);
	line_number(c, "processes", n);
	c->waits = WAITS_FOR_SCALE;
	c->deadline_ns = NEVER;
}

/* What is being finished, and how many milliseconds it has; 0: as long as it
 * takes. */
static void
say_finishing(struct master *m, struct client *c, int64_t timeout_ms)
{
	struct census census;

	census_take(m, &census);
	census_look(m, &census);
	line_number(c, "finishing",
		census.workers - census.idle + census.finishing);
	line_number(c, "within-ms", timeout_ms);
}

static void
stop_gracefully(struct master *m, struct client *c)
{
	say_finishing(m, c, m->now->config->graceful_shutdown_timeout);
	say_ok(c);
	/* A second one, unlike a second signal, changes nothing. */
	if (m->phase != PHASE_STOPPING)
		stop_begin(m, true, "asked by the control socket");
}

/* As SIGTERM, or at once. */
static void
answer_stop(
	struct master *m, struct client *c, const struct control_line *request)
{
	bool apache = m->now->config->signal_style == CONFIG_SIGNALS_APACHE;
	bool now = request->n > 1;

	if (now && !str_equal(request->words[1], STR("now"))) {
		say_error(c, "stop has no argument but \"now\"");
		return;
	}
	if (!now && !apache) {
		stop_gracefully(m, c);
		return;
	}
	LINE(c, "+", "now");
	say_ok(c);
	stop_begin(m, false, "asked by the control socket");
}

static void
answer_graceful_stop(
	struct master *m, struct client *c, const struct control_line *request)
{
	(void)request;
	stop_gracefully(m, c);
}

static bool
is_waited_for(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (logs_of_child(m, &m->children[i]) == LOGS_OLD_YET)
			return true;
	return false;
}

/* Children that are in a request hear nothing, and those of an earlier
 * generation have logs of their own. */
static void
end_logs(struct master *m, struct client *c)
{
	if (c->deadline_ns > m->now_ns && is_waited_for(m))
		return;
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct child *child = &m->children[i];
		char pid[16];

		if (logs_of_child(m, child) == LOGS_NEW)
			continue;
		snprintf(pid, sizeof(pid), "%d", (int)child->pid);
		LINE(c, "+", "behind", pid, lifecycle_name(child->life));
	}
	end_wait(m, c, NULL);
}

static void
answer_reopen_logs(
	struct master *m, struct client *c, const struct control_line *request)
{
	struct err err = {0};

	(void)request;
	if (logs_reopen(m, &err) < 0) {
		log_errorx("master", "logs cannot be reopened: %s", err.text);
		say_error(c, err.text);
		return;
	}
	log_notice("master", "logs reopened, asked by the control socket");
	line_number(c, "access-logs", (long long)m->now->n_logs);
	LINE(c, "+", "error-log",
		m->now->config->error_log != NULL ? m->now->config->error_log
						  : "-");
	c->waits = WAITS_FOR_LOGS;
	c->deadline_ns = m->now_ns + LOGS_S * SECOND_NS;
	end_logs(m, c);
}

static void
set_log_level(struct master *m, struct client *c, const char *name)
{
	int level = log_level_of(name);
	struct err err = {0};

	if (level < 0) {
		say_error(c, "a log level is one of error, warn, notice, info "
			     "and debug");
		return;
	}
	if (generation_set_log_level(m->now, (enum log_level)level, &err) < 0) {
		say_error(c, err.text);
		return;
	}
	log_notice("master",
		"LogLevel %s until the next reload, asked by the "
		"control socket",
		name);
	log_set_level((enum log_level)level);
	child_tell_log_level(m, m->now);
}

static void
answer_log_level(
	struct master *m, struct client *c, const struct control_line *request)
{
	AUTO_FREE char *name = NULL;
	int level;

	if (request->n > 1) {
		name = strndup(request->words[1].p, request->words[1].len);
		set_log_level(m, c, name != NULL ? name : "");
	}
	if (c->answered)
		return;
	level = m->now->config->log_level;
	LINE(c, "+", "log-level", log_level_name((enum log_level)level));
	say_ok(c);
}

static const struct verb verbs[] = {
	{"status", 0, answer_status},
	{"reload", 0, answer_reload},
	{"restart", 0, answer_restart},
	{"upgrade", 0, answer_upgrade},
	{"scale", 1, answer_scale},
	{"stop", 1, answer_stop},
	{"graceful-stop", 0, answer_graceful_stop},
	{"reopen-logs", 0, answer_reopen_logs},
	{"log-level", 1, answer_log_level},
	{"version", 0, answer_version},
};

static void
say_unknown(struct client *c)
{
	struct buf text = {0};

	buf_add_text(&text, "unknown verb; there are");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		buf_printf(&text, "%s %s",
			i == 0                     ? ""
			: i + 1 < ARRAY_LEN(verbs) ? ","
						   : " and",
			verbs[i].name);
	say_error(c, buf_text(&text));
	buf_fini(&text);
}

static void
answer(struct master *m, struct client *c, struct str text)
{
	struct control_line request;

	if (control_decode(&request, text) < 0) {
		say_error(c, "this is no request: one line, a verb and its "
			     "arguments, separated by one space");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!str_equal(request.words[0], str_of(verbs[i].name)))
			continue;
		if (request.n - 1 <= verbs[i].arguments)
			verbs[i].answer(m, c, &request);
		else if (verbs[i].arguments == 0)
			say_error(c, "this verb takes no arguments");
		else
			say_error(c, "this verb takes one argument");
		return;
	}
	say_unknown(c);
}

/* --- the conversation -------------------------------------------------------- */

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
	if (c->answered)
		destroy(m, c);
	else
		watch_for(m, c, false);
}

static void
take_request(struct master *m, struct client *c)
{
	const char *end = memchr(c->in.data, '\n', c->in.len);

	if (end != NULL)
		answer(m, c,
			(struct str){c->in.data, (size_t)(end - c->in.data)});
	else if (c->in.len >= CONTROL_LINE)
		say_error(c, "the request is too long");
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
		say_error(c, "the request does not end with a newline");
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

/* Nobody is kept out by those who say nothing, and root by nobody: the one that
 * came first goes.  Where all have asked for something that takes its time,
 * false. */
static bool
make_room(struct master *m, uid_t uid)
{
	struct client *silent = NULL, *waiting = NULL;

	if (m->control.n_clients < CONTROL_CLIENTS)
		return true;
	/* The list begins with the last. */
	for (struct client *c = m->control.clients; c != NULL; c = c->next) {
		if (c->uid == 0 && uid != 0)
			continue;
		if (c->waits == WAITS_FOR_NOTHING)
			silent = c;
		else if (c->uid != 0 && uid == 0)
			waiting = c;
	}
	if (silent == NULL)
		silent = waiting;
	if (silent != NULL)
		destroy(m, silent);
	return silent != NULL;
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
	if (c == NULL || !door_admits(fd, m->now->config, &c->uid) ||
		!make_room(m, c->uid)) {
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
		if (c->waits == WAITS_FOR_NOTHING || c->out.len > TOLD)
			continue;
		line(c, all);
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
			end_wait(m, c, reason);
	}
}

void
control_restarted(struct master *m, const char *reason)
{
	for (struct client *c = m->control.clients; c != NULL; c = c->next)
		if (c->waits == WAITS_FOR_RESTART && m->now->number > c->after)
			end_wait(m, c, reason);
}

void
control_scaled(struct master *m, const char *reason)
{
	for (struct client *c = m->control.clients; c != NULL; c = c->next)
		if (c->waits == WAITS_FOR_SCALE)
			end_wait(m, c, reason);
}

void
control_upgraded(struct master *m, const char *reason)
{
	for (struct client *c = m->control.clients; c != NULL; c = c->next)
		if (c->waits == WAITS_FOR_UPGRADE)
			end_wait(m, c, reason);
}

/* What was said to them so far has to be out: the rest is another program's. */
int
control_bequeath(struct master *m, struct heritage *h)
{
	int rc = 0;

	for (struct client *c = m->control.clients; rc == 0 && c != NULL;
		c = c->next) {
		if (c->waits != WAITS_FOR_UPGRADE)
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
			end_logs(m, c);
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
