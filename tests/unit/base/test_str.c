/*
 * test_str.c - slices compared, cut and counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/str.h"

static void
test_slices_of_text(void **state)
{
	(void)state;
	assert_int_equal(str_of(NULL).len, 0);
	assert_int_equal(str_of("").len, 0);
	assert_int_equal(str_of("abc").len, 3);
	assert_int_equal(STR("a\0b").len, 3);
}

static void
test_equality_with_and_without_case(void **state)
{
	static const struct {
		struct str a, b;
		bool equal, nocase;
	} rows[] = {
		{{"", 0}, {NULL, 0}, true, true},
		{{"Host", 4}, {"Host", 4}, true, true},
		{{"Host", 4}, {"hOST", 4}, false, true},
		{{"Host", 4}, {"Hos", 3}, false, false},
		{{"a\0b", 3}, {"a\0c", 3}, false, false},
		{{"@[`{", 4}, {"`{@[", 4}, false, false}, /* beside letters */
		{{"\xc4", 1}, {"\xe4", 1}, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			str_equal(rows[i].a, rows[i].b), rows[i].equal);
		assert_int_equal(
			str_equal_nocase(rows[i].a, rows[i].b), rows[i].nocase);
	}
}

static void
test_blanks_are_trimmed(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""}, {" \t ", ""}, {"a", "a"}, {"\t a b \t", "a b"},
		{" \n", "\n"}, /* no blank */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_equal(
			str_trim(str_of(rows[i].text)), str_of(rows[i].want)));
}

static void
test_elements_of_a_list(void **state)
{
	static const struct {
		const char *list;
		const char *elements[5]; /* until NULL */
	} rows[] = {
		{"", {""}},
		{"a", {"a"}},
		{"a,b", {"a", "b"}},
		{" a , b\t", {"a", "b"}},
		{",a,,", {"", "a", "", ""}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str list = str_of(rows[i].list);

		for (size_t k = 0; rows[i].elements[k] != NULL; k++)
			assert_true(str_equal(str_next_element(&list),
				str_of(rows[i].elements[k])));
		assert_null(str_next_element(&list).p);
		assert_null(str_next_element(&list).p);
	}
}

static void
test_numbers_are_digits_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		int rc;
		unsigned long long value;
	} rows[] = {
		{"0", 0, 0},
		{"007", 0, 7},
		{"18446744073709551615", 0, 18446744073709551615ULL},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"0x1", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
		{"\xd9\xa1", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned long long value = 4711;

		assert_int_equal(
			str_to_u64(str_of(rows[i].text), &value), rows[i].rc);
		assert_true(value == (rows[i].rc == 0 ? rows[i].value : 4711));
	}
}

static void
test_numbers_are_written_as_short_as_they_are(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{0, "0"},
		{9, "9"},
		{10, "10"},
		{65535, "65535"},
		{UINT64_MAX, "18446744073709551615"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[STR_DECIMAL + 1];

		*str_put_decimal(text, rows[i].value) = '\0';
		assert_string_equal(text, rows[i].text);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices_of_text),
		cmocka_unit_test(test_equality_with_and_without_case),
		cmocka_unit_test(test_blanks_are_trimmed),
		cmocka_unit_test(test_elements_of_a_list),
		cmocka_unit_test(test_numbers_are_digits_and_nothing_else),
		cmocka_unit_test(test_numbers_are_written_as_short_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
