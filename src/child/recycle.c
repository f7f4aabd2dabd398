/*
 * recycle.c - has this child done its share?  See recycle.h.
 *
 * How much memory is private the kernel finds out page by page, so it is asked
 * only when the resident size, which it keeps ready, allows for too much of it;
 * and the more seldom the longer it takes, as a child may be well above that
 * with what it shares.
 */
#include "child/recycle.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"

enum {
	WEIGH_MS = 1000, /* from one look at the memory to the next, ... */
	SELDOM = 1000,   /* ... or so many times what the last has taken, ... */
	MOST_MS = 10000, /* ... but no more than that */
	AGAIN_MS = 100,  /* after a look whose answer nobody has heard */
	SPREAD = 10,     /* the age is up to a tenth more */
};

#define MIB (1024.0 * 1024.0)

/* Children that began together must not all go together. */
static uint64_t
by_chance_up_to(uint64_t most)
{
	uint64_t chance = 0;

	(void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
	return chance % (most + 1);
}

uint64_t
recycle_most_requests(const struct config *c)
{
	if (c->max_requests == 0)
		return 0;
	return (uint64_t)c->max_requests +
	       by_chance_up_to((uint64_t)c->max_requests_jitter);
}

static int64_t
choose_age(const struct config *c)
{
	int64_t age_ns = c->restart_interval * MS_NS;

	return age_ns + (int64_t)by_chance_up_to((uint64_t)age_ns / SPREAD);
}

static int64_t
cpu_time_ns(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* 0 where it is not known, which is said once. */
static int64_t
private_bytes(struct recycle *r)
{
	int64_t resident = memory_resident(), begin_ns;
	struct memory memory;
	int rc;

	r->cost_ns = 0;
	if (resident >= 0 && resident < r->most_bytes)
		return 0;
	begin_ns = cpu_time_ns();
	rc = memory_read(getpid(), &memory);
	r->cost_ns = cpu_time_ns() - begin_ns;
	if (rc == 0)
		return (int64_t)memory.private_kib * 1024;
	errno = -rc;
	if (!r->told)
		log_warn("child", "MaxMemoryPerChild: /proc/self/smaps_rollup");
	r->told = true;
	return 0;
}

static void
look_again(struct recycle *r, int64_t now_ns)
{
	int64_t pause_ns = r->cost_ns * SELDOM, weigh_ns;

	if (pause_ns > MOST_MS * MS_NS)
		pause_ns = MOST_MS * MS_NS;
	if (pause_ns < WEIGH_MS * MS_NS)
		pause_ns = WEIGH_MS * MS_NS;
	weigh_ns = now_ns + pause_ns;
	r->look_ns = r->age_ns > 0 ? r->born_ns + r->age_ns : INT64_MAX;
	if (r->most_bytes > 0 && weigh_ns < r->look_ns)
		r->look_ns = weigh_ns;
}

/* Its replacement would be as large, and so on without end. */
static void
accept_size(struct recycle *r, bool speaks)
{
	int64_t bytes = r->most_bytes > 0 ? private_bytes(r) : 0;

	if (bytes < r->most_bytes || bytes == 0)
		return;
	if (speaks)
		log_warnx("child",
			"MaxMemoryPerChild is %.1f MiB, and a child has %.1f "
			"MiB of its own before its first request: none is "
			"replaced for that; set more",
			(double)r->most_bytes / MIB, (double)bytes / MIB);
	r->most_bytes = 0;
}

bool
recycle_begin(
	struct recycle *r, const struct config *c, int64_t now_ns, bool speaks)
{
	*r = (struct recycle){
		.born_ns = now_ns,
		.age_ns = choose_age(c),
		.most_bytes = c->max_memory_per_child,
	};
	accept_size(r, speaks);
	look_again(r, now_ns);
	return r->look_ns != INT64_MAX;
}

bool
recycle_judge(const struct recycle *r, int64_t now_ns, int64_t bytes,
	char why[static RECYCLE_WHY])
{
	if (r->age_ns > 0 && now_ns - r->born_ns >= r->age_ns) {
		snprintf(why, RECYCLE_WHY, "RestartInterval has passed");
		return true;
	}
	if (r->most_bytes > 0 && bytes >= r->most_bytes) {
		snprintf(why, RECYCLE_WHY,
			"it has %.1f MiB of its own, and MaxMemoryPerChild "
			"is %.1f",
			(double)bytes / MIB, (double)r->most_bytes / MIB);
		return true;
	}
	return false;
}

bool
recycle_is_due(struct recycle *r, int64_t now_ns, char why[static RECYCLE_WHY])
{
	int64_t bytes = r->most_bytes > 0 ? private_bytes(r) : 0;
	bool due = recycle_judge(r, now_ns, bytes, why);

	r->large = due && r->most_bytes > 0 && bytes >= r->most_bytes;
	if (due)
		r->look_ns = now_ns + AGAIN_MS * MS_NS;
	else
		look_again(r, now_ns);
	return due;
}

void
recycle_end(struct recycle *r)
{
	r->look_ns = INT64_MAX;
}
