/*
 * test_changes.c - which changes of files are reloads, and when.
 *
 * A master that still starts only notes that a reload is wanted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "fixture.h"
#include "master/changes.h"
#include "mpm/mpm.h"

static int
make(void **state)
{
	int rc = fixture_make(state);
	struct fixture *f = *state;

	if (rc != 0)
		return rc;
	f->m.phase = PHASE_STARTING;
	f->generation.config->reload = true;
	fixture_child(f, 0, LIFECYCLE_READY);
	return 0;
}

/* After so long a child tells of a change. */
static void
hear(struct fixture *f, int64_t ms)
{
	f->m.now_ns += ms * MS_NS;
	changes_heard(&f->m, &f->m.children[0], "/srv/shop/words.py");
}

/* Has a reload begun?  It is over at once. */
static bool
reloads(struct fixture *f)
{
	bool wanted = f->m.reload_wanted;

	f->m.reload_wanted = false;
	if (wanted)
		f->m.reload_since_ns = f->m.reload_over_ns = f->m.now_ns;
	return wanted;
}

/* What it was until then; 0: it waits for none. */
static int64_t
wait_for_reload(struct fixture *f)
{
	int64_t due = changes_deadline(&f->m);
	int64_t ms = (due - f->m.now_ns) / MS_NS;

	if (reloads(f) || due == NEVER)
		return 0;
	f->m.now_ns = due - 1;
	changes_turn(&f->m);
	assert_false(reloads(f));
	f->m.now_ns = due;
	changes_turn(&f->m);
	assert_true(reloads(f));
	return ms;
}

static void
test_there_is_at_most_one_reload_a_second_and_no_change_is_lost(void **state)
{
	struct fixture *f = *state;

	hear(f, 0);
	assert_true(reloads(f));
	hear(f, 300);
	hear(f, 300);
	assert_int_equal(wait_for_reload(f), 400);
	assert_int_equal(changes_deadline(&f->m), NEVER);
	hear(f, 1000);
	assert_true(reloads(f));
}

static void
test_where_each_import_is_followed_by_a_change_there_is_ever_more_time(
	void **state)
{
	static const int64_t waits[] = {1000, 1000, 1000, 1000, 2000, 4000};
	struct fixture *f = *state;

	hear(f, 0);
	assert_true(reloads(f));
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		hear(f, 0);
		assert_int_equal(wait_for_reload(f), waits[i]);
	}
	/* Somebody else has made this one, and looks for what comes of it. */
	hear(f, 0);
	hear(f, 3000);
	assert_true(reloads(f));
	hear(f, 0);
	assert_int_equal(wait_for_reload(f), 1000);
}

static void
test_while_a_child_imports_a_change_may_be_its_own(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 1, LIFECYCLE_STARTING);
	for (int i = 0; i < 5; i++) {
		hear(f, 5000);
		assert_true(reloads(f));
	}
	hear(f, 0);
	assert_int_equal(wait_for_reload(f), 2000);
}

static void
test_a_reload_for_another_reason_brings_the_change_too(void **state)
{
	struct fixture *f = *state;

	hear(f, 0);
	assert_true(reloads(f));
	hear(f, 0);
	changes_forget(&f->m);
	assert_int_equal(changes_deadline(&f->m), NEVER);
	f->m.now_ns += 5000 * MS_NS;
	changes_turn(&f->m);
	assert_false(reloads(f));
}

static void
test_who_is_going_has_no_say(void **state)
{
	struct fixture *f = *state;

	f->m.children[0].generation = 0;
	hear(f, 0);
	assert_false(reloads(f));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_there_is_at_most_one_reload_a_second_and_no_change_is_lost),
		TEST(test_where_each_import_is_followed_by_a_change_there_is_ever_more_time),
		TEST(test_while_a_child_imports_a_change_may_be_its_own),
		TEST(test_a_reload_for_another_reason_brings_the_change_too),
		TEST(test_who_is_going_has_no_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
