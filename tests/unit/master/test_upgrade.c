/*
 * test_upgrade.c - a new master that cannot be begun, and what one says that is told
 * to stop.
 *
 * The new master is this program: see successor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "config/config.h"
#include "fixture.h"
#include "master/heritage.h"
#include "master/master.h"
#include "master/stop.h"
#include "master/upgrade.h"
#include "net/handoff.h"

static char *const words[] = {"sleep", "20", NULL};

static const struct master_order order = {
	.program = "/bin/sleep",
	.argv = words,
	.daemon = true,
};

static void
one_whose_end_nobody_would_tell_is_killed_and_stands_in_no_ones_way(
	void **state)
{
	struct fixture *f = *state;
	int epoll = f->m.epoll, lives[2];
	struct pollfd p = {.events = POLLIN};

	/* Its process, and whatever it executes, has the other end. */
	assert_int_equal(pipe(lives), 0);
	f->m.order = &order;
	f->m.service.heard = true;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &f->m.files), 0);
	log_set_level(LOG_LEVEL_ERROR - 1); /* what is said is not the test */

	f->m.epoll = -1;
	upgrade_begin(&f->m, "a test");
	f->m.epoll = epoll;

	assert_false(upgrade_running(&f->m));
	close(lives[1]);
	p.fd = lives[0];
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(p.revents, POLLHUP);
	close(lives[0]);
}

/* It says hello, and when it is told to stop this word. */
static int
successor(const char *word)
{
	struct heritage *h;
	struct err err = {0};
	sigset_t term;
	int signum;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &term, NULL) < 0 ||
		master_inherit(&h, &err) < 0 || h == NULL ||
		sigwait(&term, &signum) != 0 ||
		send(h->report, word, strlen(word), 0) < 0)
		return 1;
	fixture_wait_to_be_killed();
}

static void
await_event(struct fixture *f)
{
	struct pollfd p = {.fd = f->m.epoll, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(fixture_event(f));
}

/* A new master that answers a stop with this word: it has heard of the stop, and we
 * have heard the word. */
static void
stop_with_successor(struct fixture *f, char *word)
{
	static char *argv[] = {"test_upgrade", NULL, NULL};
	static const struct master_order itself = {
		.program = "/proc/self/exe", .argv = argv, .daemon = true};

	argv[1] = word;
	f->m.order = &itself;
	f->m.n_buckets = 1;
	f->m.siblings = memfd_create("siblings", MFD_CLOEXEC);
	assert_int_equal(handoff_pair(&f->m.pool_give, &f->m.pool_take), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &f->m.files), 0);
	log_set_level(LOG_LEVEL_ERROR - 1);
	upgrade_begin(&f->m, "a test");
	assert_true(upgrade_running(&f->m));
	await_event(f);
	f->m.phase = PHASE_STOPPING;
	f->m.give_up_ns = NEVER;
	upgrade_abandon(&f->m, true);
	await_event(f);
}

static void
end_successor(struct fixture *f)
{
	assert_int_equal(kill(f->m.upgrade.pid, SIGKILL), 0);
	assert_int_equal(waitpid(f->m.upgrade.pid, NULL, 0), f->m.upgrade.pid);
	fd_close(&f->m.upgrade.report.fd);
	fd_close(&f->m.siblings);
	fd_close(&f->m.pool_give);
	fd_close(&f->m.pool_take);
}

/* The new master waits for the end of the old one, which would wait for its. */
static void
one_that_has_taken_over_although_it_was_told_to_stop_is_not_waited_for(
	void **state)
{
	struct fixture *f = *state;

	stop_with_successor(f, "ready");
	assert_true(f->m.succeeded);
	assert_int_equal(upgrade_deadline(&f->m), NEVER);
	stop_turn(&f->m);
	assert_int_equal(f->m.phase, PHASE_OVER);
	end_successor(f);
}

static void
one_that_finishes_its_requests_has_the_time_of_a_stop(void **state)
{
	struct fixture *f = *state;
	int64_t soon_ns = f->m.now_ns + 5 * SECOND_NS;
	int64_t patience_ms =
		f->generation.config->graceful_shutdown_timeout;

	stop_with_successor(f, "finishing");
	assert_int_equal(
		upgrade_deadline(&f->m), soon_ns + patience_ms * MS_NS);
	upgrade_abandon(&f->m, false);
	assert_int_equal(upgrade_deadline(&f->m), soon_ns);
	end_successor(f);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			one_whose_end_nobody_would_tell_is_killed_and_stands_in_no_ones_way,
			fixture_make, fixture_remove),
		cmocka_unit_test_setup_teardown(
			one_that_has_taken_over_although_it_was_told_to_stop_is_not_waited_for,
			fixture_make, fixture_remove),
		cmocka_unit_test_setup_teardown(
			one_that_finishes_its_requests_has_the_time_of_a_stop,
			fixture_make, fixture_remove),
	};

	if (argc > 1)
		return successor(argv[1]);

	return cmocka_run_group_tests(tests, NULL, NULL);
}
