/*
 * test_worker.c - worker's policy as graphs: each row one turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "mpm/mpm.h"

/* Apache's defaults: children of 25 threads. */
static const struct mpm_limits limits = {
	.min_spare = 75, .max_spare = 250, .max_spawn_rate = 32};

struct turn {
	int idle, starting; /* threads */
	int vacant;         /* children */
	int spawn, retire;  /* children */
	enum mpm_remark remark;
};

static void
walk(const struct turn *turns, size_t n, struct mpm_memory *memory)
{
	for (size_t i = 0; i < n; i++) {
		struct mpm_census census = {
			.idle = turns[i].idle,
			.starting = turns[i].starting,
			.vacant = turns[i].vacant,
		};
		struct mpm_plan plan = worker_plan(&limits, &census, memory);

		if (plan.spawn != turns[i].spawn ||
			plan.retire != turns[i].retire ||
			plan.remark != turns[i].remark)
			fail_msg("turn %zu: spawn %d retire %d remark %d", i,
				plan.spawn, plan.retire, (int)plan.remark);
	}
}

static void
test_idle_threads_decide_about_children(void **state)
{
	static const struct turn turns[] = {
		{75, 0, 13, 0, 0, MPM_NOTHING_TO_SAY}, /* min is enough */
		{74, 0, 13, 1, 0, MPM_NOTHING_TO_SAY},
		{99, 0, 12, 0, 0, MPM_NOTHING_TO_SAY},
		{250, 0, 6, 0, 0, MPM_NOTHING_TO_SAY}, /* max may stay */
		{251, 0, 6, 0, 1, MPM_NOTHING_TO_SAY},
		{400, 0, 0, 0, 1, MPM_NOTHING_TO_SAY},
		{375, 0, 1, 0, 1, MPM_NOTHING_TO_SAY}, /* one a turn */
		{226, 0, 7, 0, 0, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_a_rush_doubles_until_thirty_two_children_a_turn(void **state)
{
	static const struct turn turns[] = {
		{0, 0, 200, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 199, 2, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 197, 4, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 193, 8, 0, MPM_SPAWNING_FAST},
		{0, 0, 185, 16, 0, MPM_SPAWNING_FAST},
		{0, 0, 169, 32, 0, MPM_SPAWNING_FAST},
		{0, 0, 137, 32, 0, MPM_SPAWNING_FAST},
		{0, 0, 3, 3, 0, MPM_SPAWNING_FAST},
		{0, 0, 0, 0, 0, MPM_LIMIT_REACHED},
		{0, 0, 9, 1, 0, MPM_NOTHING_TO_SAY}, /* from the beginning */
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_the_limit_is_told_once_and_again_after_it_has_cleared(void **state)
{
	static const struct turn turns[] = {
		{0, 0, 0, 0, 0, MPM_LIMIT_REACHED},
		{0, 0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		/* A child that is replaced does not clear it. */
		{0, 0, 1, 1, 0, MPM_NOTHING_TO_SAY},
		{25, 25, 0, 0, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		/* Enough idle threads do. */
		{75, 0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 0, 0, 0, MPM_LIMIT_REACHED},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_few_spare_threads_at_the_limit_are_not_none(void **state)
{
	static const struct turn turns[] = {
		{74, 0, 0, 0, 0, MPM_LIMIT_NEAR},
		{1, 0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 0, 0, 0, MPM_LIMIT_REACHED},
		{1, 0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		{80, 0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		{74, 0, 0, 0, 0, MPM_LIMIT_NEAR},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_a_shortage_that_starting_children_cover_is_not_over(void **state)
{
	static const struct turn turns[] = {
		{0, 0, 200, 1, 0, MPM_NOTHING_TO_SAY},
		{25, 25, 199, 2, 0, MPM_NOTHING_TO_SAY},
		{75, 75, 197, 0, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 197, 4, 0, MPM_NOTHING_TO_SAY}, /* the rate stayed */
		{100, 25, 193, 0, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 193, 1, 0, MPM_NOTHING_TO_SAY}, /* 75 were READY */
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_hold_off_keeps_the_rate_for_its_turns(void **state)
{
	static const struct turn turns[] = {
		{0, 0, 100, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 99, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 98, 1, 0, MPM_NOTHING_TO_SAY}, /* doubles now */
		{0, 0, 97, 2, 0, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1, .hold_off = 2};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
	assert_int_equal(memory.hold_off, 0);
}

static void
test_a_lowered_limit_never_spawns(void **state)
{
	static const struct turn turns[] = {
		{0, 0, -7, 0, 0, MPM_LIMIT_REACHED},
		{30, 0, -1, 0, 0, MPM_LIMIT_NEAR},
		{251, 0, -3, 0, 1, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_threads_decide_about_children),
		cmocka_unit_test(
			test_a_rush_doubles_until_thirty_two_children_a_turn),
		cmocka_unit_test(
			test_the_limit_is_told_once_and_again_after_it_has_cleared),
		cmocka_unit_test(
			test_few_spare_threads_at_the_limit_are_not_none),
		cmocka_unit_test(
			test_a_shortage_that_starting_children_cover_is_not_over),
		cmocka_unit_test(test_hold_off_keeps_the_rate_for_its_turns),
		cmocka_unit_test(test_a_lowered_limit_never_spawns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
