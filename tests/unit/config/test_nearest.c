/*
 * test_nearest.c - what a mistyped word may have meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "config/directive.h"
#include "config/nearest.h"

static void
test_slips_find_their_directive(void **state)
{
	static const struct {
		const char *text, *nearest;
	} table[] = {
		{"MaxRequestWorker", "MaxRequestWorkers"},
		{"maxrequestworker", "MaxRequestWorkers"},
		{"MaxReqeustWorkers", "MaxRequestWorkers"},
		{"MaxRequestsWorkers", "MaxRequestWorkers"},
		{"Lisetn", "Listen"},
		{"Timeuot", "Timeout"},
		{"Keepalivetimout", "KeepAliveTimeout"},
		{"WSGIAplication", "WSGIApplication"},
		{"Users", "User"},
		{"ErorLog", "ErrorLog"},
		{"IncludeOptonal", "IncludeOptional"},
		{"Xyzzy", NULL},
		{"X", NULL},
		{"", NULL},
		{"InstanceName", NULL},
		{"ThisIsAVeryLongWordThatNobodyWouldEverTypeByAccidentIn"
		 "AConfigurationFile",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *nearest = directive_nearest(table[i].text);

		if (table[i].nearest == NULL)
			assert_null(nearest);
		else {
			assert_non_null(nearest);
			assert_string_equal(nearest, table[i].nearest);
		}
	}
}

static void
test_the_nearest_of_several(void **state)
{
	struct nearest n = nearest_begin("combinde");

	(void)state;
	assert_false(nearest_consider(&n, "common"));
	assert_false(nearest_consider(&n, NULL));
	assert_true(nearest_consider(&n, "combine"));
	assert_false(nearest_consider(&n, "combined"));
	assert_string_equal(n.best, "combine");
}

static void
test_the_nearest_variable(void **state)
{
	static const char *const rows[][2] = {
		{"WSGID_PROCESES", "WSGID_PROCESSES"},
		{"WSGID_WORKER", "WSGID_WORKERS"},
		{"WSGID_MAX_CLIENT", "WSGID_MAX_CLIENTS"},
		{"WSGID_USRE", "WSGID_USER"},
		{"WSGID_TEST", NULL},
		{"WSGID_HOST", NULL},
		{"WSGID_FROBNICATION", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = {0};
		const char *found =
			directive_nearest_environment(rows[i][0], &b);

		if (rows[i][1] == NULL)
			assert_null(found);
		else
			assert_string_equal(found, rows[i][1]);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slips_find_their_directive),
		cmocka_unit_test(test_the_nearest_of_several),
		cmocka_unit_test(test_the_nearest_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
