/*
 * test_lifecycle.c - the table walked as lives, and deaths judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>

#include <cmocka.h>

#include "base/defs.h"
#include "mpm/mpm.h"

enum {
	F = LIFECYCLE_FORKED,
	R = LIFECYCLE_REPORTED_READY,
	RETIRE = LIFECYCLE_TOLD_TO_RETIRE,
	STOP = LIFECYCLE_TOLD_TO_STOP,
	D = LIFECYCLE_DIED
};

static void
test_lives_end_where_they_should(void **state)
{
	static const struct {
		int events[6];
		size_t n;
		int ends; /* the state after the last, or -1 */
	} lives[] = {
		{{F}, 1, LIFECYCLE_STARTING},
		{{F, R}, 2, LIFECYCLE_READY},
		{{F, R, RETIRE}, 3, LIFECYCLE_DRAINING},
		{{F, R, RETIRE, RETIRE}, 4, LIFECYCLE_DRAINING},
		{{F, R, RETIRE, STOP}, 4, LIFECYCLE_STOPPING},
		{{F, R, STOP, RETIRE}, 4, LIFECYCLE_STOPPING},
		{{F, R, STOP, STOP}, 4, LIFECYCLE_STOPPING},
		/* told to go before it was READY, and the word comes late */
		{{F, RETIRE, R}, 3, LIFECYCLE_DRAINING},
		{{F, STOP, R}, 3, LIFECYCLE_STOPPING},
		/* says it twice */
		{{F, R, R}, 3, LIFECYCLE_READY},
		/* dies in any state, and the slot is used again */
		{{F, D, F}, 3, LIFECYCLE_STARTING},
		{{F, R, D}, 3, LIFECYCLE_VACANT},
		{{F, R, RETIRE, D}, 4, LIFECYCLE_VACANT},
		{{F, R, STOP, D, F, R}, 6, LIFECYCLE_READY},
		/* bugs of the master */
		{{D}, 1, -1},
		{{R}, 1, -1},
		{{RETIRE}, 1, -1},
		{{STOP}, 1, -1},
		{{F, F}, 2, -1},
		{{F, R, F}, 3, -1},
		{{F, RETIRE, F}, 3, -1},
		{{F, STOP, F}, 3, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		int now = LIFECYCLE_VACANT;

		for (size_t k = 0; k < lives[i].n; k++) {
			assert_int_not_equal(now, -1);
			now = lifecycle_after((enum lifecycle)now,
				(enum lifecycle_event)lives[i].events[k]);
		}
		if (now != lives[i].ends)
			fail_msg("life %zu ends in %d", i, now);
	}
}

static void
test_what_is_outside_the_table_makes_no_sense(void **state)
{
	(void)state;
	assert_int_equal(lifecycle_after(LIFECYCLE_STATES, LIFECYCLE_DIED), -1);
	assert_int_equal(
		lifecycle_after(LIFECYCLE_READY, LIFECYCLE_EVENTS), -1);
	assert_int_equal(
		lifecycle_after((enum lifecycle) - 1, LIFECYCLE_DIED), -1);
	assert_string_equal(lifecycle_name(LIFECYCLE_STATES), "unknown");
}

static void
test_every_state_has_a_name(void **state)
{
	static const char *const names[] = {
		"vacant", "starting", "ready", "draining", "stopping"};

	(void)state;
	assert_int_equal(ARRAY_LEN(names), LIFECYCLE_STATES);
	for (int i = 0; i < LIFECYCLE_STATES; i++)
		assert_string_equal(
			lifecycle_name((enum lifecycle)i), names[i]);
}

static void
test_deaths_are_judged(void **state)
{
	enum { CORE = 0x80 };
	static const struct {
		int wait_status;
		bool told;
		enum lifecycle_verdict verdict;
	} deaths[] = {
		{0 << 8, false, VERDICT_NORMAL},
		{CHILD_EXIT_APPLICATION << 8, false, VERDICT_APPLICATION},
		{CHILD_EXIT_SICK << 8, false, VERDICT_SICK},
		{CHILD_EXIT_FATAL << 8, false, VERDICT_FATAL},
		{CHILD_EXIT_CONFIG << 8, false, VERDICT_FATAL},
		{CHILD_EXIT_DEPRIVED << 8, false, VERDICT_NORMAL},
		{3 << 8, false, VERDICT_CRASHED},   /* os._exit(3) */
		{127 << 8, false, VERDICT_CRASHED}, /* exec failed */
		{255 << 8, false, VERDICT_CRASHED},
		{SIGSEGV, false, VERDICT_CRASHED},
		{SIGSEGV | CORE, false, VERDICT_CRASHED},
		{SIGABRT | CORE, false, VERDICT_CRASHED},
		{SIGKILL, false, VERDICT_CRASHED}, /* out of memory */
		{SIGTERM, false, VERDICT_CRASHED}, /* somebody else's */
		{0 << 8, true, VERDICT_NORMAL},
		{SIGKILL, true, VERDICT_NORMAL},
		{SIGTERM, true, VERDICT_NORMAL},
		{SIGSEGV, true, VERDICT_NORMAL},
		{CHILD_EXIT_APPLICATION << 8, true, VERDICT_NORMAL},
		{CHILD_EXIT_FATAL << 8, true, VERDICT_NORMAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(deaths); i++) {
		int got = lifecycle_verdict(
			deaths[i].wait_status, deaths[i].told);

		if (got != (int)deaths[i].verdict)
			fail_msg("death %zu: %d", i, got);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives_end_where_they_should),
		cmocka_unit_test(test_what_is_outside_the_table_makes_no_sense),
		cmocka_unit_test(test_every_state_has_a_name),
		cmocka_unit_test(test_deaths_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
