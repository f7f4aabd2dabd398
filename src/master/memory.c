/*
 * memory.c - is there room for as many children as there may be?
 *
 * How much one needs shows when the first of a generation has imported the
 * application.  Where the control group does not allow that for all of them,
 * a rush would end in the kernel's out-of-memory killer, so it is said while
 * all is well.  Nothing is changed by it: what a child needs may shrink, or
 * grow, with its requests.  Children of a template share what they were
 * forked with, and nobody knows for how long.
 */
#include "master/memory.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/machine.h"
#include "config/config.h"
#include "master/census.h"
#include "master/generation.h"
#include "master/state.h"

#define MB INT64_C(1000000)

/* What the process shares with no other, or -1. */
static int64_t
own_memory(pid_t pid)
{
	long resident, shared;
	char path[64];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	n = fscanf(f, "%*d %ld %ld", &resident, &shared);
	fclose(f);
	return n == 2 ? (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE)
		      : -1;
}

bool
memory_is_short(int64_t limit, int64_t of_one, long children)
{
	return limit > 0 && of_one > 0 && children > 1 &&
	       of_one > limit / children;
}

void
memory_weigh(struct master *m, const struct child *c)
{
	long children = census_limit(m);
	int64_t limit, of_one;

	if (m->weighed == c->generation || m->now->number != c->generation)
		return;
	m->weighed = c->generation;
	if (m->now->config->preload_application)
		return;
	limit = machine_memory_limit("");
	of_one = own_memory(c->pid);
	if (memory_is_short(limit, of_one, children))
		log_warnx("master",
			"the control group allows %lld MB of memory, and %ld "
			"children of %lld MB, which the first one has, would "
			"need %lld MB: lower MaxRequestWorkers, or let them "
			"share it with WSGIPreloadApplication",
			(long long)(limit / MB), children,
			(long long)(of_one / MB),
			(long long)(of_one * children / MB));
}
