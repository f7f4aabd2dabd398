/*
 * worker.c - Apache's worker policy: keep between MinSpareThreads and
 * MaxSpareThreads threads idle, in all children together.
 *
 * Threads are counted, children are started and retired: one child too many
 * idle goes a turn, too few idle threads start children, faster every turn
 * (growth.c).  MaxSpareThreads leaves room for one child's threads above
 * MinSpareThreads (config/processes.c), or the two would take turns for ever.
 *
 * At the limit Apache tells the shortage of spare threads, which costs nobody
 * anything yet, from having no idle thread at all.  So do we, of threads that
 * could serve now; each is said once a shortage, where Apache says it once in
 * the life of the server.
 */
#include "mpm/mpm_priv.h"

static struct mpm_plan
plan_limit(const struct mpm_census *census, struct mpm_memory *memory)
{
	bool near = census->idle > census->starting;
	bool *told = near ? &memory->told_near : &memory->told_full;
	struct mpm_plan plan = {0};

	if (!*told)
		plan.remark = near ? MPM_LIMIT_NEAR : MPM_LIMIT_REACHED;
	*told = true;
	growth_end(memory);
	return plan;
}

struct mpm_plan
worker_plan(const struct mpm_limits *limits, const struct mpm_census *census,
	struct mpm_memory *memory)
{
	struct mpm_plan plan = {0};

	if (census->idle < limits->min_spare) {
		/* Below zero after a reload that lowered MaxRequestWorkers. */
		if (census->vacant <= 0)
			return plan_limit(census, memory);
		return growth_plan(limits, census, memory);
	}
	growth_look(limits, census, memory);
	if (census->idle > limits->max_spare)
		plan.retire = 1;
	return plan;
}
