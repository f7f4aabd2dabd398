/*
 * test_machine.c - CPU quotas, read from trees that look like /proc and /sys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/defs.h"
#include "base/machine.h"
#include "support/tree.h"

struct file {
	const char *path;
	const char *text;
};

enum { FILES = 6 };

static void
put(const char *root, const struct file *file)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, file->path);
	for (char *p = strchr(path + strlen(root) + 1, '/'); p != NULL;
		p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(file->text, f);
	fclose(f);
}

static void
make_tree(char *root, const struct file *files)
{
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < FILES && files[i].path != NULL; i++)
		put(root, &files[i]);
}

static int
quota_of(const struct file *files)
{
	char root[] = "/tmp/test_machine.XXXXXX";
	int quota;

	make_tree(root, files);
	quota = machine_cpu_quota(root);
	tree_remove(root);
	return quota;
}

static void
test_the_smallest_quota_on_the_way_holds(void **state)
{
	static const struct {
		int quota;
		struct file files[FILES];
	} cases[] = {
		/* no group, no quota */
		{0, {{NULL, NULL}}},
		{0, {{"/proc/self/cgroup", "0::/a\n"}}},
		{0, {{"/proc/self/cgroup", "0::/a\n"},
			    {"/sys/fs/cgroup/a/cpu.max", "max 100000\n"}}},
		/* version 2 */
		{2, {{"/proc/self/cgroup", "0::/a\n"},
			    {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"}}},
		/* half a CPU counts as one, one and a half as two */
		{1, {{"/proc/self/cgroup", "0::/a\n"},
			    {"/sys/fs/cgroup/a/cpu.max", "50000 100000\n"}}},
		{2, {{"/proc/self/cgroup", "0::/a\n"},
			    {"/sys/fs/cgroup/a/cpu.max", "150000 100000\n"}}},
		/* a group above grants less */
		{3, {{"/proc/self/cgroup", "0::/a/b/c\n"},
			    {"/sys/fs/cgroup/a/cpu.max", "300000 100000\n"},
			    {"/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
			    {"/sys/fs/cgroup/a/b/c/cpu.max",
				    "800000 100000\n"}}},
		/* within a container's namespace */
		{4, {{"/proc/self/cgroup", "0::/\n"},
			    {"/sys/fs/cgroup/cpu.max", "400000 100000\n"}}},
		/* the path is the host's and leads nowhere here */
		{4, {{"/proc/self/cgroup", "0::/docker/12ab\n"},
			    {"/sys/fs/cgroup/cpu.max", "400000 100000\n"}}},
		/* version 1, and both at once */
		{2, {{"/proc/self/cgroup",
			     "5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n"},
			    {"/sys/fs/cgroup/cpu,cpuacct/a/"
			     "cpu.cfs_quota_us",
				    "200000\n"},
			    {"/sys/fs/cgroup/cpu,cpuacct/a/"
			     "cpu.cfs_period_us",
				    "100000\n"}}},
		{5, {{"/proc/self/cgroup", "4:cpu:/a\n"},
			    {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us",
				    "500000\n"},
			    {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us",
				    "100000\n"}}},
		{0, {{"/proc/self/cgroup", "4:cpu:/a\n"},
			    {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n"},
			    {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us",
				    "100000\n"}}},
		/* cpuset is not cpu */
		{0, {{"/proc/self/cgroup", "4:cpuset:/a\n"},
			    {"/sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us",
				    "500000\n"},
			    {"/sys/fs/cgroup/cpuset/a/cpu.cfs_period_us",
				    "100000\n"}}},
		/* what makes no sense is no limit */
		{0, {{"/proc/self/cgroup", "nonsense\n::\n0:\n"}}},
		{0, {{"/proc/self/cgroup", "0::/a\n"},
			    {"/sys/fs/cgroup/a/cpu.max", "0 0\n"}}},
		{0, {{"/proc/self/cgroup", "0::/a\n"},
			    {"/sys/fs/cgroup/a/cpu.max", "junk\n"}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int quota = quota_of(cases[i].files);

		if (quota != cases[i].quota)
			fail_msg("case %zu: %d instead of %d", i, quota,
				cases[i].quota);
	}
}

static void
test_the_smallest_memory_limit_on_the_way_holds(void **state)
{
	static const struct {
		int64_t bytes;
		struct file files[FILES];
	} cases[] = {
		{0, {{"/proc/self/cgroup", "0::/a\n"},
			    {"/sys/fs/cgroup/a/memory.max", "max\n"}}},
		{536870912,
			{{"/proc/self/cgroup", "0::/a/b\n"},
				{"/sys/fs/cgroup/a/memory.max", "536870912\n"},
				{"/sys/fs/cgroup/a/b/memory.max",
					"1073741824\n"}}},
		/* within a container's namespace */
		{64000000,
			{{"/proc/self/cgroup", "0::/\n"},
				{"/sys/fs/cgroup/memory.max", "64000000\n"}}},
		/* version 1: no limit, and one above */
		{0, {{"/proc/self/cgroup", "5:memory:/a\n4:cpu:/a\n"},
			    {"/sys/fs/cgroup/memory/a/"
			     "memory.limit_in_bytes",
				    "9223372036854771712\n"}}},
		{70000000, {{"/proc/self/cgroup", "5:memory:/docker/1\n"},
				   {"/sys/fs/cgroup/memory/"
				    "memory.limit_in_bytes",
					   "70000000\n"}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char root[] = "/tmp/test_machine.XXXXXX";

		make_tree(root, cases[i].files);
		assert_int_equal(machine_memory_limit(root), cases[i].bytes);
		tree_remove(root);
	}
}

static void
test_this_machine_grants_at_least_one(void **state)
{
	(void)state;
	assert_true(machine_cpus("") >= 1);
	assert_true(machine_cpus("/nonexistent") >= machine_cpus(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_smallest_quota_on_the_way_holds),
		cmocka_unit_test(
			test_the_smallest_memory_limit_on_the_way_holds),
		cmocka_unit_test(test_this_machine_grants_at_least_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
