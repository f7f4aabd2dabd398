/*
 * test_request.c - the way of a request through engine, connection, body and
 * request, against a scripted client and a scripted application.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "net/channel.h"
#include "net/handoff.h"
#include "scripted.h"

#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"

static void
test_a_request_in_one_piece_is_answered_and_its_client_parked(void **state)
{
	struct script *s = script_new();

	(void)state;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_sent(s, "HTTP/1.1 200 OK\r\n");
	assert_sent(s, "\r\n\r\nhello");
	assert_int_equal(s->sends, 1);
	assert_int_equal(s->engine.parked.n, 1);
	assert_int_equal(s->page.requests, 1);
	assert_int_equal(s->page.bytes_in, strlen(GET));
	assert_int_equal(s->page.bytes_out, s->sent.len);
	script_free(s);
}

static void
test_a_head_may_come_byte_by_byte(void **state)
{
	struct script *s = script_new();

	(void)state;
	for (size_t i = 0; i < strlen(GET); i++)
		script_send_bytes(s, GET + i, 1);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_int_equal(count(s, "200 OK"), 1);
	script_free(s);
}

static void
test_pipelined_requests_are_answered_in_order(void **state)
{
	struct script *s = script_new();

	(void)state;
	script_send(s, GET GET "GET /");
	script_send(s, " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	script_run(s);
	assert_int_equal(s->calls, 3);
	assert_int_equal(count(s, "200 OK"), 3);
	assert_int_equal(count(s, "Connection: close"), 1);
	assert_true(s->closed);
	script_free(s);
}

static void
test_what_is_wrong_is_refused_without_the_application(void **state)
{
	static const struct {
		const char *section, *request, *status;
	} rows[] = {
		{"9112 3", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", " 400 "},
		{"9112 3.2", "GET / HTTP/1.1\r\n\r\n", " 400 "},
		{"9110 2.5", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", " 505 "},
		{"9110 15.5.14", POST "Content-Length: 1001\r\n\r\n", " 413 "},
		{"9112 6.1",
			POST "Content-Length: 1\r\nTransfer-Encoding: "
			     "chunked\r\n\r\n0\r\n\r\n",
			" 400 "},
		{"9112 6.1", POST "Transfer-Encoding: gzip\r\n\r\n", " 501 "},
		{"9112 7.1", POST "Transfer-Encoding: chunked\r\n\r\nx\r\n",
			" 400 "},
		/* Before any of it has come. */
		{"9110 15.5.14",
			POST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n",
			" 413 "},
		{"9110 9.3.6", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n",
			" 501 "},
		{"9110 10.1.1", POST "Expect: tea\r\n\r\n", " 417 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script *s = script_new();

		script_send(s, rows[i].request);
		script_send(s, GET);
		script_step(s, STEP_EOF);
		script_run(s);
		if (s->calls != 0 || count(s, rows[i].status) != 1)
			fail_msg("RFC %s: %s", rows[i].section,
				buf_text(&s->sent));
		assert_sent(s, "Connection: close");
		assert_int_equal(count(s, "HTTP/1.1 "), 1);
		assert_int_equal(s->page.refused, 1);
		assert_true(s->closed);
		script_free(s);
	}
}

static void
test_limits_hold_for_heads_that_never_end(void **state)
{
	static char line[4000], field[4000];
	static const struct {
		const char *section, *begin, *rest, *status;
	} rows[] = {
		{"9112 3", "GET /", line, " 414 "},
		{"6585 5", "GET / HTTP/1.1\r\nHost: h\r\nX: ", field, " 431 "},
	};

	(void)state;
	memset(line, 'a', sizeof(line) - 1);
	memset(field, 'a', sizeof(field) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script *s = script_new();

		script_send(s, rows[i].begin);
		for (size_t at = 0; at < 600; at += 10)
			script_send_bytes(s, rows[i].rest + at, 10);
		script_step(s, STEP_EOF);
		script_run(s);
		if (s->calls != 0 || count(s, rows[i].status) != 1)
			fail_msg("RFC %s: %s", rows[i].section,
				buf_text(&s->sent));
		script_free(s);
	}
}

/* Answer with a file of 300,000 bytes, all of them but the first. */
static void
app_file(struct script *s, struct app_exchange *x)
{
	static char bytes[300000];
	struct response *r = x->response;
	int fd = memfd_create("file", MFD_CLOEXEC);

	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	x->status = 200;
	response_begin(r, STR("200 OK"));
	response_end_head(r, sizeof(bytes) - 1);
	s->last_read = x->client->send_file(x, fd, 1, sizeof(bytes) - 1);
	assert_int_equal(r->out->len, 0);
}

static size_t
drain(int fd)
{
	static char piece[65536];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	return len;
}

static void
test_the_ring_finishes_a_file_that_its_client_takes_slowly(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_file;
	s->drain = drain;
	script_send(s, GET GET);
	script_step(s, STEP_EOF);
	script_run(s);
	assert_int_equal(s->calls, 2);
	assert_int_equal(s->last_read, 0);
	assert_true(s->waits_for_room > 0);
	assert_true(s->closed);
	assert_int_equal(s->page.bytes_out, s->drained + s->sent.len);
	assert_true(s->page.bytes_out > 600000);
	script_free(s);
}

static void
test_a_client_that_takes_no_file_is_cut_off(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_file;
	s->config.timeout = 1;
	s->client_takes_nothing = true;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_true(s->closed);
	script_free(s);
}

static const char held_bytes[] = "held";

static void
app_hold(struct script *s, struct app_exchange *x)
{
	bool crlf;
	char frame[20];

	(void)s;
	response_begin(x->response, STR("200 OK"));
	response_end_head(x->response, 4);
	response_frame(x->response, 4, frame, &crlf);
	x->status = 200;
	x->held = s;
	x->held_data = held_bytes;
	x->held_len = 4;
}

static void
test_what_is_held_for_sending_is_dropped_once(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_hold;
	script_send(s, GET);
	script_run(s);
	assert_sent(s, "\r\n\r\nheld");
	assert_int_equal(s->dropped, 1);
	assert_int_equal(s->sends, 1);
	script_free(s);
}

/* More than a connection has parts for. */
static void
app_hold_many(struct script *s, struct app_exchange *x)
{
	static const struct iovec more[] = {{"1", 1}, {"23", 2}, {"4", 1},
		{"5", 1}, {"6", 1}, {"7", 1}, {"89", 2}};

	app_hold(s, x);
	x->response->sent += 9;
	x->held_more = more;
	x->n_held_more = ARRAY_LEN(more);
}

static void
app_push_many(struct script *s, struct app_exchange *x)
{
	app_hold_many(s, x);
	assert_int_equal(x->client->push(x), 0);
}

static void
test_what_is_held_in_many_pieces_is_sent_in_order(void **state)
{
	static void (*const apps[])(struct script *, struct app_exchange *) = {
		app_hold_many, app_push_many};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(apps); i++) {
		struct script *s = script_new();

		s->app = apps[i];
		script_send(s, GET GET);
		script_run(s);
		assert_int_equal(count(s, "\r\n\r\nheld123456789"), 2);
		assert_int_equal(s->dropped, 2);
		assert_int_equal(s->page.bytes_out, s->sent.len);
		script_free(s);
	}
}

static void
test_many_pieces_are_forgotten_when_the_client_takes_nothing(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_hold_many;
	s->client_takes_nothing = true;
	s->config.timeout = 1;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->dropped, 1);
	assert_true(s->closed);
	script_free(s);
}

static void
app_stream(struct script *s, struct app_exchange *x)
{
	(void)s;
	x->status = 200;
	response_begin(x->response, STR("200 OK"));
	response_end_head(x->response, -1);
	response_body(x->response, "one", 3);
	assert_int_equal(x->client->send(x, NULL, 0, STR("")), 0);
	response_body(x->response, "two", 3);
	assert_int_equal(x->client->send(x, NULL, 0, STR("")), 0);
	response_end(x->response);
}

/* Its last bytes, and then something for which nobody is waited. */
static void
app_that_pushes(struct script *s, struct app_exchange *x)
{
	app_hold(s, x);
	assert_int_equal(x->client->push(x), 0);
	/* What the socket takes is on its way; the ring has not been asked. */
	assert_int_equal(s->sends, 0);
}

static void
test_what_is_pushed_is_out_before_the_application_has_ended(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_pushes;
	script_send(s, GET GET);
	script_run(s);
	assert_int_equal(count(s, "held"), 2);
	assert_memory_equal(s->sent.data + s->sent.len - 4, "held", 4);
	assert_int_equal(s->sends, 0);
	assert_int_equal(s->dropped, 2);
	assert_int_equal(s->calls, 2);
	script_free(s);
}

static char large[1000000];

static void
app_that_pushes_much(struct script *s, struct app_exchange *x)
{
	app_hold(s, x);
	x->held_data = large;
	x->held_len = sizeof(large);
	assert_int_equal(x->client->push(x), 0);
	assert_int_equal(s->dropped, 0);
}

static void
test_the_ring_finishes_what_is_pushed_and_not_taken(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_pushes_much;
	script_send(s, GET);
	script_run(s);
	assert_in_range(s->sent.len, sizeof(large), sizeof(large) + 300);
	assert_int_equal(s->sends, 1);
	assert_int_equal(s->dropped, 1);
	script_free(s);
}

static void
app_break(struct script *s, struct app_exchange *x)
{
	app_stream(s, x);
	x->broken = true;
}

static void
test_a_broken_response_ends_the_connection(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_break;
	script_send(s, GET GET);
	script_step(s, STEP_EOF);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_int_equal(s->page.aborted, 1);
	assert_true(s->closed);
	script_free(s);
}

static void
test_keep_alive_ends_when_it_should(void **state)
{
	static const struct {
		const char *request;
		long most;
		bool keep_alive;
		unsigned calls;
	} rows[] = {
		{GET, 0, true, 3},
		{GET, 2, true, 2},
		{GET, 0, false, 1},
		{"GET / HTTP/1.0\r\n\r\n", 0, true, 1},
		{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0, true,
			3},
		{"GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n", 0,
			true, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script *s = script_new();

		s->config.max_keep_alive_requests = rows[i].most;
		s->config.keep_alive = rows[i].keep_alive;
		for (int n = 0; n < 3; n++)
			script_send(s, rows[i].request);
		script_step(s, STEP_EOF);
		script_run(s);
		assert_int_equal(s->calls, rows[i].calls);
		assert_true(s->closed);
		script_free(s);
	}
}

static void
test_finishing_lets_parked_clients_go(void **state)
{
	struct script *s = script_new();

	(void)state;
	script_send(s, GET);
	script_step(s, STEP_FINISH);
	script_step(s, STEP_EOF);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_true(s->engine.retiring);
	assert_true(s->closed);
	script_free(s);
}

/* Out of the pool, the way a sibling would. */
static void
take_from_pool(struct script *s, unsigned requests, const char *bytes)
{
	struct handoff_room room;
	struct handoff h;
	int rc;

	do
		rc = handoff_receive(s->pool[1], &h, &room);
	while (rc == HANDOFF_NUDGE);
	assert_int_equal(rc, HANDOFF_CONNECTION);
	assert_int_equal(h.requests, requests);
	assert_int_equal(h.bytes.len, strlen(bytes));
	assert_memory_equal(h.bytes.p, bytes, h.bytes.len);
	/* It still is the client's. */
	assert_int_equal(write(h.fd, "x", 1), 1);
	close(h.fd);
	handoff_room_fini(&room);
}

static void
test_retiring_gives_waiting_clients_to_siblings_with_their_bytes(void **state)
{
	static const char *const unfinished[] = {
		"", "G", POST "Content-Length: 90\r\n\r\nabc"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unfinished); i++) {
		struct script *s = script_new();

		script_with_pool(s);
		script_send(s, GET);
		if (unfinished[i][0] != '\0')
			script_send(s, unfinished[i]);
		script_step(s, STEP_RETIRE);
		script_run(s);
		assert_int_equal(s->calls, 1);
		assert_int_equal(count(s, "Connection: close"), 0);
		assert_int_equal(s->engine.n_connections, 0);
		take_from_pool(s, 1, unfinished[i]);
		script_free(s);
	}
}

/* However far the look for its end has come, which begins anew elsewhere. */
static void
test_a_chunked_body_that_is_collected_travels_as_it_came(void **state)
{
	static const char *const begun[] = {"", "5\r\n", "5", "5\r\nhel",
		"5\r\nhello\r\n", "5;a=b\r\nhello\r\n0\r\nX: "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(begun); i++) {
		static const char head[] =
			POST "Transfer-Encoding: chunked\r\n\r\n";
		struct script *s = script_new();
		char bytes[256];

		snprintf(bytes, sizeof(bytes), "%s%s", head, begun[i]);
		script_with_pool(s);
		script_send(s, head);
		if (begun[i][0] != '\0')
			script_send(s, begun[i]);
		script_step(s, STEP_RETIRE);
		script_run(s);
		assert_int_equal(s->calls, 0);
		take_from_pool(s, 0, bytes);
		script_free(s);
	}
}

/* The only client so far leaves, and a sibling's lies in the pool: its end. */
static int
find_in_pool(struct script *s, unsigned requests, const char *bytes)
{
	struct handoff h = {.requests = requests,
		.deadline_ns = INT64_MAX,
		.bytes = {bytes, strlen(bytes)}};
	int pair[2];

	script_with_pool(s);
	script_step(s, STEP_EOF);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	h.fd = pair[0];
	assert_int_equal(handoff_send(s->pool[0], &h), 0);
	close(pair[0]);
	return pair[1];
}

static void
test_a_client_from_the_pool_is_served_at_once(void **state)
{
	struct script *s = script_new();
	int client = find_in_pool(s, 5, GET);

	(void)state;
	script_step(s, STEP_POOL);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_sent(s, "200 OK");
	assert_int_equal(s->engine.parked.n, 1);
	close(client);
	script_free(s);
}

static void
test_what_is_left_in_the_pool_is_served_by_who_finishes(void **state)
{
	struct script *s = script_new();
	int client = find_in_pool(s, 1, GET);

	(void)state;
	script_step(s, STEP_FINISH);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_sent(s, "Connection: close");
	close(client);
	script_free(s);
}

static void
test_who_finishes_keeps_no_idle_client_from_the_pool(void **state)
{
	struct script *s = script_new();
	int client = find_in_pool(s, 1, "");
	char byte;

	(void)state;
	script_step(s, STEP_FINISH);
	script_run(s);
	assert_int_equal(s->calls, 0);
	assert_int_equal(s->engine.parked.n, 0);
	assert_int_equal(read(client, &byte, 1), 0); /* told to go */
	close(client);
	script_free(s);
}

static void
test_a_head_that_does_not_end_in_time_is_answered_408(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->config.timeout = 1;
	script_send(s, "GET / HT");
	script_run(s);
	assert_int_equal(s->calls, 0);
	assert_sent(s, " 408 ");
	script_free(s);
}

static void
test_bytes_now_and_then_do_not_make_a_head_come_in_time(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->config.timeout = 600000;
	s->config.request_read_timeout.header.first = 1;
	for (int i = 0; i < 8; i++)
		script_send_bytes(s, "GET / HT" + i, 1);
	script_run(s);
	assert_int_equal(s->calls, 0);
	assert_sent(s, " 408 ");
	script_free(s);
}

static void
test_a_body_that_does_not_come_in_time_is_answered_408(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->config.timeout = 600000;
	s->config.request_read_timeout.body.first = 1;
	script_send(s, POST "Content-Length: 9\r\n\r\nabc");
	script_run(s);
	assert_int_equal(s->calls, 0);
	assert_sent(s, " 408 ");
	script_free(s);
}

static void
test_a_client_that_says_nothing_is_closed_without_a_word(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->config.timeout = 1;
	script_run(s);
	assert_int_equal(s->sent.len, 0);
	assert_true(s->closed);
	script_free(s);
}

static void
test_a_client_that_takes_nothing_is_cut_off(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->config.timeout = 1;
	s->client_takes_nothing = true;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_true(s->closed);
	script_free(s);
}

/* When the kernel is short of memory for sockets, or of room in an epoll set: nothing
 * has gone, so no time begins anew. */
static void
test_room_that_is_none_does_not_keep_a_client(void **state)
{
	static const int results[] = {POLLOUT, -ENOSPC};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct script *s = script_new();

		s->config.timeout = 1;
		s->no_room = true;
		s->room_result = results[i];
		script_send(s, GET);
		script_run(s);
		assert_int_equal(s->calls, 1);
		assert_true(s->closed);
		if (results[i] < 0)
			assert_int_equal(s->waits_for_room, 1);
		script_free(s);
	}
}

/* How often it has asked, in what the master has not read. */
static unsigned
count_wishes(struct script *s)
{
	struct channel_message message;
	unsigned n = 0;

	while (channel_receive(s->channel[0], &message) == 1)
		n += message.kind == CHANNEL_WANTS_RETIRE;
	return n;
}

/* The master reads on while the second request runs. */
static void
app_with_a_slow_master(struct script *s, struct app_exchange *x)
{
	if (s->calls == 2)
		assert_int_equal(count_wishes(s), 0);
	app_hello(s, x);
}

static void
test_a_child_asks_again_when_the_master_could_not_hear_it(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->most_requests = 1;
	s->app = app_with_a_slow_master;
	while (channel_send(s->channel[1], CHANNEL_BUSY, 0, NULL, NULL, 0) == 0)
		continue;
	script_send(s, GET GET GET);
	script_run(s);
	assert_int_equal(s->calls, 3);
	assert_int_equal(count_wishes(s), 1);
	script_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_request_in_one_piece_is_answered_and_its_client_parked),
		cmocka_unit_test(test_a_head_may_come_byte_by_byte),
		cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
		cmocka_unit_test(
			test_what_is_wrong_is_refused_without_the_application),
		cmocka_unit_test(test_limits_hold_for_heads_that_never_end),
		cmocka_unit_test(
			test_the_ring_finishes_a_file_that_its_client_takes_slowly),
		cmocka_unit_test(test_a_client_that_takes_no_file_is_cut_off),
		cmocka_unit_test(test_room_that_is_none_does_not_keep_a_client),
		cmocka_unit_test(test_what_is_held_for_sending_is_dropped_once),
		cmocka_unit_test(
			test_what_is_held_in_many_pieces_is_sent_in_order),
		cmocka_unit_test(
			test_many_pieces_are_forgotten_when_the_client_takes_nothing),
		cmocka_unit_test(
			test_what_is_pushed_is_out_before_the_application_has_ended),
		cmocka_unit_test(
			test_the_ring_finishes_what_is_pushed_and_not_taken),
		cmocka_unit_test(test_a_broken_response_ends_the_connection),
		cmocka_unit_test(test_keep_alive_ends_when_it_should),
		cmocka_unit_test(test_finishing_lets_parked_clients_go),
		cmocka_unit_test(
			test_retiring_gives_waiting_clients_to_siblings_with_their_bytes),
		cmocka_unit_test(
			test_a_chunked_body_that_is_collected_travels_as_it_came),
		cmocka_unit_test(test_a_client_from_the_pool_is_served_at_once),
		cmocka_unit_test(
			test_what_is_left_in_the_pool_is_served_by_who_finishes),
		cmocka_unit_test(
			test_who_finishes_keeps_no_idle_client_from_the_pool),
		cmocka_unit_test(
			test_a_head_that_does_not_end_in_time_is_answered_408),
		cmocka_unit_test(
			test_bytes_now_and_then_do_not_make_a_head_come_in_time),
		cmocka_unit_test(
			test_a_body_that_does_not_come_in_time_is_answered_408),
		cmocka_unit_test(
			test_a_client_that_says_nothing_is_closed_without_a_word),
		cmocka_unit_test(test_a_client_that_takes_nothing_is_cut_off),
		cmocka_unit_test(
			test_a_child_asks_again_when_the_master_could_not_hear_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
