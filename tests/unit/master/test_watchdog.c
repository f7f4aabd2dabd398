/*
 * test_watchdog.c - when is it right to say that the server is well?
 *
 * Both limits are 300 s, as without a configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "fixture.h"
#include "master/watchdog.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

enum { LIMIT_S = 300 };

/* What two children show in their pages. */
struct show {
	struct wsgid_page_map map[2];
};

static struct show
two_children(struct fixture *f)
{
	struct show s;
	struct err err = {0};

	log_set_level(LOG_LEVEL_ERROR);
	log_open(f->m.null_fd, LOG_PLAIN);
	for (unsigned i = 0; i < 2; i++) {
		int fd;

		fixture_child(f, i, LIFECYCLE_READY);
		fd = scoreboard_renew_page(f->m.scoreboard, i, &err);
		assert_true(fd >= 0);
		assert_int_equal(
			scoreboard_map_page(&s.map[i], fd,
				(unsigned)f->generation.config->thread_limit,
				&err),
			0);
		close(fd);
		s.map[i].page->gil_us = 1;
		for (unsigned k = 0; k < f->m.children[i].workers; k++)
			s.map[i].workers[k].state = WSGID_WORKER_READY;
	}
	return s;
}

/* So many seconds later. */
static bool
progress_after(struct fixture *f, int seconds)
{
	f->m.now_ns += seconds * SECOND_NS;
	return watchdog_progress(&f->m);
}

static void
begin(struct show *s, unsigned child, unsigned worker, int64_t when_us)
{
	s->map[child].workers[worker].state = WSGID_WORKER_WRITE;
	s->map[child].workers[worker].begin_us = when_us;
}

static void
test_idle_children_that_get_the_gil_make_progress_for_ever(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	for (int i = 0; i < 100; i++) {
		s.map[0].page->gil_us++;
		s.map[1].page->gil_us++;
		assert_true(progress_after(f, 30));
	}
}

static void
test_nobody_has_had_the_gil_for_deadlock_timeout(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, LIMIT_S));
	assert_false(progress_after(f, 1));
	/* And again when one of them has it. */
	s.map[1].page->gil_us++;
	assert_true(progress_after(f, 1));
}

static void
test_one_child_that_gets_the_gil_is_enough(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	for (int i = 0; i < 100; i++) {
		s.map[1].page->gil_us++;
		assert_true(progress_after(f, 30));
	}
}

static void
test_all_workers_are_in_requests_of_more_than_watchdog_request_time(
	void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	f->generation.config->deadlock_timeout = 0;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < f->m.children[i].workers; k++)
			begin(&s, i, k, 100 + k);
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, LIMIT_S));
	assert_false(progress_after(f, 1));
	/* One has ended, and the next one has begun. */
	begin(&s, 0, 0, 200);
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, LIMIT_S));
	assert_false(progress_after(f, 1));
	/* One has ended, and there is no next. */
	s.map[1].workers[0].state = WSGID_WORKER_READY;
	assert_true(progress_after(f, 1));
}

static void
test_one_deadlocked_and_the_other_overdue_is_no_progress(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	for (unsigned k = 0; k < f->m.children[0].workers; k++)
		begin(&s, 0, k, 100);
	assert_true(progress_after(f, 1));
	for (int i = 0; i < 10; i++) {
		s.map[0].page->gil_us++;
		assert_true(progress_after(f, LIMIT_S / 10));
	}
	s.map[0].page->gil_us++;
	assert_false(progress_after(f, 1));
}

static void
test_nought_is_never(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	f->generation.config->deadlock_timeout = 0;
	f->generation.config->watchdog_request_time = 0;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < f->m.children[i].workers; k++)
			begin(&s, i, k, 100);
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, 100 * LIMIT_S));
	f->m.children[0].life = f->m.children[1].life = LIFECYCLE_VACANT;
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, 100 * LIMIT_S));
}

static void
test_a_child_without_a_pulse_is_not_called_deadlocked(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	s.map[0].page->gil_us = s.map[1].page->gil_us = 0;
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, 100 * LIMIT_S));
}

/* They crash in their import, or hang there, and others take their places. */
static void
test_children_that_start_are_progress_for_watchdog_request_time(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	assert_true(progress_after(f, 1));
	f->m.children[0].life = LIFECYCLE_STARTING;
	f->m.children[1].life = LIFECYCLE_DRAINING;
	assert_true(progress_after(f, LIMIT_S));
	assert_true(progress_after(f, LIMIT_S));
	assert_false(progress_after(f, 1));
	f->m.children[0].life = LIFECYCLE_VACANT;
	assert_false(progress_after(f, 1));
	/* One has come to the end of its start. */
	f->m.children[0].life = LIFECYCLE_READY;
	s.map[0].page->gil_us++;
	assert_true(progress_after(f, 1));
}

static void
test_children_that_become_ready_and_crash_are_no_progress(void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_READY);
	bool progress = true;

	f->m.throttle.failures = 3;
	c->ready_ns = f->m.now_ns;
	assert_true(progress_after(f, 1));
	for (int t = 0; progress && t < 2 * LIMIT_S; t += 5) {
		c->life = t % 10 == 0 ? LIFECYCLE_VACANT : LIFECYCLE_READY;
		c->ready_ns = f->m.now_ns;
		progress = progress_after(f, 5);
	}
	assert_false(progress);
	/* One that stays. */
	c->life = LIFECYCLE_READY;
	c->ready_ns = f->m.now_ns;
	assert_false(progress_after(f, 9));
	assert_true(progress_after(f, 1));
}

/* Crashes in requests are no failures, but they are no progress without an
 * answer between them. */
static void
test_children_that_crash_at_their_first_request_are_no_progress(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	f->generation.config->deadlock_timeout = 0;
	f->m.children[1].life = LIFECYCLE_VACANT;
	throttle_lost(&f->m.throttle, false);
	throttle_lost(&f->m.throttle, false);
	for (int t = 0; t <= LIMIT_S; t += 5) {
		f->m.children[0].ready_ns = f->m.now_ns;
		assert_true(progress_after(f, 5));
	}
	f->m.children[0].ready_ns = f->m.now_ns;
	assert_false(progress_after(f, 5));
	f->m.children[0].ready_ns = f->m.now_ns;
	s.map[0].page->requests = 1;
	assert_true(progress_after(f, 5));
}

static void
test_a_start_and_a_restart_have_a_limit_of_their_own(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_STARTING);
	f->m.phase = PHASE_STARTING;
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, 2 * LIMIT_S));
	f->m.phase = PHASE_RUNNING;
	f->m.restarting = true;
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, 2 * LIMIT_S));
	/* Its first child has failed, and the others fail as well. */
	f->m.restarting = false;
	assert_true(progress_after(f, 1));
	assert_true(progress_after(f, LIMIT_S));
	assert_false(progress_after(f, 1));
}

static void
test_a_clock_that_jumps_is_no_deadlock(void **state)
{
	struct fixture *f = *state;
	struct show s = two_children(f);

	assert_true(progress_after(f, 1));
	s.map[0].page->gil_us = -1000000000;
	for (unsigned k = 0; k < f->m.children[0].workers; k++)
		begin(&s, 0, k, -1000000000000);
	assert_true(progress_after(f, LIMIT_S));
}

static void
test_a_stop_that_lasts_is_not_the_childrens_fault(void **state)
{
	struct fixture *f = *state;

	(void)two_children(f);
	assert_true(progress_after(f, 1));
	f->m.phase = PHASE_STOPPING;
	assert_true(progress_after(f, 100 * LIMIT_S));
}

#define BOTH(test)                                                           \
	cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove), \
		cmocka_unit_test_setup_teardown(                             \
			test, fixture_make_worker, fixture_remove)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		BOTH(test_idle_children_that_get_the_gil_make_progress_for_ever),
		BOTH(test_nobody_has_had_the_gil_for_deadlock_timeout),
		BOTH(test_one_child_that_gets_the_gil_is_enough),
		BOTH(test_all_workers_are_in_requests_of_more_than_watchdog_request_time),
		BOTH(test_one_deadlocked_and_the_other_overdue_is_no_progress),
		BOTH(test_nought_is_never),
		BOTH(test_a_child_without_a_pulse_is_not_called_deadlocked),
		BOTH(test_children_that_start_are_progress_for_watchdog_request_time),
		BOTH(test_children_that_become_ready_and_crash_are_no_progress),
		BOTH(test_children_that_crash_at_their_first_request_are_no_progress),
		BOTH(test_a_start_and_a_restart_have_a_limit_of_their_own),
		BOTH(test_a_clock_that_jumps_is_no_deadlock),
		BOTH(test_a_stop_that_lasts_is_not_the_childrens_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
