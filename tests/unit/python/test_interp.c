/*
 * test_interp.c - what the interpreter is like that an application finds.
 */
#include "exchange.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/defs.h"
#include "built_with.h"
#include "python/app.h"

static char directory[] = "/tmp/wsgid-python-XXXXXX";
static char path[128];
static struct app *app;

/* A program has one interpreter, so this one is made the hard way. */
static int
set_up(void **state)
{
	struct app_settings settings = {
		.application = "a",
		.executable = PYTHON_EXECUTABLE,
		.directory = directory,
		.path = path,
		.software = "wsgid",
	};
	struct err err = {0};
	char file[160];
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(
		path, sizeof(path), "%s/first:%s/second", directory, directory);
	snprintf(file, sizeof(file), "%s/first", directory);
	assert_int_equal(mkdir(file, 0755), 0);
	snprintf(file, sizeof(file), "%s/second", directory);
	assert_int_equal(mkdir(file, 0755), 0);
	snprintf(file, sizeof(file), "%s/second/more.pth", directory);
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", "../first");
	fclose(f);
	setenv("PYTHONUNBUFFERED", "1", 1);
	setenv("PYTHONHASHSEED", "7", 1);
	setenv("PATH", "/nonexistent", 1);
	if (app_create(&app, &settings, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	app_destroy(app);
	setenv("PATH", "/usr/bin:/bin", 1);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void
test_sys_is_as_configured(void **state)
{
	struct buf source = {0};

	(void)state;
	buf_printf(&source,
		"import sys\n"
		"d = %c%s%c\n"
		"assert sys.argv == ['wsgid'], sys.argv\n"
		"assert sys.executable == '%s', sys.executable\n"
		"assert sys.path[:3] == [d, d + '/first', d + '/second'], "
		"sys.path\n"
		"assert sys.path.count(d) == 1\n"
		"assert 'site' in sys.modules\n"
		"assert sys.flags.hash_randomization == 1\n"
		"assert hash('wsgid') == %s\n",
		'\'', directory, '\'', PYTHON_EXECUTABLE, "hash('wsgid')");
	run_python(buf_text(&source));
	buf_fini(&source);
}

/* Environment variables count, as they do for "python3". */
static void
test_the_environment_counts(void **state)
{
	(void)state;
	run_python("import os, subprocess, sys\n"
		   "out = subprocess.check_output([sys.executable, '-c',\n"
		   "    'print(hash(\"wsgid\"))'], text=True)\n"
		   "assert int(out) == hash('wsgid')\n");
}

static void
test_signals_are_the_servers(void **state)
{
	struct sigaction pipe_action;

	(void)state;
	run_python("import signal\n"
		   "assert signal.getsignal(signal.SIGINT) in (\n"
		   "    signal.SIG_DFL, signal.SIG_IGN)\n"
		   "import threading\n"
		   "assert threading.current_thread() is "
		   "threading.main_thread()\n"
		   "import faulthandler\n"
		   "assert faulthandler.is_enabled()\n");
	assert_int_equal(sigaction(SIGPIPE, NULL, &pipe_action), 0);
	assert_ptr_equal(pipe_action.sa_handler, SIG_IGN);
}

static void
test_what_is_printed_leaves_in_whole_lines(void **state)
{
	struct buf log = {0};

	(void)state;
	capture_begin();
	run_python("import os, sys\n"
		   "print('out', 1)\n"
		   "os.write(1, b'between\\n')\n"
		   "print('err', 2, file=sys.stderr)\n"
		   "os.write(1, b'between\\n')\n"
		   "print('\\u20ac \\udc80')\n"
		   "sys.stdout.write('no end')\n"
		   "os.write(1, b'last\\n')\n"
		   "sys.stdout.flush()\n");
	capture_end(&log);
	assert_string_equal(buf_text(&log),
		"out 1\nbetween\nerr 2\nbetween\n\xe2\x82\xac \\udc80\nlast\n"
		"no end");
	buf_fini(&log);
}

/* Nothing is started for these. */
static void
test_without_an_interpreter_nothing_starts(void **state)
{
	struct app_settings settings = {.application = "a"};
	struct app *none = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(app_create(&none, &settings, &err), -EINVAL);
	assert_holds(err.text, "no Python interpreter is given");
	settings.executable = "";
	assert_int_equal(app_create(&none, &settings, &err), -EINVAL);
	assert_null(none);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sys_is_as_configured),
		cmocka_unit_test(test_the_environment_counts),
		cmocka_unit_test(test_signals_are_the_servers),
		cmocka_unit_test(test_what_is_printed_leaves_in_whole_lines),
		cmocka_unit_test(test_without_an_interpreter_nothing_starts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
