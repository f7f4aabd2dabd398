/*
 * test_throttle.c - delays after children that die young.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "mpm/mpm.h"

static const int64_t SECOND = 1000000000;

static void
test_delays_double_up_to_a_minute(void **state)
{
	static const int delays[] = {0, 1, 2, 4, 8, 16, 32, 60, 60, 60};
	struct throttle t = {0};
	int64_t now = 1000 * SECOND;

	(void)state;
	assert_int_equal(throttle_delay(&t, now), 0);
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		int64_t delay;

		throttle_failed(&t, now, 0);
		delay = throttle_delay(&t, now);
		assert_int_equal(delay, delays[i] * SECOND);
		/* the next one starts as soon as it may, and dies */
		now += delay;
		assert_int_equal(throttle_delay(&t, now), 0);
		now += 1;
	}
}

static void
test_a_delay_runs_out(void **state)
{
	struct throttle t = {0};

	(void)state;
	throttle_failed(&t, 0, 0);
	throttle_failed(&t, 5, 0);
	assert_int_equal(throttle_delay(&t, 5), SECOND);
	assert_int_equal(throttle_delay(&t, 5 + SECOND / 4), SECOND * 3 / 4);
	assert_int_equal(throttle_delay(&t, 5 + SECOND), 0);
	assert_int_equal(throttle_delay(&t, 500 * SECOND), 0);
}

static void
test_children_that_die_together_are_one_failure(void **state)
{
	struct throttle t = {0};

	(void)state;
	for (int i = 0; i < 64; i++)
		throttle_failed(&t, SECOND + i, 0);
	assert_int_equal(throttle_delay(&t, SECOND + 64),
		SECOND - 63); /* that of the second */
}

static void
test_one_that_lived_a_while_ends_the_row(void **state)
{
	struct throttle t = {0};
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		throttle_failed(&t, now, 9 * SECOND);
		now += throttle_delay(&t, now);
	}
	assert_int_equal(now, 15 * SECOND);
	throttle_failed(&t, now, 10 * SECOND);
	assert_int_equal(throttle_delay(&t, now), 0);
	throttle_failed(&t, now, 0);
	assert_int_equal(throttle_delay(&t, now), SECOND);
}

static void
test_one_that_lived_a_while_does_not_cut_a_delay_short(void **state)
{
	struct throttle t = {0};

	(void)state;
	throttle_failed(&t, 0, 0);
	throttle_failed(&t, 1, 0);
	throttle_failed(&t, 2, 3600 * SECOND);
	assert_int_equal(throttle_delay(&t, 2), SECOND - 1);
}

static void
test_who_dies_in_a_request_or_later_delays_nobody(void **state)
{
	struct throttle t = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		throttle_lost(&t, i % 2 == 0);
		assert_int_equal(throttle_delay(&t, i), 0);
	}
	assert_int_equal(t.failures, 0);
	/* And makes no row of two longer or shorter. */
	throttle_failed(&t, 2000, 0);
	throttle_lost(&t, true);
	assert_int_equal(throttle_delay(&t, 2000), 0);
	throttle_failed(&t, 2000, 0);
	throttle_lost(&t, true);
	assert_int_equal(throttle_delay(&t, 2000), SECOND);
}

static void
test_one_that_is_ready_is_doubted_after_two_without_an_answer(void **state)
{
	struct throttle t = {0};

	(void)state;
	throttle_lost(&t, false);
	assert_false(throttle_doubts(&t));
	throttle_lost(&t, true);
	throttle_lost(&t, false);
	assert_false(throttle_doubts(&t));
	throttle_lost(&t, false);
	assert_true(throttle_doubts(&t));
	throttle_lost(&t, true);
	assert_false(throttle_doubts(&t));
	throttle_failed(&t, 0, 0);
	assert_false(throttle_doubts(&t));
	throttle_failed(&t, 0, 0);
	assert_true(throttle_doubts(&t));
	throttle_recovered(&t);
	assert_false(throttle_doubts(&t));
}

static void
test_recovery_forgets(void **state)
{
	struct throttle t = {0};
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 9; i++) {
		throttle_failed(&t, now, 0);
		now += throttle_delay(&t, now);
	}
	throttle_failed(&t, now, 0);
	assert_int_equal(throttle_delay(&t, now), 60 * SECOND);
	throttle_recovered(&t);
	assert_int_equal(throttle_delay(&t, now), 0);
	throttle_failed(&t, now, 0);
	assert_int_equal(throttle_delay(&t, now), 0);
}

static void
test_years_of_failures_stay_at_a_minute(void **state)
{
	struct throttle t = {0};
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 600000; i++) {
		throttle_failed(&t, now, 0);
		now += throttle_delay(&t, now);
	}
	throttle_failed(&t, now, 0);
	assert_int_equal(throttle_delay(&t, now), 60 * SECOND);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delays_double_up_to_a_minute),
		cmocka_unit_test(test_a_delay_runs_out),
		cmocka_unit_test(
			test_children_that_die_together_are_one_failure),
		cmocka_unit_test(test_one_that_lived_a_while_ends_the_row),
		cmocka_unit_test(
			test_one_that_lived_a_while_does_not_cut_a_delay_short),
		cmocka_unit_test(
			test_who_dies_in_a_request_or_later_delays_nobody),
		cmocka_unit_test(
			test_one_that_is_ready_is_doubted_after_two_without_an_answer),
		cmocka_unit_test(test_recovery_forgets),
		cmocka_unit_test(test_years_of_failures_stay_at_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
