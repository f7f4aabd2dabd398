/*
 * test_errors.c - wsgi.errors writes whole lines, whoever writes.
 */
#include "exchange.h"

#include <string.h>

#include "base/defs.h"
#include "python/python_priv.h"

#define GET "GET / HTTP/1.1\nHost: a\n\n"

/* An application that does something with wsgi.errors, "f". */
#define DO(statement)                                 \
	"def application(environ, start_response):\n" \
	"    f = environ['wsgi.errors']\n"            \
	"    " statement "\n"                         \
	"    start_response('200 OK', [])\n"          \
	"    return []\n"

static void
test_lines_arrive_when_they_are_whole(void **state)
{
	static const struct {
		const char *source, *log;
	} rows[] = {
		{DO("print('a', 1, file=f)"), "a 1\n"},
		{DO("f.write('a'); f.write('b\\nc\\n')"), "ab\nc\n"},
		{DO("f.write('a\\nb')"), "a\nb\n"}, /* the request's end */
		{DO("f.write('a'); f.flush(); f.write('b\\n')"), "a\nb\n"},
		{DO("f.flush()"), ""},
		{DO("f.write('')"), ""},
		{DO("f.writelines(['a\\n', 'b', 'c\\n'])"), "a\nbc\n"},
		{DO("f.write('\\u20ac\\n')"), "\xe2\x82\xac\n"},
		{DO("f.write('\\udc80\\n')"), "\\udc80\n"},
		{DO("print(f.write('abc'), file=f)"), "abc3\n"},
		{DO("print(f.encoding, f.errors, f.closed, f.fileno(), "
		    "f.isatty(), f.writable(), f.readable(), file=f)"),
			"utf-8 backslashreplace False 2 False True False\n"},
		{DO("f.close(); print('on', file=f)"), "on\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_string_equal(exchange_log(&ex), rows[i].log);
		exchange_fini(&ex);
	}
}

static void
test_bytes_are_refused(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use(DO("f.write(b'x')"));
	exchange_run(&ex, GET);
	assert_holds(exchange_log(&ex),
		"TypeError: write() argument must be str, not bytes: "
		"wsgi.errors is a text stream");
	exchange_fini(&ex);
}

static void
test_lines_of_threads_do_not_mix(void **state)
{
	struct exchange ex = {0};
	const char *log;
	size_t lines = 0;

	(void)state;
	exchange_use("import threading\n"
		     "def say(f, text):\n"
		     "    for i in range(200):\n"
		     "        print(text, text, text, file=f)\n"
		     "def application(environ, start_response):\n"
		     "    threads = [threading.Thread(target=say,\n"
		     "               args=(environ['wsgi.errors'], 'x' * (20 + "
		     "i)))\n"
		     "               for i in range(4)]\n"
		     "    for t in threads:\n"
		     "        t.start()\n"
		     "    for t in threads:\n"
		     "        t.join()\n"
		     "    start_response('200 OK', [])\n"
		     "    return []\n");
	exchange_run(&ex, GET);
	for (log = exchange_log(&ex); *log != '\0'; lines++) {
		size_t len = strcspn(log, "\n");
		size_t word = (len - 2) / 3;

		assert_true(word >= 20 && word < 24 && len == word * 3 + 2);
		assert_true(log[word] == ' ' && log[word * 2 + 1] == ' ');
		log += len + 1;
	}
	assert_int_equal(lines, 800);
	exchange_fini(&ex);
}

static void
test_the_id_of_the_request_stands_before_its_lines(void **state)
{
	static const struct {
		const char *source, *log;
	} rows[] = {
		{DO("print('a\\nb', file=f)"), "[id r1] a\n[id r1] b\n"},
		{DO("f.write('a')"), "[id r1] a\n"},
		{DO("import threading; t = threading.Thread("
		    "target=print, args=('a',), kwargs={'file': f}); "
		    "t.start(); t.join()"),
			"[id r1] a\n"},
		{DO("import threading; t = threading.Thread("
		    "target=f.write, args=('a',)); t.start(); t.join()"),
			"[id r1] a\n"},
		{DO("return 1"),
			"[id r1] GET / HTTP/1.1: TypeError: the application "
			"returned an int where an iterable of bytes is "
			"expected: return a list with bytes in\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {.unique_id = "r1"};

		exchange_use(rows[i].source);
		exchange_run(&ex, GET);
		assert_string_equal(exchange_log(&ex), rows[i].log);
		exchange_fini(&ex);
	}
}

static void
test_it_serves_a_logging_handler_that_outlives_the_request(void **state)
{
	struct exchange ex = {.unique_id = "over"};
	struct buf log = {0};

	(void)state;
	exchange_use("import logging\n"
		     "def application(environ, start_response):\n"
		     "    h = logging.StreamHandler(environ['wsgi.errors'])\n"
		     "    logging.getLogger('kept').addHandler(h)\n"
		     "    start_response('200 OK', [])\n"
		     "    return []\n");
	exchange_run(&ex, GET);
	exchange_fini(&ex);
	capture_begin();
	run_python("import logging\n"
		   "logging.getLogger('kept').error('a\\nb')\n");
	capture_end(&log);
	assert_string_equal(buf_text(&log), "a\nb\n");
	buf_fini(&log);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_arrive_when_they_are_whole),
		cmocka_unit_test(test_bytes_are_refused),
		cmocka_unit_test(test_lines_of_threads_do_not_mix),
		cmocka_unit_test(
			test_the_id_of_the_request_stands_before_its_lines),
		cmocka_unit_test(
			test_it_serves_a_logging_handler_that_outlives_the_request),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
