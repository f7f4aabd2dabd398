/*
 * test_exceptions.c - exceptions are taken, and become text.
 */
#include "exchange.h"

#include "base/defs.h"
#include "python/python_priv.h"

static void
test_exceptions_become_text(void **state)
{
	static const struct {
		const char *source, *describes;
	} rows[] = {
		{"raise KeyError('x')", "KeyError: 'x'"},
		{"raise RuntimeError", "RuntimeError"},
		{"class B(Exception):\n"
		 "    def __str__(self): raise KeyError\n"
		 "raise B",
			"B"},
		{"raise ValueError('a\\udc80')", "ValueError: a\\udc80"},
		{"raise ImportError('one\\ntwo')", "ImportError: one"},
		{"raise ImportError('\\n\\n  numpy: \\ntwo\\n')",
			"ImportError: numpy: "},
		{"raise ImportError('\\n\\n')", "ImportError"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		PyObject *d = PyDict_New();
		char text[64];

		assert_null(PyRun_String(rows[i].source, Py_file_input, d, d));
		exceptions_describe(text, sizeof(text));
		assert_string_equal(text, rows[i].describes);
		assert_false(PyErr_Occurred());
		Py_DECREF(d);
	}
	assert_null(exceptions_take());
	assert_null(exceptions_format(exchange_app()));
}

static void
test_what_may_be_needed_is_imported_when_there_is_time(void **state)
{
	struct app *app = exchange_app();

	(void)state;
	app_settle(app);
	assert_non_null(app->format_exception);
	run_python("import sys\n"
		   "assert {'threading', 'traceback'} <= set(sys.modules)\n");
}

/* Where the module that shows them cannot be got, and once it can. */
static void
test_an_exception_is_shown_without_the_traceback_module(void **state)
{
	static const char hidden[] =
		"import sys\n"
		"kept = sys.modules.pop('traceback', None)\n"
		"sys.modules['traceback'] = None\n";
	static const char found[] = "import sys\n"
				    "del sys.modules['traceback']\n";
	static const char fails[] = "def f():\n"
				    "    raise KeyError('x')\n"
				    "f()\n";
	struct app *app = exchange_app();

	(void)state;
	exceptions_fini(app);
	for (int i = 0; i < 2; i++) {
		PyObject *d = PyDict_New(), *text;

		run_python(i == 0 ? hidden : found);
		assert_null(PyRun_String(fails, Py_file_input, d, d));
		text = exceptions_format(app);
		assert_non_null(text);
		assert_holds(PyUnicode_AsUTF8(text),
			"Traceback (most recent call last):\n"
			"  File \"<string>\", line 3, in <module>\n"
			"  File \"<string>\", line 2, in f\n"
			"KeyError: 'x'\n");
		assert_false(PyErr_Occurred());
		assert_int_equal(app->format_exception != NULL, i);
		Py_DECREF(text);
		Py_DECREF(d);
	}
}

/* They would take longer than all else at the start of a child. */
static void
test_nothing_is_imported_that_may_not_be_needed(void **state)
{
	(void)state;
	run_python("import sys\n"
		   "have = set(sys.modules)\n"
		   "import subprocess\n"
		   "usual = subprocess.check_output([sys.executable, '-c',\n"
		   "    'import sys; print(*sys.modules)']).decode().split()\n"
		   "more = have - {*usual} & {'enum', 'inspect', 're', \n"
		   "                          'tokenize', 'traceback'}\n"
		   "assert not more, more\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_imported_that_may_not_be_needed),
		cmocka_unit_test(
			test_what_may_be_needed_is_imported_when_there_is_time),
		cmocka_unit_test(test_exceptions_become_text),
		cmocka_unit_test(
			test_an_exception_is_shown_without_the_traceback_module),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
