/*
 * test_stop.c - when does the exit status of a stop say that requests were cut
 * off?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/exits.h"
#include "fixture.h"

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

	stop_reaped(&f->m, exited(CHILD_EXIT_CUT));
	assert_false(f->m.cut_short); /* a reload, say */
	f->m.drains = true;
	stop_reaped(&f->m, exited(CHILD_EXIT_OK));
	stop_reaped(&f->m, 9); /* SIGKILL: we know why */
	assert_false(f->m.cut_short);
	stop_reaped(&f->m, exited(CHILD_EXIT_CUT));
	assert_true(f->m.cut_short);
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

	fixture_child(f, 0, LIFECYCLE_DRAINING);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	stop_cuts(&f->m);
	f->m.drains = f->m.stop_now = true;
	stop_cuts(&f->m);
	stop_reaped(&f->m, exited(CHILD_EXIT_CUT));
	assert_false(f->m.cut_short);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_a_child_that_left_its_clients_when_its_time_was_over_is_told),
		TEST(test_children_that_are_killed_cut_off_what_they_have),
		TEST(test_who_is_told_to_stop_at_once_has_nothing_to_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
