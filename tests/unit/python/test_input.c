/*
 * test_input.c - wsgi.input: collected or read from the client, the
 * application sees the same.
 */
#include "exchange.h"

#include <errno.h>
#include <string.h>

#include "base/defs.h"

#define POST    "POST / HTTP/1.1\nHost: a\nContent-Length: 14\n\none\ntwo\n\nthree"
#define CHUNKED "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n"
#define EXPECT                                          \
	"POST / HTTP/1.1\nHost: a\nContent-Length: 5\n" \
	"Expect: 100-continue\n\n"

/* An application that answers with the repr of what an expression gives. */
#define SHOW(expression)                              \
	"def application(environ, start_response):\n" \
	"    i = environ['wsgi.input']\n"             \
	"    start_response('200 OK', [])\n"          \
	"    return [repr(" expression ").encode()]\n"

/* PEP 3333, Input and Error Streams. */
static void
test_reading_has_the_same_result_however_the_body_comes(void **state)
{
	static const struct {
		const char *source, *shows;
	} rows[] = {
		{SHOW("i.read()"), "b'one\\ntwo\\n\\nthree'"},
		{SHOW("i.read(-1)"), "b'one\\ntwo\\n\\nthree'"},
		{SHOW("i.read(None)"), "b'one\\ntwo\\n\\nthree'"},
		{SHOW("i.read(10**30)"), "b'one\\ntwo\\n\\nthree'"},
		{SHOW("i.read(5)"), "b'one\\nt'"},
		{SHOW("i.read(14)"), "b'one\\ntwo\\n\\nthree'"},
		{SHOW("i.read(0)"), "b''"},
		{SHOW("[i.read(6), i.read(100), i.read(1), i.read(), "
		      "i.read(0)]"),
			"[b'one\\ntw', b'o\\n\\nthree', b'', b'', b'']"},
		{SHOW("i.readline()"), "b'one\\n'"},
		{SHOW("i.readline(2)"), "b'on'"},
		{SHOW("i.readline(0)"), "b''"},
		{SHOW("i.readline(-1)"), "b'one\\n'"},
		{SHOW("i.readline(None)"), "b'one\\n'"},
		{SHOW("[i.readline(2), i.readline(9), i.read(2), "
		      "i.readline()]"),
			"[b'on', b'e\\n', b'tw', b'o\\n']"},
		{SHOW("[i.readline() for n in range(6)]"),
			"[b'one\\n', b'two\\n', b'\\n', b'three', b'', b'']"},
		{SHOW("i.readlines()"),
			"[b'one\\n', b'two\\n', b'\\n', b'three']"},
		{SHOW("i.readlines(1)"), "[b'one\\n']"},
		{SHOW("i.readlines(5)"), "[b'one\\n', b'two\\n']"},
		{SHOW("i.readlines(None)"),
			"[b'one\\n', b'two\\n', b'\\n', b'three']"},
		{SHOW("[i.read(1), list(i)]"),
			"[b'o', [b'ne\\n', b'two\\n', b'\\n', b'three']]"},
		{SHOW("[i.close(), next(i)]"), "[None, b'one\\n']"},
	};
	static const char *const cuts[][16] = {
		{"one\ntwo\n\nthree"},
		{"one\n", "two\n", "\n", "three"},
		{"o", "n", "e", "\n", "t", "w", "o", "\n", "\n", "t", "h", "r",
			"e", "e"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		exchange_use(rows[i].source);
		for (size_t cut = 0; cut <= ARRAY_LEN(cuts); cut++) {
			struct exchange ex = {0};
			const char *pieces[16];

			if (cut < ARRAY_LEN(cuts)) {
				memcpy(pieces, cuts[cut], sizeof(pieces));
				ex.pieces = pieces;
				ex.streams = true;
			}
			exchange_run(&ex, POST);
			assert_string_equal(exchange_body(&ex), rows[i].shows);
			exchange_fini(&ex);
		}
	}
}

static void
test_wrong_arguments_are_refused(void **state)
{
	static const char *const sources[] = {
		"environ['wsgi.input'].read('5')",
		"environ['wsgi.input'].read(5.0)",
		"environ['wsgi.input'].read(1, 2)",
		"environ['wsgi.input'].readline('5')",
		"environ['wsgi.input'].readlines(1, 2)",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct exchange ex = {0};
		struct buf source = {0};

		buf_printf(&source,
			"def application(environ, start_response):\n"
			"    start_response('200 OK', [])\n"
			"    try:\n"
			"        %s\n"
			"    except TypeError:\n"
			"        return [b'refused']\n"
			"    return []\n",
			sources[i]);
		exchange_use(buf_text(&source));
		exchange_run(&ex, POST);
		assert_string_equal(exchange_body(&ex), "refused");
		exchange_fini(&ex);
		buf_fini(&source);
	}
}

static void
test_a_body_of_unknown_length_grows(void **state)
{
	static char large[300000];
	const char *pieces[] = {large, large, NULL};
	struct exchange ex = {.streams = true, .pieces = pieces};

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	exchange_use(SHOW("len(i.read())"));
	exchange_run(&ex, CHUNKED);
	assert_string_equal(exchange_body(&ex), "599998");
	exchange_fini(&ex);

	pieces[0] = pieces[1] = large;
	ex = (struct exchange){.streams = true, .pieces = pieces};
	exchange_use(SHOW("[len(i.read(500000)), len(i.read(500000))]"));
	exchange_run(&ex, CHUNKED);
	assert_string_equal(exchange_body(&ex), "[500000, 99998]");
	exchange_fini(&ex);

	/* No line end: the line is the body. */
	pieces[0] = pieces[1] = large;
	ex = (struct exchange){.streams = true, .pieces = pieces};
	exchange_use(SHOW("len(i.readline())"));
	exchange_run(&ex, CHUNKED);
	assert_string_equal(exchange_body(&ex), "599998");
	exchange_fini(&ex);
}

/* PEP 3333, HTTP 1.1 Expect/Continue; read(0) is mod_wsgi's. */
static void
test_the_first_operation_tells_the_client_to_go_on(void **state)
{
	static const struct {
		const char *source;
		int empty_reads;
	} rows[] = {
		{SHOW("i.read(0)"), 1},
		{SHOW("[i.read(0), i.read(0)]"), 1},
		{SHOW("[i.read(), i.read(0)]"), 0},
		{SHOW("i.readline(0)"), 1},
		{SHOW("[i.readline(0), i.read(0)]"), 1},
		{SHOW("[i.readline(1), i.readline(0)]"), 0},
		{SHOW("1"), 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *pieces[] = {"hello", NULL};
		struct exchange ex = {.streams = true, .pieces = pieces};

		exchange_use(rows[i].source);
		exchange_run(&ex, EXPECT);
		assert_int_equal(ex.empty_reads, rows[i].empty_reads);
		exchange_fini(&ex);
	}
}

static void
test_a_broken_body_is_an_oserror_each_time(void **state)
{
	static const struct {
		int error;
		const char *says;
	} rows[] = {
		{-ECONNRESET,
			"ConnectionResetError: wsgi.input: the client has "
			"closed the connection"},
		{-ETIMEDOUT,
			"TimeoutError: wsgi.input: the client was too slow"},
		{-EBADMSG, "OSError: wsgi.input: the framing of the request "
			   "body is broken"},
		{-EFBIG, "OSError: wsgi.input: the request body is over "
			 "LimitRequestBody"},
	};

	(void)state;
	exchange_use(
		"def application(environ, start_response):\n"
		"    text = ''\n"
		"    for i in range(2):\n"
		"        try:\n"
		"            environ['wsgi.input'].read(50)\n"
		"        except OSError as e:\n"
		"            text += type(e).__name__ + ': ' + e.strerror\n"
		"    start_response('200 OK', [])\n"
		"    return [text.encode()]\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *pieces[] = {"part", NULL};
		struct exchange ex = {.streams = true,
			.pieces = pieces,
			.read_error = rows[i].error};
		const char *second;

		exchange_run(&ex, POST);
		assert_holds(exchange_body(&ex), rows[i].says);
		second = strstr(exchange_body(&ex), rows[i].says) + 1;
		assert_holds(second, rows[i].says);
		assert_int_equal(ex.reads, 2);
		/* The next request cannot be found on this connection. */
		assert_holds(exchange_all(&ex), "Connection: close\r\n");
		assert_false(ex.x.failed);
		exchange_fini(&ex);
	}
}

static void
test_a_broken_body_that_nobody_minds_has_its_own_answer(void **state)
{
	static const struct {
		int error, status;
		bool broken;
	} rows[] = {
		{-EBADMSG, 400, false},
		{-EFBIG, 413, false},
		{-ETIMEDOUT, 408, false},
		{-ECONNRESET, 0, true},
	};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    return [environ['wsgi.input'].read()]\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {
			.streams = true, .read_error = rows[i].error};

		exchange_run(&ex, POST);
		assert_int_equal(ex.x.broken, rows[i].broken);
		assert_false(ex.x.failed);
		assert_lacks(exchange_log(&ex), "Traceback");
		assert_holds(exchange_log(&ex), "POST / HTTP/1.1: ");
		if (rows[i].status != 0) {
			assert_int_equal(ex.x.status, rows[i].status);
			assert_holds(exchange_all(&ex), "Connection: close");
		} else {
			assert_string_equal(exchange_all(&ex), "");
		}
		exchange_fini(&ex);
	}
}

#define IN_A_THREAD                                               \
	"import threading\n"                                      \
	"def application(environ, start_response):\n"             \
	"    said = []\n"                                         \
	"    def other():\n"                                      \
	"        try:\n"                                          \
	"            said.append(environ['wsgi.input'].read())\n" \
	"        except RuntimeError as e:\n"                     \
	"            said.append(str(e).encode())\n"              \
	"    t = threading.Thread(target=other)\n"                \
	"    t.start()\n"                                         \
	"    t.join()\n"                                          \
	"    start_response('200 OK', [])\n"                      \
	"    return said\n"

static void
test_another_thread_may_read_what_is_collected(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(IN_A_THREAD);
	exchange_run(&ex, POST);
	assert_string_equal(exchange_body(&ex), "one\ntwo\n\nthree");
	exchange_fini(&ex);
}

static void
test_another_thread_that_reads_the_client_hears_why_it_may_not(void **state)
{
	static const struct {
		const char *request, *said;
	} rows[] = {
		{POST, "wsgi.input: a body over RequestBodyBuffer can be read "
		       "only by the thread that serves the request"},
		{"POST / HTTP/1.1\nHost: a\nExpect: 100-continue\n"
		 "Content-Length: 5\n\n",
			"wsgi.input: the body of a client that waits for "
			"\"100 Continue\" can be read only by the thread that "
			"serves the request"},
	};
	const char *pieces[] = {"hello", NULL};

	(void)state;
	exchange_use(IN_A_THREAD);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {.streams = true, .pieces = pieces};

		exchange_run(&ex, rows[i].request);
		assert_string_equal(exchange_body(&ex), rows[i].said);
		exchange_fini(&ex);
	}
}

/* Without a GIL they are in it at once. */
static void
test_threads_that_read_at_once_get_each_byte_once(void **state)
{
	enum { ROUNDS = 20, LINES = 10000 };
	struct buf request = {0};

	(void)state;
	buf_printf(&request, "POST / HTTP/1.1\nHost: a\nContent-Length: %d\n\n",
		LINES * 8);
	for (unsigned i = 0; i < LINES; i++)
		buf_printf(&request, "%07u\n", i);
	exchange_use("import threading\n"
		     "def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    i = environ['wsgi.input']\n"
		     "    ways = [lambda: i.read(24), lambda: i.readline(),\n"
		     "            lambda: b''.join(i.readlines(40)),\n"
		     "            lambda: next(i, b'')]\n"
		     "    got = [[] for way in ways]\n"
		     "    begin = threading.Barrier(len(ways))\n"
		     "    def read(way, got):\n"
		     "        begin.wait()\n"
		     "        while piece := way():\n"
		     "            got.append(piece)\n"
		     "    threads = [threading.Thread(target=read, args=each)\n"
		     "               for each in zip(ways, got)]\n"
		     "    for t in threads:\n"
		     "        t.start()\n"
		     "    for t in threads:\n"
		     "        t.join()\n"
		     "    lines = b''.join(sum(got, [])).split()\n"
		     "    return [b'each once' if sorted(lines) == [\n"
		     "        b'%07d' % n for n in range(10000)] else b'not']\n");
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct exchange ex = {0};

		exchange_run(&ex, buf_text(&request));
		assert_string_equal(exchange_body(&ex), "each once");
		exchange_fini(&ex);
	}
	buf_fini(&request);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_reading_has_the_same_result_however_the_body_comes),
		cmocka_unit_test(test_wrong_arguments_are_refused),
		cmocka_unit_test(test_a_body_of_unknown_length_grows),
		cmocka_unit_test(
			test_the_first_operation_tells_the_client_to_go_on),
		cmocka_unit_test(test_a_broken_body_is_an_oserror_each_time),
		cmocka_unit_test(
			test_a_broken_body_that_nobody_minds_has_its_own_answer),
		cmocka_unit_test(
			test_another_thread_may_read_what_is_collected),
		cmocka_unit_test(
			test_threads_that_read_at_once_get_each_byte_once),
		cmocka_unit_test(
			test_another_thread_that_reads_the_client_hears_why_it_may_not),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
