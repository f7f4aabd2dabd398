/*
 * prefork.c - Apache's prefork policy: keep between MinSpareServers and
 * MaxSpareServers children idle.
 *
 * Too many idle: retire one, and only one, a turn.  Too few: start children,
 * faster every turn (growth.c).
 *
 * That the limit was reached is said once a shortage, where Apache says it
 * once in the life of the server.
 */
#include "mpm/mpm_priv.h"

static struct mpm_plan
plan_shortage(const struct mpm_limits *limits, const struct mpm_census *census,
	struct mpm_memory *memory)
{
	struct mpm_plan plan = {0};

	/* Below zero after a reload that lowered MaxRequestWorkers. */
	if (census->vacant > 0)
		return growth_plan(limits, census, memory);
	if (!memory->told_full)
		plan.remark = MPM_LIMIT_REACHED;
	memory->told_full = true;
	growth_end(memory);
	return plan;
}

struct mpm_plan
prefork_plan(const struct mpm_limits *limits, const struct mpm_census *census,
	struct mpm_memory *memory)
{
	struct mpm_plan plan = {0};

	if (census->idle < limits->min_spare)
		return plan_shortage(limits, census, memory);
	growth_look(limits, census, memory);
	if (census->idle > limits->max_spare)
		plan.retire = 1;
	return plan;
}
