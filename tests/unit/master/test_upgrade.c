/*
 * test_upgrade.c - a new master that cannot be begun.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fixture.h"
#include "master/master.h"
#include "master/upgrade.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			one_whose_end_nobody_would_tell_is_killed_and_stands_in_no_ones_way,
			fixture_make, fixture_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
