/*
 * mappings.c - the programs and libraries that a process has mapped.  See
 * mappings.h.
 *
 * A mapping of a file has pages of its own where it was written to, as by the
 * loader before it is made read-only; the kernel says whether there are any, in
 * memory or in swap, but not of huge pages that are files.  Without them, to have no
 * page of it is to have the file's.
 */
#include "base/mappings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/defs.h"

struct mapping {
	uintptr_t from, to;
	bool is_files; /* private, and only read */
	bool has_own;  /* pages */
};

/* The line that begins a mapping: "7f1000-7f2000 r-xp 00000000 fe:01 42 /lib". */
static bool
begins(const char *line, struct mapping *ret)
{
	struct mapping mapping = {0};
	char mode[5];
	unsigned long inode;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*x:%*x %lu",
		    &mapping.from, &mapping.to, mode, &inode) != 4)
		return false;
	mapping.is_files = inode != 0 && mode[1] == '-' && mode[3] == 'p';
	*ret = mapping;
	return true;
}

static bool
counts_own_pages(const char *line)
{
	long kib = 0;

	(void)(sscanf(line, "Anonymous: %ld", &kib) == 1 ||
		sscanf(line, "Swap: %ld", &kib) == 1);
	return kib > 0;
}

/* At its last line, "VmFlags: rd ex mr mw me ".  Locked memory stays, which is what
 * its owner wants. */
static void
put_away(const struct mapping *m, const char *flags)
{
	if (m->is_files && !m->has_own && strstr(flags, " ht ") == NULL)
		(void)madvise((void *)m->from, m->to - m->from, MADV_DONTNEED);
}

int
mappings_put_away(void)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	struct mapping now = {0};

	if (f == NULL)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		if (begins(line, &now))
			continue;
		now.has_own |= counts_own_pages(line);
		if (strncmp(line, "VmFlags:", 8) == 0)
			put_away(&now, line);
	}
	fclose(f);
	return 0;
}
