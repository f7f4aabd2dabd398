/*
 * test_call.c - what an application returns, and what its client gets.
 */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/defs.h"

#define GET  "GET /path?q=1 HTTP/1.1\nHost: a\n\n"
#define HEAD "HEAD /path HTTP/1.1\nHost: a\n\n"
#define OLD  "GET /path HTTP/1.0\n\n"

/* The sections of PEP 3333. */
#define SERVER "The Server/Gateway Side"
#define START  "The start_response() Callable"
#define ERRORS "Error Handling"
#define LENGTH "Handling the Content-Length Header"

#define OK(returns)                                   \
	"def application(environ, start_response):\n" \
	"    start_response('200 OK', [])\n"          \
	"    return " returns "\n"
#define SIZED(length, returns)                                               \
	"def application(environ, start_response):\n"                        \
	"    start_response('200 OK', [('Content-Length', '" length "')])\n" \
	"    return " returns "\n"

/* A list of calls to close(), in a module that all can reach. */
#define CLOSING                              \
	"import builtins\n"                  \
	"builtins.closed = closed = []\n"    \
	"class Closing:\n"                   \
	"    def __init__(self, items):\n"   \
	"        self.items = iter(items)\n" \
	"    def __iter__(self):\n"          \
	"        return self\n"              \
	"    def __next__(self):\n"          \
	"        item = next(self.items)\n"  \
	"        if item is None:\n"         \
	"            raise KeyError('x')\n"  \
	"        return item\n"              \
	"    def close(self):\n"             \
	"        closed.append(1)\n"

/* PEP 3333, Handling the Content-Length Header. */
static void
test_blocks_that_are_there_get_a_length(void **state)
{
	static const struct {
		const char *source, *head, *body;
	} rows[] = {
		{OK("[b'hello']"), "Content-Length: 5\r\n", "hello"},
		{OK("(b'hello',)"), "Content-Length: 5\r\n", "hello"},
		{OK("[b'a', b'', b'bc']"), "Content-Length: 3\r\n", "abc"},
		{OK("(b'a', b'bc')"), "Content-Length: 3\r\n", "abc"},
		{OK("[]"), "Content-Length: 0\r\n", ""},
		{OK("[b'']"), "Content-Length: 0\r\n", ""},
		{OK("iter([b'a', b'bc'])"), "Content-Length: 3\r\n", "abc"},
		{OK("iter((b'a', b'bc'))"), "Content-Length: 3\r\n", "abc"},
		{OK("iter(())"), "Content-Length: 0\r\n", ""},
		{OK("(b for b in ())"), "Content-Length: 0\r\n", ""},
		{OK("(b for b in [b'', b''])"), "Content-Length: 0\r\n", ""},
		{OK("b''"), "Content-Length: 0\r\n", ""},
		{SIZED("3", "[b'abc']"), "Content-Length: 3\r\n", "abc"},
		{OK("[type('B', (bytes,), {})(b'abc')]"),
			"Content-Length: 3\r\n", "abc"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_holds(exchange_all(&ex), "HTTP/1.1 200 OK\r\n");
		assert_holds(exchange_all(&ex), rows[i].head);
		assert_string_equal(exchange_body(&ex), rows[i].body);
		assert_string_equal(exchange_log(&ex), "");
		assert_int_equal(ex.x.status, 200);
		assert_int_equal(ex.sends, 0);
		assert_false(ex.x.failed || ex.x.broken);
		exchange_fini(&ex);
	}
}

/* PEP 3333, Buffering and Streaming. */
static void
test_each_yielded_block_is_sent_at_once(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    yield b'one'\n"
		     "    yield b''\n"
		     "    yield b'three'\n");
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 2);
	assert_holds(exchange_all(&ex), "Transfer-Encoding: chunked\r\n");
	assert_string_equal(
		exchange_body(&ex), "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n");
	assert_int_equal(ex.sent_at[1] - ex.sent_at[0], 10);
	exchange_fini(&ex);
}

static void
test_http_1_0_without_a_length_ends_with_the_connection(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(OK("(b for b in [b'a', b'b'])"));
	exchange_run(&ex, OLD);
	assert_string_equal(exchange_body(&ex), "ab");
	assert_lacks(exchange_all(&ex), "chunked");
	assert_false(ex.response.keep_alive);
	exchange_fini(&ex);
}

static void
test_a_generator_may_start_its_response_late(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    yield b''\n"
		     "    start_response('404 Not Here', [('X-A', 'b')])\n"
		     "    yield b'gone'\n");
	exchange_run(&ex, GET);
	assert_holds(exchange_all(&ex), "HTTP/1.1 404 Not Here\r\nX-A: b\r\n");
	assert_int_equal(ex.x.status, 404);
	exchange_fini(&ex);
}

static void
test_a_large_item_is_left_where_it_is(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(OK("[b'x' * 100000]"));
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 0);
	assert_non_null(ex.x.held);
	assert_int_equal(ex.x.held_len, 100000);
	assert_int_equal(strlen(exchange_body(&ex)), 100000);
	exchange_fini(&ex);
}

static void
test_large_blocks_that_are_all_there_are_left_as_one(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(OK("[b'x' * 100000, b'y', b'z' * 50000]"));
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 0);
	assert_int_equal(ex.x.held_len, 150001);
	assert_holds(exchange_all(&ex), "Content-Length: 150001\r\n");
	assert_holds(exchange_body(&ex), "xyz");
	assert_int_equal(strlen(exchange_body(&ex)), 150001);
	exchange_fini(&ex);
}

/* However large and many they are, and whatever the Content-Length. */
static void
test_what_is_all_there_waits_for_no_client(void **state)
{
	static const struct {
		const char *source;
		size_t body, parts;
		bool broken;
	} rows[] = {
		{OK("[b'x' * 2000000, b'x' * 3000000]"), 5000000, 2, false},
		{OK("[b'x' * 10] * 10 + [b'', b'x' * 2000000] + [b'x'] * 9"),
			2000109, 3, false},
		{OK("[b'x' * 1000] * 3000"), 3000000, 3, false},
		{SIZED("3000001", "[b'x' * 2000000, b'x' * 1000000]"), 3000000,
			2, true},
		{SIZED("2000001", "[b'x' * 2000000, b'x' * 1000000]"), 2000001,
			2, false},
		{SIZED("1000000", "[b'x' * 2000000, b'x' * 1000000]"), 1000000,
			1, false},
		{SIZED("50001", "[b'x' * 50000]"), 50000, 1, true},
		{SIZED("50001", "(b'x' * 50000,)"), 50000, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_int_equal(ex.sends, 0);
		assert_int_equal(1 + ex.x.n_held_more, rows[i].parts);
		assert_int_equal(strspn(exchange_body(&ex), "x"), rows[i].body);
		assert_int_equal(strlen(exchange_body(&ex)), rows[i].body);
		assert_int_equal(ex.x.broken, rows[i].broken);
		exchange_fini(&ex);
	}
}

static void
test_large_blocks_are_sent_from_where_they_are(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(OK("(b'x' * n for n in (40000, 2))"));
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 2);
	assert_holds(exchange_body(&ex), "9c40\r\nxxx");
	assert_holds(exchange_body(&ex), "xxx\r\n2\r\nxx\r\n0\r\n\r\n");
	exchange_fini(&ex);
}

static void
test_without_a_body_none_is_sent(void **state)
{
	static const struct {
		const char *source, *request;
	} rows[] = {
		{OK("[b'hello']"), HEAD},
		{OK("[b'x' * 100000]"), HEAD},
		{OK("(b for b in [b'hello'])"), HEAD},
		{SIZED("5", "[b'hello']"), HEAD},
		{SIZED("5", "[]"), HEAD},
		{"def application(environ, start_response):\n"
		 "    start_response('204 No Content', [])\n"
		 "    return [b'hello']\n",
			GET},
		{"def application(environ, start_response):\n"
		 "    start_response('205 Reset Content', "
		 "[('Content-Length', '5')])\n"
		 "    return [b'hello']\n",
			GET},
		{"def application(environ, start_response):\n"
		 "    start_response('304 Not Modified', [])\n"
		 "    return (b for b in [b'hello'])\n",
			GET},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, rows[i].request);
		assert_string_equal(exchange_body(&ex), "");
		assert_string_equal(exchange_log(&ex), "");
		assert_false(ex.x.failed || ex.x.broken);
		exchange_fini(&ex);
	}
}

/* Applications that do not keep the rules before their head is out: the
 * client gets a 500, the log says what they did. */
static void
test_a_failure_before_the_head_is_a_500(void **state)
{
	static const struct {
		const char *section, *source, *log;
	} rows[] = {
		{ERRORS,
			"def application(environ, start_response):\n"
			"    {}['absent']\n",
			"KeyError: 'absent'"},
		{ERRORS,
			"def application(environ, start_response):\n"
			"    raise SystemExit(3)\n",
			"SystemExit: 3"},
		{ERRORS,
			"def application(environ, start_response):\n"
			"    raise KeyboardInterrupt\n",
			"KeyboardInterrupt"},
		{ERRORS,
			"class Mine(BaseException):\n"
			"    def __str__(self):\n"
			"        raise ValueError\n"
			"def application(environ, start_response):\n"
			"    raise Mine\n",
			"Mine"},
		{START,
			"def application(environ, start_response):\n"
			"    return [b'hello']\n",
			"without calling start_response()"},
		{START,
			"def application(environ, start_response):\n"
			"    yield b'hello'\n",
			"without calling start_response()"},
		{START,
			"def application(environ, start_response):\n"
			"    return []\n",
			"without calling start_response()"},
		{ERRORS, "def application():\n    pass\n",
			"TypeError: application() takes 0 positional"},
		{SERVER, OK("None"),
			"returned None where an iterable of bytes is "
			"expected: is a \"return\" missing?"},
		{SERVER, OK("b'hello'"),
			"returned a bytes where an iterable of bytes "
			"is expected: return a list with it in"},
		{SERVER, OK("'hello'"),
			"returned a str where an iterable of bytes is "
			"expected: encode it and return a list"},
		{SERVER, OK("5"),
			"the application returned an int where an iterable "
			"of bytes is expected: return a list with bytes in"},
		{SERVER, OK("start_response"),
			"returned a wsgid.StartResponse where"},
		{SERVER,
			"async def view():\n    return [b'hello']\n" OK(
				"view()"),
			"returned a coroutine where an iterable of bytes is "
			"expected: it is an ASGI application or \"async def\" "
			"function, and WSGI is neither"},
		{SERVER, "async def view():\n    yield b'hello'\n" OK("view()"),
			"returned an async_generator where an iterable of "
			"bytes is expected: it is an \"async def\" function "
			"that yields, and WSGI knows none"},
		{SERVER, OK("['hello']"),
			"the item of the application's list must be "
			"bytes, not str: encode the text"},
		{SERVER, OK("[None]"),
			"must be bytes, not None: leave it out, or give "
			"b''"},
		{SERVER, OK("[5]"),
			"must be bytes, not int: make text of it, and "
			"encode that"},
		{SERVER, OK("[b'a', 'b']"),
			"the application's blocks must be bytes, "
			"not str: encode the text"},
		{SERVER, OK("[bytearray(b'a')]"),
			"must be bytes, not bytearray: make bytes of it"},
		{SERVER, OK("iter(['hello'])"), "must be bytes, not str"},
		{SERVER, OK("(b for b in ['a'])"),
			"what the application yields must be bytes, not str: "
			"encode the text"},
		{SERVER, OK("({'a': b} for b in [1])"),
			"must be bytes, not dict"},
		{SERVER,
			"async def later():\n    pass\n" OK(
				"(later() for b in [1])"),
			"must be bytes, not coroutine: an \"async def\" "
			"function made it, and WSGI awaits none"},
		{ERRORS, OK("(1 / 0 for b in [1])"), "ZeroDivisionError"},
		{LENGTH, SIZED("x", "[]"),
			"('Content-Length', 'x') is no number of bytes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_holds(exchange_all(&ex),
			"HTTP/1.1 500 Internal Server Error\r\n");
		assert_null(strstr(exchange_all(&ex), "200 OK"));
		assert_holds(exchange_log(&ex), "GET /path?q=1 HTTP/1.1: ");
		if (strstr(exchange_log(&ex), rows[i].log) == NULL)
			fail_msg("PEP 3333, %s: \"%s\" is not what is said: %s",
				rows[i].section, rows[i].log,
				exchange_log(&ex));
		assert_int_equal(ex.x.status, 500);
		assert_true(ex.x.failed);
		assert_false(ex.x.broken);
		exchange_fini(&ex);
	}
}

static void
test_the_application_is_shown_where_it_failed(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    raise ValueError('a\\nb')\n");
	exchange_run(&ex, GET);
	assert_holds(exchange_log(&ex),
		"GET /path?q=1 HTTP/1.1: the application raised an exception\n"
		"Traceback (most recent call last):\n"
		"  File \"/tmp/wsgid-python-");
	assert_holds(exchange_log(&ex), "line 2, in application\n");
	assert_holds(exchange_log(&ex), "ValueError: a\nb\n");
	exchange_fini(&ex);

	exchange_use(OK("['a']"));
	exchange_run(&ex, GET);
	assert_string_equal(exchange_log(&ex),
		"GET /path?q=1 HTTP/1.1: TypeError: the item of the "
		"application's list must be bytes, not str: encode the text\n");
	exchange_fini(&ex);
}

static void
test_a_failure_behind_the_head_breaks_the_response_off(void **state)
{
	static const char *const sources[] = {
		OK("(b'x' if b else 1 / 0 for b in [1, 0])"),
		OK("(b for b in [b'x', 'y'])"),
		SIZED("5", "(b'x' if b else 1 / 0 for b in [1, 0])"),
		"def application(environ, start_response):\n"
		"    start_response('200 OK', [])(b'x')\n"
		"    raise SystemExit\n",
		"def application(environ, start_response):\n"
		"    start_response('200 OK', [])(b'x')\n"
		"    return ['y']\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct exchange ex = {0};

		exchange_use(sources[i]);
		exchange_run(&ex, GET);
		assert_true(ex.x.broken);
		assert_true(ex.x.failed);
		assert_int_equal(ex.x.status, 200);
		assert_holds(exchange_body(&ex), "x");
		assert_lacks(exchange_body(&ex), "\r\n0\r\n");
		assert_lacks(exchange_all(&ex), "500");
		assert_holds(exchange_log(&ex), "GET /path?q=1 HTTP/1.1: ");
		exchange_fini(&ex);
	}
}

/* PEP 3333, Handling the Content-Length Header. */
static void
test_more_than_content_length_is_cut_off(void **state)
{
	static const char *const sources[] = {
		SIZED("3", "[b'abcdef']"),
		SIZED("3", "[b'ab', b'cdef']"),
		SIZED("3", "(b for b in [b'ab', b'cd', b'ef'])"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct exchange ex = {0};

		exchange_use(sources[i]);
		exchange_run(&ex, GET);
		assert_string_equal(exchange_body(&ex), "abc");
		assert_string_equal(exchange_log(&ex),
			"GET /path?q=1 HTTP/1.1: the application sent more "
			"than "
			"its Content-Length of 3 bytes: the rest is cut off\n");
		assert_false(ex.x.broken);
		exchange_fini(&ex);
	}
}

static void
test_less_than_content_length_closes_the_connection(void **state)
{
	static const char *const sources[] = {
		SIZED("9", "[b'abc']"),
		SIZED("9", "(b for b in [b'a', b'bc'])"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct exchange ex = {0};

		exchange_use(sources[i]);
		exchange_run(&ex, GET);
		assert_true(ex.x.broken);
		assert_string_equal(exchange_log(&ex),
			"GET /path?q=1 HTTP/1.1: the application sent 3 bytes "
			"of the 9 that its Content-Length promised: the "
			"connection is closed\n");
		exchange_fini(&ex);
	}
}

static void
test_close_is_called_once_in_every_path(void **state)
{
	static const struct {
		const char *source;
		int send_fails_at;
	} rows[] = {
		{CLOSING OK("Closing([b'a', b'b'])"), 0},
		{CLOSING OK("Closing([])"), 0},
		{CLOSING OK("Closing([b'a', b'b'])"), 1},
		{CLOSING OK("Closing([b'a', b'b'])"), 2},
		{CLOSING OK("Closing([b'a', None])"), 0},
		{CLOSING OK("Closing([None])"), 0},
		{CLOSING OK("Closing(['text'])"), 0},
		{CLOSING "def application(environ, start_response):\n"
			 "    return Closing([b'a'])\n",
			0},
		{CLOSING SIZED("1", "Closing([b'abc'])"), 0},
		{CLOSING SIZED("9", "Closing([b'abc'])"), 0},
		{CLOSING "class Bad(Closing):\n"
			 "    def __iter__(self):\n"
			 "        return 5\n" OK("Bad([])"),
			0},
		{CLOSING "class Listed(Closing):\n"
			 "    def __iter__(self):\n"
			 "        return iter([b'a'])\n" OK("Listed([])"),
			0},
		{CLOSING "class Wrapped(Closing):\n"
			 "    def read(self, size):\n"
			 "        return next(self.items, b'')\n"
			 "def application(environ, start_response):\n"
			 "    start_response('200 OK', [])\n"
			 "    return environ['wsgi.file_wrapper']("
			 "Wrapped([b'a']))\n",
			0},
		{CLOSING "def made():\n"
			 "    try:\n"
			 "        yield b'a'\n"
			 "        yield b'b'\n"
			 "    finally:\n"
			 "        closed.append(1)\n" OK("made()"),
			1},
		{CLOSING "def made():\n"
			 "    try:\n"
			 "        while True:\n"
			 "            yield b'a'\n"
			 "    finally:\n"
			 "        closed.append(1)\n" SIZED("1", "made()"),
			0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {.send_fails_at = rows[i].send_fails_at,
			.send_error = -ECONNRESET};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		run_python("assert closed == [1], closed");
		exchange_fini(&ex);
	}
}

static void
test_close_that_raises_is_logged_and_the_response_stands(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(CLOSING
		"class Bad(Closing):\n"
		"    def close(self):\n"
		"        raise RuntimeError('in close')\n" OK("Bad([b'a'])"));
	exchange_run(&ex, GET);
	assert_holds(exchange_body(&ex), "1\r\na\r\n0\r\n\r\n");
	assert_holds(exchange_log(&ex), "close() of the application's");
	assert_holds(exchange_log(&ex), "RuntimeError: in close");
	assert_int_equal(ex.x.status, 200);
	assert_false(ex.x.broken);
	exchange_fini(&ex);
}

/* After the last chunk there is nothing that a client would understand. */
static void
test_close_cannot_add_to_the_response(void **state)
{
	static const struct {
		const char *source, *end;
	} rows[] = {
		{"class R:\n"
		 "    def __iter__(self):\n"
		 "        self.write = self.start('200 OK', [])\n"
		 "        yield b'a'\n"
		 "    def close(self):\n"
		 "        self.write(b'more')\n"
		 "def application(environ, start_response):\n"
		 "    r = R()\n"
		 "    r.start = start_response\n"
		 "    return r\n",
			"1\r\na\r\n0\r\n\r\n"},
		{"class R:\n"
		 "    def __iter__(self):\n"
		 "        1 / 0\n"
		 "    def close(self):\n"
		 "        self.start('200 OK', [])(b'more')\n"
		 "def application(environ, start_response):\n"
		 "    r = R()\n"
		 "    r.start = start_response\n"
		 "    return r\n",
			"500 Internal Server Error\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_string_equal(exchange_body(&ex), rows[i].end);
		assert_holds(exchange_log(&ex),
			"() called after the response had ended");
		exchange_fini(&ex);
	}
}

static void
test_everything_is_sent_before_close(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(
		CLOSING "class Listed(Closing):\n"
			"    def __iter__(self):\n"
			"        return iter([b'abc'])\n" OK("Listed([])"));
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 1);
	assert_holds(exchange_all(&ex), "Content-Length: 3\r\n");
	assert_string_equal(exchange_body(&ex), "abc");
	exchange_fini(&ex);
}

static void
test_a_response_that_is_too_short_is_sent_before_close(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(CLOSING SIZED("9", "Closing([b'abc'])"));
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 1);
	assert_string_equal(exchange_body(&ex), "abc");
	assert_true(ex.x.broken);
	exchange_fini(&ex);
}

/* Behind it nothing can come, so the worker has nothing to wait for. */
static void
test_the_end_of_a_body_waits_for_no_client(void **state)
{
	static const struct {
		const char *source;
		int sends; /* before the end, for which was waited */
	} rows[] = {
		/* Django's responses, Flask's, and one in pieces. */
		{CLOSING "class Listed(Closing):\n"
			 "    def __iter__(self):\n"
			 "        return iter([b'x' * 100000])\n" OK(
				 "Listed([])"),
			0},
		{CLOSING SIZED("100000", "Closing([b'x' * 100000])"), 0},
		{CLOSING SIZED(
			 "100000", "Closing([b'x' * 60000, b'x' * 40000])"),
			1},
		{CLOSING SIZED("5", "Closing([b'x' * 5])"), 0},
		{CLOSING SIZED("90000", "Closing([b'x' * 100000, b'x'])"), 0},
		{"def application(environ, start_response):\n"
		 "    start_response('200 OK', [('Content-Length', '40000')])"
		 "(b'x' * 40000)\n"
		 "    return []\n",
			0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_int_equal(ex.pushes, 1);
		assert_int_equal(ex.sends, rows[i].sends + 1);
		assert_false(ex.x.broken);
		assert_int_equal(
			strspn(exchange_body(&ex), "x"), ex.response.length);
		exchange_fini(&ex);
	}
}

static void
test_blocks_that_are_lent_live_until_they_are_sent(void **state)
{
	static const char *ends[] = {"", "    raise ValueError('late')\n",
		"    yield b'end'\n"};
	static const char *lengths[] = {"", "('Content-Length', '350000')"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends) * ARRAY_LEN(lengths); i++) {
		struct exchange ex = {.may_lend = 3};
		char source[1024];

		snprintf(source, sizeof(source),
			"import builtins, sys\n"
			"builtins.whole = whole = b'z' * 50000\n"
			"builtins.count = sys.getrefcount(whole)\n"
			"def application(environ, start_response):\n"
			"    start_response('200 OK', [%s])\n"
			"    for i in range(6):\n"
			"        yield b'%%d' %% i * 50000\n"
			"    yield whole\n%s",
			lengths[i % 2], ends[i / 2]);
		exchange_use(source);
		exchange_run(&ex, GET);
		assert_int_equal(ex.n_lent, 0);
		assert_true(ex.sent.len + ex.out.len > 350000);
		for (char piece = '0'; piece < '6'; piece++) {
			char begin[] = {piece, piece, piece, piece, piece, '\0'};
			const char *at = strstr(ex.sent.data, begin);

			assert_non_null(at);
			assert_true(strspn(at, begin) >= 50000);
		}
		run_python("import sys\n"
			   "assert sys.getrefcount(whole) == count");
		exchange_fini(&ex);
	}
}

/* Behind what is lent, too. */
static void
test_a_small_end_is_pushed_behind_what_was_lent(void **state)
{
	struct exchange ex = {.may_lend = 3};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [('Content-Length', '100009')])\n"
		     "    yield b'x' * 50000\n"
		     "    yield b'x' * 50000\n"
		     "    yield b'x' * 9\n");
	exchange_run(&ex, GET);
	assert_int_equal(ex.n_lent, 0);
	assert_int_equal(ex.pushes, 1);
	assert_int_equal(ex.sends, 2); /* what was lent, and the end */
	assert_int_equal(strspn(exchange_body(&ex), "x"), 100009);
	exchange_fini(&ex);
}

static void
test_a_client_that_left_is_no_error_of_the_application(void **state)
{
	struct exchange ex = {.send_fails_at = 2, .send_error = -ECONNRESET};

	(void)state;
	exchange_use("import builtins\n"
		     "builtins.made = made = []\n"
		     "def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    for i in range(100):\n"
		     "        made.append(i)\n"
		     "        yield b'x'\n");
	exchange_run(&ex, GET);
	assert_true(ex.x.broken);
	assert_false(ex.x.failed);
	assert_string_equal(exchange_log(&ex), "");
	assert_int_equal(ex.sends, 2);
	run_python("assert made == [0, 1], made");
	exchange_fini(&ex);
}

static void
test_what_the_application_keeps_is_dead_afterwards(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("import builtins\n"
		     "builtins.kept = kept = []\n"
		     "def application(environ, start_response):\n"
		     "    write = start_response('200 OK', [])\n"
		     "    kept.extend([environ, start_response, write])\n"
		     "    return [b'hello']\n");
	exchange_run(&ex, GET);
	exchange_fini(&ex);
	exchange_run(&ex, GET);
	exchange_fini(&ex);
	run_python(
		"def fails(do, *args):\n"
		"    try:\n"
		"        do(*args)\n"
		"    except RuntimeError as e:\n"
		"        assert 'after the request ended' in str(e), e\n"
		"    else:\n"
		"        assert False\n"
		"assert len(kept) == 6\n"
		"for environ, start_response, write in (kept[:3], kept[3:]):\n"
		"    fails(start_response, '200 OK', [])\n"
		"    fails(write, b'x')\n"
		"    fails(environ['wsgi.input'].read)\n"
		"    fails(environ['wsgi.input'].readline)\n"
		"    fails(environ['wsgi.input'].readlines)\n"
		"    fails(next, environ['wsgi.input'])\n"
		"    print('still works', file=environ['wsgi.errors'])\n"
		"assert kept[0]['wsgi.input'] is not kept[3]['wsgi.input']\n"
		"del kept[:]\n");
}

/* A head before ours in the buffer, of a request answered already. */
static void
test_responses_gather_behind_each_other(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(OK("[b'hello']"));
	buf_add_text(&ex.out, "FIRST");
	exchange_run(&ex, GET);
	assert_memory_equal(ex.out.data, "FIRSTHTTP/1.1 200 OK\r\n", 22);
	exchange_fini(&ex);

	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    raise ValueError\n");
	buf_add_text(&ex.out, "FIRST");
	exchange_run(&ex, GET);
	assert_memory_equal(ex.out.data, "FIRSTHTTP/1.1 500 Internal", 26);
	exchange_fini(&ex);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_that_are_there_get_a_length),
		cmocka_unit_test(test_each_yielded_block_is_sent_at_once),
		cmocka_unit_test(
			test_http_1_0_without_a_length_ends_with_the_connection),
		cmocka_unit_test(test_a_generator_may_start_its_response_late),
		cmocka_unit_test(test_a_large_item_is_left_where_it_is),
		cmocka_unit_test(
			test_large_blocks_that_are_all_there_are_left_as_one),
		cmocka_unit_test(test_the_end_of_a_body_waits_for_no_client),
		cmocka_unit_test(test_what_is_all_there_waits_for_no_client),
		cmocka_unit_test(
			test_large_blocks_are_sent_from_where_they_are),
		cmocka_unit_test(test_without_a_body_none_is_sent),
		cmocka_unit_test(test_a_failure_before_the_head_is_a_500),
		cmocka_unit_test(test_the_application_is_shown_where_it_failed),
		cmocka_unit_test(
			test_a_failure_behind_the_head_breaks_the_response_off),
		cmocka_unit_test(test_more_than_content_length_is_cut_off),
		cmocka_unit_test(
			test_less_than_content_length_closes_the_connection),
		cmocka_unit_test(test_close_is_called_once_in_every_path),
		cmocka_unit_test(
			test_close_that_raises_is_logged_and_the_response_stands),
		cmocka_unit_test(test_close_cannot_add_to_the_response),
		cmocka_unit_test(test_everything_is_sent_before_close),
		cmocka_unit_test(
			test_a_response_that_is_too_short_is_sent_before_close),
		cmocka_unit_test(
			test_a_client_that_left_is_no_error_of_the_application),
		cmocka_unit_test(
			test_blocks_that_are_lent_live_until_they_are_sent),
		cmocka_unit_test(
			test_a_small_end_is_pushed_behind_what_was_lent),
		cmocka_unit_test(
			test_what_the_application_keeps_is_dead_afterwards),
		cmocka_unit_test(test_responses_gather_behind_each_other),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
