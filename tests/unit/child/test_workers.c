/*
 * test_workers.c - several workers with the real engines, clients and watcher,
 * and an application that is not Python.
 *
 * A mutex stands for the GIL.  Two children may be two sets of workers in this
 * one process, with a pool between them.  It is the program to run under
 * ThreadSanitizer (scons sanitize=thread): what threads do to each other here
 * is what they do in a child.
 */
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/signals.h"
#include "child/balance.h"
#include "child/forking.h"
#include "child/workers.h"
#include "config/config.h"
#include "io/io.h"
#include "net/channel.h"
#include "net/handoff.h"
#include "net/inherit.h"
#include "python/app.h"
#include "scoreboard/scoreboard.h"
#include "support/skip.h"

enum {
	WORKERS = 4,
	CLIENTS = 12,
	ROUNDS = 60, /* requests of each client */
	BIG = 300000,
	PATIENCE_S = 30,
};

/* --- the application --------------------------------------------------------- */

struct app {
	pthread_mutex_t gil;
	atomic_uint inside; /* requests that are in the application now */
};

void
app_enter(struct app *app)
{
	pthread_mutex_lock(&app->gil);
}

void
app_leave(struct app *app)
{
	pthread_mutex_unlock(&app->gil);
}

void
app_become_worker(struct app *app, const char *name)
{
	(void)app;
	(void)name;
}

void
app_forget_thread(struct app *app)
{
	app_leave(app);
}

void
app_drop(struct app *app, void *held)
{
	(void)app;
	free(held);
}

void
app_forget_peer(struct app *app, struct app_peer *peer)
{
	(void)app;
	(void)peer;
}

static void
sleep_ms(long ms)
{
	struct timespec time = {
		.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)nanosleep(&time, NULL);
}

/* Answer with the path, so that each client sees that the answer is its own. */
static void
answer(struct app_exchange *x)
{
	struct response *r = x->response;
	struct str path = x->request->path;

	x->status = 200;
	(void)response_begin(r, STR("200 OK"));
	(void)response_end_head(r, (int64_t)path.len);
	(void)response_body(r, path.p, path.len);
	(void)response_end(r);
}

/* How many bytes the body has, one piece after the other. */
static void
read_all(struct app *app, struct app_exchange *x)
{
	char piece[1000];
	ssize_t n = 1;

	while (!x->collected && n > 0) {
		app_leave(app);
		n = x->client->read(x, piece, sizeof(piece));
		app_enter(app);
	}
	answer(x);
}

/* Much, in pieces that the connection must have before the next. */
static void
stream(struct app *app, struct app_exchange *x)
{
	static const char data[BIG / 10];
	struct response *r = x->response;

	x->status = 200;
	(void)response_begin(r, STR("200 OK"));
	(void)response_end_head(r, BIG);
	for (int i = 0; i < 10 && !x->broken; i++) {
		char frame[20];
		bool crlf;

		(void)response_frame(r, sizeof(data), frame, &crlf);
		app_leave(app);
		x->broken = x->client->send(x, data, sizeof(data), STR("")) < 0;
		app_enter(app);
	}
	if (!x->broken)
		(void)response_end(r);
}

/* What is left to be sent behind the response belongs to the application. */
static void
hold(struct app_exchange *x)
{
	struct response *r = x->response;
	char frame[20];
	bool crlf;

	x->status = 200;
	x->held = calloc(1, BIG);
	x->held_data = x->held;
	x->held_len = BIG;
	(void)response_begin(r, STR("200 OK"));
	(void)response_end_head(r, BIG);
	(void)response_frame(r, BIG, frame, &crlf);
	(void)response_end(r);
}

static bool
begins(struct str s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

void
app_call(struct app *app, struct app_exchange *x)
{
	struct str path = x->request->path;

	atomic_fetch_add(&app->inside, 1);
	if (begins(path, "/sleep")) {
		app_leave(app);
		sleep_ms(begins(path, "/sleep-long") ? 500 : 3);
		app_enter(app);
	} else if (begins(path, "/spin")) {
		int64_t end = clock_monotonic_ns() + 3000000;

		while (clock_monotonic_ns() < end)
			continue;
	}
	if (begins(path, "/read"))
		read_all(app, x);
	else if (begins(path, "/stream"))
		stream(app, x);
	else if (begins(path, "/hold"))
		hold(x);
	else
		answer(x);
	atomic_fetch_sub(&app->inside, 1);
}

/* --- children ------------------------------------------------------------------ */

struct child {
	struct config config;
	struct app app;
	struct io **ios;
	struct wsgid_page page;
	struct wsgid_worker records[WORKERS];
	struct wsgid_page_map map;
	int channel[2];
	bool forked;
	struct forking forking;
	struct workers *workers;
	pthread_t thread;
	int result;
	int ends_with; /* what that is to be */
	struct balance balance;
	struct err err;
};

struct server {
	const char *engine;
	int listener;
	struct sockaddr_in address;
	int give, take;
	int siblings; /* memory that siblings share */
	size_t n;
	struct child children[2];
};

static void *
live(void *arg)
{
	struct child *c = arg;

	app_enter(&c->app);
	c->result = workers_start(c->workers, &c->err);
	if (c->result == 0)
		c->result = workers_serve(c->workers, &c->err);
	app_leave(&c->app);
	return NULL;
}

static int
open_listener(struct sockaddr_in *ret)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

static void
start(struct server *s, struct child *c)
{
	const struct io_settings io = {.buffers = 64, .buffer_size = 4096};
	struct engine_settings settings = {
		.config = &c->config,
		.listeners = &s->listener,
		.n_listeners = 1,
		.set = -1,
		.give = s->give,
		.take = s->take,
		.page = &c->map,
		.app = &c->app,
		.forked = &c->forked,
		.forking = &c->forking,
	};

	pthread_mutex_init(&c->app.gil, NULL);
	forking_init(&c->forking);
	assert_int_equal(channel_pair(&c->channel[0], &c->channel[1]), 0);
	settings.channel = c->channel[1];
	c->map = (struct wsgid_page_map){
		.page = &c->page, .workers = c->records, .n_workers = WORKERS};
	c->config = (struct config){
		.threads_per_child = WORKERS,
		.max_request_workers = WORKERS * (long)s->n,
		.limit_request_line = 200,
		.limit_request_fields = 10,
		.limit_request_field_size = 200,
		.request_body_buffer = 100,
		.timeout = PATIENCE_S * 1000,
		.keep_alive = true,
		.keep_alive_timeout = PATIENCE_S * 1000,
		.request_timeout = PATIENCE_S * 1000,
		.deadlock_timeout = 100, /* a beat each 10 ms */
		/* Reckoned with, and not reached. */
		.max_requests = 1000000,
		.max_connections_per_child = 1000000,
		.max_memory_per_child = INT64_C(1) << 40,
		.restart_interval = 50, /* and that one is */
	};
	if (s->n > 1)
		assert_int_equal(balance_open(&c->balance, s->siblings,
					 (size_t)(c - s->children), &c->err),
			0);
	settings.balance = &c->balance;
	c->ios = calloc(WORKERS, sizeof(struct io *));
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(
			io_create(&c->ios[i], s->engine, &io, &c->err), 0);
	assert_int_equal(workers_create(&c->workers, &settings, c->ios, WORKERS,
				 &c->err),
		0);
	assert_int_equal(pthread_create(&c->thread, NULL, live, c), 0);
}

static struct server *
start_server(void **state, size_t n)
{
	const struct io_settings io = {.buffers = 64, .buffer_size = 4096};
	struct server *s = calloc(1, sizeof(*s));
	struct err err = {0};
	struct io *probe;

	s->engine = *state;
	if (io_create(&probe, s->engine, &io, &err) < 0) {
		free(s);
		SKIP("%s is not to be had here: %s", (char *)*state, err.text);
	}
	io_destroy(probe);
	s->n = n;
	s->listener = open_listener(&s->address);
	s->siblings = memfd_create("siblings", MFD_CLOEXEC);
	assert_int_equal(ftruncate(s->siblings, 3 * INHERIT_SIBLING), 0);
	assert_int_equal(handoff_pair(&s->give, &s->take), 0);
	for (size_t i = 0; i < n; i++)
		start(s, &s->children[i]);
	return s;
}

static void
tell(struct child *c, enum channel_kind what, uint32_t deadline_ms)
{
	assert_int_equal(
		channel_send(c->channel[0], what, deadline_ms, NULL, NULL, 0),
		0);
}

/* It ends by itself, and has nothing then. */
static void
join(struct child *c)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	if (c->result != c->ends_with)
		fail_msg("a child ended with %d: %s", c->result, c->err.text);
	for (size_t i = 0; i < WORKERS; i++)
		io_destroy(c->ios[i]);
	free(c->ios);
	workers_destroy(c->workers);
	balance_close(&c->balance);
	close(c->channel[0]);
	close(c->channel[1]);
	c->workers = NULL;
}

static void
stop(struct server *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->children[i].workers != NULL) {
			tell(&s->children[i], CHANNEL_FINISH, 0);
			join(&s->children[i]);
		}
	close(s->listener);
	close(s->give);
	close(s->take);
	close(s->siblings);
	free(s);
}

/* --- clients ------------------------------------------------------------------- */

struct client {
	struct server *server;
	int fd;
	unsigned number;
	unsigned rounds; /* 0: until told */
	const atomic_bool *leave;
	pthread_t thread;
	unsigned answers;
	char failure[200]; /* what was wrong first */
};

static void
complain(struct client *c, const char *what, const char *about)
{
	if (c->failure[0] == '\0')
		snprintf(c->failure, sizeof(c->failure),
			"client %u, answer %u to %s: %s", c->number,
			c->answers + 1, about, what);
}

static bool
connect_to(struct client *c)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(
		c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return connect(c->fd, (struct sockaddr *)&c->server->address,
		       sizeof(c->server->address)) == 0;
}

static bool
put(struct client *c, const char *data, size_t len)
{
	return send(c->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* All of one answer with its body; the beginning stays in text.  The buffer is
 * larger than the watcher's stack, as what the modules of an application have
 * for each thread may be. */
static bool
get(struct client *c, char *text, size_t size)
{
	static _Thread_local char data[BIG + 1000];
	size_t len = 0, whole = SIZE_MAX;

	while (len < whole) {
		ssize_t n = recv(c->fd, data + len, sizeof(data) - 1 - len, 0);
		const char *end, *length;

		/* The end of a ring interrupts the thread that made it. */
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		len += (size_t)n;
		data[len] = '\0';
		end = strstr(data, "\r\n\r\n");
		length = strstr(data, "Content-Length: ");
		if (end != NULL && length != NULL && length < end)
			whole = (size_t)(end + 4 - data) +
				strtoul(length + 16, NULL, 10);
	}
	snprintf(text, size, "%.*s", (int)size - 1, data);
	return len == whole;
}

/* A body in two pieces, of which the second takes a moment. */
static bool
ask(struct client *c, const char *path)
{
	char text[1100];
	bool reads = strncmp(path, "/read", 5) == 0;
	int n = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: t\r\n%s\r\n", reads ? "POST" : "GET",
		path, reads ? "Content-Length: 2000\r\n" : "");

	if (!put(c, text, (size_t)n))
		return false;
	if (!reads)
		return true;
	memset(text, 'x', 1000);
	if (!put(c, text, 1000))
		return false;
	sleep_ms(2);
	return put(c, text, 1000);
}

static void
one_request(struct client *c)
{
	static const char *const kinds[] = {"/hello", "/hello", "/hello",
		"/sleep", "/hello", "/read", "/spin", "/stream", "/hold"};
	unsigned n = c->answers + c->number;
	const char *kind = kinds[n % ARRAY_LEN(kinds)];
	char path[64], text[1000];
	const char *body;

	snprintf(path, sizeof(path), "%s-%u-%u", kind, c->number, c->answers);
	if (!ask(c, path) || !get(c, text, sizeof(text))) {
		complain(c, strerror(errno), path);
		return;
	}
	body = strstr(text, "\r\n\r\n");
	if (strncmp(text, "HTTP/1.1 200 OK\r\n", 17) != 0 || body == NULL)
		complain(c, "not 200", path);
	else if (strcmp(kind, "/stream") != 0 && strcmp(kind, "/hold") != 0 &&
		 strcmp(body + 4, path) != 0)
		complain(c, body + 4, path);
	else if (strstr(text, "Connection: close") != NULL)
		complain(c, "the connection is closed behind it", path);
	c->answers++;
}

static bool
goes_on(const struct client *c)
{
	if (c->failure[0] != '\0')
		return false;
	return c->leave != NULL ? !atomic_load(c->leave)
				: c->answers < c->rounds;
}

static void *
use(void *arg)
{
	struct client *c = arg;

	if (!connect_to(c))
		complain(c, strerror(errno), "connect");
	while (goes_on(c))
		one_request(c);
	close(c->fd);
	return NULL;
}

static void
begin(struct server *s, struct client *clients, unsigned rounds,
	const atomic_bool *leave)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.server = s,
			.number = i,
			.rounds = rounds,
			.leave = leave};
		assert_int_equal(pthread_create(&clients[i].thread, NULL, use,
					 &clients[i]),
			0);
	}
}

/* The number of answers; nobody has failed. */
static unsigned
end(struct client *clients)
{
	unsigned answers = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		answers += clients[i].answers;
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].failure[0] != '\0')
			fail_msg("%s", clients[i].failure);
	return answers;
}

/* --- the tests ------------------------------------------------------------------- */

static void
test_each_answer_is_its_requests_own_and_each_is_counted(void **state)
{
	struct server *s = start_server(state, 1);
	struct child *c = &s->children[0];
	struct client clients[CLIENTS];
	uint64_t by_worker = 0;

	begin(s, clients, ROUNDS, NULL);
	assert_int_equal(end(clients), CLIENTS * ROUNDS);
	tell(c, CHANNEL_FINISH, 0);
	join(c);
	assert_int_equal(c->page.requests, CLIENTS * ROUNDS);
	assert_int_equal(c->page.accepted, CLIENTS);
	assert_int_equal(c->page.connections, 0);
	assert_int_equal(c->page.parked, 0);
	for (size_t i = 0; i < WORKERS; i++)
		by_worker += c->records[i].requests;
	assert_int_equal(by_worker, CLIENTS * ROUNDS);
	stop(s);
}

/* All of its clients go on with the sibling, without a new connection. */
static void
test_a_child_that_retires_costs_no_client_anything(void **state)
{
	struct server *s = start_server(state, 2);
	struct client clients[CLIENTS];
	atomic_bool leave = false;
	uint64_t accepted;

	begin(s, clients, 0, &leave);
	for (int i = 0; i < 3; i++) {
		struct child *c = &s->children[i % 2];

		sleep_ms(200);
		tell(c, CHANNEL_RETIRE, 0);
		join(c);
		accepted = c->page.accepted;
		memset(c, 0, sizeof(*c));
		start(s, c);
		assert_true(accepted <= CLIENTS);
	}
	sleep_ms(100);
	atomic_store(&leave, true);
	assert_true(end(clients) > CLIENTS);
	stop(s);
}

static void
await_inside(struct child *c, unsigned n)
{
	int64_t end_ns =
		clock_monotonic_ns() + PATIENCE_S * INT64_C(1000000000);

	while (atomic_load(&c->app.inside) < n) {
		assert_true(clock_monotonic_ns() < end_ns);
		sleep_ms(1);
	}
}

/* The server's descriptor of that connection, of which there is another one after
 * each move. */
static int
descriptor_of(const struct client *c)
{
	struct sockaddr_in its = {0}, peer;
	socklen_t len = sizeof(its);

	assert_int_equal(getsockname(c->fd, (struct sockaddr *)&its, &len), 0);
	for (int fd = 0; fd < 1024; fd++) {
		len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
			len == sizeof(peer) && peer.sin_port == its.sin_port)
			return fd;
	}
	return -1;
}

static bool
is_answered(const struct client *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* So many requests, one after the other, in which it is looked at. */
static bool
stays_where_it_is(struct child *child, struct client *c)
{
	char text[1000];
	int fd = descriptor_of(c);
	bool stays = true;

	for (int i = 0; i < 10; i++) {
		assert_true(ask(c, "/sleep"));
		while (atomic_load(&child->app.inside) == 0 && !is_answered(c))
			continue;
		stays &= descriptor_of(c) == fd;
		assert_true(get(c, text, sizeof(text)));
	}
	return stays;
}

/* Nobody deals, and nobody gives back, what may come to its worker as well. */
static void
test_a_client_of_long_requests_stays_with_its_worker(void **state)
{
	int64_t end_ns =
		clock_monotonic_ns() + PATIENCE_S * INT64_C(1000000000);
	struct server *s = start_server(state, 1);
	struct client c = {.server = s};

	assert_true(connect_to(&c));
	while (!stays_where_it_is(&s->children[0], &c))
		assert_true(clock_monotonic_ns() < end_ns);
	close(c.fd);
	stop(s);
}

static void
test_a_stop_waits_for_the_requests_of_all_workers(void **state)
{
	struct server *s = start_server(state, 1);
	struct client clients[WORKERS];
	char text[1000];

	for (unsigned i = 0; i < WORKERS; i++) {
		clients[i] = (struct client){.server = s};
		assert_true(connect_to(&clients[i]));
		assert_true(ask(&clients[i], "/sleep-long"));
	}
	await_inside(&s->children[0], WORKERS);
	tell(&s->children[0], CHANNEL_FINISH, 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_true(get(&clients[i], text, sizeof(text)));
		assert_non_null(strstr(text, "\r\n\r\n/sleep-long"));
		close(clients[i].fd);
	}
	join(&s->children[0]);
	stop(s);
}

/* Every one of them waits for a body that does not come. */
static void
test_a_deadline_reaches_workers_that_wait_for_their_clients(void **state)
{
	static const char head[] = "POST /read HTTP/1.1\r\nHost: t\r\n"
				   "Content-Length: 9000\r\n\r\nbegun";
	struct server *s = start_server(state, 1);
	struct client clients[WORKERS];
	int64_t since_ns;

	for (unsigned i = 0; i < WORKERS; i++) {
		clients[i] = (struct client){.server = s};
		assert_true(connect_to(&clients[i]));
		assert_true(put(&clients[i], head, sizeof(head) - 1));
	}
	await_inside(&s->children[0], WORKERS);
	since_ns = clock_monotonic_ns();
	tell(&s->children[0], CHANNEL_FINISH, 100);
	s->children[0].ends_with = 1; /* something was cut */
	join(&s->children[0]);
	assert_true(clock_monotonic_ns() - since_ns <
		    PATIENCE_S * INT64_C(500000000));
	for (unsigned i = 0; i < WORKERS; i++)
		close(clients[i].fd);
	stop(s);
}

/* Threads of this process that are called so. */
static unsigned
count_threads(const char *name)
{
	DIR *all = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(all);
	while ((entry = readdir(all)) != NULL) {
		char path[300], found[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			entry->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fgets(found, sizeof(found), file) != NULL)
			found[strcspn(found, "\n")] = '\0';
		n += strcmp(found, name) == 0;
		fclose(file);
	}
	closedir(all);
	return n;
}

/* One that has been joined is still listed while it ends, and meanwhile another
 * one may not be. */
static bool
become(unsigned n, const char *name)
{
	int64_t end_ns =
		clock_monotonic_ns() + PATIENCE_S * INT64_C(1000000000);

	while (count_threads(name) != n) {
		if (clock_monotonic_ns() > end_ns)
			return false;
		sleep_ms(1);
	}
	return true;
}

static bool
comes(const char *name)
{
	return become(1, name);
}

static bool
goes(const char *name)
{
	return become(0, name);
}

/* Python warns of a fork beside other threads, and there are none of ours. */
static void
test_threads_that_are_no_workers_are_gone_while_the_application_forks(
	void **state)
{
	struct server *s = start_server(state, 1);
	struct child *c = &s->children[0];
	struct client client = {.server = s};
	char text[1000];

	assert_true(connect_to(&client));
	assert_true(ask(&client, "/hello"));
	assert_true(get(&client, text, sizeof(text)));
	assert_true(comes("wsgid-pulse") && comes("wsgid-watcher"));
	for (int i = 0; i < 3; i++) {
		app_enter(&c->app);
		forking_lock(&c->forking, &c->app);
		workers_before_fork(c->workers);
		assert_true(goes("wsgid-pulse"));
		assert_true(goes("wsgid-watcher"));
		workers_after_fork(c->workers);
		workers_start_helpers(c->workers);
		forking_unlock(&c->forking);
		app_leave(&c->app);
		assert_true(comes("wsgid-pulse") && comes("wsgid-watcher"));
	}
	assert_true(ask(&client, "/hello"));
	assert_true(get(&client, text, sizeof(text)));
	close(client.fd);
	stop(s);
	assert_true(goes("wsgid-pulse"));
}

static void *
fork_often(void *arg)
{
	struct child *c = arg;
	bool gone = true;

	for (int i = 0; i < 20; i++) {
		app_enter(&c->app);
		forking_lock(&c->forking, &c->app);
		workers_before_fork(c->workers);
		gone &= goes("wsgid-watcher");
		workers_after_fork(c->workers);
		workers_start_helpers(c->workers);
		forking_unlock(&c->forking);
		app_leave(&c->app);
	}
	return gone ? NULL : arg;
}

/* To end those threads takes time without the GIL: nothing else would keep who
 * forks from doing it twice. */
static void
test_threads_that_fork_at_once_wait_for_each_other(void **state)
{
	struct server *s = start_server(state, 1);
	struct client client = {.server = s};
	pthread_t threads[3];
	char text[1000];

	assert_true(connect_to(&client)); /* so it serves */
	assert_true(ask(&client, "/hello"));
	assert_true(get(&client, text, sizeof(text)));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fork_often,
					 &s->children[0]),
			0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_true(comes("wsgid-pulse") && comes("wsgid-watcher"));
	assert_true(ask(&client, "/hello"));
	assert_true(get(&client, text, sizeof(text)));
	close(client.fd);
	stop(s);
}

/* Whoever leads at that moment; and the others do not ask again. */
static void
test_a_child_that_is_too_old_asks_once_to_be_replaced(void **state)
{
	struct server *s = start_server(state, 1);
	struct child *c = &s->children[0];
	int64_t end_ns =
		clock_monotonic_ns() + PATIENCE_S * INT64_C(1000000000);
	struct client clients[CLIENTS];
	struct channel_message message;
	atomic_bool leave = false;

	begin(s, clients, 0, &leave);
	while (__atomic_load_n(&c->page.wants_retire, __ATOMIC_RELAXED) == 0 &&
		clock_monotonic_ns() < end_ns)
		sleep_ms(1);
	sleep_ms(100); /* longer than that age */
	atomic_store(&leave, true);
	assert_true(end(clients) > 0);
	do
		assert_int_equal(channel_receive(c->channel[0], &message), 1);
	while (message.kind == CHANNEL_BUSY);
	assert_int_equal(message.kind, CHANNEL_WANTS_RETIRE);
	assert_string_equal(message.text, "RestartInterval has passed");
	while (channel_receive(c->channel[0], &message) == 1)
		assert_int_equal(message.kind, CHANNEL_BUSY);
	stop(s);
}

static void
test_idle_workers_leave_when_told(void **state)
{
	static const enum channel_kind orders[] = {
		CHANNEL_RETIRE, CHANNEL_FINISH, CHANNEL_STOP};

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct server *s = start_server(state, 1);

		tell(&s->children[0], orders[i], 0);
		join(&s->children[0]);
		stop(s);
	}
}

static void
test_workers_leave_when_the_master_is_gone(void **state)
{
	struct server *s = start_server(state, 1);
	struct child *c = &s->children[0];

	(void)shutdown(c->channel[0], SHUT_RDWR);
	join(c);
	stop(s);
}

#define WITH_BOTH(test)                                   \
	cmocka_unit_test_prestate(test, (void *)"epoll"), \
		cmocka_unit_test_prestate(test, (void *)"io_uring")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOTH(
			test_each_answer_is_its_requests_own_and_each_is_counted),
		WITH_BOTH(test_a_child_that_retires_costs_no_client_anything),
		WITH_BOTH(
			test_a_client_of_long_requests_stays_with_its_worker),
		WITH_BOTH(test_a_stop_waits_for_the_requests_of_all_workers),
		WITH_BOTH(
			test_a_deadline_reaches_workers_that_wait_for_their_clients),
		WITH_BOTH(
			test_threads_that_are_no_workers_are_gone_while_the_application_forks),
		WITH_BOTH(test_threads_that_fork_at_once_wait_for_each_other),
		WITH_BOTH(
			test_a_child_that_is_too_old_asks_once_to_be_replaced),
		WITH_BOTH(test_idle_workers_leave_when_told),
		WITH_BOTH(test_workers_leave_when_the_master_is_gone),
	};

	/* There is no Python whose stacks could be shown. */
	(void)signal(signal_traceback(), SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
