/*
 * test_thread.c - helper threads take no signal that is for others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>

#include "base/thread.h"

static _Thread_local char much[256 * 1024];

static void *
tell_mask(void *arg)
{
	much[0] = 1;
	pthread_sigmask(SIG_BLOCK, NULL, arg);
	return NULL;
}

static void
test_a_helper_takes_no_signal_but_the_one_that_is_named(void **state)
{
	static const int named[] = {0, SIGURG};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sigset_t before, mask, after;
		pthread_t thread;

		pthread_sigmask(SIG_BLOCK, NULL, &before);
		assert_int_equal(thread_start_helper(&thread, 128 * 1024,
					 named[i], tell_mask, &mask),
			0);
		pthread_join(thread, NULL);
		assert_true(sigismember(&mask, SIGTERM));
		assert_true(sigismember(&mask, SIGUSR2));
		assert_int_equal(sigismember(&mask, SIGURG), named[i] == 0);
		pthread_sigmask(SIG_BLOCK, NULL, &after);
		assert_int_equal(sigismember(&after, SIGTERM),
			sigismember(&before, SIGTERM));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_helper_takes_no_signal_but_the_one_that_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
