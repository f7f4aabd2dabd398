/*
 * scripted.c - a client, an io and an application that do as a test says.
 */
#include "scripted.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "child/balance.h"
#include "child/clients.h"
#include "child/forking.h"
#include "net/channel.h"
#include "net/handoff.h"

/* The functions of io.h and app.h have nowhere else to find it. */
static struct script *now;

/* --- io ------------------------------------------------------------------- */

struct io {
	struct io_event done[64];
	size_t n_done;
};

static struct io the_io;

static void
complete(void *owner, enum io_kind kind, int result)
{
	assert_true(the_io.n_done < 64);
	the_io.done[the_io.n_done++] = (struct io_event){
		.owner = owner, .kind = kind, .result = result};
}

void
io_accept(struct io *io, void *owner, int fd)
{
	(void)io;
	(void)owner;
	assert_int_equal(fd, now->listener);
	assert_false(now->accepting);
	now->accepting = true;
}

/* What was asked for is started, and ends where somebody is there. */
static void
try_to_accept(void)
{
	int fd;

	if (!now->accepting)
		return;
	fd = accept4(now->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	now->accepting = false;
	complete(&now->engine.accept_owner, IO_ACCEPT, fd);
}

static void
cancel_accept(void)
{
	if (!now->accepting || now->cancelled_accept == ACCEPT_STAYS)
		return;
	if (now->cancelled_accept == ACCEPT_SUCCEEDS) {
		script_connect(now);
		try_to_accept();
		return;
	}
	now->accepting = false;
	complete(&now->engine.accept_owner, IO_ACCEPT, -ECANCELED);
}

void
io_poll(struct io *io, void *owner, int fd)
{
	(void)io;
	(void)fd;
	(void)owner;
}

void
io_poll_set(struct io *io, void *owner, int set, const int *fds, size_t n)
{
	(void)fds;
	(void)n;
	io_poll(io, owner, set);
}

void
io_writable(struct io *io, void *owner, int fd)
{
	(void)io;
	(void)fd;
	now->waits_for_room++;
	if (now->client_takes_nothing)
		return;
	if (now->drain != NULL)
		now->drained += now->drain(now->client);
	complete(owner, IO_WRITABLE,
		now->room_result != 0 ? now->room_result : POLLOUT);
}

void
io_readable(struct io *io, void *owner, int fd)
{
	(void)io;
	(void)fd;
	assert_false(now->receiving);
	assert_non_null(now->supply);
	now->supply(now->client);
	complete(owner, IO_READABLE, POLLIN);
}

static void
receive(void *owner, bool many)
{
	assert_false(now->receiving);
	now->receiving = true;
	now->receives_many = many;
	now->receiver = owner;
}

void
io_receive(struct io *io, void *owner, int fd)
{
	(void)io;
	(void)fd;
	receive(owner, true);
}

void
io_receive_once(struct io *io, void *owner, int fd)
{
	(void)io;
	(void)fd;
	receive(owner, false);
}

void
io_release(struct io *io, uint16_t buffer)
{
	(void)io;
	(void)buffer;
	assert_true(now->buffers_out > 0);
	now->buffers_out--;
}

void
script_take(struct script *s)
{
	char piece[4096];
	ssize_t n;

	while ((n = recv(s->client, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
		buf_add(&s->sent, piece, (size_t)n);
}

static void
fill(int fd)
{
	static const char bytes[65536];

	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	while (send(fd, bytes, 1, MSG_DONTWAIT) > 0)
		continue;
}

void
io_send(struct io *io, void *owner, int fd, const struct iovec *parts,
	unsigned n_parts)
{
	int total = 0;

	(void)io;
	now->sends++;
	if (now->client_takes_nothing)
		return;
	if (now->no_room) {
		fill(fd);
		complete(owner, IO_SEND, -EAGAIN);
		return;
	}
	script_take(now);
	for (unsigned i = 0; i < n_parts; i++) {
		buf_add(&now->sent, parts[i].iov_base, parts[i].iov_len);
		total += (int)parts[i].iov_len;
	}
	complete(owner, IO_SEND, total);
}

void
io_cancel(struct io *io, void *owner, enum io_kind kind, int fd)
{
	(void)io;
	(void)fd;
	if (kind == IO_ACCEPT) {
		cancel_accept();
	} else if (kind == IO_POLL) {
		complete(owner, IO_POLL, -ECANCELED);
	} else if (kind == IO_RECEIVE && now->receiving) {
		now->receiving = false;
		complete(owner, IO_RECEIVE, -ECANCELED);
	} else if (kind == IO_SEND || kind == IO_WRITABLE) {
		complete(owner, kind, -ECANCELED);
	}
}

static bool
receive_step(struct io_event *event, const struct step *step)
{
	*event = (struct io_event){.owner = now->receiver, .kind = IO_RECEIVE};
	if (step->kind == STEP_DATA) {
		event->data = (char *)step->text;
		event->result = (int)step->len;
		event->more = true;
		now->buffers_out++;
		return true;
	}
	event->result = step->kind == STEP_EOF ? 0 : -ECONNRESET;
	now->receiving = false;
	return true;
}

static void
tell(struct io_event *event, enum channel_kind kind)
{
	now->step++;
	*event = (struct io_event){.owner = &now->engine.channel_owner,
		.kind = IO_POLL,
		.result = POLLIN};
	channel_send(now->channel[0], kind, 0, NULL, NULL, 0);
}

static struct io_event
open_door(void)
{
	return (struct io_event){.owner = &now->engine.accept_owner,
		.kind = IO_POLL,
		.result = POLLIN};
}

/* The number of events. */
static int
take_step(struct io_event *event)
{
	const struct step *step = &now->steps[now->step];

	if (now->step == now->n_steps)
		return 0;
	switch (step->kind) {
	case STEP_RETIRE:
		tell(event, CHANNEL_RETIRE);
		return 1;
	case STEP_FINISH:
		tell(event, CHANNEL_FINISH);
		return 1;
	case STEP_STOP:
		tell(event, CHANNEL_STOP);
		return 1;
	case STEP_DOOR:
		now->step++;
		*event = open_door();
		return 1;
	case STEP_DOOR_AND_STOP:
		*event = open_door();
		tell(event + 1, CHANNEL_STOP);
		return 2;
	case STEP_POOL:
		now->step++;
		*event = (struct io_event){.owner = &now->engine.pool_owner,
			.kind = IO_POLL,
			.result = POLLIN};
		return 1;
	default:
		break;
	}
	if (!now->receiving)
		return 0;
	now->step++;
	return receive_step(event, step);
}

int
io_wait(struct io *io, struct io_event *events, unsigned max,
	int64_t timeout_ns)
{
	size_t n;

	(void)max;
	try_to_accept();
	n = io->n_done;
	if (n > 0) {
		memcpy(events, io->done, n * sizeof(*events));
		io->n_done = 0;
		return (int)n;
	}
	n = (size_t)take_step(events);
	if (n > 0)
		return (int)n;
	if (timeout_ns < 0 || timeout_ns > 1000000000) {
		/* Nothing more will happen. */
		now->engine.stopping = true;
		return 0;
	}
	if (timeout_ns > 0)
		(void)poll(NULL, 0, (int)(timeout_ns / 1000000) + 1);
	return 0;
}

void
io_start(struct io *io)
{
	(void)io;
	try_to_accept();
}

bool
io_keeps_files(const struct io *io)
{
	(void)io;
	return true;
}

int
io_fd(const struct io *io)
{
	(void)io;
	return -1;
}

unsigned
io_room(const struct io *io)
{
	(void)io;
	return 1000;
}

void
io_withdraw_sends(struct io *io,
	void (*withdrawn)(void *arg, void *owner), void *arg)
{
	(void)io;
	(void)withdrawn;
	(void)arg;
}

bool
io_pending(const struct io *io)
{
	return io->n_done > 0;
}

/* --- Python --------------------------------------------------------------- */

void
app_enter(struct app *app)
{
	(void)app;
}

void
app_leave(struct app *app)
{
	(void)app;
}

void
app_forget_thread(struct app *app)
{
	(void)app;
}

void
app_call(struct app *app, struct app_exchange *x)
{
	(void)app;
	now->calls++;
	now->last = x;
	now->app(now, x);
}

void
app_drop(struct app *app, void *held)
{
	(void)app;
	now->dropped += held != NULL;
}

void
app_forget_peer(struct app *app, struct app_peer *peer)
{
	(void)app;
	(void)peer;
	now->forgotten++;
	now->closed = true;
}

static void
answer(struct app_exchange *x, const char *body, size_t len)
{
	struct response *r = x->response;

	x->status = 200;
	assert_int_equal(response_begin(r, STR("200 OK")), 0);
	x->client->before_head(x, true);
	assert_int_equal(response_end_head(r, (int64_t)len), 0);
	assert_int_equal(response_body(r, body, len), 0);
	assert_int_equal(response_end(r), 0);
}

void
app_hello(struct script *s, struct app_exchange *x)
{
	(void)s;
	answer(x, "hello", 5);
}

void
app_read_all(struct script *s, struct app_exchange *x)
{
	char piece[7]; /* odd and small on purpose */

	buf_add(&s->read, x->body.p, x->body.len);
	s->last_read = 0;
	if (!x->collected) {
		s->read.len = 0;
		while ((s->last_read = x->client->read(
				x, piece, sizeof(piece))) > 0)
			buf_add(&s->read, piece, (size_t)s->last_read);
	}
	answer(x, "read", 4);
}

/* --- the script ------------------------------------------------------------- */

struct script *
script_new(void)
{
	struct script *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->config = (struct config){
		.limit_request_line = 200,
		.limit_request_fields = 10,
		.limit_request_field_size = 200,
		.limit_request_body = 1000,
		.request_body_buffer = 100,
		.response_buffer_size = 1000,
		.timeout = 60000,
		.keep_alive = true,
		.keep_alive_timeout = 75000,
	};
	s->map = (struct wsgid_page_map){
		.page = &s->page, .workers = &s->worker, .n_workers = 1};
	s->app = app_hello;
	assert_int_equal(clients_create(&s->clients, NULL, 0, NULL), 0);
	assert_int_equal(channel_pair(&s->channel[0], &s->channel[1]), 0);
	the_io.n_done = 0;
	s->pool[0] = s->pool[1] = s->listener = s->newcomer = -1;
	now = s;
	return s;
}

void
script_free(struct script *s)
{
	if (s->closed && s->pool[0] < 0)
		assert_int_equal(s->engine.n_connections, 0);
	engine_fini(&s->engine);
	assert_int_equal(s->buffers_out, 0);
	close(s->channel[0]);
	close(s->channel[1]);
	if (s->pool[0] >= 0) {
		close(s->pool[0]);
		close(s->pool[1]);
	}
	if (s->opened)
		close(s->client);
	if (s->listener >= 0)
		close(s->listener);
	if (s->newcomer >= 0)
		close(s->newcomer);
	buf_fini(&s->sent);
	buf_fini(&s->read);
	clients_destroy(s->clients);
	free(s);
}

void
script_with_pool(struct script *s)
{
	assert_int_equal(handoff_pair(&s->pool[0], &s->pool[1]), 0);
}

/* Without a name there is an abstract one, of the kernel's choice. */
void
script_with_listener(struct script *s)
{
	const struct sockaddr_un nameless = {.sun_family = AF_UNIX};

	s->listener = socket(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (const struct sockaddr *)&nameless,
				 sizeof(nameless.sun_family)),
		0);
	assert_int_equal(listen(s->listener, 8), 0);
}

void
script_connect(struct script *s)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	s->newcomer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		getsockname(s->listener, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(
		connect(s->newcomer, (struct sockaddr *)&name, len), 0);
}

void
script_send_bytes(struct script *s, const char *data, size_t len)
{
	assert_true(s->n_steps < SCRIPT_STEPS);
	s->steps[s->n_steps++] = (struct step){STEP_DATA, data, len};
}

void
script_send(struct script *s, const char *text)
{
	script_send_bytes(s, text, strlen(text));
}

void
script_step(struct script *s, enum step_kind kind)
{
	assert_true(s->n_steps < SCRIPT_STEPS);
	s->steps[s->n_steps++] = (struct step){.kind = kind};
}

void
script_run(struct script *s)
{
	struct forking forking;
	struct balance nobody = {0};
	const struct engine_settings settings = {
		.config = &s->config,
		.listeners = &s->listener,
		.n_listeners = s->listener >= 0,
		.set = -1,
		.channel = s->channel[1],
		.server = "wsgid",
		.most_requests = s->most_requests,
		.give = s->pool[0],
		.take = s->pool[1],
		.balance = &nobody,
		.page = &s->map,
		.clients = s->clients,
		.forked = &s->forked,
		.forking = &forking,
		.io = &the_io,
	};
	int pair[2];

	forking_init(&forking);
	assert_int_equal(engine_init(&s->engine, &settings), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s->client = pair[1];
	s->opened = true;
	assert_int_equal(connection_open(&s->engine, pair[0],
				 s->config.proxy_protocol),
		0);
	assert_int_equal(engine_run(&s->engine), 0);
	script_take(s);
}

/* --- what came out ----------------------------------------------------------- */

unsigned
count(struct script *s, const char *what)
{
	const char *p = buf_text(&s->sent);
	unsigned n = 0;

	while ((p = strstr(p, what)) != NULL) {
		n++;
		p += strlen(what);
	}
	return n;
}

void
assert_sent(struct script *s, const char *what)
{
	if (strstr(buf_text(&s->sent), what) == NULL)
		fail_msg("\"%s\" is not in what was sent:\n%s", what,
			buf_text(&s->sent));
}
