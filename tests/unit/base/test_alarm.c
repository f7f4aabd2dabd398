/*
 * test_alarm.c - a time at which one thread goes on, that others put off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"

static const int64_t ms = 1000000, long_ns = 20000000000;

struct sleeper {
	struct alarm alarm;
	int64_t timeout_ns;
	atomic_bool ready;
	int rc;
	int64_t woke_ns;
};

static void *
sleep_on(void *arg)
{
	struct sleeper *s = arg;
	struct err err = {0};

	s->rc = alarm_open(&s->alarm, &err);
	atomic_store(&s->ready, true);
	if (s->rc == 0)
		alarm_wait(s->timeout_ns);
	s->woke_ns = clock_monotonic_ns();
	alarm_close(&s->alarm);
	return NULL;
}

static pthread_t
start(struct sleeper *s)
{
	pthread_t thread;

	assert_int_equal(
		thread_start_helper(&thread, 64 * 1024, 0, sleep_on, s), 0);
	while (!atomic_load(&s->ready))
		continue;
	return thread;
}

static void
test_it_goes_off_when_it_is_time_and_not_before(void **state)
{
	struct sleeper s = {.timeout_ns = -1};
	pthread_t thread = start(&s);
	int64_t at_ns = clock_monotonic_ns() + 30 * ms;

	(void)state;
	alarm_set(&s.alarm, at_ns);
	pthread_join(thread, NULL);
	assert_true(s.woke_ns >= at_ns);
}

static void
test_it_can_be_put_off_and_brought_forward(void **state)
{
	struct sleeper s = {.timeout_ns = -1};
	pthread_t thread = start(&s);
	int64_t first_ns = clock_monotonic_ns() + 60 * ms, at_ns;

	(void)state;
	alarm_set(&s.alarm, first_ns);
	at_ns = first_ns + 40 * ms;
	alarm_set(&s.alarm, at_ns);
	pthread_join(thread, NULL);
	assert_true(s.woke_ns >= at_ns);

	s = (struct sleeper){.timeout_ns = -1};
	thread = start(&s);
	at_ns = clock_monotonic_ns() + long_ns;
	alarm_set(&s.alarm, at_ns);
	alarm_set(&s.alarm, clock_monotonic_ns() + ms);
	pthread_join(thread, NULL);
	assert_true(s.woke_ns < at_ns);
}

/* In whatever order the two come. */
static void
test_what_is_past_goes_off_at_once(void **state)
{
	(void)state;
	for (int64_t at_ns = -1; at_ns <= 1; at_ns++) {
		struct sleeper s = {.timeout_ns = -1};
		pthread_t thread = start(&s);

		alarm_set(&s.alarm, at_ns);
		pthread_join(thread, NULL);
	}
}

static void
test_nobody_waits_longer_than_he_would(void **state)
{
	struct sleeper s = {.timeout_ns = 5 * ms};
	pthread_t thread = start(&s);

	(void)state;
	alarm_set(&s.alarm, clock_monotonic_ns() + long_ns);
	pthread_join(thread, NULL);
}

static void
test_one_that_is_not_open_is_set_by_nobody(void **state)
{
	struct alarm a = {0};

	(void)state;
	alarm_set(&a, 1);
	alarm_close(&a);
}

static void
test_a_user_may_have_too_many(void **state)
{
	struct rlimit before, none;
	struct sleeper s = {.timeout_ns = -1};

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	pthread_join(start(&s), NULL);
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &before), 0);
	assert_int_equal(s.rc, -EAGAIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_it_goes_off_when_it_is_time_and_not_before),
		cmocka_unit_test(test_it_can_be_put_off_and_brought_forward),
		cmocka_unit_test(test_what_is_past_goes_off_at_once),
		cmocka_unit_test(test_nobody_waits_longer_than_he_would),
		cmocka_unit_test(test_one_that_is_not_open_is_set_by_nobody),
		cmocka_unit_test(test_a_user_may_have_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
