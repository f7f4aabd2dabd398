/*
 * test_pulse.c - the time at which the GIL was last had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>

#include <cmocka.h>

#include "base/clock.h"
#include "child/pulse.h"
#include "wsgid/scoreboard.h"

static int64_t
next_beat(const struct wsgid_page *page, int64_t before)
{
	int64_t now;

	while ((now = __atomic_load_n(&page->gil_us, __ATOMIC_RELAXED)) == before)
		(void)poll(NULL, 0, 1);
	return now;
}

static void
test_the_time_goes_on_for_as_long_as_the_gil_can_be_had(void **state)
{
	struct wsgid_page page = {0};
	int64_t begin_us = clock_real_us(), beat = 0;
	struct pulse *p = pulse_start(NULL, 20, &page);

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 5; i++) {
		int64_t next = next_beat(&page, beat);

		assert_true(next > beat && next >= begin_us);
		beat = next;
	}
	pulse_stop(p);
}

static void
test_it_ends_at_once_in_the_middle_of_its_pause(void **state)
{
	struct wsgid_page page = {0};
	int64_t begin;
	struct pulse *p = pulse_start(NULL, 300000, &page);

	(void)state;
	assert_non_null(p);
	(void)next_beat(&page, 0);
	begin = clock_monotonic_ns();
	pulse_stop(p);
	/* The pause is 30 s. */
	assert_true(clock_monotonic_ns() - begin < INT64_C(15000000000));
	pulse_stop(NULL);
}

/* Before the thread has ever run, which it may not when the GIL is kept. */
static void
test_the_first_time_is_that_of_the_start(void **state)
{
	struct wsgid_page page = {0};
	int64_t begin_us = clock_real_us();
	int64_t begin_monotonic_us = clock_monotonic_ns() / 1000;
	struct pulse *p = pulse_start(NULL, 300000, &page);

	(void)state;
	assert_non_null(p);
	assert_true(__atomic_load_n(&page.gil_us, __ATOMIC_RELAXED) >= begin_us);
	assert_true(__atomic_load_n(&page.gil_monotonic_us, __ATOMIC_RELAXED) >=
		    begin_monotonic_us);
	pulse_stop(p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_time_goes_on_for_as_long_as_the_gil_can_be_had),
		cmocka_unit_test(
			test_it_ends_at_once_in_the_middle_of_its_pause),
		cmocka_unit_test(test_the_first_time_is_that_of_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
