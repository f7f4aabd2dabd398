/*
 * test_unique_id.c - no two requests have the same name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "child/unique_id.h"

enum { IDS = 1000 };

static void
test_no_two_are_the_same(void **state)
{
	static char ids[2 * IDS][UNIQUE_ID_LEN];
	struct unique_id sources[2];

	(void)state;
	unique_id_init(&sources[0]);
	unique_id_init(&sources[1]);
	for (int i = 0; i < 2 * IDS; i++) {
		struct str id =
			unique_id_next(&sources[i % 2], 1700000000U + i / 500);

		assert_int_equal(id.len, UNIQUE_ID_LEN);
		memcpy(ids[i], id.p, id.len);
	}
	for (int i = 0; i < 2 * IDS; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(ids[i], ids[k], UNIQUE_ID_LEN);
}

static void
test_they_fit_into_urls_and_logs(void **state)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789-_";
	struct unique_id u;

	(void)state;
	unique_id_init(&u);
	u.counter = UINT64_C(0x0123456789ab);
	for (int i = 0; i < 100; i++) {
		struct str id = unique_id_next(&u, UINT32_MAX - (uint32_t)i);

		for (size_t k = 0; k < id.len; k++)
			assert_non_null(strchr(allowed, id.p[k]));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_two_are_the_same),
		cmocka_unit_test(test_they_fit_into_urls_and_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
