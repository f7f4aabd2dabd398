/*
 * test_oom.c - what the kernel's traces say, and where they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/defs.h"
#include "master/oom.h"

static void
test_counts_of_all_versions_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t count;
	} rows[] = {
		{"low 0\nhigh 1\nmax 22\noom 7\noom_kill 3\n"
		 "oom_group_kill 9\n",
			3},
		{"oom_kill_disable 5\nunder_oom 0\noom_kill 12\n", 12},
		{"nr_free_pages 1\noom_kill 0\nnuma_hit 4\n", 0},
		{"oom_kill 18446744073709551615\n", INT64_MAX},
		{"oom_kill_disable 0\nunder_oom 0\n", -1},
		{"x oom_kill 1\n", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(oom_count(rows[i].text), rows[i].count);
}

static void
test_the_counter_is_that_of_the_servers_group(void **state)
{
	static const char both[] = "9:name=systemd:/\n4:memory:/a/b\n"
				   "1:cpu:/\n0::/c\n";
	static const struct {
		const char *groups;
		int version;
		const char *path; /* NULL: there is none */
	} rows[] = {
		{"0::/system.slice/shop.service\n", 2,
			"/sys/fs/cgroup/system.slice/shop.service/"
			"memory.events"},
		{"0::/\n", 2, "/sys/fs/cgroup/memory.events"},
		{both, 2, "/sys/fs/cgroup/c/memory.events"},
		{both, 1, "/sys/fs/cgroup/memory/a/b/memory.oom_control"},
		{"4:memory:/\n", 1, "/sys/fs/cgroup/memory/memory.oom_control"},
		{"4:memory:/with:colon\n", 1,
			"/sys/fs/cgroup/memory/with:colon/memory.oom_control"},
		{"0::/\n", 1, NULL},
		{"4:memory:/\n", 2, NULL},
		{"", 2, NULL},
		{"nonsense\n:\n::", 1, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char path[200];
		bool found = oom_counter(
			rows[i].groups, rows[i].version, path, sizeof(path));

		assert_int_equal(found, rows[i].path != NULL);
		if (found)
			assert_string_equal(path, rows[i].path);
	}
}

static void
test_the_kernels_log_names_the_process(void **state)
{
	static const char in_group[] =
		"3,429,13208614408,-;Memory cgroup out of memory: Killed "
		"process 3844 (python3) total-vm:95884kB, anon-rss:50944kB\n";
	static const char everywhere[] =
		"3,7,13208614408,-;Out of memory: Killed process 3844 (wsgid: "
		"child 0) total-vm:95884kB\n SUBSYSTEM=x\n";
	const int64_t then = 13208614408;

	(void)state;
	assert_true(oom_names(in_group, 3844, then + 1000000));
	assert_true(oom_names(everywhere, 3844, then));
	assert_false(oom_names(in_group, 384, then));
	assert_false(oom_names(in_group, 38441, then));
	/* Another process had that number before. */
	assert_false(oom_names(in_group, 3844, then + 61 * 1000000));
	assert_false(oom_names("6,1,5,-;usb 1-1: Killed process\n", 3844, 5));
	assert_false(oom_names("Killed process 3844", 3844, then));
	assert_false(oom_names("", 3844, then));
}

static void
test_only_what_is_known_is_said(void **state)
{
	static const struct {
		enum oom_trace counter, log;
		enum oom_verdict verdict;
	} rows[] = {
		{OOM_TRACE_FOUND, OOM_TRACE_FOUND, OOM_KILLED},
		{OOM_TRACE_UNREADABLE, OOM_TRACE_FOUND, OOM_KILLED},
		/* In a container the log is not to be had. */
		{OOM_TRACE_FOUND, OOM_TRACE_UNREADABLE, OOM_KILLED},
		/* It was a subprocess of the application. */
		{OOM_TRACE_FOUND, OOM_TRACE_NONE, OOM_INNOCENT},
		{OOM_TRACE_NONE, OOM_TRACE_UNREADABLE, OOM_INNOCENT},
		{OOM_TRACE_UNREADABLE, OOM_TRACE_NONE, OOM_INNOCENT},
		{OOM_TRACE_UNREADABLE, OOM_TRACE_UNREADABLE, OOM_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(oom_judge(rows[i].counter, rows[i].log),
			rows[i].verdict);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_of_all_versions_are_read),
		cmocka_unit_test(test_the_counter_is_that_of_the_servers_group),
		cmocka_unit_test(test_the_kernels_log_names_the_process),
		cmocka_unit_test(test_only_what_is_known_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
