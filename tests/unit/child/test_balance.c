/*
 * test_balance.c - who has too many gives some away, and it settles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "child/balance.h"

static void
test_what_is_above_the_mean_goes_to_idle_siblings(void **state)
{
	static const struct {
		uint32_t others[3][2]; /* connections, idle */
		size_t own, ready, excess;
	} rows[] = {
		{{{0, 1}, {0, 1}, {0, 1}}, 64, 64, 3},
		{{{0, 1}, {0, 1}, {0, 1}}, 64, 3, 2},
		{{{0, 1}, {0, 1}, {0, 1}}, 64, 1, 0},
		{{{0, 0}, {0, 0}, {0, 0}}, 64, 64, 0},
		{{{0, 1}, {0, 0}, {0, 0}}, 64, 64, 1},
		/* a stuck sibling without connections does not count */
		{{{21, 1}, {21, 1}, {0, 0}}, 22, 9, 0},
		{{{16, 1}, {16, 1}, {16, 1}}, 16, 9, 0},
		/* an eighth of the mean and one is left alone */
		{{{15, 1}, {15, 1}, {15, 1}}, 19, 9, 0},
		{{{15, 1}, {15, 1}, {15, 1}}, 21, 9, 3},
		{{{0, 1}, {0, 1}, {0, 1}}, 1, 9, 0},
		{{{0, 1}, {0, 1}, {0, 1}}, 2, 2, 1},
		/* lies */
		{{{UINT32_MAX, 7}, {UINT32_MAX, 7}, {0, 0}}, 64, 64, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct balance_sibling siblings[4] = {0};
		struct balance b = {.siblings = siblings, .n = 4, .slot = 0};

		for (size_t k = 0; k < 3; k++) {
			siblings[k + 1].connections = rows[i].others[k][0];
			siblings[k + 1].idle = rows[i].others[k][1];
		}
		assert_int_equal(balance_excess(&b, rows[i].own, rows[i].ready),
			rows[i].excess);
	}
}

static void
test_a_queue_half_as_long_is_shorter(void **state)
{
	static const struct {
		uint32_t connections, queue; /* of a sibling */
		size_t ready;
		bool shorter;
	} rows[] = {
		{8, 3, 8, true},
		{8, 4, 8, false},
		{8, 8, 8, false},
		{8, 0, 2, true},
		{8, 0, 1, false},
		/* an empty slot, or one that starts */
		{0, 0, 8, false},
		/* a lie */
		{UINT32_MAX, UINT32_MAX, 8, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct balance_sibling siblings[3] = {
			{.connections = 1}, /* our own does not count */
			{.connections = rows[i].connections,
				.ready = rows[i].queue},
		};
		struct balance b = {.siblings = siblings, .n = 3, .slot = 0};

		assert_int_equal(balance_has_shorter(&b, rows[i].ready),
			rows[i].shorter);
	}
}

static void
test_only_siblings_count_as_idle(void **state)
{
	struct balance_sibling siblings[3] = {0};
	struct balance b = {.siblings = siblings, .n = 3, .slot = 1};

	(void)state;
	assert_false(balance_has_idle(&b));
	siblings[1].idle = 1;
	assert_false(balance_has_idle(&b));
	siblings[2].idle = 1;
	assert_true(balance_has_idle(&b));
}

/* Each child in turn has all its connections ready while the others are
 * idle, which is when it gives. */
static void
test_any_start_settles_and_then_nothing_moves(void **state)
{
	enum { CHILDREN = 4, CONNECTIONS = 64, MEAN = 16, ROUNDS = 200 };
	struct balance_sibling siblings[CHILDREN];
	size_t moved = 0;
	int spread;

	(void)state;
	srandom(1);
	for (int start = 0; start < 100; start++) {
		for (size_t i = 0; i < CHILDREN; i++)
			siblings[i] = (struct balance_sibling){.idle = 1};
		for (int k = 0; k < CONNECTIONS; k++)
			siblings[start == 0 ? 0 : random() % CHILDREN]
				.connections++;
		for (int round = 0; round < ROUNDS; round++) {
			size_t me = (size_t)random() % CHILDREN;
			struct balance b = {.siblings = siblings,
				.n = CHILDREN,
				.slot = me};
			size_t n = balance_excess(&b, siblings[me].connections,
				siblings[me].connections);

			moved = round < ROUNDS / 2 ? 0 : moved + n;
			for (size_t k = 0; n > 0; k = (k + 1) % CHILDREN) {
				if (k == me)
					continue;
				siblings[me].connections--;
				siblings[k].connections++;
				n--;
			}
		}
		assert_int_equal(moved, 0);
		spread = 0;
		for (size_t i = 0; i < CHILDREN; i++) {
			int off = (int)siblings[i].connections - MEAN;

			spread += off * off;
		}
		/* A coefficient of variation of 0.3. */
		assert_true(spread <= CHILDREN * (3 * MEAN / 10 + 1) *
					      (3 * MEAN / 10 + 1));
	}
}

static void
test_a_slot_that_does_not_exist_is_refused(void **state)
{
	int fd = memfd_create("siblings", 0);
	struct balance b = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(ftruncate(fd, 4 * sizeof(struct balance_sibling)), 0);
	assert_int_equal(balance_open(&b, fd, 2, &err), 0);
	assert_int_equal(b.n, 3);
	assert_ptr_equal(b.news, &b.siblings[3]);
	balance_close(&b);
	assert_true(balance_open(&b, fd, 3, &err) < 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_is_above_the_mean_goes_to_idle_siblings),
		cmocka_unit_test(test_a_queue_half_as_long_is_shorter),
		cmocka_unit_test(test_only_siblings_count_as_idle),
		cmocka_unit_test(test_any_start_settles_and_then_nothing_moves),
		cmocka_unit_test(test_a_slot_that_does_not_exist_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
