/*
 * test_layout.c - what may stand in a scoreboard's texts, and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "scoreboard/scoreboard.h"
#include "scoreboard/scoreboard_priv.h"

static void
test_texts_are_cut_and_cleaned(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *want; /* in a field of 8 */
	} rows[] = {
		{"", 0, ""},
		{"/", 1, "/"},
		{"1234567", 7, "1234567"},
		{"12345678", 8, "1234567"},
		{"abc", 2, "ab"}, /* a slice has no NUL */
		{"a\0b", 3, "a?b"},
		{"\x1b[31m", 5, "?[31m"},
		{"\n\r\t\x7f", 4, "????"},
		{"caf\xc3\xa9", 5, "caf\xc3\xa9"},
		{"cafes\xc2\x9b", 7, "cafes?"},
		{"coffee\xc3\xa9", 8, "coffee"}, /* no half of it */
		{" ~", 2, " ~"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char field[16];

		memset(field, 'x', sizeof(field));
		scoreboard_put_text(field, 8, rows[i].text, rows[i].len);
		assert_string_equal(field, rows[i].want);
		assert_memory_equal(field + 8, "xxxxxxxx", 8);
	}
}

static void
test_of_lines_the_last_are_kept(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* in a field of 8 */
	} rows[] = {
		{"", ""},
		{"a\nbc\n", "a\nbc\n"},
		{"abc\nde\n", "abc\nde\n"},
		{"abc\ndef\n", "def\n"},
		{"\ta\x1b\n", "\ta?\n"},
		{"0123456789", "3456789"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char field[16];

		memset(field, 'x', sizeof(field));
		scoreboard_put_lines(
			field, 8, rows[i].text, strlen(rows[i].text));
		assert_string_equal(field, rows[i].want);
		assert_memory_equal(field + 8, "xxxxxxxx", 8);
	}
}

static void
test_a_field_without_room_is_left_alone(void **state)
{
	char field = 'x';

	(void)state;
	scoreboard_put_text(&field, 0, "text", 4);
	assert_int_equal(field, 'x');
	scoreboard_put_text(&field, 1, "text", 4);
	assert_int_equal(field, '\0');
}

static void
test_a_worker_of_random_bytes_can_be_shown(void **state)
{
	struct wsgid_worker w;

	(void)state;
	memset(&w, 0xff, sizeof(w));
	memcpy(w.method, "\x1b]0;owned\x07GET XXXX", 16);
	scoreboard_clean_worker(&w);
	assert_int_equal(w.state, '?');
	assert_string_equal(w.method, "?]0;owned?GET X");
	assert_int_equal(strlen(w.client), sizeof(w.client) - 1);
	assert_int_equal(strspn(w.target, "?"), sizeof(w.target) - 1);
	assert_int_equal(strspn(w.query, "?"), sizeof(w.query) - 1);
}

static void
test_states_are_apaches_letters_or_a_question_mark(void **state)
{
	(void)state;
	for (uint32_t s = 0; s < 1000; s++) {
		struct wsgid_worker w = {.state = s};
		uint32_t want = '?';

		if (s == 0)
			want = '.';
		else if (s < 128 && strchr(".S_RWKLCGI", (int)s) != NULL)
			want = s;
		scoreboard_clean_worker(&w);
		assert_int_equal(w.state, want);
	}
}

static void
test_workers_begin_on_their_own_cache_line(void **state)
{
	struct scoreboard_layout l = scoreboard_layout(3, 2);

	(void)state;
	assert_int_equal(l.worker_offset % 64, 0);
	assert_true(l.worker_offset >= sizeof(struct wsgid_page));
	assert_int_equal(
		l.page_size, l.worker_offset + 2 * sizeof(struct wsgid_worker));
	assert_true(l.process_offset >= sizeof(struct wsgid_board));
	assert_int_equal(l.board_size,
		l.process_offset + 3 * sizeof(struct wsgid_process));
}

static void
test_the_largest_layout_fits_its_numbers(void **state)
{
	struct scoreboard_layout l = scoreboard_layout(
		SCOREBOARD_MOST_PROCESSES, SCOREBOARD_MOST_WORKERS);

	(void)state;
	assert_true(l.board_size < UINT32_MAX);
	assert_true(l.page_size < UINT32_MAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_are_cut_and_cleaned),
		cmocka_unit_test(test_of_lines_the_last_are_kept),
		cmocka_unit_test(test_a_field_without_room_is_left_alone),
		cmocka_unit_test(test_a_worker_of_random_bytes_can_be_shown),
		cmocka_unit_test(
			test_states_are_apaches_letters_or_a_question_mark),
		cmocka_unit_test(test_workers_begin_on_their_own_cache_line),
		cmocka_unit_test(test_the_largest_layout_fits_its_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
