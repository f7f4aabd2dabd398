/*
 * test_process.c - what proc(5) says, well-formed and not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "wsgictl/process.h"

#define REST \
	" 1 2 3 0 -1 4194560 163 0 0 0 250 50 0 0 20 0 1 0 12300 55 700 9 9"

static void
test_a_name_may_have_parentheses(void **state)
{
	struct process p;
	long tick = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);

	(void)state;
	assert_int_equal(process_parse("31 (a) b (c) T" REST, "200.5 100.0\n",
				 INT64_C(1000000000), &p),
		0);
	assert_int_equal(p.state, 'T');
	assert_true(process_is_stopped(&p));
	assert_int_equal(p.cpu_us, 300 * INT64_C(1000000) / tick);
	assert_int_equal(p.began_us,
		1000000000 - 200500000 + 12300 * INT64_C(1000000) / tick);
	assert_int_equal(p.rss, 700 * page);
}

static void
test_nonsense_is_refused(void **state)
{
	static const struct {
		const char *stat, *uptime;
	} cases[] = {
		{"", "1 1"},
		{"31 (a)", "1 1"},
		{"31 (a) ", "1 1"},
		{"31 (a) S 1 2", "1 1"},
		{"31 (a) S x" REST, "1 1"},
		{"31 (a) S" REST, ""},
		{"31 (a) S" REST, "never"},
	};
	struct process p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
			process_parse(cases[i].stat, cases[i].uptime, 0, &p),
			-EBADMSG);
}

static void
test_we_ourselves_live(void **state)
{
	struct process p;

	(void)state;
	assert_int_equal(process_read(getpid(), &p), 0);
	assert_int_equal(p.state, 'R');
	assert_false(process_is_stopped(&p));
	assert_true(p.rss > 0);
	assert_true(p.began_us <= clock_real_us() + 1000000);
}

static void
test_remains_are_no_process(void **state)
{
	struct process p;
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	/* Dead, and not reaped. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_read(pid, &p), -ESRCH);
	waitpid(pid, NULL, 0);
	assert_int_equal(process_read(pid, &p), -ESRCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_may_have_parentheses),
		cmocka_unit_test(test_nonsense_is_refused),
		cmocka_unit_test(test_we_ourselves_live),
		cmocka_unit_test(test_remains_are_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
