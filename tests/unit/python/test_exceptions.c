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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exceptions_become_text),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
