/*
 * test_printable.c - letters stay, and nothing steers a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/defs.h"
#include "base/printable.h"

static void
test_letters_stay_and_what_steers_a_terminal_does_not(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},
		{"plain ~", "plain ~"},
		{"caf\xc3\xa9 \xe2\x82\xac \xe6\x97\xa5\xe6\x9c\xac "
		 "\xf0\x9f\x98\x80",
			"caf\xc3\xa9 \xe2\x82\xac \xe6\x97\xa5\xe6\x9c\xac "
			"\xf0\x9f\x98\x80"},
		{"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
			"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
		{"a\nb\tc\rd", "a\nb?c?d"}, /* the newline is allowed */
		{"\x1b[31mred\x07\x7f", "?[31mred??"},
		/* CSI and NEL of C1, as UTF-8 and as bytes. */
		{"a\xc2\x9b"
		 "31mb\xc2\x85"
		 "c",
			"a?31mb?c"},
		{"a\x9b"
		 "31m",
			"a?31m"},
		/* U+202E, U+2066, U+200F, U+061C, U+2028. */
		{"a\xe2\x80\xae"
		 "b\xe2\x81\xa6"
		 "c\xe2\x80\x8f"
		 "d\xd8\x9c"
		 "e\xe2\x80\xa8"
		 "f",
			"a?b?c?d?e?f"},
		/* Too long, a half of UTF-16, too large, cut off. */
		{"\xc0\x9b \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82",
			"?? ??? ???? ??"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[64];

		strcpy(text, rows[i].text);
		text[printable_clean(text, strlen(text), "\n")] = '\0';
		assert_string_equal(text, rows[i].want);
	}
}

static void
test_a_nul_is_never_allowed(void **state)
{
	char text[] = "a\0b";

	(void)state;
	assert_int_equal(printable_clean(text, 3, "\n"), 3);
	assert_memory_equal(text, "a?b", 3);
}

static void
test_a_text_is_cut_between_characters(void **state)
{
	static const struct {
		const char *text;
		size_t size, want;
	} rows[] = {
		{"abc", 3, 3},
		{"abc", 2, 2},
		{"abc", 0, 0},
		{"a\xc3\xa9z", 2, 1},
		{"a\xc3\xa9z", 3, 3},
		{"\xe2\x82\xac\xe2\x82\xac", 5, 3},
		{"\xe2\x82\xac\xe2\x82\xac", 3, 3},
		{"\xf0\x9f\x98\x80z", 3, 0},
		/* No UTF-8. */
		{"\x80\x80\x80\x80\x80\x80", 5, 5},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(printable_cut(rows[i].text,
					 strlen(rows[i].text), rows[i].size),
			rows[i].want);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_letters_stay_and_what_steers_a_terminal_does_not),
		cmocka_unit_test(test_a_nul_is_never_allowed),
		cmocka_unit_test(test_a_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
