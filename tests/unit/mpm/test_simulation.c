/*
 * test_simulation.c - the policies against simulated hours of load.
 *
 * A second a turn.  The load is how many requests are in progress; children
 * take a while to start and all their threads count as idle meanwhile, as the
 * master's census counts them.  What must hold whatever the load does is
 * checked each turn, and the same seeds give the same hours every time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "mpm/mpm.h"

enum { HOUR = 3600, SLOWEST_START = 8 };

struct server {
	struct mpm_plan (*policy)(const struct mpm_limits *limits,
		const struct mpm_census *census, struct mpm_memory *memory);
	int threads; /* of a child */
	struct mpm_limits limits;
	struct mpm_memory memory;
	int most;                    /* children: MaxRequestWorkers */
	int start_takes;             /* seconds until READY, at most SLOWEST */
	int starting[SLOWEST_START]; /* ready in 1, 2, ... seconds */
	int ready;
	int load;
	/* of the shortage that lasts, when there is one */
	int short_turns;
	int alive_before;
	int highest_load;
	int died;
};

static uint32_t
next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static int
count_starting(const struct server *s)
{
	int n = 0;

	for (int i = 0; i < SLOWEST_START; i++)
		n += s->starting[i];
	return n;
}

static int
count_alive(const struct server *s)
{
	return s->ready + count_starting(s);
}

static struct mpm_census
take_census(const struct server *s)
{
	int workers = s->ready * s->threads;
	int busy = s->load < workers ? s->load : workers;

	return (struct mpm_census){
		.idle = count_alive(s) * s->threads - busy,
		.starting = count_starting(s) * s->threads,
		.busy = busy,
		.vacant = s->most - count_alive(s),
	};
}

/* Doubling from 1, what n turns of shortage must have started. */
static int
doubled(const struct server *s, int turns)
{
	int rate = 1, sum = 0;

	for (; turns > 0; turns--) {
		sum += rate;
		rate *= 2;
		if (rate > s->limits.max_spawn_rate)
			rate = s->limits.max_spawn_rate;
	}
	return sum;
}

/* A shortage below the limit lasts no longer than the doubling needs for
 * what the load, at its highest meanwhile, and the deaths have asked for. */
static void
check_shortage(struct server *s, const struct mpm_census *census)
{
	if (census->idle >= s->limits.min_spare || census->vacant == 0) {
		s->short_turns = 0;
		return;
	}
	if (s->short_turns == 0) {
		s->alive_before = count_alive(s);
		s->highest_load = 0;
		s->died = 0;
	}
	if (s->load > s->highest_load)
		s->highest_load = s->load;
	assert_true((doubled(s, s->short_turns) + s->alive_before - s->died) *
			    s->threads <
		    s->limits.min_spare + s->highest_load);
	s->short_turns++;
}

static void
crash(struct server *s)
{
	if (s->ready == 0)
		return;
	s->ready--;
	s->died++;
}

static void
turn(struct server *s, int load)
{
	struct mpm_census census;
	struct mpm_plan plan;

	s->load = load;
	s->ready += s->starting[0];
	for (int i = 1; i < SLOWEST_START; i++)
		s->starting[i - 1] = s->starting[i];
	s->starting[SLOWEST_START - 1] = 0;

	census = take_census(s);
	plan = s->policy(&s->limits, &census, &s->memory);

	assert_in_range(plan.spawn, 0, census.vacant);
	assert_in_range(plan.spawn, 0, s->limits.max_spawn_rate);
	assert_in_range(plan.retire, 0, 1);
	assert_true(plan.spawn == 0 || plan.retire == 0);
	assert_true(plan.retire == 0 || census.idle > s->limits.max_spare);
	/* To retire one must not make a shortage. */
	assert_true(plan.retire == 0 ||
		    census.idle - s->threads >= s->limits.min_spare);
	check_shortage(s, &census);

	if (s->start_takes == 0)
		s->ready += plan.spawn;
	else
		s->starting[s->start_takes - 1] += plan.spawn;
	if (plan.retire > 0 && s->ready > 0)
		s->ready--;
	assert_in_range(count_alive(s), 0, s->most);
}

/* From anywhere, a load that stays: at most this many turns until nothing
 * moves any more; the longest way is down, one a turn. */
static void
settle(struct server *s, int load)
{
	struct mpm_census census;
	int before;

	for (int i = 0; i < s->most + 2 * SLOWEST_START + 20; i++)
		turn(s, load);
	before = count_alive(s);
	for (int i = 0; i < 100; i++) {
		turn(s, load);
		assert_int_equal(count_alive(s), before);
	}
	census = take_census(s);
	assert_true(census.idle >= s->limits.min_spare || census.vacant == 0);
	assert_true(census.idle <= s->limits.max_spare);
}

static struct server
start_server(int min_spare, int max_spare, int most, int start_takes)
{
	return (struct server){
		.policy = prefork_plan,
		.threads = 1,
		.limits = {min_spare, max_spare, 32},
		.memory = {.spawn_rate = 1},
		.most = most,
		.start_takes = start_takes,
	};
}

static const struct {
	int min_spare, max_spare, most, start_takes;
	int threads; /* 0: prefork */
} servers[] = {
	{5, 10, 256, 0, 0}, /* Apache's */
	{5, 10, 256, 3, 0},
	{1, 2, 4, 1, 0}, /* ours on one CPU */
	{1, 128, 512, 5, 0},
	{3, 4, 3, 0, 0}, /* as many as may be are too few */
	{75, 250, 1000, 8, 0},
	{1, 2, 1, 2, 0},
	{75, 250, 16, 0, 25}, /* Apache's worker */
	{75, 250, 16, 8, 25},
	{4, 13, 2, 1, 8}, /* ours on one CPU */
	{4, 16, 4, 5, 8},
	{4, 1024, 256, 5, 8}, /* and on 128 */
	{24, 33, 3, 2, 8},    /* Processes 3 */
	{1, 3, 200, 1, 1},    /* worker of one thread */
	{60, 161, 7, 3, 100}, /* fewer spare than one child has */
	{700, 801, 7, 3, 100},
};

static struct server
start_listed(size_t i)
{
	struct server s = start_server(servers[i].min_spare,
		servers[i].max_spare, servers[i].most, servers[i].start_takes);

	if (servers[i].threads > 0) {
		s.policy = worker_plan;
		s.threads = servers[i].threads;
	}
	return s;
}

static void
test_random_load_keeps_the_invariants_for_hours(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		struct server s = start_listed(i);
		uint32_t seed = 2463534242U + (uint32_t)i;
		int load = 0, most = s.most * s.threads;

		for (int t = 0; t < 5 * HOUR; t++) {
			uint32_t dice = next(&seed);

			if (dice % 600 == 0) /* a rush, beyond the limit */
				load = (int)(next(&seed) %
					     (unsigned)(most * 2));
			else if (dice % 600 == 1) /* night */
				load = 0;
			else if (dice % 100 == 2)
				crash(&s);
			else
				load += ((int)(next(&seed) % 5) - 2) *
					((s.threads + 2) / 3);
			if (load < 0)
				load = 0;
			turn(&s, load);
		}
	}
}

static void
test_a_steady_load_settles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		struct server s = start_listed(i);
		int most = s.most * s.threads;
		int steps[] = {0, 1, most / 2, most, 2 * most, most / 3, 0};

		for (size_t k = 0; k < ARRAY_LEN(steps); k++)
			settle(&s, steps[k]);
	}
}

static void
test_from_five_to_all_in_twelve_turns(void **state)
{
	struct server s = start_server(5, 10, 256, 0);
	int turns = 0;

	(void)state;
	s.ready = 5;
	while (count_alive(&s) < 256) {
		turn(&s, 1000);
		turns++;
	}
	assert_int_equal(turns, 12); /* 1 2 4 8 16 32 32 32 32 32 32 28 */
}

static void
test_slow_starters_do_not_cause_more_forks(void **state)
{
	struct server s = start_server(5, 10, 256, 8);

	(void)state;
	for (int t = 0; t < 8; t++)
		turn(&s, 0);
	/* 1 + 2 + 4 are enough; those that are not READY yet count. */
	assert_int_equal(count_alive(&s), 7);
}

static void
test_slow_starters_do_not_make_growth_linear(void **state)
{
	struct server s = start_server(1, 128, 512, 5);
	int turns = 0;

	(void)state;
	while (count_alive(&s) < 127) {
		turn(&s, 1000);
		turns++;
	}
	/* 1 2 4 … 32 32 32, each six turns after the other */
	assert_in_range(turns, 1, 9 * 6);
}

static void
test_worker_grows_to_four_hundred_threads_in_four_turns(void **state)
{
	struct server s = start_server(75, 250, 16, 0);
	int turns = 0;

	(void)state;
	s.policy = worker_plan;
	s.threads = 25;
	s.ready = 3;
	while (count_alive(&s) < 16) {
		turn(&s, 1000);
		turns++;
	}
	assert_int_equal(turns, 4); /* 1 2 4 6 */
}

static void
test_a_night_leaves_what_max_spare_threads_allows(void **state)
{
	struct server s = start_server(75, 250, 16, 0);

	(void)state;
	s.policy = worker_plan;
	s.threads = 25;
	s.ready = 16;
	for (int t = 0; t < 6; t++)
		turn(&s, 0);
	assert_int_equal(count_alive(&s), 10); /* one a turn, to 250 */
	for (int t = 0; t < HOUR; t++)
		turn(&s, 0);
	assert_int_equal(count_alive(&s), 10);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_random_load_keeps_the_invariants_for_hours),
		cmocka_unit_test(test_a_steady_load_settles),
		cmocka_unit_test(test_from_five_to_all_in_twelve_turns),
		cmocka_unit_test(test_slow_starters_do_not_cause_more_forks),
		cmocka_unit_test(test_slow_starters_do_not_make_growth_linear),
		cmocka_unit_test(
			test_worker_grows_to_four_hundred_threads_in_four_turns),
		cmocka_unit_test(
			test_a_night_leaves_what_max_spare_threads_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
