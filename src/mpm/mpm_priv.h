/*
 * mpm_priv.h - what the policies share.
 */
#ifndef WSGID_MPM_MPM_PRIV_H
#define WSGID_MPM_MPM_PRIV_H

#include "mpm/mpm.h"

/* Too few are idle in this turn and there is room: start children, at a rate
 * that doubles with every turn of the shortage. */
struct mpm_plan growth_plan(const struct mpm_limits *limits,
	const struct mpm_census *census, struct mpm_memory *memory);

/* No room: growth begins anew when there is some. */
void growth_end(struct mpm_memory *memory);

/* Enough are idle.  Was that the end of the shortage? */
void growth_look(const struct mpm_limits *limits,
	const struct mpm_census *census, struct mpm_memory *memory);

#endif
