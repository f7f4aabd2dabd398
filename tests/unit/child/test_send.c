/*
 * test_send.c - responses that are made piece by piece, and clients that take
 * them more slowly: what is waited for and what is not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "child/connection.h"
#include "child/send.h"
#include "child/watcher.h"
#include "scripted.h"

#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"

enum { PIECE = 100, KEPT = 1000 /* scripted.c's ResponseBufferSize */ };

/* --- the client's end of the socket ------------------------------------------------ */

/* A little of what has come.  To script.drain. */
static size_t
take_some(int fd)
{
	static char piece[2048];
	ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

/* --- applications ----------------------------------------------------------------- */

static void
begin_stream(struct app_exchange *x)
{
	x->status = 200;
	response_begin(x->response, STR("200 OK"));
	response_end_head(x->response, -1);
}

static int
yield(struct app_exchange *x, const char *piece)
{
	response_body(x->response, piece, strlen(piece));
	return x->client->send(x, NULL, 0, STR(""));
}

/* PIECE bytes with a number in it. */
static void
make_line(char *to, int i)
{
	memset(to, '.', PIECE);
	to[0] = (char)('0' + i / 100 % 10);
	to[1] = (char)('0' + i / 10 % 10);
	to[2] = (char)('0' + i % 10);
	to[PIECE - 1] = '\n';
}

static int
yield_line(struct app_exchange *x, int i)
{
	char line[PIECE + 1];

	make_line(line, i);
	line[PIECE] = '\0';
	return yield(x, line);
}

static void
have_small_socket(struct script *s)
{
	int size = 1; /* the kernel makes it its smallest */

	assert_int_equal(setsockopt(s->engine.running->fd, SOL_SOCKET,
				 SO_SNDBUF, &size, sizeof(size)),
		0);
}

static size_t
left(const struct connection *c)
{
	size_t n = 0;

	for (unsigned i = c->part; i < c->n_parts; i++)
		n += c->parts[i].iov_len;
	return n;
}

/* Yields until the socket is full and about half of what may be kept is. */
static int
yield_half(struct script *s, struct app_exchange *x)
{
	int i = 0;

	have_small_socket(s);
	begin_stream(x);
	while (left(s->engine.running) < KEPT / 2) {
		assert_int_equal(yield_line(x, i++), 0);
		assert_true(i < 1000);
	}
	return i;
}

/* Are all n lines there, once, in order, and is it the end? */
static void
assert_lines(struct script *s, int n)
{
	const char *p = strstr(buf_text(&s->sent), "\r\n\r\n");

	assert_non_null(p);
	for (int i = 0; i < n; i++) {
		p = strstr(p, "\r\n64\r\n");
		assert_non_null(p);
		p += strlen("\r\n64\r\n");
		assert_int_equal(
			(p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0', i);
	}
	assert_string_equal(p + PIECE, "\r\n0\r\n\r\n");
}

/* --- a client that reads ------------------------------------------------------------ */

static void
app_that_looks_whether_it_is_out(struct script *s, struct app_exchange *x)
{
	static const char *const pieces[] = {"one", "two", "three"};

	begin_stream(x);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		assert_int_equal(yield(x, pieces[i]), 0);
		script_take(s);
		assert_non_null(strstr(buf_text(&s->sent), pieces[i]));
	}
	response_end(x->response);
}

static void
test_each_piece_is_out_before_the_next_is_made(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_looks_whether_it_is_out;
	script_send(s, GET GET);
	script_run(s);
	assert_int_equal(s->calls, 2);
	assert_int_equal(count(s, "0\r\n\r\n"), 2);
	assert_int_equal(s->sends, 2); /* the ends alone */
	script_free(s);
}

/* --- small pieces in quick succession ------------------------------------------------- */

/* One that does not see that a request runs, so that what is kept stays. */
static void
have_watcher(struct script *s)
{
	struct engine *engine = &s->engine;
	struct err err = {0};

	assert_int_equal(
		watcher_create(&s->engine.set.watcher, &engine, 1, &err), 0);
	watcher_start(s->engine.set.watcher);
}

static void
have_no_watcher(struct script *s)
{
	watcher_destroy(s->engine.set.watcher);
	s->engine.set.watcher = NULL;
}

/* On a machine that is busy the next of them may come late. */
static void
yield_until_kept(struct script *s, struct app_exchange *x)
{
	while (left(s->engine.running) == 0) {
		assert_in_range(s->last_read, 0, 500);
		assert_int_equal(yield_line(x, (int)s->last_read++), 0);
	}
}

/* The first line waits for nothing. */
static void
begin_to_hurry(struct script *s, struct app_exchange *x)
{
	have_watcher(s);
	begin_stream(x);
	assert_int_equal(yield_line(x, 0), 0);
	assert_int_equal(left(s->engine.running), 0);
	s->last_read = 1;
	yield_until_kept(s, x);
}

static void
pass_a_tick(void)
{
	int64_t since = clock_monotonic_ns();

	while (clock_monotonic_ns() - since <= ENGINE_LONG_NS)
		continue;
}

static void
app_that_hurries(struct script *s, struct app_exchange *x)
{
	begin_to_hurry(s, x);
	pass_a_tick();
	assert_int_equal(yield_line(x, (int)s->last_read++), 0);
	assert_int_equal(left(s->engine.running), 0);
	yield_until_kept(s, x);
	response_end(x->response);
	have_no_watcher(s);
}

static void
test_what_follows_within_a_tick_goes_out_together(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_hurries;
	script_send(s, GET);
	script_run(s);
	script_take(s);
	assert_lines(s, (int)s->last_read);
	script_free(s);
}

static void
app_with_pieces_as_quick_as_before(struct script *s, struct app_exchange *x)
{
	have_watcher(s);
	s->engine.quick_in_a_row = 16;
	begin_stream(x);
	assert_int_equal(yield_line(x, 0), 0);
	assert_true(left(s->engine.running) > 0);
	assert_int_equal(yield_line(x, 1), 0);
	response_end(x->response);
	have_no_watcher(s);
}

static void
test_the_first_waits_for_others_that_come_as_quickly_as_before(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_with_pieces_as_quick_as_before;
	script_send(s, GET);
	script_run(s);
	script_take(s);
	assert_lines(s, 2);
	script_free(s);
}

static void
test_how_quickly_they_have_come_is_learned(void **state)
{
	static const struct {
		int64_t pushed_ns;
		bool slow;
		unsigned before, after;
	} cases[] = {
		{0, false, 0, 0}, /* it had no pieces */
		{0, false, 3, 3},
		{ENGINE_LONG_NS + 1, false, 3, 4},
		{ENGINE_LONG_NS + 1, true, 3, 0}, /* in its middle */
		{1, false, 3, 0},                 /* at its end */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct connection c = {.pushed_ns = cases[i].pushed_ns};
		struct engine e = {
			.now_ns = 2 * ENGINE_LONG_NS,
			.pieces_are_slow = cases[i].slow,
			.quick_in_a_row = cases[i].before,
		};

		send_learn(&e, &c);
		assert_int_equal(e.quick_in_a_row, cases[i].after);
		assert_false(e.pieces_are_slow);
	}
}

/* Reading what is there is nothing that the watcher would see. */
static void
app_that_reads_meanwhile(struct script *s, struct app_exchange *x)
{
	char byte;

	begin_to_hurry(s, x);
	pass_a_tick();
	assert_int_equal(x->client->read(x, &byte, 1), 1);
	assert_int_equal(left(s->engine.running), 0);
	response_end(x->response);
	have_no_watcher(s);
}

static void
test_what_is_kept_goes_out_while_the_body_is_read(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_reads_meanwhile;
	script_send(s, "POST / HTTP/1.1\r\nHost: h\r\n"
		       "Content-Length: 3\r\n\r\nabc");
	script_run(s);
	assert_int_equal(s->calls, 1);
	script_free(s);
}

/* As when the application forks. */
static void
app_whose_watcher_goes(struct script *s, struct app_exchange *x)
{
	begin_to_hurry(s, x);
	s->engine.set.watch = watcher_watch(s->engine.set.watcher, 0);
	watch_begin(s->engine.set.watch, clock_monotonic_ns());
	watcher_stop(s->engine.set.watcher);
	assert_int_equal(left(s->engine.running), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(yield_line(x, (int)s->last_read++), 0);
		assert_int_equal(left(s->engine.running), 0);
	}
	response_end(x->response);
	watch_end(s->engine.set.watch);
	s->engine.set.watch = NULL;
	have_no_watcher(s);
}

static void
test_nothing_is_kept_without_a_watcher(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_whose_watcher_goes;
	script_send(s, GET);
	script_run(s);
	script_take(s);
	assert_lines(s, (int)s->last_read);
	script_free(s);
}

static void
app_that_hurries_with_much(struct script *s, struct app_exchange *x)
{
	static char data[20000];

	have_watcher(s);
	begin_stream(x);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(x->client->send(x, data, sizeof(data), STR("")),
			0);
		assert_int_equal(left(s->engine.running), 0);
	}
	/* Nor more than may be kept. */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(yield_line(x, i), 0);
		assert_true(left(s->engine.running) <= KEPT);
	}
	have_no_watcher(s);
}

static void
test_large_pieces_and_many_are_not_gathered(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_hurries_with_much;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->calls, 1);
	script_free(s);
}

/* --- pieces that are lent ----------------------------------------------------------- */

enum { LARGE = 20000 };

static int
lend(struct app_exchange *x, const char *data, size_t len)
{
	return x->client->lend(x, data, len, STR(""));
}

static void
read_all(struct script *s)
{
	script_take(s);
	buf_clear(&s->sent);
}

/* The first one, and others until one is kept: some of them may come late. */
static void
begin_to_lend(struct script *s, struct app_exchange *x, const char *data)
{
	have_watcher(s);
	begin_stream(x);
	assert_int_equal(lend(x, data, LARGE), 0);
	assert_int_equal(left(s->engine.running), 0);
	while (lend(x, data, LARGE) == 0)
		read_all(s);
	assert_true(left(s->engine.running) >= LARGE);
}

static void
assert_all_went(struct script *s)
{
	assert_true(left(s->engine.running) <= KEPT);
	read_all(s);
}

static void
app_that_lends(struct script *s, struct app_exchange *x)
{
	static char data[LARGE];
	unsigned n;

	begin_to_lend(s, x, data);
	/* They are sent when nothing more has come for long enough, */
	pass_a_tick();
	assert_int_equal(lend(x, data, LARGE), 0);
	assert_all_went(s);
	/* when there are enough of them, */
	while (lend(x, data, LARGE) == 0)
		read_all(s);
	for (n = 1; lend(x, data, LARGE) == 1; n++)
		continue;
	assert_in_range(n, 1, SEND_GATHERED - 1);
	assert_all_went(s);
	/* and when something else has to be. */
	while (lend(x, data, LARGE) == 0)
		read_all(s);
	assert_int_equal(yield(x, "end"), 0);
	assert_all_went(s);
	have_no_watcher(s);
}

static void
test_large_pieces_are_lent_for_a_moment(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_lends;
	s->drain = take_some;
	script_send(s, "GET / HTTP/1.0\r\n\r\n");
	script_run(s);
	assert_int_equal(s->calls, 1);
	script_free(s);
}

static void
app_that_wants_back(struct script *s, struct app_exchange *x)
{
	static char data[LARGE];

	have_small_socket(s);
	memset(data, 'a', sizeof(data));
	have_watcher(s);
	begin_stream(x);
	while (lend(x, data, LARGE) == 0)
		continue;
	assert_int_equal(x->client->reclaim(x), 0);
	assert_true(left(s->engine.running) <= KEPT);
	/* Nobody looks at it any more. */
	memset(data, '-', sizeof(data));
	have_no_watcher(s);
}

static void
test_of_what_is_wanted_back_the_end_is_kept(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_wants_back;
	s->drain = take_some;
	script_send(s, "GET / HTTP/1.0\r\n\r\n");
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_true(s->waits_for_room > 0);
	assert_int_equal(s->sent.data[s->sent.len - 1], 'a');
	assert_int_equal(s->drained + s->sent.len, s->page.bytes_out);
	script_free(s);
}

/* As the loop finds out while the request does something else. */
static void
app_whose_client_leaves(struct script *s, struct app_exchange *x)
{
	static char data[LARGE];

	have_watcher(s);
	begin_stream(x);
	while (lend(x, data, LARGE) == 0)
		read_all(s);
	s->engine.running->error = -ECONNRESET;
	assert_int_equal(lend(x, data, LARGE), -ECONNRESET);
	assert_int_equal(send_left(s->engine.running), 0);
	assert_int_equal(x->client->reclaim(x), -ECONNRESET);
	x->held = NULL;
	x->broken = true;
	response_body(x->response, "rest", 4);
	have_no_watcher(s);
}

static void
test_nothing_is_left_for_a_client_that_has_left(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_whose_client_leaves;
	script_send(s, "GET / HTTP/1.0\r\n\r\n");
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_int_equal(s->sends, 0);
	script_free(s);
}

/* A client that is slow, and what it has got so far. */
static struct buf got;

static size_t
take_and_remember(int fd)
{
	char piece[3000];
	ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n <= 0)
		return 0;
	buf_add(&got, piece, (size_t)n);
	return (size_t)n;
}

/* Of each kind, in turns that repeat late. */
static void
app_that_mixes(struct script *s, struct app_exchange *x)
{
	static char pieces[64][LARGE + 1];

	have_small_socket(s);
	have_watcher(s);
	begin_stream(x);
	for (int i = 0; i < 64; i++) {
		memset(pieces[i], 'A' + i % 50, LARGE);
		if (i % 7 == 3)
			assert_true(lend(x, pieces[i], LARGE - i) >= 0);
		else if (i % 5 == 4)
			assert_int_equal(x->client->send(x, pieces[i],
						 LARGE - i, STR("tail")),
				0);
		else if (i % 11 < 6)
			assert_int_equal(yield_line(x, i), 0);
		else
			assert_true(x->client->lend(x, pieces[i], LARGE - i,
					    STR("tail")) >= 0);
		if (i % 13 == 12)
			pass_a_tick();
	}
	assert_int_equal(x->client->reclaim(x), 0);
	memset(pieces, '-', sizeof(pieces));
	response_end(x->response);
	have_no_watcher(s);
}

/* The same, each where it is to be. */
static void
expect_mixed(struct buf *to)
{
	static char piece[LARGE];

	for (int i = 0; i < 64; i++) {
		bool line = i % 7 != 3 && i % 5 != 4 && i % 11 < 6;

		memset(piece, 'A' + i % 50, sizeof(piece));
		if (line)
			make_line(piece, i);
		buf_add(to, piece, line ? PIECE : (size_t)(LARGE - i));
		if (!line && i % 7 != 3)
			buf_add(to, "tail", 4);
	}
}

static void
test_pieces_of_all_kinds_stay_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct script *s = script_new();
		struct buf all = {0};
		const char *body;

		buf_clear(&got);
		s->app = app_that_mixes;
		s->drain = take_and_remember;
		script_send(s, "GET / HTTP/1.0\r\n\r\n");
		script_run(s);
		script_take(s);
		buf_add(&got, s->sent.data, s->sent.len);
		buf_add(&got, "", 1);
		expect_mixed(&all);
		body = strstr(got.data, "\r\n\r\n");
		assert_non_null(body);
		body += 4;
		assert_int_equal(got.data + got.len - 1 - body, all.len);
		assert_memory_equal(body, all.data, all.len);
		assert_int_equal(got.len - 1, s->page.bytes_out);
		buf_fini(&all);
		script_free(s);
	}
	buf_fini(&got);
}

/* --- the end of a response, and the request goes on ------------------------------------ */

static void
push_end(struct app_exchange *x, const char *body)
{
	begin_stream(x);
	response_body(x->response, body, strlen(body));
	assert_int_equal(x->client->push(x), 0);
}

/* While somebody else waits for an answer of his own. */
static void
push_end_before(struct script *s, struct app_exchange *x, const char *body)
{
	struct connection next = {.state = CONNECTION_QUEUED};

	connection_list_add(&s->engine.queue, &next);
	push_end(x, body);
	connection_list_remove(&next);
	s->last_read = left(s->engine.running);
}

static void
app_that_ends_soon(struct script *s, struct app_exchange *x)
{
	have_watcher(s);
	push_end_before(s, x, "soon");
	have_no_watcher(s);
}

static void
app_that_ends_the_last(struct script *s, struct app_exchange *x)
{
	have_watcher(s);
	push_end(x, "last");
	s->last_read = left(s->engine.running);
	have_no_watcher(s);
}

static void
app_that_ends_late(struct script *s, struct app_exchange *x)
{
	have_watcher(s);
	pass_a_tick();
	push_end_before(s, x, "late");
	have_no_watcher(s);
}

static void
app_that_nobody_watches(struct script *s, struct app_exchange *x)
{
	push_end_before(s, x, "alone");
}

/* On a machine that is busy it may take longer even so. */
static void
test_a_small_end_waits_for_the_other_answers_while_somebody_watches(void **state)
{
	static const struct {
		void (*app)(struct script *s, struct app_exchange *x);
		bool waits;
	} rows[] = {{app_that_ends_soon, true}, {app_that_ends_the_last, false},
		{app_that_ends_late, false}, {app_that_nobody_watches, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool waits = false;

		for (int try = 0; try < (rows[i].waits ? 20 : 1) && !waits;
			try++) {
			struct script *s = script_new();

			s->app = rows[i].app;
			script_send(s, GET);
			script_run(s);
			script_take(s);
			waits = s->last_read > 0;
			assert_int_equal(s->calls, 1);
			assert_non_null(strstr(s->sent.data, "\r\n\r\n"));
			assert_int_equal(s->sent.len, s->page.bytes_out);
			script_free(s);
		}
		assert_int_equal(waits, rows[i].waits);
	}
}

/* --- a client that reads later --------------------------------------------------------- */

static void
app_that_makes_little(struct script *s, struct app_exchange *x)
{
	s->last_read = yield_half(s, x);
	response_end(x->response);
	assert_int_equal(s->waits_for_room, 0);
	assert_int_equal(s->sends, 0);
}

static void
test_what_a_slow_client_does_not_take_is_kept_and_io_finishes_it(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_makes_little;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->sends, 1);
	assert_lines(s, (int)s->last_read);
	assert_int_equal(s->page.bytes_out, s->sent.len);
	assert_int_equal(s->page.aborted, 0);
	script_free(s);
}

static void
test_nobody_waits_for_a_client_that_never_takes_the_rest(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_makes_little;
	s->client_takes_nothing = true;
	s->config.timeout = 1;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_true(s->closed); /* at Timeout */
	script_free(s);
}

/* What is kept goes out as soon as there is room, behind it the next. */
static void
app_whose_client_reads_meanwhile(struct script *s, struct app_exchange *x)
{
	int n = yield_half(s, x);

	for (; n < 300; n++) {
		script_take(s);
		assert_int_equal(yield_line(x, n), 0);
		assert_true(left(s->engine.running) < KEPT);
	}
	s->last_read = n;
	response_end(x->response);
	assert_int_equal(s->waits_for_room, 0);
}

static void
test_what_is_kept_goes_before_the_next_piece(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_whose_client_reads_meanwhile;
	script_send(s, GET);
	script_run(s);
	assert_lines(s, 300);
	script_free(s);
}

/* --- more than is kept ---------------------------------------------------------------------- */

static void
app_that_makes_much(struct script *s, struct app_exchange *x)
{
	have_small_socket(s);
	begin_stream(x);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(yield_line(x, i), 0);
		assert_true(left(s->engine.running) <=
			    (size_t)s->config.response_buffer_size);
	}
	response_end(x->response);
	s->last_read = s->waits_for_room;
}

static void
test_a_slow_client_is_waited_for_when_enough_is_kept(void **state)
{
	static const int64_t sizes[] = {0, KEPT, 1 << 20};
	unsigned waits[ARRAY_LEN(sizes)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct script *s = script_new();

		s->app = app_that_makes_much;
		s->drain = take_some;
		s->config.response_buffer_size = sizes[i];
		script_send(s, GET);
		script_run(s);
		waits[i] = (unsigned)s->last_read;
		assert_int_equal(s->drained + s->sent.len, s->page.bytes_out);
		script_free(s);
	}
	assert_true(waits[0] > 1);
	assert_in_range(waits[1], 1, waits[0]);
	assert_int_equal(waits[2], 0);
}

static void
app_with_one_large_piece(struct script *s, struct app_exchange *x)
{
	static char data[100000];

	have_small_socket(s);
	memset(data, 'x', sizeof(data));
	x->status = 200;
	response_begin(x->response, STR("200 OK"));
	response_end_head(x->response, sizeof(data));
	assert_int_equal(
		x->client->send(x, data, sizeof(data), STR("tail")), 0);
	assert_int_equal(left(s->engine.running) <= KEPT, true);
	/* Nobody looks at the application's memory any more. */
	memset(data, '-', sizeof(data));
}

static void
test_of_a_large_piece_the_end_is_kept(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_with_one_large_piece;
	s->drain = take_some;
	script_send(s, GET);
	script_run(s);
	assert_true(s->waits_for_room > 0);
	assert_null(memchr(s->sent.data, '-', s->sent.len));
	assert_memory_equal(s->sent.data + s->sent.len - 5, "xtail", 5);
	assert_int_equal(s->drained + s->sent.len, s->page.bytes_out);
	script_free(s);
}

static void
app_that_hears_of_it(struct script *s, struct app_exchange *x)
{
	int rc = 0;

	have_small_socket(s);
	begin_stream(x);
	for (int i = 0; rc == 0 && i < 1000; i++)
		rc = yield_line(x, i);
	assert_int_equal(rc, -ETIMEDOUT);
	assert_int_equal(left(s->engine.running), 0);
	/* And it stays so. */
	assert_int_equal(yield_line(x, 0), -ETIMEDOUT);
	x->broken = true;
}

static void
test_a_client_that_takes_nothing_more_is_cut_off_at_timeout(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_hears_of_it;
	s->client_takes_nothing = true;
	s->config.timeout = 1;
	script_send(s, GET);
	script_run(s);
	assert_int_equal(s->calls, 1);
	assert_int_equal(s->page.aborted, 1);
	assert_true(s->closed);
	script_free(s);
}

/* --- input meanwhile -------------------------------------------------------------------------- */

/* The client reads before it sends on, and must get what it waits for. */
static void
app_that_reads_in_between(struct script *s, struct app_exchange *x)
{
	char piece[100];

	(void)yield_half(s, x);
	assert_int_equal(s->waits_for_room, 0);
	assert_int_equal(x->client->read(x, piece, sizeof(piece)), 4);
	assert_memory_equal(piece, "more", 4);
	assert_int_equal(left(s->engine.running), 0);
	response_end(x->response);
}

static void
test_what_is_kept_goes_on_while_the_application_reads(void **state)
{
	struct script *s = script_new();

	(void)state;
	s->app = app_that_reads_in_between;
	s->drain = take_some;
	s->config.request_body_buffer = 1;
	script_send(s, POST "Content-Length: 4\r\n\r\n");
	script_send(s, "more");
	script_run(s);
	assert_true(s->waits_for_room > 0);
	assert_int_equal(s->drained + s->sent.len, s->page.bytes_out);
	script_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_each_piece_is_out_before_the_next_is_made),
		cmocka_unit_test(
			test_the_first_waits_for_others_that_come_as_quickly_as_before),
		cmocka_unit_test(test_how_quickly_they_have_come_is_learned),
		cmocka_unit_test(
			test_what_follows_within_a_tick_goes_out_together),
		cmocka_unit_test(
			test_what_is_kept_goes_out_while_the_body_is_read),
		cmocka_unit_test(test_nothing_is_kept_without_a_watcher),
		cmocka_unit_test(test_large_pieces_and_many_are_not_gathered),
		cmocka_unit_test(test_large_pieces_are_lent_for_a_moment),
		cmocka_unit_test(
			test_a_small_end_waits_for_the_other_answers_while_somebody_watches),
		cmocka_unit_test(test_of_what_is_wanted_back_the_end_is_kept),
		cmocka_unit_test(test_pieces_of_all_kinds_stay_in_order),
		cmocka_unit_test(test_nothing_is_left_for_a_client_that_has_left),
		cmocka_unit_test(
			test_what_a_slow_client_does_not_take_is_kept_and_io_finishes_it),
		cmocka_unit_test(
			test_nobody_waits_for_a_client_that_never_takes_the_rest),
		cmocka_unit_test(test_what_is_kept_goes_before_the_next_piece),
		cmocka_unit_test(
			test_a_slow_client_is_waited_for_when_enough_is_kept),
		cmocka_unit_test(test_of_a_large_piece_the_end_is_kept),
		cmocka_unit_test(
			test_a_client_that_takes_nothing_more_is_cut_off_at_timeout),
		cmocka_unit_test(
			test_what_is_kept_goes_on_while_the_application_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
