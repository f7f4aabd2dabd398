/*
 * test_body.c - the body of a request, before it runs, while it does, and what
 * is left of it then, against a scripted client.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/defs.h"
#include "scripted.h"

#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"

static void
test_bodies_arrive_whole_however_they_are_framed_and_cut(void **state)
{
	static const char big[] = "0123456789012345678901234567890123456789"
				  "0123456789012345678901234567890123456789"
				  "0123456789012345678901234567890123456789";
	static const struct {
		const char *head, *wire;
		const char *body;
		bool collected;
	} rows[] = {
		{POST "Content-Length: 5\r\n\r\n", "world", "world", true},
		{POST "Content-Length: 0\r\n\r\n", "", "", true},
		{POST "Content-Length: 120\r\n\r\n", big, big, false},
		{POST "Transfer-Encoding: chunked\r\n\r\n",
			"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", true},
		{POST "Transfer-Encoding: chunked\r\n\r\n",
			"78\r\n0123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789\r\n"
			"0\r\nX-Sum: 7\r\n\r\n",
			big, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* In pieces of any size, the next request right behind. */
		for (size_t cut = 1; cut < 60; cut++) {
			struct script *s = script_new();
			char all[1024];
			size_t len, at;

			len = (size_t)snprintf(all, sizeof(all), "%s%s%s",
				rows[i].head, rows[i].wire, GET);
			s->app = app_read_all;
			for (at = 0; at < len; at += cut)
				script_send_bytes(s, all + at,
					cut < len - at ? cut : len - at);
			script_run(s);
			if (s->calls != 2)
				fail_msg("row %zu in pieces of %zu: %u "
					 "requests were served, not 2",
					i, cut, s->calls);
			assert_int_equal(s->read.len, strlen(rows[i].body));
			assert_memory_equal(
				buf_text(&s->read), rows[i].body, s->read.len);
			assert_int_equal(count(s, "200 OK"), 2);
			script_free(s);
		}
	}
}

static void
test_a_broken_body_is_an_error_and_what_follows_no_request(void **state)
{
	struct script *s = script_new();
	char first[256];

	(void)state;
	s->app = app_read_all;
	snprintf(first, sizeof(first),
		POST "Transfer-Encoding: chunked\r\n\r\n78\r\n%0120d", 0);
	script_send(s, first);
	script_send(s, "XX" GET);
	script_step(s, STEP_EOF);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_int_equal(s->last_read, -EBADMSG);
	assert_true(s->closed);
	script_free(s);
}

static void
test_a_chunked_body_may_not_pass_the_limit(void **state)
{
	static char chunk[300];
	struct script *s = script_new();

	(void)state;
	s->app = app_read_all;
	snprintf(chunk, sizeof(chunk), "100\r\n%0256d\r\n", 0);
	script_send(s, POST "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 5; i++)
		script_send(s, chunk);
	script_step(s, STEP_EOF);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_int_equal(s->last_read, -EFBIG);
	assert_true(s->closed);
	script_free(s);
}

static void
test_a_client_that_vanishes_ends_the_reading(void **state)
{
	static const enum step_kind ends[] = {STEP_EOF, STEP_ERROR};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct script *s = script_new();

		s->app = app_read_all;
		script_send(s, POST "Content-Length: 500\r\n\r\nabc");
		script_step(s, ends[i]);
		script_run(s);
		assert_int_equal(s->calls, 1);
		assert_int_equal(s->last_read, -ECONNRESET);
		assert_true(s->closed);
		script_free(s);
	}
}

static void
test_a_client_that_waits_is_told_to_go_on_when_it_is_read(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_read_all;
	script_send(s, POST "Content-Length: 5\r\nExpect: "
			    "100-continue\r\n\r\n");
	script_send(s, "world");
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_string_equal(buf_text(&s->read), "world");
	assert_int_equal(count(s, "HTTP/1.1 100 Continue\r\n\r\n"), 1);
	assert_int_equal(count(s, "200 OK"), 1);
	script_free(s);
}

static void
test_a_client_that_did_not_wait_is_not_told_to_go_on(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_read_all;
	script_send(s, POST "Content-Length: 5\r\nExpect: "
			    "100-continue\r\n\r\nwo");
	script_send(s, "rld");
	script_run(s);
	assert_string_equal(buf_text(&s->read), "world");
	assert_int_equal(count(s, "100 Continue"), 0);
	script_free(s);
}

/* By the time it reads, the client has given up waiting. */
static void
app_read_later(struct script *s, struct app_exchange *x)
{
	assert_int_equal(send(s->client, "w", 1, 0), 1);
	app_read_all(s, x);
}

static void
test_a_client_that_waits_no_longer_is_not_told_to_go_on(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_read_later;
	script_send(s, POST "Content-Length: 5\r\nExpect: "
			    "100-continue\r\n\r\n");
	script_send(s, "world");
	script_run(s);
	assert_string_equal(buf_text(&s->read), "world");
	assert_int_equal(count(s, "100 Continue"), 0);
	script_free(s);
}

static void
test_a_body_that_nobody_read_and_is_not_there_ends_the_connection(void **state)
{
	struct script *s = script_new();

	(void)state;
	script_send(s, POST "Content-Length: 500\r\n\r\nabc");
	script_step(s, STEP_EOF);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_int_equal(count(s, "200 OK"), 1);
	assert_true(s->closed);
	script_free(s);
}

/* Answer at once, and read then. */
static void
app_answer_and_read(struct script *s, struct app_exchange *x)
{
	char byte;

	response_begin(x->response, STR("200 OK"));
	response_end_head(x->response, -1);
	assert_int_equal(x->client->send(x, NULL, 0, STR("")), 0);
	s->last_read = x->client->read(x, &byte, 0);
	assert_int_equal(s->last_read, 0);
	s->last_read = x->client->read(x, &byte, 1);
	response_end(x->response);
}

static void
test_nobody_is_told_to_go_on_behind_an_answer(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_answer_and_read;
	script_send(s, POST "Content-Length: 1\r\nExpect: "
			    "100-continue\r\n\r\n");
	script_send(s, "x");
	script_run(s);
	assert_int_equal(s->last_read, 1);
	assert_int_equal(count(s, "100 Continue"), 0);
	assert_int_equal(count(s, "200 OK"), 1);
	script_free(s);
}

/* Bodies over RequestBodyBuffer, which the application leaves alone. */
static void
test_what_is_left_of_a_body_is_passed_over_to_a_bound(void **state)
{
	static const struct {
		const char *section, *why, *head, *first, *rest;
		unsigned calls, closes; /* said in the head */
	} rows[] = {
		{"9112 6.3", "plain", POST "Content-Length: 200\r\n\r\n", "abc",
			"%0197d" GET, 2, 0},
		{"9112 6.3", "nothing of it is there",
			POST "Content-Length: 200\r\n\r\n", "", "%0200d" GET, 2,
			0},
		{"9112 7.1", "chunked",
			POST "Transfer-Encoding: chunked\r\n\r\n", "c8\r\nabc",
			"%0197d\r\n0\r\nX: y\r\n\r\n" GET, 2, 0},
		{"9112 7.1", "broken",
			POST "Transfer-Encoding: chunked\r\n\r\n", "c8\r\nabc",
			"%0197dXX0\r\n\r\n" GET, 1, 0},
		{"9112 9.3", "too much", POST "Content-Length: 3000000\r\n\r\n",
			"abc", "%0200d" GET, 1, 1},
		{"9110 10.1.1", "not sent yet, perhaps never",
			POST "Content-Length: 200\r\n"
			     "Expect: 100-continue\r\n\r\n",
			"", "%0200d" GET, 1, 1},
		{"9112 9.6", "the client closes",
			POST "Content-Length: 200\r\n"
			     "Connection: close\r\n\r\n",
			"", "%0200d" GET, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script *s = script_new();
		char rest[400];
		int len = snprintf(rest, sizeof(rest), rows[i].rest, 0);

		s->config.limit_request_body = 0;
		s->config.request_body_buffer = 0;
		script_send(s, rows[i].head);
		if (rows[i].first[0] != '\0')
			script_send(s, rows[i].first);
		for (int at = 0; at < len; at += 50)
			script_send_bytes(s, rest + at,
				(size_t)(len - at < 50 ? len - at : 50));
		script_step(s, STEP_EOF);
		script_run(s);
		if (s->calls != rows[i].calls)
			fail_msg("RFC %s, %s: %u requests were served, not %u",
				rows[i].section, rows[i].why, s->calls,
				rows[i].calls);
		assert_int_equal(count(s, "200 OK"), rows[i].calls);
		if (count(s, "Connection: close") != rows[i].closes)
			fail_msg("RFC %s, %s: what the head says",
				rows[i].section, rows[i].why);
		assert_true(s->closed);
		script_free(s);
	}
}

/* By a Content-Length of its own, say. */
static void
app_that_knows_when_to_stop(struct script *s, struct app_exchange *x)
{
	char piece[200];
	size_t left = x->collected ? 0 : sizeof(piece);

	while (left > 0) {
		s->last_read = x->client->read(x, piece, left);
		assert_true(s->last_read > 0);
		left -= (size_t)s->last_read;
	}
	app_hello(s, x);
}

static void
test_the_last_chunk_need_not_be_read_before_the_next_request(void **state)
{
	struct script *s = script_new();
	char rest[400];

	(void)state;
	s->config.request_body_buffer = 0;
	s->app = app_that_knows_when_to_stop;
	snprintf(rest, sizeof(rest), "%0197d\r\n0\r\n\r\n" GET, 0);
	script_send(s, POST "Transfer-Encoding: chunked\r\n\r\n");
	script_send(s, "c8\r\nabc");
	script_send(s, rest);
	script_run(s);
	assert_int_equal(s->calls, 2);
	assert_int_equal(count(s, "200 OK"), 2);
	script_free(s);
}

/* The application gets each of them whole, however it was cut. */
static void
test_a_chunked_body_in_pieces_is_collected(void **state)
{
	static const char body[] = "5\r\nhello\r\n1;x\r\n,\r\n0006\r\n"
				   " world\r\n0\r\nX: y\r\n\r\n" GET;

	(void)state;
	for (size_t cut = 1; cut < strlen(body) - strlen(GET); cut++) {
		struct script *s = script_new();

		s->app = app_read_all;
		script_send(s, POST "Transfer-Encoding: chunked\r\n\r\n");
		script_send_bytes(s, body, cut);
		script_send(s, body + cut);
		script_step(s, STEP_EOF);
		script_run(s);
		assert_int_equal(s->calls, 2);
		assert_int_equal(s->read.len, 12);
		assert_memory_equal(s->read.data, "hello, world", 12);
		script_free(s);
	}
}

/* What its first two reads gave, and what the first one filled. */
static struct {
	ssize_t first, second;
	char data[64];
} two_reads;

static void
app_read_twice(struct script *s, struct app_exchange *x)
{
	memset(&two_reads, 0, sizeof(two_reads));
	assert_false(x->collected);
	two_reads.first = x->client->read(
		x, two_reads.data, sizeof(two_reads.data));
	two_reads.second = x->client->read(x, (char[8]){0}, 8);
	app_hello(s, x);
}

static void
test_one_read_takes_all_chunks_that_have_come(void **state)
{
	static const struct {
		const char *wire;
		ssize_t first, second;
	} rows[] = {
		{"5\r\nhello\r\n1;x\r\n,\r\n6\r\n world\r\n0\r\n\r\n", 12, 0},
		{"5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\nXX", 12, -EBADMSG},
		{"XX", -EBADMSG, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script *s = script_new();

		s->config.request_body_buffer = 0;
		s->app = app_read_twice;
		script_send(s, POST "Transfer-Encoding: chunked\r\n\r\n");
		script_send(s, rows[i].wire);
		script_step(s, STEP_EOF);
		script_run(s);
		assert_int_equal(two_reads.first, rows[i].first);
		assert_int_equal(two_reads.second, rows[i].second);
		assert_string_equal(two_reads.data,
			rows[i].first > 0 ? "hello, world" : "");
		script_free(s);
	}
}

/* What is sent through the socket, in all; each time so much, or the end. */
enum { LARGE = 300000, AT_ONCE = 50000 };
static size_t to_come;

static void
send_some(int fd)
{
	static char bytes[AT_ONCE];

	if (to_come == 0) {
		shutdown(fd, SHUT_WR);
		return;
	}
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	to_come -= sizeof(bytes);
}

static void
app_read_large(struct script *s, struct app_exchange *x)
{
	static char piece[2 * AT_ONCE];

	assert_false(x->collected);
	s->read.len = 0;
	while ((s->last_read = x->client->read(x, piece, sizeof(piece))) > 0)
		buf_add(&s->read, piece, (size_t)s->last_read);
	app_hello(s, x);
}

/* Behind what io has received of it, "abc". */
static void
test_a_large_body_is_read_out_of_the_socket(void **state)
{
	static const struct {
		size_t sent;
		ssize_t last_read;
	} rows[] = {{LARGE, 0}, {2 * AT_ONCE, -ECONNRESET}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script *s = script_new();

		s->config.limit_request_body = 0;
		s->app = app_read_large;
		s->supply = send_some;
		to_come = rows[i].sent;
		script_send(s, POST "Content-Length: 300003\r\n\r\nabc");
		script_run(s);
		assert_int_equal(s->last_read, rows[i].last_read);
		assert_int_equal(s->read.len, rows[i].sent + 3);
		assert_memory_equal(s->read.data, "abc", 4);
		assert_int_equal(s->page.bytes_in > rows[i].sent, 1);
		script_free(s);
	}
}

static void
app_must_read(struct script *s, struct app_exchange *x)
{
	assert_false(x->collected);
	app_read_all(s, x);
}

/* Of such a body little is kept; the application reads the rest. */
static void
test_a_body_of_tiny_chunks_does_not_fill_the_memory(void **state)
{
	static char bytes[20 * 1024];
	struct script *s = script_new();

	(void)state;
	s->app = app_must_read;
	script_send(s, POST "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i + 20 <= sizeof(bytes); i += 20)
		memcpy(bytes + i, "000000000000001\r\nx\r\n", 20);
	script_send_bytes(s, bytes, sizeof(bytes));
	script_send(s, "0\r\n\r\n");
	script_step(s, STEP_EOF);
	s->config.request_body_buffer = 1100; /* more than its data */
	s->config.limit_request_body = 0;
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_sent(s, "200 OK");
	script_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_bodies_arrive_whole_however_they_are_framed_and_cut),
		cmocka_unit_test(
			test_a_broken_body_is_an_error_and_what_follows_no_request),
		cmocka_unit_test(test_a_chunked_body_may_not_pass_the_limit),
		cmocka_unit_test(test_a_client_that_vanishes_ends_the_reading),
		cmocka_unit_test(
			test_a_client_that_waits_is_told_to_go_on_when_it_is_read),
		cmocka_unit_test(
			test_a_client_that_did_not_wait_is_not_told_to_go_on),
		cmocka_unit_test(
			test_a_client_that_waits_no_longer_is_not_told_to_go_on),
		cmocka_unit_test(
			test_a_body_that_nobody_read_and_is_not_there_ends_the_connection),
		cmocka_unit_test(test_nobody_is_told_to_go_on_behind_an_answer),
		cmocka_unit_test(
			test_what_is_left_of_a_body_is_passed_over_to_a_bound),
		cmocka_unit_test(
			test_the_last_chunk_need_not_be_read_before_the_next_request),
		cmocka_unit_test(test_a_chunked_body_in_pieces_is_collected),
		cmocka_unit_test(test_one_read_takes_all_chunks_that_have_come),
		cmocka_unit_test(test_a_large_body_is_read_out_of_the_socket),
		cmocka_unit_test(
			test_a_body_of_tiny_chunks_does_not_fill_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
