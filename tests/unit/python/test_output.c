/*
 * test_output.c - what is gathered, what is sent, and how errors are called.
 */
#include "exchange.h"

#include <errno.h>
#include <string.h>

#include "base/defs.h"
#include "python/python_priv.h"

#define GET "GET / HTTP/1.1\nHost: a\n\n"

static void
test_errors_are_named_for_the_application(void **state)
{
	static const struct {
		int error;
		const char *describes;
	} rows[] = {
		{ECONNRESET, "ConnectionResetError: [Errno 104] x: the client "
			     "has closed the connection"},
		{EPIPE, "BrokenPipeError: [Errno 32] x: the client has closed"},
		{ETIMEDOUT, "TimeoutError: [Errno 110] x: the client was too "
			    "slow"},
		{EBADMSG, "OSError: [Errno 74] x: the framing of the request"},
		{EFBIG, "OSError: [Errno 27] x: the request body is over "
			"LimitRequestBody"},
		{ENOSPC, "OSError: [Errno 28] x: No space left on device"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[128];

		output_raise(rows[i].error, "x");
		exceptions_describe(text, sizeof(text));
		assert_holds(text, rows[i].describes);
	}
}

static void
test_small_blocks_that_are_there_already_are_left_to_the_ring(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [])\n"
		     "    return [b'x' * 1000] * 200\n");
	exchange_run(&ex, GET);
	assert_holds(exchange_all(&ex), "Content-Length: 200000\r\n");
	assert_int_equal(strlen(exchange_body(&ex)), 200000);
	assert_int_equal(ex.sends, 0);
	exchange_fini(&ex);
}

static void
test_a_reset_takes_back_what_was_not_sent(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(environ, start_response):\n"
		     "    start_response('200 OK', [('X-A', 'b')])\n"
		     "    raise ValueError\n");
	exchange_run(&ex, GET);
	assert_memory_equal(exchange_all(&ex), "HTTP/1.1 500 ", 13);
	assert_lacks(exchange_all(&ex), "X-A");
	assert_false(buf_failed(&ex.out));
	exchange_fini(&ex);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_are_named_for_the_application),
		cmocka_unit_test(
			test_small_blocks_that_are_there_already_are_left_to_the_ring),
		cmocka_unit_test(test_a_reset_takes_back_what_was_not_sent),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
