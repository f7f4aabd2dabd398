/*
 * test_board.c - what the master shows of itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "fixture.h"
#include "master/board.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

/* The fixture's own scoreboard is made by hand. */
static struct wsgid_board *
make_board(struct fixture *f)
{
	struct err err = {0};

	scoreboard_destroy(f->m.scoreboard, 1);
	f->m.scoreboard = NULL;
	assert_int_equal(board_create(&f->m, &err), 0);
	return scoreboard_board(f->m.scoreboard);
}

static void
test_prefork_is_shown_with_one_worker_a_child(void **state)
{
	struct fixture *f = *state;
	const struct wsgid_board *b = make_board(f);

	assert_string_equal(b->mpm, "prefork");
	assert_int_equal(b->process_count, SLOTS);
	assert_int_equal(b->worker_count, 1);
	assert_int_equal(b->max_request_workers, 4);
}

static void
test_worker_is_shown_with_room_for_thread_limit(void **state)
{
	struct fixture *f = *state;
	const struct wsgid_board *b = make_board(f);

	assert_string_equal(b->mpm, "worker");
	assert_int_equal(b->process_count, SLOTS);
	assert_int_equal(b->worker_count, THREAD_LIMIT);
	assert_int_equal(b->max_request_workers, 12);
}

static void
test_a_child_is_shown_with_the_threads_that_it_has(void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 2, LIFECYCLE_STARTING);
	const struct wsgid_process *p;

	make_board(f);
	board_show_child(&f->m, c);
	p = scoreboard_process(f->m.scoreboard, 2);
	assert_int_equal(p->workers, THREADS);
	assert_int_equal(p->lifecycle, WSGID_PROCESS_STARTING);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
#define WORKER_TEST(name)                \
	cmocka_unit_test_setup_teardown( \
		name, fixture_make_worker, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_prefork_is_shown_with_one_worker_a_child),
		WORKER_TEST(test_worker_is_shown_with_room_for_thread_limit),
		WORKER_TEST(test_a_child_is_shown_with_the_threads_that_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
