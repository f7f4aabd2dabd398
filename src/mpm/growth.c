/*
 * growth.c - how fast a pool grows; the same for both policies.
 *
 * The rate doubles every turn the shortage lasts, so that a rush is met in
 * seconds while a blip costs one fork.
 *
 * A shortage is over when enough are idle in children that are READY.  While
 * those that start cover it nothing more is started, but the rate stays, where
 * Apache takes it back: a Python application starts in seconds, few are spare,
 * and a rush would otherwise be met with one child each start takes, for ever.
 */
#include "mpm/mpm_priv.h"

enum { FAST = 8 }; /* the rate from which the administrator should know */

static int
min(int a, int b)
{
	return a < b ? a : b;
}

struct mpm_plan
growth_plan(const struct mpm_limits *limits, const struct mpm_census *census,
	struct mpm_memory *memory)
{
	struct mpm_plan plan = {
		.spawn = min(memory->spawn_rate, census->vacant)};

	if (memory->spawn_rate >= FAST)
		plan.remark = MPM_SPAWNING_FAST;
	if (memory->hold_off > 0)
		memory->hold_off--;
	else
		memory->spawn_rate =
			min(memory->spawn_rate * 2, limits->max_spawn_rate);
	return plan;
}

void
growth_end(struct mpm_memory *memory)
{
	memory->spawn_rate = 1;
}

void
growth_look(const struct mpm_limits *limits, const struct mpm_census *census,
	struct mpm_memory *memory)
{
	if (census->idle - census->starting < limits->min_spare)
		return;
	memory->spawn_rate = 1;
	memory->told_full = memory->told_near = false;
}
