/*
 * test_scale.c - more and fewer processes, of a master without real ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"
#include "fixture.h"
#include "master/census.h"
#include "master/scale.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

static int
remove_fixture(void **state)
{
	struct fixture *f = *state;

	if (f->generation.config_fd >= 0)
		close(f->generation.config_fd);
	return fixture_remove(state);
}

static unsigned
count(const struct fixture *f, enum lifecycle life)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		n += f->m.children[i].life == life;
	return n;
}

static void
scale(struct fixture *f, long n)
{
	struct err err = {0};

	assert_int_equal(scale_begin(&f->m, n, &err), 0);
	scale_turn(&f->m);
}

static void
test_what_is_missing_is_owed(void **state)
{
	struct fixture *f = *state;
	struct mpm_limits limits;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_child(f, 1, LIFECYCLE_STARTING);
	fixture_child(f, 2, LIFECYCLE_DRAINING);
	scale(f, 6);
	assert_int_equal(f->m.owed, 4);
	assert_true(f->m.scale.running);
	limits = census_limits(&f->m);
	assert_int_equal(limits.min_spare, 6);
	assert_int_equal(census_limit(&f->m), 6);
	for (unsigned slot = 3; slot < 7; slot++)
		fixture_child(f, slot, LIFECYCLE_READY);
	scale_turn(&f->m);
	assert_true(f->m.scale.running); /* one is still starting */
	f->m.children[1].life = LIFECYCLE_READY;
	scale_turn(&f->m);
	assert_false(f->m.scale.running);
}

static void
test_idle_children_go_before_busy_ones(void **state)
{
	struct fixture *f = *state;

	for (unsigned slot = 0; slot < 4; slot++)
		fixture_child(f, slot, LIFECYCLE_READY);
	fixture_work(f, 2, WSGID_WORKER_WRITE);
	fixture_work(f, 3, WSGID_WORKER_WRITE);
	scale(f, 2);
	assert_int_equal(f->m.children[2].life, LIFECYCLE_READY);
	assert_int_equal(f->m.children[3].life, LIFECYCLE_READY);
	assert_int_equal(count(f, LIFECYCLE_DRAINING), 2);
	scale(f, 1);
	assert_int_equal(f->m.children[2].life, LIFECYCLE_READY);
	assert_int_equal(count(f, LIFECYCLE_DRAINING), 3);
	assert_false(f->m.scale.running);
}

static void
test_who_serves_stays_and_who_still_starts_goes(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_child(f, 1, LIFECYCLE_STARTING);
	fixture_child(f, 2, LIFECYCLE_READY)->wants_retire = true;
	fixture_child(f, 3, LIFECYCLE_STARTING)->replacement = true;
	scale(f, 2);
	assert_int_equal(count(f, LIFECYCLE_READY), 2);
	assert_int_equal(f->m.children[1].life, LIFECYCLE_STOPPING);
	assert_int_equal(f->m.children[3].life, LIFECYCLE_STARTING);
}

static void
test_under_worker_it_counts_processes_too(void **state)
{
	struct fixture *f = *state;

	for (unsigned slot = 0; slot < 4; slot++)
		fixture_child(f, slot, LIFECYCLE_READY);
	scale(f, 3);
	assert_int_equal(count(f, LIFECYCLE_READY), 3);
	assert_int_equal(census_worker_limit(&f->m), 3 * THREADS);
	assert_int_equal(f->generation.config->min_spare_threads, 3 * THREADS);
}

static void
test_who_was_alone_is_replaced_and_knows_of_the_others(void **state)
{
	struct fixture *f = *state;
	struct child *alone = fixture_child(f, 0, LIFECYCLE_READY);

	scale(f, 1);
	assert_false(alone->wants_retire);
	scale(f, 2);
	assert_true(alone->wants_retire);
	fixture_child(f, 1, LIFECYCLE_READY);
	scale_turn(&f->m);
	assert_true(f->m.scale.running);
	alone->life = LIFECYCLE_DRAINING;
	fixture_child(f, 2, LIFECYCLE_READY);
	scale_turn(&f->m);
	assert_false(f->m.scale.running);
}

static void
test_it_ends_although_some_have_done_their_share(void **state)
{
	struct fixture *f = *state;

	for (unsigned slot = 0; slot < 3; slot++)
		fixture_child(f, slot, LIFECYCLE_READY);
	f->m.children[1].wants_retire = true;
	fixture_child(f, 3, LIFECYCLE_STARTING)->replacement = true;
	scale(f, 3);
	scale_turn(&f->m);
	assert_false(f->m.scale.running);
	assert_int_equal(count(f, LIFECYCLE_READY), 3);
}

static void
test_it_ends_with_a_reload_and_with_children_that_fail(void **state)
{
	struct fixture *f = *state;

	scale(f, 2);
	f->generation.number++;
	scale_turn(&f->m);
	assert_false(f->m.scale.running);

	scale(f, 3);
	f->m.throttle.failures++;
	scale_turn(&f->m);
	assert_false(f->m.scale.running);
	assert_int_equal(census_limit(&f->m), 3);

	scale(f, 4);
	f->m.phase = PHASE_STOPPING;
	scale_turn(&f->m);
	assert_false(f->m.scale.running);
}

static void
test_what_cannot_be_done_changes_nothing(void **state)
{
	struct fixture *f = *state;
	static const struct {
		long n;
		enum phase phase;
		bool reloading;
		const char *part;
	} cases[] = {
		{0, PHASE_RUNNING, false, "from 1 to ServerLimit of 8"},
		{9, PHASE_RUNNING, false, "needs a stop and a start"},
		{2, PHASE_STARTING, false, "still starting"},
		{2, PHASE_STOPPING, false, "being stopped"},
		{2, PHASE_RUNNING, true, "a reload is running"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};

		f->m.phase = cases[i].phase;
		f->m.reloading = cases[i].reloading;
		assert_true(scale_begin(&f->m, cases[i].n, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].part));
		assert_false(f->m.scale.running);
		assert_int_equal(census_limit(&f->m), 4);
	}
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, remove_fixture)
#define TEST_WORKER(name)                \
	cmocka_unit_test_setup_teardown( \
		name, fixture_make_worker, remove_fixture)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_missing_is_owed),
		TEST(test_idle_children_go_before_busy_ones),
		TEST(test_who_serves_stays_and_who_still_starts_goes),
		TEST_WORKER(test_under_worker_it_counts_processes_too),
		TEST(test_who_was_alone_is_replaced_and_knows_of_the_others),
		TEST(test_it_ends_although_some_have_done_their_share),
		TEST(test_it_ends_with_a_reload_and_with_children_that_fail),
		TEST(test_what_cannot_be_done_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
