/*
 * prefork.c - Apache's prefork policy: keep between MinSpareServers and
 * MaxSpareServers children idle.
 *
 * Too many idle: retire one, and only one, a turn.  Too few: start children
 * at a rate that doubles every turn the shortage lasts, so that a rush is
 * met in seconds while a blip costs one fork.
 *
 * That the limit was reached is said once a shortage, where Apache says it
 * once in the life of the server.
 *
 * A shortage is over when children that are READY are idle.  While those that
 * start cover it nothing more is started, but the rate stays, where Apache
 * takes it back: a Python application starts in seconds, MinSpareServers is
 * 1, and a rush would otherwise be met with one child each start takes, for
 * ever.
 */
#include "mpm/mpm.h"

enum { FAST = 8 }; /* the rate from which the administrator should know */

static int
min(int a, int b)
{
	return a < b ? a : b;
}

static struct mpm_plan
plan_growth(const struct mpm_limits *limits, const struct mpm_census *census,
	struct mpm_memory *memory)
{
	struct mpm_plan plan = {0};

	/* Below zero after a reload that lowered MaxRequestWorkers. */
	if (census->vacant <= 0) {
		if (!memory->told_full)
			plan.remark = MPM_LIMIT_REACHED;
		memory->told_full = true;
		memory->spawn_rate = 1;
		return plan;
	}

	plan.spawn = min(memory->spawn_rate, census->vacant);
	if (memory->spawn_rate >= FAST)
		plan.remark = MPM_SPAWNING_FAST;
	if (memory->hold_off > 0)
		memory->hold_off--;
	else
		memory->spawn_rate =
			min(memory->spawn_rate * 2, limits->max_spawn_rate);
	return plan;
}

struct mpm_plan
prefork_plan(const struct mpm_limits *limits, const struct mpm_census *census,
	struct mpm_memory *memory)
{
	struct mpm_plan plan = {0};

	if (census->idle < limits->min_spare)
		return plan_growth(limits, census, memory);

	if (census->idle - census->starting >= limits->min_spare) {
		memory->spawn_rate = 1;
		memory->told_full = false;
	}
	if (census->idle > limits->max_spare)
		plan.retire = 1;
	return plan;
}
