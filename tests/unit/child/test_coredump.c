/*
 * test_coredump.c - processes that crash, and what they leave where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "child/coredump.h"
#include "support/skip.h"
#include "support/tree.h"

static int
make_directory(void **state)
{
	static char dir[64];

	strcpy(dir, "/tmp/test_coredump.XXXXXX");
	*state = dir;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_directory(void **state)
{
	return tree_remove(*state);
}

/* Does the kernel leave the place to the process? */
static void
need_a_relative_pattern(void)
{
	char pattern[128] = "";
	AUTO_CLOSE int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
	struct rlimit limit;

	assert_true(read(fd, pattern, sizeof(pattern) - 1) >= 0);
	if (strchr(pattern, '/') != NULL || pattern[0] == '|')
		SKIP("kernel.core_pattern is \"%s\"", pattern);
	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	if (limit.rlim_max == 0)
		SKIP("the hard limit of coredumps is 0");
}

static int
count_files(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

/* Sanitizers look for nothing else. */
__attribute__((no_sanitize("address", "undefined"))) static void
by_fault(void)
{
	*(volatile int *)(uintptr_t)(getpid() & 1) = 1;
}

static void
by_abort(void)
{
	abort();
}

static void
by_kill(void)
{
	(void)kill(getpid(), SIGBUS);
	pause();
}

/* The wait status of a process that enables coredumps in dir and ends so. */
static int
crash(const char *dir, void (*how)(void))
{
	struct rlimit none;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err err = {0};

		/* A sanitizer would end the process in its own way. */
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGBUS, SIG_DFL);
		/* As the change of user leaves it. */
		(void)prctl(PR_SET_DUMPABLE, 0);
		getrlimit(RLIMIT_CORE, &none);
		none.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &none);
		if (coredump_enable(dir, &err) == 0)
			how();
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_a_crash_leaves_its_coredump_in_the_directory(void **state)
{
	static const struct {
		void (*how)(void);
		int signal;
	} rows[] = {
		{by_fault, SIGSEGV},
		{by_abort, SIGABRT},
		{by_kill, SIGBUS},
	};

	need_a_relative_pattern();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char dir[100];
		int status;

		snprintf(dir, sizeof(dir), "%s/%zu", (char *)*state, i);
		assert_int_equal(mkdir(dir, 0700), 0);
		status = crash(dir, rows[i].how);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), rows[i].signal);
		assert_true(WCOREDUMP(status));
		assert_int_equal(count_files(dir), 1);
	}
}

static struct err
refused(const char *dir, bool forbid)
{
	struct err err = {0};
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct rlimit none = {0, 0};

		if (forbid)
			(void)setrlimit(RLIMIT_CORE, &none);
		(void)coredump_enable(dir, &err);
		_exit(write(ends[1], &err, sizeof(err)) != sizeof(err));
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &err, sizeof(err)), sizeof(err));
	close(ends[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return err;
}

static void
test_why_there_will_be_none_is_told(void **state)
{
	struct err err = refused("/nonexistent/dumps", false);

	assert_int_equal(err.code, ENOENT);
	assert_non_null(
		strstr(err.text, "CoreDumpDirectory /nonexistent/dumps"));
	err = refused(*state, true);
	assert_int_equal(err.code, EPERM);
	assert_non_null(strstr(err.text, "ulimit -Hc, LimitCORE="));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_crash_leaves_its_coredump_in_the_directory,
			make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
			test_why_there_will_be_none_is_told, make_directory,
			remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
