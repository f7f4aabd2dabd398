/*
 * test_start_response.c - what start_response() and write() refuse, and say.
 */
#include "exchange.h"

#include <errno.h>
#include <string.h>

#include "base/defs.h"

#define GET "GET / HTTP/1.1\nHost: a\n\n"

/* The sections of PEP 3333. */
#define START   "The start_response() Callable"
#define ERRORS  "Error Handling"
#define HOP     "Other HTTP Features"
#define LENGTH  "Handling the Content-Length Header"
#define UNICODE "Unicode Issues"
#define WRITE   "The write() Callable"

/* Call it in a way that raises; the exception's text is the body. */
#define TRY(call)                                           \
	"def application(environ, start_response):\n"       \
	"    try:\n"                                        \
	"        " call "\n"                                \
	"        text = 'nothing was raised'\n"             \
	"    except BaseException as e:\n"                  \
	"        text = type(e).__name__ + ': ' + str(e)\n" \
	"    try:\n"                                        \
	"        start_response('200 OK', [])\n"            \
	"    except RuntimeError:\n"                        \
	"        pass\n"                                    \
	"    return [text.encode()]\n"

static void
expect_body(const char *section, const char *source, const char *body)
{
	struct exchange ex = {0};

	exchange_use(source);
	exchange_run(&ex, GET);
	assert_holds(exchange_all(&ex), "HTTP/1.1 200 OK\r\n");
	if (strstr(exchange_body(&ex), body) == NULL)
		fail_msg("PEP 3333, %s: \"%s\" is not what is said: %s",
			section, body, exchange_body(&ex));
	exchange_fini(&ex);
}

static void
test_what_is_wrong_is_said_to_the_caller(void **state)
{
	static const struct {
		const char *section, *source, *says;
	} rows[] = {
		{ERRORS, TRY("start_response('200 OK')"),
			"TypeError: start_response() takes a status, a list of "
			"headers and perhaps exc_info, but got 1 arguments"},
		{START, TRY("start_response()"), "TypeError: "},
		{ERRORS, TRY("start_response('200 OK', [], None, None)"),
			"TypeError: "},
		{START, TRY("start_response('200 OK', [], exc_inf=None)"),
			"TypeError: start_response() got an unexpected keyword "
			"argument 'exc_inf'"},
		{START, TRY("start_response(200, [])"),
			"TypeError: start_response(): a status must be str, "
			"not int"},
		{UNICODE, TRY("start_response(b'200 OK', [])"),
			"TypeError: start_response(): a status must be str"},
		{UNICODE, TRY("start_response('200 \\u20ac', [])"),
			"UnicodeEncodeError: 'latin-1' codec can't encode "
			"character '\\u20ac' in position 4: start_response() "
			"wants latin-1 text, and this is in a status"},
		{START, TRY("start_response('', [])"),
			"ValueError: start_response(): status ''"},
		{START, TRY("start_response('20 OK', [])"), "ValueError: "},
		{START, TRY("start_response('2000 OK', [])"), "ValueError: "},
		{START, TRY("start_response('200OK', [])"), "ValueError: "},
		{START, TRY("start_response('OK', [])"), "ValueError: "},
		{START, TRY("start_response('200 O\\nK', [])"),
			"ValueError: start_response(): status '200 O\\nK' "
			"contains a control character"},
		{START, TRY("start_response('100 Continue', [])"),
			"ValueError: start_response(): status '100 Continue' "
			"is an interim status"},
		{START, TRY("start_response('200 OK', ())"),
			"TypeError: start_response(): the headers must be a "
			"list, not tuple"},
		{START, TRY("start_response('200 OK', {})"), "TypeError: "},
		{START, TRY("start_response('200 OK', None)"), "TypeError: "},
		{START, TRY("start_response('200 OK', [['A', 'b']])"),
			"TypeError: start_response(): each header must be a "
			"tuple (name, value), not list"},
		{START, TRY("start_response('200 OK', [('A',)])"),
			"ValueError: start_response(): each header must be a "
			"tuple (name, value), this one has 1 items: ('A',)"},
		{UNICODE, TRY("start_response('200 OK', [(b'A', 'b')])"),
			"TypeError: start_response(): a header name must be "
			"str, not bytes"},
		{START, TRY("start_response('200 OK', [('A', 5)])"),
			"TypeError: start_response(): a header value must be "
			"str, not int"},
		{UNICODE, TRY("start_response('200 OK', [('A', '\\u20ac')])"),
			"this is in a header value"},
		{UNICODE, TRY("start_response('200 OK', [('\\u20ac', 'A')])"),
			"this is in a header name"},
		{START, TRY("start_response('200 OK', [('', 'b')])"),
			"ValueError: start_response(): header ('', 'b') "},
		{START, TRY("start_response('200 OK', [('A b', 'b')])"),
			"ValueError: start_response(): header ('A b', 'b') "},
		{START, TRY("start_response('200 OK', [('A:', 'b')])"),
			"ValueError: "},
		{START, TRY("start_response('200 OK', [('A', 'b\\r\\nC: d')])"),
			"ValueError: start_response(): header ('A', "
			"'b\\r\\nC: d') has a line break"},
		{START, TRY("start_response('200 OK', [('A', 'b\\0')])"),
			"ValueError: "},
		{HOP,
			TRY("start_response('200 OK', [('Upgrade', "
			    "'websocket')])"),
			"ValueError: start_response(): header ('Upgrade', "
			"'websocket') is hop-by-hop"},
		{HOP,
			TRY("start_response('200 OK', [('transfer-encoding', "
			    "'x')])"),
			"is hop-by-hop"},
		{LENGTH,
			TRY("start_response('200 OK', [('Content-Length', "
			    "'-1')])"),
			"ValueError: "},
		{LENGTH,
			TRY("start_response('200 OK', [('Content-Length', "
			    "'')])"),
			"ValueError: "},
		{LENGTH,
			TRY("start_response('200 OK', [('Content-Length', "
			    "'1'), "
			    "('content-length', '2')])"),
			"ValueError: start_response(): header "
			"('content-length', '2') differs from the one before"},
		{ERRORS, TRY("start_response('200 OK', [], 5)"),
			"RuntimeError: start_response(): exc_info must be the "
			"tuple that sys.exc_info() returns, or None, not int"},
		{ERRORS, TRY("start_response('200 OK', [], (1, 2))"),
			"TypeError: start_response(): exc_info must be the "
			"tuple that sys.exc_info() returns, this one has 2"},
		{ERRORS, TRY("[start_response('200 OK', []) for i in 'ab']"),
			"RuntimeError: start_response() called a second time, "
			"without exc_info"},
		{WRITE, TRY("start_response('200 OK', [])('text')"),
			"TypeError: write() argument must be bytes, not str: "
			"encode the text"},
		{WRITE, TRY("start_response('200 OK', [])(None)"),
			"TypeError: write() argument must be bytes, not None: "
			"leave it out, or give b''"},
		{WRITE, TRY("start_response('200 OK', [])()"),
			"TypeError: write() takes exactly one argument"},
		{ERRORS, TRY("start_response('200 OK', [], exc_info=None)"),
			"nothing was raised"},
		{ERRORS, TRY("start_response('200 OK', [], None)"),
			"nothing was raised"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_body(rows[i].section, rows[i].source, rows[i].says);
}

/* None of a refused call may be seen in the response. */
static void
test_a_refused_call_leaves_nothing_behind(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(TRY("start_response('404 No', [('X-First', 'a'), 5])"));
	exchange_run(&ex, GET);
	assert_memory_equal(exchange_all(&ex), "HTTP/1.1 200 OK\r\nDate", 21);
	assert_lacks(exchange_all(&ex), "X-First");
	exchange_fini(&ex);
}

static void
test_headers_go_out_as_they_are_written(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    headers = [('x-oDD', ' a\\xe9  b'), ('Set-Cookie', "
		     "'a=1'),\n"
		     "               ('Set-Cookie', 'b=2'), ('Empty', ''),\n"
		     "               ('Location', '/elsewhere')]\n"
		     "    start_response('299 F\\xfcr uns', headers)\n"
		     "    headers.append(('Late', 'x'))\n"
		     "    return [b'']\n");
	exchange_run(&ex, GET);
	assert_holds(exchange_all(&ex),
		"HTTP/1.1 299 F\xfcr uns\r\nx-oDD:  a\xe9  b\r\n"
		"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nEmpty: \r\n"
		"Location: /elsewhere\r\nDate");
	assert_lacks(exchange_all(&ex), "Late");
	exchange_fini(&ex);
}

/* As the usual recipe for server-sent events sets them. */
static void
test_headers_of_the_connection_are_left_out_and_said_once(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [('A', 'b'),\n"
		     "        ('connection', 'keep-alive'),\n"
		     "        ('Keep-Alive', 'timeout=9'), ('C', 'd'),\n"
		     "        ('Proxy-Connection', 'keep-alive')])\n"
		     "    return []\n");
	for (int i = 0; i < 2; i++) {
		exchange_run(&ex, GET);
		assert_holds(exchange_all(&ex),
			"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nDate");
		assert_lacks(exchange_all(&ex), "eep-");
		if (i == 0)
			assert_holds(exchange_log(&ex),
				"GET / HTTP/1.1: the application's header "
				"connection is left out");
		else
			assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
		ex = (struct exchange){0};
	}
}

static void
test_close_from_the_application_ends_the_connection(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(
		"def application(environ, start_response):\n"
		"    start_response('200 OK', [('Connection', 'close')])\n"
		"    return []\n");
	exchange_run(&ex, GET);
	assert_string_equal(exchange_log(&ex), "");
	assert_false(ex.response.keep_alive);
	assert_holds(exchange_all(&ex), "\r\nConnection: close\r\n");
	exchange_fini(&ex);
}

static void
test_exc_info_replaces_a_head_that_is_not_out(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("import sys\n"
		     "def application(environ, start_response):\n"
		     "    start_response('200 OK', [('Content-Length', '3'),\n"
		     "                              ('Old', 'a')])\n"
		     "    try:\n"
		     "        1 / 0\n"
		     "    except ZeroDivisionError:\n"
		     "        start_response('503 Sorry', [('New', 'b')],\n"
		     "                       sys.exc_info())\n"
		     "    return [b'sorry']\n");
	exchange_run(&ex, GET);
	assert_memory_equal(
		exchange_all(&ex), "HTTP/1.1 503 Sorry\r\nNew: b\r\nDate", 32);
	assert_lacks(exchange_all(&ex), "Old");
	assert_holds(exchange_all(&ex), "Content-Length: 5\r\n");
	assert_string_equal(exchange_body(&ex), "sorry");
	assert_string_equal(exchange_log(&ex), "");
	exchange_fini(&ex);
}

static void
test_exc_info_goes_on_when_the_head_is_out(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("import sys\n"
		     "def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    yield b'part'\n"
		     "    try:\n"
		     "        {}['absent']\n"
		     "    except KeyError:\n"
		     "        start_response('503 Sorry', [], sys.exc_info())\n"
		     "    yield b'never'\n");
	exchange_run(&ex, GET);
	assert_true(ex.x.broken);
	assert_holds(exchange_log(&ex), "KeyError: 'absent'");
	assert_holds(exchange_log(&ex), "{}['absent']");
	assert_lacks(exchange_all(&ex), "never");
	assert_lacks(exchange_all(&ex), "503");
	exchange_fini(&ex);
}

static void
test_write_sends_at_once_and_mixes_with_blocks(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    write = start_response('200 OK', [])\n"
		     "    write(b'')\n"
		     "    write(b'one')\n"
		     "    return [b'two', b'three']\n");
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 2);
	assert_string_equal(exchange_body(&ex),
		"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
	exchange_fini(&ex);
}

static void
test_write_raises_when_the_client_has_left(void **state)
{
	struct exchange ex = {.send_fails_at = 2, .send_error = -ECONNRESET};

	(void)state;
	exchange_use("import builtins\n"
		     "builtins.seen = seen = []\n"
		     "def application(environ, start_response):\n"
		     "    write = start_response('200 OK', [])\n"
		     "    write(b'a')\n"
		     "    for i in range(2):\n"
		     "        try:\n"
		     "            write(b'b')\n"
		     "        except ConnectionResetError as e:\n"
		     "            seen.append(str(e))\n"
		     "    return [b'c']\n");
	exchange_run(&ex, GET);
	assert_true(ex.x.broken);
	assert_int_equal(ex.sends, 2);
	run_python("assert len(seen) == 2 and 'the client has closed the '"
		   "'connection' in seen[0], seen");
	exchange_fini(&ex);

	/* Not caught, it is still the client's doing. */
	ex = (struct exchange){.send_fails_at = 1, .send_error = -ETIMEDOUT};
	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [])(b'a')\n");
	exchange_run(&ex, GET);
	assert_true(ex.x.broken);
	assert_false(ex.x.failed);
	assert_string_equal(exchange_log(&ex), "");
	exchange_fini(&ex);
}

static void
test_write_from_another_thread_is_refused(void **state)
{
	(void)state;
	expect_body(WRITE,
		"import threading\n"
		"def application(environ, start_response):\n"
		"    write = start_response('200 OK', [])\n"
		"    said = []\n"
		"    def other():\n"
		"        try:\n"
		"            write(b'x')\n"
		"        except RuntimeError as e:\n"
		"            said.append(str(e).encode())\n"
		"    t = threading.Thread(target=other)\n"
		"    t.start()\n"
		"    t.join()\n"
		"    return said\n",
		"write() called by another thread");
}

static void
test_applications_cannot_make_their_own(void **state)
{
	(void)state;
	expect_body(START,
		"def application(environ, start_response):\n"
		"    write = start_response('200 OK', [])\n"
		"    for thing in (start_response, write,\n"
		"                  environ['wsgi.input'],\n"
		"                  environ['wsgi.errors']):\n"
		"        try:\n"
		"            type(thing)()()\n"
		"        except (TypeError, RuntimeError):\n"
		"            pass\n"
		"    return [b'alive']\n",
		"alive");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_wrong_is_said_to_the_caller),
		cmocka_unit_test(test_a_refused_call_leaves_nothing_behind),
		cmocka_unit_test(test_headers_go_out_as_they_are_written),
		cmocka_unit_test(
			test_headers_of_the_connection_are_left_out_and_said_once),
		cmocka_unit_test(
			test_close_from_the_application_ends_the_connection),
		cmocka_unit_test(test_exc_info_replaces_a_head_that_is_not_out),
		cmocka_unit_test(test_exc_info_goes_on_when_the_head_is_out),
		cmocka_unit_test(
			test_write_sends_at_once_and_mixes_with_blocks),
		cmocka_unit_test(test_write_raises_when_the_client_has_left),
		cmocka_unit_test(test_write_from_another_thread_is_refused),
		cmocka_unit_test(test_applications_cannot_make_their_own),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
