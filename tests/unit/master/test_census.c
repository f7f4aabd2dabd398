/*
 * test_census.c - who is there, and who is idle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"

static void
test_each_state_is_counted_once(void **state)
{
	struct fixture *f = *state;
	struct census census;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_child(f, 1, LIFECYCLE_STARTING)->replacement = true;
	fixture_child(f, 2, LIFECYCLE_DRAINING);
	fixture_child(f, 3, LIFECYCLE_STOPPING);
	fixture_child(f, 5, LIFECYCLE_READY)->wants_retire = true;
	fixture_child(f, 6, LIFECYCLE_READY)->generation = 0;
	census_take(&f->m, &census);
	assert_int_equal(census.ready, 3);
	assert_int_equal(census.starting, 1);
	assert_int_equal(census.replacements, 1);
	assert_int_equal(census.draining, 2);
	assert_int_equal(census.outgoing, 2);
	assert_int_equal(census_vacant(&f->m, &census), 0);
}

static void
test_the_draining_leave_room_for_others(void **state)
{
	struct fixture *f = *state;
	struct census census;

	fixture_child(f, 0, LIFECYCLE_READY);
	for (unsigned i = 1; i < SLOTS; i++)
		fixture_child(f, i, LIFECYCLE_DRAINING);
	census_take(&f->m, &census);
	assert_int_equal(census_vacant(&f->m, &census), 3);
}

static void
test_a_page_says_who_is_busy(void **state)
{
	static const struct {
		uint32_t state;
		int idle;
	} cases[] = {
		{WSGID_WORKER_READY, 1}, {WSGID_WORKER_STARTING, 1},
		{WSGID_WORKER_DEAD, 1}, {0, 1}, {WSGID_WORKER_READ, 0},
		{WSGID_WORKER_WRITE, 0}, {WSGID_WORKER_LOG, 0},
		{WSGID_WORKER_CLOSING, 0}, {WSGID_WORKER_GRACEFUL, 0},
		{0xdeadbeef, 0}, /* a lie */
	};
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct census census;
		struct mpm_census counts;

		fixture_work(f, 0, cases[i].state);
		census_take(&f->m, &census);
		census_look(&f->m, &census);
		counts = census_for_policy(&f->m, &census);
		assert_int_equal(counts.idle, cases[i].idle);
		assert_int_equal(counts.busy, 1 - cases[i].idle);
		assert_int_equal(counts.vacant, 3);
	}
}

static void
test_starting_children_count_as_idle(void **state)
{
	struct fixture *f = *state;
	struct census census;

	fixture_child(f, 0, LIFECYCLE_STARTING);
	fixture_child(f, 1, LIFECYCLE_STARTING);
	census_take(&f->m, &census);
	census_look(&f->m, &census);
	assert_int_equal(census_for_policy(&f->m, &census).idle, 2);
}

static void
test_the_idle_child_of_the_highest_slot_goes(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_child(f, 1, LIFECYCLE_READY);
	fixture_child(f, 2, LIFECYCLE_READY);
	fixture_child(f, 3, LIFECYCLE_STARTING);
	fixture_work(f, 2, WSGID_WORKER_WRITE);
	assert_ptr_equal(census_idle_child(&f->m), &f->m.children[1]);
	fixture_work(f, 1, WSGID_WORKER_WRITE);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	assert_null(census_idle_child(&f->m));
}

static void
test_a_pool_that_cannot_change_is_settled(void **state)
{
	struct fixture *f = *state;
	struct census census;

	f->generation.config->max_spare_servers = 4;
	for (unsigned i = 0; i < 4; i++) {
		census_take(&f->m, &census);
		assert_false(census_settled(&f->m, &census));
		fixture_child(f, i, LIFECYCLE_READY);
	}
	census_take(&f->m, &census);
	assert_true(census_settled(&f->m, &census));
	f->generation.config->max_spare_servers = 3;
	assert_false(census_settled(&f->m, &census));
}

static void
test_server_limit_of_the_start_holds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(census_limit(&f->m), 4);
	f->m.server_limit = 3;
	assert_int_equal(census_limit(&f->m), 3);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_state_is_counted_once),
		TEST(test_the_draining_leave_room_for_others),
		TEST(test_a_page_says_who_is_busy),
		TEST(test_starting_children_count_as_idle),
		TEST(test_the_idle_child_of_the_highest_slot_goes),
		TEST(test_a_pool_that_cannot_change_is_settled),
		TEST(test_server_limit_of_the_start_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
