/*
 * test_supervisor.c - who must not lose sight of the master's pid.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "master/supervisor.h"

static void
test_supervisors_are_known_by_their_names(void **state)
{
	(void)state;
	assert_true(supervisor_waits("tini"));
	assert_true(supervisor_waits("docker-init"));
	assert_true(supervisor_waits("podman-init"));
	assert_true(supervisor_waits("supervisord"));
	assert_true(supervisor_waits("runsv"));
	assert_true(supervisor_waits("s6-supervise"));
	assert_false(supervisor_waits("systemd"));
	assert_false(supervisor_waits("bash"));
	assert_false(supervisor_waits(""));
}

static void
test_a_test_runner_is_none(void **state)
{
	char parent[SUPERVISOR_NAME];

	(void)state;
	assert_false(supervisor_wants_pid(parent));
	assert_true(strlen(parent) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_supervisors_are_known_by_their_names),
		cmocka_unit_test(test_a_test_runner_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
