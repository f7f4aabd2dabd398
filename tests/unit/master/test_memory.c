/*
 * test_memory.c - when there is no room for all children.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/defs.h"
#include "master/memory.h"

static void
test_memory_is_short_when_all_children_need_more_than_there_is(void **state)
{
	static const struct {
		int64_t limit, of_one;
		long children;
		bool is_short;
	} rows[] = {
		{512000000, 100000000, 5, false},
		{512000000, 100000000, 6, true},
		{512000000, 512000000, 1, false},
		{512000000, 600000000, 1, false}, /* its own business */
		{INT64_MAX, INT64_MAX / 2, 200000, true},
		{0, 100000000, 1000, false},  /* no limit */
		{512000000, -1, 1000, false}, /* nobody knows */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(memory_is_short(rows[i].limit, rows[i].of_one,
					 rows[i].children),
			rows[i].is_short);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_memory_is_short_when_all_children_need_more_than_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
