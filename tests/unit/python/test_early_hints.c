/*
 * test_early_hints.c - 103 Early Hints (RFC 8297) by wsgi.early_hints.
 */
#include "exchange.h"

#include <errno.h>

#include "base/defs.h"

#define GET "GET / HTTP/1.1\nHost: a\n\n"
#define HINT(headers)                                                       \
	"def application(environ, start_response):\n"                       \
	"    hint = environ['wsgi.early_hints']\n"                          \
	"    try:\n"                                                        \
	"        assert hint(" headers ") is None\n"                        \
	"    except (TypeError, ValueError, RuntimeError) as e:\n"          \
	"        print(type(e).__name__, e, file=environ['wsgi.errors'])\n" \
	"    start_response('200 OK', [])\n"                                \
	"    return [b'body']\n"

static void
test_hints_go_out_before_the_response(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(
		HINT("[('Link', '</a.css>; rel=preload'), ('link', 'b')]"));
	exchange_run(&ex, GET);
	assert_int_equal(ex.sends, 1);
	assert_string_equal(buf_text(&ex.sent),
		"HTTP/1.1 103 Early Hints\r\n"
		"Link: </a.css>; rel=preload\r\nlink: b\r\n\r\n");
	assert_holds(exchange_all(&ex), "\r\n\r\nHTTP/1.1 200 OK\r\n");
	assert_int_equal(ex.x.status, 200);
	assert_false(ex.x.failed);
	exchange_fini(&ex);
}

static void
test_hints_that_come_too_late_or_to_the_wrong_client_are_none(void **state)
{
	static const struct {
		const char *source, *request;
	} rows[] = {
		{HINT("[('Link', 'a')]"), "GET / HTTP/1.0\n\n"},
		{"def application(environ, start_response):\n"
		 "    start_response('200 OK', [])(b'first')\n"
		 "    environ['wsgi.early_hints']([('Link', 'a')])\n"
		 "    return []\n",
			GET},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, rows[i].request);
		assert_lacks(exchange_all(&ex), "103");
		assert_int_equal(ex.x.status, 200);
		assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
	}
}

static void
test_wrong_hints_are_refused_and_the_response_stays(void **state)
{
	static const struct {
		const char *source, *says;
	} rows[] = {
		{HINT("{}"), "TypeError wsgi.early_hints(): the headers must "
			     "be a list, not dict"},
		{HINT("[('A', 1)]"), "TypeError wsgi.early_hints(): a header "
				     "value must be str, not int"},
		{HINT("['Link']"), "TypeError wsgi.early_hints(): each header "
				   "must be a tuple (name, value), not str"},
		{HINT("[('A', 'b\\r\\nC: d')]"),
			"has a line break in its value"},
		{HINT("[('Upgrade', 'x')]"), "is hop-by-hop"},
		{HINT(""), "TypeError wsgi.early_hints() takes exactly one "
			   "argument"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_holds(exchange_log(&ex), rows[i].says);
		assert_int_equal(ex.sends, 0);
		assert_string_equal(exchange_body(&ex), "body");
		exchange_fini(&ex);
	}
}

static void
test_a_client_that_has_left_is_an_oserror(void **state)
{
	struct exchange ex = {.send_fails_at = 1, .send_error = -ECONNRESET};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    try:\n"
		     "        environ['wsgi.early_hints']([('Link', 'a')])\n"
		     "    except ConnectionResetError as e:\n"
		     "        print(e, file=environ['wsgi.errors'])\n"
		     "    start_response('200 OK', [])\n"
		     "    return []\n");
	exchange_run(&ex, GET);
	assert_holds(exchange_log(&ex), "the client has closed the connection");
	assert_true(ex.x.broken);
	exchange_fini(&ex);
}

static void
test_hints_after_the_request_are_refused(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("kept = []\n"
		     "def application(environ, start_response):\n"
		     "    for hint in kept:\n"
		     "        try:\n"
		     "            hint([])\n"
		     "        except RuntimeError as e:\n"
		     "            print(e, file=environ['wsgi.errors'])\n"
		     "    kept.append(environ['wsgi.early_hints'])\n"
		     "    start_response('200 OK', [])\n"
		     "    return []\n");
	exchange_run(&ex, GET);
	exchange_run(&ex, GET);
	assert_holds(exchange_log(&ex),
		"wsgi.early_hints() called after the request ended");
	exchange_fini(&ex);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hints_go_out_before_the_response),
		cmocka_unit_test(
			test_hints_that_come_too_late_or_to_the_wrong_client_are_none),
		cmocka_unit_test(
			test_wrong_hints_are_refused_and_the_response_stays),
		cmocka_unit_test(test_a_client_that_has_left_is_an_oserror),
		cmocka_unit_test(test_hints_after_the_request_are_refused),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
