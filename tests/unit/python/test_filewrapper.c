/*
 * test_filewrapper.c - wsgi.file_wrapper, by its file and by reading.
 */
#include "exchange.h"

#include <errno.h>
#include <string.h>

#include "base/defs.h"

#define GET  "GET / HTTP/1.1\nHost: a\n\n"
#define HEAD "HEAD / HTTP/1.1\nHost: a\n\n"

/* "f" is a file of 10 bytes, "W" the wrapper; headers and result follow. */
#define WITH(headers, before, returns)                  \
	"import os, io, gzip, tempfile\n"               \
	"def application(environ, start_response):\n"   \
	"    global f\n"                                \
	"    W = environ['wsgi.file_wrapper']\n"        \
	"    f = open(__file__ + '.data', 'wb+')\n"     \
	"    f.write(b'0123456789')\n"                  \
	"    f.seek(0)\n"                               \
	"    " before "\n"                              \
	"    start_response('200 OK', [" headers "])\n" \
	"    return " returns "\n"

#define ZIPPED(returns)                                          \
	WITH("",                                                 \
		"p = __file__ + '.gz'; g = gzip.open(p, 'wb'); " \
		"g.write(b'plain'); g.close()",                  \
		returns)

static void
test_a_file_is_sent_from_where_it_stands(void **state)
{
	static const struct {
		const char *source, *head, *body;
	} rows[] = {
		{WITH("", "", "W(f)"), "Content-Length: 10\r\n", "0123456789"},
		{WITH("", "", "W(f, 3)"), "Content-Length: 10\r\n",
			"0123456789"},
		{WITH("", "f.seek(4)", "W(f)"), "Content-Length: 6\r\n",
			"456789"},
		{WITH("", "f.read(2)", "W(f)"), "Content-Length: 8\r\n",
			"23456789"},
		{WITH("", "f.seek(99)", "W(f)"), "Content-Length: 0\r\n", ""},
		{WITH("", "f.read(2); f.write(b'new'); f.seek(0)", "W(f)"),
			"Content-Length: 10\r\n", "01new56789"},
		{WITH("", "f.read(2); f.seek(9); f.write(b'new'); f.seek(8)",
			 "W(f)"),
			"Content-Length: 4\r\n", "8new"},
		{WITH("('Content-Length', '3')", "f.seek(2)", "W(f)"),
			"Content-Length: 3\r\n", "234"},
		{WITH("", "f.truncate(0)", "W(f)"), "Content-Length: 0\r\n",
			""},
		{WITH("", "", "W(open(f.name, 'rb', 0))"),
			"Content-Length: 10\r\n", "0123456789"},
		{WITH("", "", "type('Sub', (W,), {})(f)"),
			"Content-Length: 10\r\n", "0123456789"},
		/* Not a regular file of io's: read, block by block. */
		{WITH("", "", "W(io.BytesIO(b'abcdef'), 4)"), "chunked",
			"4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"},
		{WITH("('Content-Length', '6')", "",
			 "W(io.BytesIO(b'abcdef'), 4)"),
			"Content-Length: 6\r\n", "abcdef"},
		{WITH("", "",
			 "type('Sub', (W,), {'__iter__': lambda s: iter([b'own'"
			 "])})(f)"),
			"Content-Length: 3\r\n", "own"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_holds(exchange_all(&ex), rows[i].head);
		assert_string_equal(exchange_body(&ex), rows[i].body);
		assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
	}
}

/* Who asks for a part gets it from an application that knows ranges, and all of
 * it from one that does not. */
static void
test_ranges_are_the_applications(void **state)
{
	static const struct {
		const char *source, *head, *body;
	} rows[] = {
		{WITH("", "", "W(f)"), "HTTP/1.1 200 OK\r\nDate", "0123456789"},
		{WITH("('Content-Range', 'bytes 2-4/10'), "
		      "('Content-Length', '3')",
			 "f.seek(2)", "W(f)"),
			"HTTP/1.1 200 OK\r\nContent-Range: bytes 2-4/10\r\n"
			"Content-Length: 3\r\n",
			"234"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(
			&ex, "GET / HTTP/1.1\nHost: a\nRange: bytes=2-4\n\n");
		assert_holds(exchange_all(&ex), rows[i].head);
		assert_string_equal(exchange_body(&ex), rows[i].body);
		exchange_fini(&ex);
	}
}

/* gzip's file has a descriptor, whose bytes are not what read() gives; and so has
 * a buffer before it. */
static void
test_a_file_that_translates_is_read(void **state)
{
	static const char *const sources[] = {
		ZIPPED("W(gzip.open(p))"),
		ZIPPED("W(io.BufferedReader(gzip.open(p)))"),
		ZIPPED("W(io.BufferedReader(io.BufferedReader(gzip.open(p))))"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct exchange ex = {0};

		exchange_use(sources[i]);
		exchange_run(&ex, GET);
		assert_string_equal(
			exchange_body(&ex), "5\r\nplain\r\n0\r\n\r\n");
		assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
	}
}

/* Their size is 0, or a page, whatever is in them. */
static void
test_a_file_that_the_kernel_makes_up_is_read(void **state)
{
	static const char *const sources[] = {
		WITH("", "", "W(open('/proc/self/status', 'rb'))"),
		/* Where there is no sysfs one of /proc will do. */
		WITH("",
			"p = '/sys/kernel/fscaps'; "
			"p = p if os.path.exists(p) else '/proc/version'",
			"W(open(p, 'rb'))"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct exchange ex = {0};

		exchange_use(sources[i]);
		exchange_run(&ex, GET);
		assert_holds(exchange_all(&ex), "chunked\r\n");
		assert_holds(exchange_body(&ex), "\n\r\n0\r\n\r\n");
		assert_false(ex.x.broken);
		assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
	}
}

static void
test_a_large_file_goes_to_the_server_unless_close_waits_for_it(void **state)
{
	static const struct {
		const char *source;
		int files;
	} rows[] = {
		{WITH("", "f.write(b'x' * 200000); f.seek(0)", "W(f)"), 1},
		{WITH("('Content-Length', '200000')",
			 "f.write(b'x' * 200001); f.seek(1)", "W(f)"),
			1},
		{WITH("", "f.write(b'x' * 200000); f.seek(0)",
			 "type('Sub', (W,), {'close': lambda s: None})(f)"),
			0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_holds(exchange_all(&ex), "Content-Length: 200000\r\n");
		assert_int_equal(strlen(exchange_body(&ex)), 200000);
		assert_int_equal(ex.files, rows[i].files);
		if (ex.files == 0)
			assert_true(ex.sends > 2);
		assert_int_equal(ex.response.sent, 200000);
		assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
	}
}

static void
test_head_reads_nothing(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(WITH("", "", "W(f)"));
	exchange_run(&ex, HEAD);
	assert_holds(exchange_all(&ex), "Content-Length: 10\r\n");
	assert_string_equal(exchange_body(&ex), "");
	exchange_fini(&ex);
}

static void
test_a_length_beyond_the_file_is_an_error_in_time(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(WITH("('Content-Length', '11')", "", "W(f)"));
	exchange_run(&ex, GET);
	assert_int_equal(ex.x.status, 500);
	assert_holds(exchange_log(&ex),
		"the application's Content-Length says 11 bytes, but its file "
		"has only 10 from where it stands");
	exchange_fini(&ex);
}

static void
test_the_file_is_closed_once_and_its_place_stays(void **state)
{
	struct exchange ex = {.send_fails_at = 1, .send_error = -ECONNRESET};

	(void)state;
	exchange_use("import builtins, io\n"
		     "builtins.closed = closed = []\n"
		     "class Mine:\n"
		     "    def __init__(self):\n"
		     "        self.data = io.BytesIO(b'abc')\n"
		     "        self.read = self.data.read\n"
		     "    def close(self):\n"
		     "        closed.append(self.data.tell())\n"
		     "        raise OSError('nobody minds')\n"
		     "def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    return environ['wsgi.file_wrapper'](Mine(), 1)\n");
	exchange_run(&ex, GET);
	run_python("assert closed == [1], closed");
	assert_string_equal(exchange_log(&ex), "");
	exchange_fini(&ex);
}

static void
test_as_a_type_it_is_usable_by_the_application(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("import io\n"
		     "def fails(error, do, *args):\n"
		     "    try:\n"
		     "        do(*args)\n"
		     "    except error:\n"
		     "        return\n"
		     "    raise AssertionError(do)\n"
		     "def application(environ, start_response):\n"
		     "    W = environ['wsgi.file_wrapper']\n"
		     "    w = W(io.BytesIO(b'abcde'), blksize=2)\n"
		     "    assert list(w) == [b'ab', b'cd', b'e'], 1\n"
		     "    assert w.blksize == 2 and w.filelike.read() == b''\n"
		     "    w.close(); w.close()\n"
		     "    fails(ValueError, getattr, w, 'filelike')\n"
		     "    fails(ValueError, next, w)\n"
		     "    fails(ValueError, W, w, -1)\n"
		     "    fails(TypeError, W)\n"
		     "    fails(TypeError, next, W(io.StringIO('text')))\n"
		     "    fails(AttributeError, next, W(5))\n"
		     "    assert W(5).blksize == 8192\n"
		     "    start_response('200 OK', [])\n"
		     "    return [b'all is well']\n");
	exchange_run(&ex, GET);
	assert_string_equal(exchange_log(&ex), "");
	assert_string_equal(exchange_body(&ex), "all is well");
	exchange_fini(&ex);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_is_sent_from_where_it_stands),
		cmocka_unit_test(test_ranges_are_the_applications),
		cmocka_unit_test(test_a_file_that_translates_is_read),
		cmocka_unit_test(test_a_file_that_the_kernel_makes_up_is_read),
		cmocka_unit_test(
			test_a_large_file_goes_to_the_server_unless_close_waits_for_it),
		cmocka_unit_test(test_head_reads_nothing),
		cmocka_unit_test(
			test_a_length_beyond_the_file_is_an_error_in_time),
		cmocka_unit_test(
			test_the_file_is_closed_once_and_its_place_stays),
		cmocka_unit_test(
			test_as_a_type_it_is_usable_by_the_application),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
