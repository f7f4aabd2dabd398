/*
 * test_buf.c - bytes that grow, and do not when memory is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void
test_a_zeroed_buffer_is_empty(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(b.len, 0);
	buf_consume(&b, 10);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_false(buf_failed(&b));
	buf_fini(&b);
	buf_fini(&b);
}

static void
test_appended_pieces_are_one_text(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add_text(&b, "one");
	buf_add_char(&b, ' ');
	buf_add_str(&b, STR("two"));
	buf_printf(&b, " %d-%s", 3, "three");
	buf_printf(&b, "%s", "");
	assert_string_equal(buf_text(&b), "one two 3-three");
	assert_int_equal(b.len, 15);
	buf_consume(&b, 4);
	assert_string_equal(buf_text(&b), "two 3-three");
	buf_clear(&b);
	assert_string_equal(buf_text(&b), "");
	buf_fini(&b);
}

static void
test_it_grows_to_what_is_needed(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_add_char(&b, (char)('a' + i % 26)), 0);
	assert_int_equal(b.len, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_int_equal(buf_printf(&b, "%300000d", 1), 0);
	assert_int_equal(b.len, 400000);
	assert_int_equal(b.data[399999], '1');
	buf_consume(&b, 399999);
	assert_string_equal(buf_text(&b), "1");
	buf_fini(&b);
}

/* Who takes some and adds some, with much between. */
static void
test_what_is_consumed_makes_room_for_what_is_added(void **state)
{
	static char much[250000];
	struct buf b = {0};
	unsigned in = 0, out = 0;
	char *before = NULL;
	size_t moved = 0;

	(void)state;
	for (; in < sizeof(much); in++)
		much[in] = (char)('a' + in % 26);
	buf_add(&b, much, sizeof(much));
	for (int i = 0; i < 1000000; i++) {
		assert_int_equal(b.data[0], 'a' + out % 26);
		buf_consume(&b, 3);
		out += 3;
		for (int k = 0; k < 3; k++, in++)
			buf_add_char(&b, (char)('a' + in % 26));
		moved += b.data != before + 3 ? b.len : 0;
		before = b.data;
		assert_int_equal(b.len, sizeof(much));
		assert_true(b.size + b.consumed <= 4 * sizeof(much));
	}
	assert_true(moved < 2 * 3000000); /* and not 250000 million */
	buf_consume(&b, b.len - 1);
	assert_int_equal(b.data[0], 'a' + (in - 1) % 26);
	buf_consume(&b, 1);
	assert_int_equal(b.consumed, 0);
	assert_string_equal(buf_text(&b), "");
	buf_fini(&b);
}

/* The room that a failure leaves is all of it. */
static void
test_a_failure_loses_nothing_of_what_was_partly_consumed(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add_text(&b, "gone kept");
	buf_consume(&b, 5);
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_string_equal(buf_text(&b), "kept");
	buf_consume(&b, 1);
	buf_clear(&b);
	assert_int_equal(b.size, 256);
	buf_fini(&b);
}

static void
test_reserved_bytes_are_claimed_by_len(void **state)
{
	struct buf b = {0};
	char *to = buf_reserve(&b, 5);

	(void)state;
	memcpy(to, "hello", 5);
	assert_int_equal(b.len, 0);
	b.len += 5;
	assert_string_equal(buf_text(&b), "hello");
	buf_fini(&b);
}

static void
test_a_failure_is_remembered_and_loses_nothing(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_add_text(&b, "kept");
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(buf_failed(&b));
	assert_int_equal(buf_add_text(&b, " on"), 0);
	assert_string_equal(buf_text(&b), "kept on");
	assert_true(buf_failed(&b));
	buf_clear(&b);
	assert_false(buf_failed(&b));
	buf_fini(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_zeroed_buffer_is_empty),
		cmocka_unit_test(test_appended_pieces_are_one_text),
		cmocka_unit_test(test_it_grows_to_what_is_needed),
		cmocka_unit_test(
			test_what_is_consumed_makes_room_for_what_is_added),
		cmocka_unit_test(
			test_a_failure_loses_nothing_of_what_was_partly_consumed),
		cmocka_unit_test(test_reserved_bytes_are_claimed_by_len),
		cmocka_unit_test(
			test_a_failure_is_remembered_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
