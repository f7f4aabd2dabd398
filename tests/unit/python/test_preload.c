/*
 * test_preload.c - an application that is imported once and then forked.
 */
#include "exchange.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <Python.h>

#include "built_with.h"
#include "python/app.h"

static struct app *app;
static int hooks_called;

static void
count(void *arg)
{
	(void)arg;
	hooks_called++;
}

static int
set_up(void **state)
{
	struct app_settings settings = {
		.application = "a",
		.executable = PYTHON_EXECUTABLE,
		.directory = "/",
		.software = "wsgid",
		.forks = {count, count, count, NULL},
	};
	struct err err = {0};

	(void)state;
	if (app_create(&app, &settings, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	app_destroy(app);
	return 0;
}

/* The value of a Python expression, which is a small number. */
static long
value(const char *expression)
{
	char text[512];
	PyObject *result;
	long number;

	snprintf(text, sizeof(text), "result = int(%s)", expression);
	assert_int_equal(PyRun_SimpleString(text), 0);
	result = PyObject_GetAttrString(
		PyImport_AddModule("__main__"), "result");
	number = PyLong_AsLong(result);
	Py_DECREF(result);
	return number;
}

static void
test_what_is_there_is_frozen(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(value("__import__('gc').get_freeze_count()"), 0);
	assert_int_equal(app_freeze(app, &err), 0);
	assert_true(value("__import__('gc').get_freeze_count()") > 100);
}

static void
test_streams_that_cannot_be_flushed_are_no_hindrance(void **state)
{
	static const char *const rows[] = {"None", "object()",
		"open('/dev/full', 'w')", "__import__('io').StringIO()"};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			"import sys\n"
			"before, sys.stdout = sys.stdout, %s\n"
			"getattr(sys.stdout, 'write', id)('x')\n",
			rows[i]);
		assert_int_equal(PyRun_SimpleString(text), 0);
		assert_int_equal(app_freeze(app, &err), 0);
		assert_int_equal(PyRun_SimpleString("sys.stdout = before"), 0);
	}
}

static void
test_python_s_hooks_run_around_our_fork_and_the_server_s_do_not(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(
		PyRun_SimpleString(
			"import os\n"
			"called = []\n"
			"os.register_at_fork(\n"
			"    before=lambda: called.append('before'),\n"
			"    after_in_parent=lambda: called.append('parent'),\n"
			"    after_in_child=lambda: called.append('child'))\n"),
		0);
	hooks_called = 0;
	app_before_fork(app);
	pid = fork();
	app_after_fork(app, pid == 0);
	if (pid == 0)
		_exit(value("called == ['before', 'child']") == 1 &&
					hooks_called == 0
				? 0
				: 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(value("called == ['before', 'parent']"), 1);
	assert_int_equal(hooks_called, 0);

	/* The application's own forks are told to the server as ever. */
	assert_int_equal(PyRun_SimpleString("pid = os.fork()\n"
					    "if pid == 0:\n"
					    "    os._exit(0)\n"
					    "os.waitpid(pid, 0)\n"),
		0);
	assert_int_equal(hooks_called, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_there_is_frozen),
		cmocka_unit_test(
			test_streams_that_cannot_be_flushed_are_no_hindrance),
		cmocka_unit_test(
			test_python_s_hooks_run_around_our_fork_and_the_server_s_do_not),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
