/*
 * test_prefork.c - the policy as graphs: each row one turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "mpm/mpm.h"

/* Apache's defaults. */
static const struct mpm_limits limits = {
	.min_spare = 5, .max_spare = 10, .max_spawn_rate = 32};

struct turn {
	int idle, vacant;
	int spawn, retire;
	enum mpm_remark remark;
};

static void
walk(const struct turn *turns, size_t n, struct mpm_memory *memory)
{
	for (size_t i = 0; i < n; i++) {
		struct mpm_census census = {
			.idle = turns[i].idle, .vacant = turns[i].vacant};
		struct mpm_plan plan = prefork_plan(&limits, &census, memory);

		if (plan.spawn != turns[i].spawn ||
			plan.retire != turns[i].retire ||
			plan.remark != turns[i].remark)
			fail_msg("turn %zu: spawn %d retire %d remark %d", i,
				plan.spawn, plan.retire, (int)plan.remark);
	}
}

static void
test_a_rush_doubles_until_the_limit(void **state)
{
	static const struct turn turns[] = {
		{0, 200, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 199, 2, 0, MPM_NOTHING_TO_SAY},
		{0, 197, 4, 0, MPM_NOTHING_TO_SAY},
		{0, 193, 8, 0, MPM_SPAWNING_FAST},
		{0, 185, 16, 0, MPM_SPAWNING_FAST},
		{0, 169, 32, 0, MPM_SPAWNING_FAST},
		{0, 137, 32, 0, MPM_SPAWNING_FAST},
		{0, 3, 3, 0, MPM_SPAWNING_FAST},
		{0, 0, 0, 0, MPM_LIMIT_REACHED},
		{0, 0, 0, 0, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_a_quiet_turn_ends_the_doubling(void **state)
{
	static const struct turn turns[] = {
		{4, 100, 1, 0, MPM_NOTHING_TO_SAY},
		{4, 99, 2, 0, MPM_NOTHING_TO_SAY},
		{5, 97, 0, 0, MPM_NOTHING_TO_SAY}, /* min itself is enough */
		{4, 97, 1, 0, MPM_NOTHING_TO_SAY},
		{11, 96, 0, 1, MPM_NOTHING_TO_SAY},
		{4, 97, 1, 0, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_one_retires_a_turn_until_max_spare(void **state)
{
	static const struct turn turns[] = {
		{40, 0, 0, 1, MPM_NOTHING_TO_SAY},
		{39, 1, 0, 1, MPM_NOTHING_TO_SAY},
		{12, 28, 0, 1, MPM_NOTHING_TO_SAY},
		{11, 29, 0, 1, MPM_NOTHING_TO_SAY},
		{10, 30, 0, 0, MPM_NOTHING_TO_SAY}, /* max itself may stay */
		{7, 33, 0, 0, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_the_limit_is_told_again_after_it_has_cleared(void **state)
{
	static const struct turn turns[] = {
		{2, 0, 0, 0, MPM_LIMIT_REACHED},
		{0, 0, 0, 0, MPM_NOTHING_TO_SAY},
		/* A child that is replaced does not clear it. */
		{0, 1, 1, 0, MPM_NOTHING_TO_SAY},
		{1, 0, 0, 0, MPM_NOTHING_TO_SAY},
		/* Enough idle ones do. */
		{5, 0, 0, 0, MPM_NOTHING_TO_SAY},
		{4, 0, 0, 0, MPM_LIMIT_REACHED},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_a_shortage_that_starting_children_cover_is_not_over(void **state)
{
	static const struct {
		struct mpm_census census;
		int spawn;
		enum mpm_remark remark;
	} turns[] = {
		{{.idle = 0, .vacant = 9}, 1, MPM_NOTHING_TO_SAY},
		{{.idle = 1, .starting = 1, .vacant = 8}, 0,
			MPM_NOTHING_TO_SAY},
		{{.idle = 0, .vacant = 8}, 2, MPM_NOTHING_TO_SAY},
		{{.idle = 2, .starting = 2, .vacant = 6}, 0,
			MPM_NOTHING_TO_SAY},
		{{.idle = 0, .vacant = 6}, 4, MPM_NOTHING_TO_SAY},
		{{.idle = 0, .vacant = 0}, 0, MPM_LIMIT_REACHED},
		/* one is replaced at the limit: not told again */
		{{.idle = 1, .starting = 1, .vacant = 0}, 0,
			MPM_NOTHING_TO_SAY},
		{{.idle = 0, .vacant = 0}, 0, MPM_NOTHING_TO_SAY},
		/* one is READY and idle: that was it */
		{{.idle = 1, .vacant = 0}, 0, MPM_NOTHING_TO_SAY},
		{{.idle = 0, .vacant = 0}, 0, MPM_LIMIT_REACHED},
	};
	static const struct mpm_limits ours = {1, 128, 32};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		struct mpm_plan plan =
			prefork_plan(&ours, &turns[i].census, &memory);

		if (plan.spawn != turns[i].spawn || plan.retire != 0 ||
			plan.remark != turns[i].remark)
			fail_msg("turn %zu: spawn %d retire %d remark %d", i,
				plan.spawn, plan.retire, (int)plan.remark);
	}
}

static void
test_the_limit_takes_the_rate_back(void **state)
{
	static const struct turn turns[] = {
		{0, 100, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 99, 2, 0, MPM_NOTHING_TO_SAY},
		{0, 97, 4, 0, MPM_NOTHING_TO_SAY},
		{0, 0, 0, 0, MPM_LIMIT_REACHED},
		{0, 50, 1, 0, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

static void
test_hold_off_keeps_the_rate_for_its_turns(void **state)
{
	static const struct turn turns[] = {
		{0, 100, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 99, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 98, 1, 0, MPM_NOTHING_TO_SAY},
		{0, 97, 1, 0, MPM_NOTHING_TO_SAY}, /* the rate doubles now */
		{0, 96, 2, 0, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1, .hold_off = 3};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
	assert_int_equal(memory.hold_off, 0);
}

static void
test_a_lowered_limit_never_spawns(void **state)
{
	static const struct turn turns[] = {
		{0, -7, 0, 0, MPM_LIMIT_REACHED},
		{3, -1, 0, 0, MPM_NOTHING_TO_SAY},
		{11, -3, 0, 1, MPM_NOTHING_TO_SAY},
	};
	struct mpm_memory memory = {.spawn_rate = 1};

	(void)state;
	walk(turns, ARRAY_LEN(turns), &memory);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_rush_doubles_until_the_limit),
		cmocka_unit_test(test_a_quiet_turn_ends_the_doubling),
		cmocka_unit_test(test_one_retires_a_turn_until_max_spare),
		cmocka_unit_test(
			test_the_limit_is_told_again_after_it_has_cleared),
		cmocka_unit_test(
			test_a_shortage_that_starting_children_cover_is_not_over),
		cmocka_unit_test(test_the_limit_takes_the_rate_back),
		cmocka_unit_test(test_hold_off_keeps_the_rate_for_its_turns),
		cmocka_unit_test(test_a_lowered_limit_never_spawns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
