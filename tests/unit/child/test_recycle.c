/*
 * test_recycle.c - has a child done its share?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/memory.h"
#include "child/recycle.h"
#include "config/config.h"

static const int64_t second = 1000000000;

enum { MIB = 1024 * 1024 };

static void
test_the_rule(void **state)
{
	static const struct {
		int64_t age_s, most_mib; /* limits */
		int64_t now_s, mib;
		const char *why; /* NULL: it stays */
	} rows[] = {
		{0, 0, 1000000, 1000000, NULL},
		{10, 0, 9, 1000000, NULL},
		{10, 0, 10, 0, "RestartInterval has passed"},
		{10, 5, 11, 9, "RestartInterval has passed"},
		{0, 5, 1000000, 4, NULL},
		{10, 5, 9, 4, NULL},
		{10, 5, 9, 5,
			"it has 5.0 MiB of its own, and MaxMemoryPerChild is "
			"5.0"},
		{0, 5, 0, 123456,
			"it has 123456.0 MiB of its own, and MaxMemoryPerChild "
			"is 5.0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct recycle r = {
			.born_ns = 77,
			.age_ns = rows[i].age_s * second,
			.most_bytes = rows[i].most_mib * MIB,
		};
		char why[RECYCLE_WHY] = "";

		assert_int_equal(recycle_judge(&r, 77 + rows[i].now_s * second,
					 rows[i].mib * MIB, why),
			rows[i].why != NULL);
		assert_string_equal(why, rows[i].why ? rows[i].why : "");
	}
}

static void
test_without_limits_there_is_nothing_to_look_at(void **state)
{
	struct config c = {0};
	struct recycle r;

	(void)state;
	assert_false(recycle_begin(&r, &c, second, true));
	assert_int_equal(r.look_ns, INT64_MAX);
	assert_int_equal(recycle_most_requests(&c), 0);
}

static void
test_the_age_is_up_to_a_tenth_more_so_that_not_all_go_together(void **state)
{
	struct config c = {.restart_interval = 100000};
	int64_t least = INT64_MAX, most = 0;
	struct recycle r;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(recycle_begin(&r, &c, 5 * second, true));
		assert_true(r.age_ns >= 100 * second);
		assert_true(r.age_ns <= 110 * second);
		assert_int_equal(r.look_ns, 5 * second + r.age_ns);
		least = r.age_ns < least ? r.age_ns : least;
		most = r.age_ns > most ? r.age_ns : most;
	}
	/* Less likely than one in 10^40. */
	assert_true(least < 101 * second && most > 109 * second);
}

static void
test_the_jitter_adds_to_the_requests(void **state)
{
	struct config c = {.max_requests = 100, .max_requests_jitter = 10};
	bool seen[11] = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t n = recycle_most_requests(&c);

		assert_in_range(n, 100, 110);
		seen[n - 100] = true;
	}
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		assert_true(seen[i]);
}

static void
test_who_goes_is_asked_for_again_until_the_master_has_heard(void **state)
{
	struct config c = {.restart_interval = 1000};
	char why[RECYCLE_WHY];
	struct recycle r;
	int64_t now_ns;

	(void)state;
	(void)recycle_begin(&r, &c, second, true);
	now_ns = r.look_ns;
	assert_false(recycle_is_due(&r, now_ns - 1, why));
	assert_int_equal(r.look_ns, now_ns);
	assert_true(recycle_is_due(&r, now_ns, why));
	assert_in_range(r.look_ns, now_ns + 1, now_ns + second / 5);
	recycle_end(&r);
	assert_int_equal(r.look_ns, INT64_MAX);
}

static void
test_memory_is_looked_at_again_and_what_is_private_counts(void **state)
{
	enum { MORE = 8 * MIB };
	struct config c = {0};
	struct memory now;
	char why[RECYCLE_WHY];
	struct recycle r;
	char *own;

	(void)state;
	if (memory_read(getpid(), &now) < 0) {
		print_message("skipped: a kernel without smaps\n");
		skip();
	}
	c.max_memory_per_child = (int64_t)now.private_kib * 1024 + MORE / 2;
	assert_true(recycle_begin(&r, &c, second, true));
	/* Or somewhat later, where it takes long to find out. */
	assert_in_range(r.look_ns, 2 * second, 11 * second);
	assert_false(recycle_is_due(&r, 20 * second, why));
	assert_in_range(r.look_ns, 21 * second, 30 * second);
	own = mmap(NULL, MORE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(own, MAP_FAILED);
	memset(own, 1, MORE);
	assert_true(recycle_is_due(&r, 30 * second, why));
	assert_non_null(strstr(why, "MaxMemoryPerChild"));
	munmap(own, MORE);
}

/* And so would be each that took its place. */
static void
test_who_begins_with_too_much_memory_is_not_replaced_for_it(void **state)
{
	struct config c = {.max_memory_per_child = 1};
	char why[RECYCLE_WHY];
	struct recycle r;

	(void)state;
	assert_false(recycle_begin(&r, &c, second, false));
	c.restart_interval = 1000;
	assert_true(recycle_begin(&r, &c, second, false));
	assert_int_equal(r.look_ns, second + r.age_ns);
	assert_false(recycle_is_due(&r, second, why));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_rule),
		cmocka_unit_test(
			test_without_limits_there_is_nothing_to_look_at),
		cmocka_unit_test(
			test_the_age_is_up_to_a_tenth_more_so_that_not_all_go_together),
		cmocka_unit_test(test_the_jitter_adds_to_the_requests),
		cmocka_unit_test(
			test_who_goes_is_asked_for_again_until_the_master_has_heard),
		cmocka_unit_test(
			test_memory_is_looked_at_again_and_what_is_private_counts),
		cmocka_unit_test(
			test_who_begins_with_too_much_memory_is_not_replaced_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
