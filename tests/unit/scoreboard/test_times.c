/*
 * test_times.c - the buckets of the histograms, every one of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "scoreboard/times.h"

static void
test_every_bucket_begins_where_the_one_before_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WSGID_TIMES_BUCKETS; i++) {
		uint64_t floor = times_floor(i), end = times_floor(i + 1);

		assert_true(floor < end);
		assert_int_equal(times_bucket(floor), i);
		assert_int_equal(times_bucket(end - 1), i);
		/* Right to an eighth, when the middle is meant. */
		assert_true((end - 1 - floor) * 4 <= floor);
	}
}

static void
test_the_buckets_are_those_of_the_header(void **state)
{
	static const struct {
		uint64_t us;
		unsigned bucket;
	} rows[] = {
		{0, 0},
		{1, 1},
		{3, 3},
		{4, 4},
		{7, 7},
		{8, 8},
		{9, 8},
		{10, 9},
		{15, 11},
		{16, 12},
		{19, 12},
		{20, 13},
		{1000, 35},
		{1000000, 75},
		{(UINT64_C(7) << 33) - 1, 138},
		{UINT64_C(7) << 33, 139},
		{(UINT64_C(1) << 36) - 1, 139},
		{UINT64_C(1) << 36, 139},
		{UINT64_MAX, 139},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(times_bucket(rows[i].us), rows[i].bucket);
	assert_int_equal(times_floor(WSGID_TIMES_BUCKETS), UINT64_C(1) << 36);
}

static void
put(struct wsgid_times *t, uint64_t us, uint64_t n)
{
	t->counts[times_bucket(us)] += n;
	t->sum_us += us * n;
	if (us > t->max_us)
		t->max_us = us;
}

static void
test_nothing_has_no_share(void **state)
{
	struct wsgid_times t = {0};

	(void)state;
	assert_int_equal(times_count(&t), 0);
	assert_int_equal(times_share(&t, .99), 0);
	assert_int_equal(times_share(&t, 1), 0);
}

static void
test_shares_of_small_numbers_are_exact(void **state)
{
	struct wsgid_times t = {0};

	(void)state;
	put(&t, 0, 50);
	put(&t, 3, 40);
	put(&t, 7, 9);
	put(&t, 5000, 1);
	assert_int_equal(times_count(&t), 100);
	assert_int_equal(times_share(&t, .5), 0);
	assert_int_equal(times_share(&t, .51), 3);
	assert_int_equal(times_share(&t, .9), 3);
	assert_int_equal(times_share(&t, .99), 7);
	assert_in_range(times_share(&t, 1), 4500, 5000);
}

static void
test_a_share_is_right_to_an_eighth(void **state)
{
	struct wsgid_times t = {0};
	static const double shares[] = {.01, .1, .5, .9, .99, .999, 1};

	(void)state;
	for (uint64_t us = 1; us <= 100000; us++)
		put(&t, us, 1);
	for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
		double right = 100000 * shares[i];
		double got = (double)times_share(&t, shares[i]);

		assert_true(got >= right * .875 && got <= right * 1.125);
	}
}

static void
test_no_share_is_longer_than_the_longest(void **state)
{
	struct wsgid_times t = {0};

	(void)state;
	put(&t, 1030, 1000);
	assert_in_range(times_share(&t, .5), 1024, 1030);
	assert_in_range(times_share(&t, 1), 1024, 1030);
	/* The last bucket has no other end. */
	memset(&t, 0, sizeof(t));
	put(&t, UINT64_C(1) << 40, 1);
	assert_in_range(
		times_share(&t, 1), UINT64_C(7) << 33, UINT64_C(1) << 40);
}

static void
test_totals_add_up_and_the_longest_stays(void **state)
{
	struct wsgid_durations a = {0}, b = {0};

	(void)state;
	put(&a.wait, 2, 3);
	put(&a.total, 900, 3);
	put(&b.wait, 2, 4);
	put(&b.application, 70, 4);
	put(&b.total, 80, 4);
	durations_add(&a, &b);
	assert_int_equal(a.wait.counts[2], 7);
	assert_int_equal(a.wait.sum_us, 14);
	assert_int_equal(times_count(&a.application), 4);
	assert_int_equal(a.total.max_us, 900);
	assert_int_equal(a.total.sum_us, 3 * 900 + 4 * 80);
}

static void
test_what_a_liar_counts_ends_at_the_largest_number(void **state)
{
	struct wsgid_times a = {0}, b;

	(void)state;
	memset(&b, 0xff, sizeof(b));
	put(&a, 5, 1);
	times_add(&a, &b);
	times_add(&a, &b);
	assert_int_equal(a.counts[5], UINT64_MAX);
	assert_int_equal(times_count(&a), UINT64_MAX);
	assert_int_equal(a.max_us, UINT64_MAX);
	for (double share = .1; share < 1; share += .1)
		(void)times_share(&a, share);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_bucket_begins_where_the_one_before_ends),
		cmocka_unit_test(test_the_buckets_are_those_of_the_header),
		cmocka_unit_test(test_nothing_has_no_share),
		cmocka_unit_test(test_shares_of_small_numbers_are_exact),
		cmocka_unit_test(test_a_share_is_right_to_an_eighth),
		cmocka_unit_test(test_no_share_is_longer_than_the_longest),
		cmocka_unit_test(test_totals_add_up_and_the_longest_stays),
		cmocka_unit_test(
			test_what_a_liar_counts_ends_at_the_largest_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
