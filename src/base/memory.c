/*
 * memory.c - how much of a process is in memory.  See memory.h.
 *
 * The kernel adds it up itself, mapping by mapping: a resident size alone would
 * count a library again in each process that has it.
 */
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"

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

static int
read_text(const char *path, char *text, size_t size)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

int
memory_read(pid_t pid, struct memory *ret)
{
	char path[48], text[4096];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	rc = read_text(path, text, sizeof(text));
	return rc < 0 ? rc : memory_parse(text, ret);
}

int64_t
memory_resident(void)
{
	char text[128];
	long pages;
	int rc = read_text("/proc/self/statm", text, sizeof(text));

	if (rc < 0)
		return rc;
	return sscanf(text, "%*d %ld", &pages) == 1
		       ? (int64_t)pages * sysconf(_SC_PAGESIZE)
		       : -EBADMSG;
}
