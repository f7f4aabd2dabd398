/*
 * test_stop.c - when does the exit status of a stop say that requests were cut
 * off?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "base/exits.h"
#include "fixture.h"
#include "master/census.h"
#include "master/stop.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

/* As waitpid(2) has it. */
static int
exited(int status)
{
	return status << 8;
}

static void
test_a_child_that_left_its_clients_when_its_time_was_over_is_told(void **state)
{
	struct fixture *f = *state;

	struct child child = {.cut = 3};

	stop_reaped(&f->m, &child, 0, exited(CHILD_EXIT_CUT));
	assert_false(f->m.cut_short); /* a reload, say */
	f->m.drains = true;
	stop_reaped(&f->m, &child, 0, exited(CHILD_EXIT_OK));
	assert_false(f->m.cut_short);
	stop_reaped(&f->m, &child, 0, exited(CHILD_EXIT_CUT));
	assert_true(f->m.cut_short);
	assert_int_equal(f->m.cut, 3);
}

static void
test_a_child_that_dies_with_requests_has_cut_them_off(void **state)
{
	struct fixture *f = *state;
	struct child child = {0};

	f->m.drains = true;
	stop_reaped(&f->m, &child, 0, SIGKILL); /* it was in none */
	assert_false(f->m.cut_short);
	stop_reaped(&f->m, &child, 2, SIGKILL);
	stop_reaped(&f->m, &child, 1, exited(3)); /* os._exit */
	assert_true(f->m.cut_short);
	assert_int_equal(f->m.cut, 3);
}

static void
test_what_a_child_had_not_finished_is_in_its_page(void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_DRAINING);

	assert_int_equal(census_unfinished(&f->m, c), 0);
	fixture_work(f, 0, WSGID_WORKER_IDLE_KILL);
	assert_int_equal(census_unfinished(&f->m, c), 0);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	assert_int_equal(census_unfinished(&f->m, c), 1);
}

static void
test_children_that_are_killed_cut_off_what_they_have(void **state)
{
	struct fixture *f = *state;

	f->m.drains = true;
	fixture_child(f, 0, LIFECYCLE_DRAINING);
	fixture_work(f, 0, WSGID_WORKER_GRACEFUL);
	stop_cuts(&f->m);
	assert_false(f->m.cut_short); /* Python has not come to its end */
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	stop_cuts(&f->m);
	assert_true(f->m.cut_short);
}

static void
test_who_is_told_to_stop_at_once_has_nothing_to_finish(void **state)
{
	struct fixture *f = *state;
	struct child child = {0};

	fixture_child(f, 0, LIFECYCLE_DRAINING);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	stop_cuts(&f->m);
	f->m.drains = f->m.stop_now = true;
	stop_cuts(&f->m);
	stop_reaped(&f->m, &child, 1, exited(CHILD_EXIT_CUT));
	assert_false(f->m.cut_short);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_a_child_that_left_its_clients_when_its_time_was_over_is_told),
		TEST(test_a_child_that_dies_with_requests_has_cut_them_off),
		TEST(test_what_a_child_had_not_finished_is_in_its_page),
		TEST(test_children_that_are_killed_cut_off_what_they_have),
		TEST(test_who_is_told_to_stop_at_once_has_nothing_to_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
