/*
 * machine.c - how many CPUs and how much memory are granted.
 *
 * A container that may use two CPUs of a machine with sixty-four sees all
 * sixty-four in the affinity mask; what it was given stands in its control
 * group, or in one above it, and the smallest limit on the way holds.  It is
 * the same with memory.
 * Whatever cannot be read is no limit.
 */
#include "base/machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel.h"

enum { PATH = 4096 };

/* What a directory of control groups limits something to, 0: not at all. */
typedef long long read_limit(const char *directory);

/* Something that can be limited, and how each version says so. */
struct resource {
	const char *controller; /* of version 1 */
	read_limit *v2, *v1;
};

static long long
min_limit(long long a, long long b)
{
	if (a == 0)
		return b;
	return b == 0 || a < b ? a : b;
}

static long long
cpus_of(long long quota, long long period)
{
	long long cpus;

	if (quota <= 0 || period <= 0)
		return 0;
	cpus = quota / period + (quota % period != 0);
	return cpus > 1 << 20 ? 0 : cpus;
}

static int
read_number(const char *directory, const char *file, long long *ret)
{
	char path[PATH + 32], text[32];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	(void)kernel_read(path, text, sizeof(text));
	return sscanf(text, "%lld", ret) == 1 ? 0 : -1;
}

/* cpu.max is "QUOTA PERIOD", or "max PERIOD" for no limit. */
static long long
quota_v2(const char *directory)
{
	long long quota, period;
	char path[PATH + 32], text[64];

	snprintf(path, sizeof(path), "%s/cpu.max", directory);
	(void)kernel_read(path, text, sizeof(text));
	return sscanf(text, "%lld %lld", &quota, &period) == 2
		       ? cpus_of(quota, period)
		       : 0;
}

static long long
quota_v1(const char *directory)
{
	long long quota, period;

	if (read_number(directory, "cpu.cfs_quota_us", &quota) < 0 ||
		read_number(directory, "cpu.cfs_period_us", &period) < 0)
		return 0;
	return cpus_of(quota, period);
}

/* memory.max is a number, or "max" for no limit. */
static long long
memory_v2(const char *directory)
{
	long long bytes;

	return read_number(directory, "memory.max", &bytes) < 0 || bytes < 0
		       ? 0
		       : bytes;
}

/* No limit is the largest number of pages that there can be. */
static long long
memory_v1(const char *directory)
{
	long long bytes;

	if (read_number(directory, "memory.limit_in_bytes", &bytes) < 0)
		return 0;
	return bytes < 0 || bytes >= 1LL << 60 ? 0 : bytes;
}

static const struct resource cpu = {"cpu", quota_v2, quota_v1};
static const struct resource memory = {"memory", memory_v2, memory_v1};

/* The smallest limit of mount + path and of all groups above it.  Within a
 * container the path may be the host's and lead nowhere: then only the
 * mount itself answers. */
static long long
walk(const char *mount, const char *path, read_limit *read)
{
	char directory[PATH];
	size_t mount_len = strlen(mount);
	long long limit = 0;
	int n;

	n = snprintf(directory, sizeof(directory), "%s%s", mount, path);
	if (n < 0 || (size_t)n >= sizeof(directory))
		return read(mount);
	for (;;) {
		char *slash = strrchr(directory, '/');

		limit = min_limit(limit, read(directory));
		if (slash == NULL || (size_t)(slash - directory) < mount_len)
			return limit;
		*slash = '\0';
	}
}

static int
has_controller(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (;;) {
		const char *end = strchrnul(list, ',');

		if ((size_t)(end - list) == len &&
			strncmp(list, name, len) == 0)
			return 1;
		if (*end == '\0')
			return 0;
		list = end + 1;
	}
}

/* A line of /proc/self/cgroup: "0::/path" (version 2) or
 * "4:cpu,cpuacct:/path" (version 1). */
static long long
limit_of_line(const struct resource *r, const char *root, char *line)
{
	char mount[PATH / 2];
	char *controllers, *path;

	line[strcspn(line, "\n")] = '\0';
	controllers = strchr(line, ':');
	path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
	if (path == NULL)
		return 0;
	*controllers++ = '\0';
	*path++ = '\0';
	if (strcmp(path, "/") == 0)
		path = "";
	if (strcmp(line, "0") == 0 && *controllers == '\0') {
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
		return walk(mount, path, r->v2);
	}
	if (!has_controller(controllers, r->controller))
		return 0;
	snprintf(
		mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, controllers);
	if (access(mount, F_OK) < 0)
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root,
			r->controller);
	return walk(mount, path, r->v1);
}

static long long
limit_of(const struct resource *r, const char *root)
{
	char name[PATH / 2], line[PATH];
	long long limit = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%s/proc/self/cgroup", root);
	f = fopen(name, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		limit = min_limit(limit, limit_of_line(r, root, line));
	fclose(f);
	return limit;
}

int
machine_cpu_quota(const char *root)
{
	return (int)limit_of(&cpu, root);
}

int64_t
machine_memory_limit(const char *root)
{
	return limit_of(&memory, root);
}

/* The mask is as long as the kernel was built for, which nobody tells: it
 * is tried longer until it fits. */
static int
affinity(void)
{
	for (int cpus = 1024; cpus <= 1 << 18; cpus *= 4) {
		cpu_set_t *set = CPU_ALLOC((size_t)cpus);
		size_t size = CPU_ALLOC_SIZE((size_t)cpus);
		int n = 0;

		if (set == NULL)
			break;
		if (sched_getaffinity(0, size, set) == 0)
			n = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (n > 0)
			return n;
	}
	return 1;
}

int
machine_cpus(const char *root)
{
	return (int)min_limit(affinity(), machine_cpu_quota(root));
}
