/*
 * test_census.c - who is there, and who is idle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "fixture.h"
#include "master/census.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

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
	assert_int_equal(census.obsolete, 1);
	assert_int_equal(census.outgoing, 2);
	/* The one that starts has no place of its own. */
	assert_int_equal(census_vacant(&f->m, &census), 1);
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
	assert_int_equal(census_for_policy(&f->m, &census).starting, 2);
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

/* --- worker ------------------------------------------------------------------- */

static void
test_idle_workers_are_threads_of_ready_children(void **state)
{
	static const struct {
		const char *letters;
		int idle;
	} cases[] = {
		{"___", 3}, {"_W_", 2}, {"RWL", 0}, {"C_G", 1},
		{"_S.", 3}, /* as in Apache: all that is not busy */
		{"_\x01?", 1},
		{"WWW__", 0}, /* of three threads the last two are a lie */
		{"", 3},      /* it has only begun */
	};
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_child(f, 1, LIFECYCLE_STARTING);
	fixture_child(f, 2, LIFECYCLE_DRAINING);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct census census;
		struct mpm_census counts;

		fixture_threads(f, 0, cases[i].letters);
		census_take(&f->m, &census);
		census_look(&f->m, &census);
		assert_int_equal(census.idle, cases[i].idle);
		counts = census_for_policy(&f->m, &census);
		assert_int_equal(counts.idle, cases[i].idle + THREADS);
		assert_int_equal(counts.starting, THREADS);
		assert_int_equal(counts.busy, THREADS - cases[i].idle);
		assert_int_equal(counts.vacant, 2);
	}
}

static void
test_a_child_of_before_a_reload_has_its_own_number_of_threads(void **state)
{
	struct fixture *f = *state;
	struct census census;

	fixture_child(f, 0, LIFECYCLE_READY)->workers = THREAD_LIMIT;
	fixture_threads(f, 0, "____W");
	fixture_child(f, 1, LIFECYCLE_READY);
	fixture_threads(f, 1, "_W_");
	census_take(&f->m, &census);
	census_look(&f->m, &census);
	assert_int_equal(census.workers, THREAD_LIMIT + THREADS);
	assert_int_equal(census.idle, 6);
}

static void
test_max_request_workers_counts_threads(void **state)
{
	struct fixture *f = *state;
	struct census census;

	assert_int_equal(census_limit(&f->m), 4);
	assert_int_equal(census_worker_limit(&f->m), 12);
	f->m.server_limit = 3;
	assert_int_equal(census_limit(&f->m), 3);
	assert_int_equal(census_worker_limit(&f->m), 9);
	for (unsigned i = 0; i < 3; i++)
		fixture_child(f, i, LIFECYCLE_READY);
	census_take(&f->m, &census);
	assert_int_equal(census_vacant(&f->m, &census), 0);
	assert_false(census_settled(&f->m, &census)); /* 9 are above 6 */
	f->generation.config->max_spare_threads = 9;
	assert_true(census_settled(&f->m, &census));
}

static void
test_the_child_with_the_most_idle_threads_goes(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++)
		fixture_child(f, i, LIFECYCLE_READY);
	fixture_child(f, 4, LIFECYCLE_STARTING);
	fixture_threads(f, 0, "___");
	fixture_threads(f, 1, "___");
	fixture_threads(f, 2, "__W");
	fixture_threads(f, 3, "WWW");
	assert_ptr_equal(census_idle_child(&f->m), &f->m.children[1]);
	/* None is all idle: one of them finishes what it has. */
	fixture_threads(f, 0, "W__");
	fixture_threads(f, 1, "WW_");
	assert_ptr_equal(census_idle_child(&f->m), &f->m.children[2]);
	for (unsigned i = 0; i < 4; i++)
		fixture_threads(f, i, "WRL");
	assert_null(census_idle_child(&f->m));
}

static void
test_requests_that_are_being_finished_are_counted(void **state)
{
	struct fixture *f = *state;
	struct census census;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_threads(f, 0, "WW_");
	fixture_child(f, 1, LIFECYCLE_DRAINING);
	fixture_threads(f, 1, "GWW");
	fixture_child(f, 2, LIFECYCLE_DRAINING); /* on its way, with nothing */
	fixture_threads(f, 2, "GGG");
	census_take(&f->m, &census);
	census_look(&f->m, &census);
	assert_int_equal(census.workers - census.idle, 2);
	assert_int_equal(census.finishing, 2);
}

#define WORKER_TEST(name)                \
	cmocka_unit_test_setup_teardown( \
		name, fixture_make_worker, fixture_remove)
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
		WORKER_TEST(test_idle_workers_are_threads_of_ready_children),
		WORKER_TEST(
			test_a_child_of_before_a_reload_has_its_own_number_of_threads),
		WORKER_TEST(test_max_request_workers_counts_threads),
		WORKER_TEST(test_the_child_with_the_most_idle_threads_goes),
		WORKER_TEST(test_requests_that_are_being_finished_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
