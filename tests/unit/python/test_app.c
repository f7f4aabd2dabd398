/*
 * test_app.c - the door: threads that enter and leave, and the end.
 */
#include "exchange.h"

#include <pthread.h>
#include <string.h>

#include "base/defs.h"
#include "python/python_priv.h"

#define GET "GET / HTTP/1.1\nHost: a\n\n"

static void
test_the_version_is_the_librarys(void **state)
{
	struct buf source = {0};

	(void)state;
	buf_printf(&source,
		"import sys\n"
		"assert '%s' == '%%d.%%d.%%d' %% sys.version_info[:3]\n",
		app_python_version());
	run_python(buf_text(&source));
	buf_fini(&source);
}

static void *
serve_twice(void *unused)
{
	struct exchange ex = {0};

	(void)unused;
	for (int i = 0; i < 2; i++) {
		app_enter(exchange_app());
		exchange_run(&ex, GET);
		assert_holds(exchange_body(&ex), i == 0 ? "1" : "2");
		exchange_fini(&ex);
		app_leave(exchange_app());
	}
	return NULL;
}

/* What the application keeps by thread is there when a thread comes again. */
static void
test_a_thread_keeps_its_state_from_turn_to_turn(void **state)
{
	pthread_t thread;

	(void)state;
	exchange_use("import threading\n"
		     "local = threading.local()\n"
		     "def application(environ, start_response):\n"
		     "    local.n = getattr(local, 'n', 0) + 1\n"
		     "    start_response('200 OK', [])\n"
		     "    return [str(local.n).encode()]\n");
	app_leave(exchange_app());
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			pthread_create(&thread, NULL, serve_twice, NULL), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	app_enter(exchange_app());
	assert_true(PyGILState_Check());
}

static void
test_a_callable_may_be_anything_that_is_called(void **state)
{
	static const char *const sources[] = {
		"class application:\n"
		"    def __init__(self, environ, start_response):\n"
		"        start_response('200 OK', [])\n"
		"    def __iter__(self):\n"
		"        yield b'hello'\n",
		"class A:\n"
		"    def __call__(self, environ, start_response):\n"
		"        start_response('200 OK', [])\n"
		"        return [b'hello']\n"
		"application = A()\n",
		"class A:\n"
		"    def serve(self, environ, start_response):\n"
		"        start_response('200 OK', [])\n"
		"        return [b'hello']\n"
		"application = A().serve\n",
		"import functools\n"
		"def serve(x, environ, start_response):\n"
		"    start_response('200 OK', [])\n"
		"    return [b'hello']\n"
		"application = functools.partial(serve, 1)\n",
		"from wsgiref.validate import validator\n"
		"@validator\n"
		"def application(environ, start_response):\n"
		"    environ['wsgi.input'].read(1)\n"
		"    environ['wsgi.errors'].write('')\n"
		"    start_response('200 OK', [('Content-Type', 'a/b')])\n"
		"    return [b'hello']\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct exchange ex = {0};

		exchange_use(sources[i]);
		exchange_run(&ex, GET);
		assert_holds(exchange_body(&ex), "hello");
		assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
	}
}

static void
test_giving_back_nothing_is_allowed(void **state)
{
	struct app_peer peer = {0};

	(void)state;
	app_drop(exchange_app(), NULL);
	app_forget_peer(exchange_app(), &peer);
	app_destroy(NULL);
}

static int
tear_down(void **state)
{
	struct buf log = {0};
	int rc;

	run_python("import atexit, threading, time\n"
		   "atexit.register(print, 'atexit ran')\n"
		   "def last():\n"
		   "    threading.main_thread().join()\n"
		   "    print('the thread was joined')\n"
		   "threading.Thread(target=last).start()\n");
	capture_begin();
	rc = exchange_tear_down(state);
	capture_end(&log);
	assert_string_equal(
		buf_text(&log), "the thread was joined\natexit ran\n");
	buf_fini(&log);
	return rc;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_version_is_the_librarys),
		cmocka_unit_test(
			test_a_thread_keeps_its_state_from_turn_to_turn),
		cmocka_unit_test(
			test_a_callable_may_be_anything_that_is_called),
		cmocka_unit_test(test_giving_back_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, exchange_set_up, tear_down);
}
