/*
 * test_pace.c - mod_reqtimeout's arithmetic, and what is not the client's time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "child/pace.h"
#include "config/config.h"

static const int64_t second = 1000000000;

static void
test_bytes_earn_time_up_to_a_bound(void **state)
{
	static const struct {
		struct config_read_limit limit;
		uint64_t bytes;
		int64_t seconds; /* -1: for ever */
	} rows[] = {
		/* The defaults. */
		{{20000, 40000, 500}, 0, 20},
		{{20000, 40000, 500}, 500, 21},
		{{20000, 40000, 500}, 9999, 39},
		{{20000, 40000, 500}, 10000, 40},
		{{20000, 40000, 500}, UINT64_MAX, 40},
		{{20000, 0, 500}, 0, 20},
		{{20000, 0, 500}, 500000, 1020},
		/* No rate: no more time. */
		{{20000, 0, 0}, 1000000, 20},
		{{0, 0, 0}, 0, -1},
		{{0, 0, 500}, 0, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pace p = {
			.part = PACE_BODY,
			.begin_ns = 1000 * second,
			.bytes = rows[i].bytes,
		};
		int64_t until = pace_deadline(&p, &rows[i].limit) / second;

		if (rows[i].seconds < 0)
			assert_int_equal(until, INT64_MAX / second);
		else
			assert_int_equal(until - 1000, rows[i].seconds);
	}
}

static void
test_a_client_that_sends_for_ever_may(void **state)
{
	static const struct config_read_limit limit = {20000, 0, 1};
	struct pace p = {.part = PACE_BODY, .bytes = UINT64_MAX};

	(void)state;
	assert_true(pace_deadline(&p, &limit) > INT64_MAX / 8);
}

static void
test_each_part_has_its_own_time(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_begin(&p, PACE_HEADER, 10 * second);
	p.bytes = 5;
	pace_begin(&p, PACE_HEADER, 12 * second);
	assert_int_equal(p.begin_ns, 10 * second);
	assert_int_equal(p.bytes, 5);
	pace_begin(&p, PACE_BODY, 13 * second);
	assert_int_equal(p.begin_ns, 13 * second);
	assert_int_equal(p.bytes, 0);
}

/* An application that reads late has its own client's time in no way. */
static void
test_time_in_which_nobody_waits_is_not_the_clients(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_begin(&p, PACE_BODY, 10 * second);
	pace_pause(&p, 11 * second);
	pace_begin(&p, PACE_BODY, 41 * second);
	assert_int_equal(p.begin_ns, 40 * second);
	pace_begin(&p, PACE_BODY, 50 * second);
	assert_int_equal(p.begin_ns, 40 * second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_earn_time_up_to_a_bound),
		cmocka_unit_test(test_a_client_that_sends_for_ever_may),
		cmocka_unit_test(test_each_part_has_its_own_time),
		cmocka_unit_test(
			test_time_in_which_nobody_waits_is_not_the_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
