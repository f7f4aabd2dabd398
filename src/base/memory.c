/*
 * memory.c - how much of a process is in memory.  See memory.h.
 *
 * The kernel adds it up itself, mapping by mapping: a resident size alone would
 * count a library again in each process that has it.
 */
#include "base/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel.h"

int
memory_parse(const char *smaps, struct memory *ret)
{
	struct memory sum = {0};
	bool found = false;

	for (const char *at = smaps; at != NULL && *at != '\0';) {
		long kib;

		if (sscanf(at, "Private_Clean: %ld", &kib) == 1 ||
			sscanf(at, "Private_Dirty: %ld", &kib) == 1) {
			sum.private_kib += kib;
			found = true;
		} else if (sscanf(at, "Shared_Clean: %ld", &kib) == 1 ||
			   sscanf(at, "Shared_Dirty: %ld", &kib) == 1) {
			sum.shared_kib += kib;
			found = true;
		}
		at = strchr(at, '\n');
		at += at != NULL;
	}
	if (!found)
		return -EBADMSG;
	*ret = sum;
	return 0;
}

int
memory_read(pid_t pid, struct memory *ret)
{
	char path[48], text[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	n = kernel_read(path, text, sizeof(text));
	return n < 0 ? (int)n : memory_parse(text, ret);
}

int64_t
memory_resident(void)
{
	char text[128];
	long pages;
	ssize_t n = kernel_read("/proc/self/statm", text, sizeof(text));

	if (n < 0)
		return n;
	return sscanf(text, "%*d %ld", &pages) == 1
		       ? (int64_t)pages * sysconf(_SC_PAGESIZE)
		       : -EBADMSG;
}
