/*
 * test_arena.c - memory that is given back all at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdalign.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/defs.h"

static void
test_memory_is_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 16, 17, 100, 4096, 5000, 0, 7};
	struct arena a = {0};
	char *got[ARRAY_LEN(sizes)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		got[i] = arena_alloc(&a, sizes[i]);
		assert_non_null(got[i]);
		assert_int_equal((uintptr_t)got[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(got[i][k], 0);
		memset(got[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(got[i][k], (int)i + 1);
	arena_fini(&a);
}

static void
test_copies_are_terminated(void **state)
{
	struct arena a = {0};

	(void)state;
	assert_string_equal(arena_copy(&a, "hello world", 5), "hello");
	assert_string_equal(arena_copy(&a, NULL, 0), "");
	arena_fini(&a);
}

static void
test_an_empty_arena_is_usable_again(void **state)
{
	struct arena a = {0};

	(void)state;
	arena_fini(&a);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1000; i++)
			assert_non_null(arena_alloc(&a, 50));
		arena_fini(&a);
		assert_null(a.blocks);
	}
}

static void
test_what_cannot_be_had_is_null(void **state)
{
	struct arena a = {0};

	(void)state;
	assert_null(arena_alloc(&a, SIZE_MAX / 2));
	assert_non_null(arena_alloc(&a, 10));
	arena_fini(&a);
}

static void
test_sizes_that_would_wrap_are_null(void **state)
{
	struct arena a = {0};

	(void)state;
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 30));
	arena_fini(&a);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(test_copies_are_terminated),
		cmocka_unit_test(test_an_empty_arena_is_usable_again),
		cmocka_unit_test(test_what_cannot_be_had_is_null),
		cmocka_unit_test(test_sizes_that_would_wrap_are_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
