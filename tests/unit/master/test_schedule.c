/*
 * test_schedule.c - when the loop must turn though nothing happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "fixture.h"
#include "master/schedule.h"
#include "mpm/mpm.h"

static int64_t
at(int64_t seconds)
{
	return (1000 + seconds) * SECOND_NS;
}

static void
fill(struct fixture *f)
{
	f->generation.config->max_spare_servers = 4;
	for (unsigned i = 0; i < 4; i++)
		fixture_child(f, i, LIFECYCLE_READY);
}

static void
test_a_settled_pool_never_wakes_the_master(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(schedule_next(&f->m), NEVER);
}

static void
test_a_pool_that_may_change_is_looked_at_each_second(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	assert_int_equal(schedule_next(&f->m), at(1));
}

static void
test_the_earliest_deadline_of_a_child_counts(void **state)
{
	struct fixture *f = *state;

	fill(f);
	f->m.children[1].deadline_ns = at(7);
	f->m.children[3].deadline_ns = at(5);
	/* A vacant slot has none, whatever stands there. */
	f->m.children[6].deadline_ns = at(2);
	assert_int_equal(schedule_next(&f->m), at(5));
}

static void
test_a_throttled_start_has_its_moment(void **state)
{
	struct fixture *f = *state;

	fill(f);
	f->m.throttle =
		(struct throttle){.failures = 5, .not_before_ns = at(8)};
	assert_int_equal(schedule_next(&f->m), NEVER);
	f->m.owed = 1;
	assert_int_equal(schedule_next(&f->m), at(8));
}

static void
test_replacements_are_seen_to_each_second(void **state)
{
	struct fixture *f = *state;

	fill(f);
	f->m.children[2].wants_retire = true;
	assert_int_equal(schedule_next(&f->m), at(1));
}

static void
test_while_starting_only_the_child_counts(void **state)
{
	struct fixture *f = *state;

	f->m.phase = PHASE_STARTING;
	fixture_child(f, 0, LIFECYCLE_STARTING);
	assert_int_equal(schedule_next(&f->m), NEVER);
	f->m.children[0].deadline_ns = at(60);
	assert_int_equal(schedule_next(&f->m), at(60));
}

static void
test_a_stop_has_an_end(void **state)
{
	struct fixture *f = *state;

	f->m.phase = PHASE_STOPPING;
	f->m.give_up_ns = at(8);
	fixture_child(f, 0, LIFECYCLE_STOPPING);
	assert_int_equal(schedule_next(&f->m), at(8));
	f->m.children[0].deadline_ns = at(2);
	assert_int_equal(schedule_next(&f->m), at(2));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_settled_pool_never_wakes_the_master),
		TEST(test_a_pool_that_may_change_is_looked_at_each_second),
		TEST(test_the_earliest_deadline_of_a_child_counts),
		TEST(test_a_throttled_start_has_its_moment),
		TEST(test_replacements_are_seen_to_each_second),
		TEST(test_while_starting_only_the_child_counts),
		TEST(test_a_stop_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
