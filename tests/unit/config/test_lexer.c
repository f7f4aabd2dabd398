/*
 * test_lexer.c - lines and words.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "config/lexer.h"

/* The lines of text, each ended by "|", with "NUMBER:" before it; an error
 * is "NUMBER!". */
static const char *
lines_of(const char *text, size_t len)
{
	static char all[4096];
	struct lexer lexer;
	struct lexer_line line = {0};
	size_t n = 0;
	int rc;

	all[0] = '\0';
	lexer_init(&lexer, text, len);
	while ((rc = lexer_next(&lexer, &line, NULL)) != 0)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%u%s%s|",
			line.number, rc < 0 ? "!" : ":",
			rc < 0 ? "" : line.text);
	lexer_fini(&lexer);
	return all;
}

static void
test_lines(void **state)
{
	static const struct {
		const char *text, *lines;
	} table[] = {
		{"", ""},
		{"\n\n", ""},
		{"a", "1:a|"},
		{"a\nb\n", "1:a|2:b|"},
		{"  a b\t\n", "1:a b|"},
		{"# a\n  # b\nc", "3:c|"},
		{"a\r\nb\r\n", "1:a|2:b|"},
		{"a \\\n  b\nc", "1:a   b|3:c|"},
		{"a \\\r\n  b\r\nc", "1:a   b|3:c|"},
		{"a\\\n\\\nb\n", "1:ab|"},
		{"a\\", "1:a|"},
		{"\\\n\\\n", ""},
		{"a\001b\nc", "1!|2:c|"},
		{"a\177b\nc", "1!|2:c|"},
		{"a\rb\nc", "1!|2:c|"},
		{"\xc3\xa4", "1:\xc3\xa4|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_string_equal(
			lines_of(table[i].text, strlen(table[i].text)),
			table[i].lines);
}

static void
test_a_comment_that_swallows_a_line_is_told(void **state)
{
	static const char text[] = "# a \\\nb\nc\n";
	struct lexer lexer;
	struct lexer_line line;

	(void)state;
	lexer_init(&lexer, text, strlen(text));
	assert_int_equal(lexer_next(&lexer, &line, NULL), 1);
	assert_true(line.swallows);
	assert_int_equal(lexer_next(&lexer, &line, NULL), 1);
	assert_false(line.swallows);
	assert_string_equal(line.text, "c");
	lexer_fini(&lexer);
}

static void
test_nothing_is_read_behind_a_nul_byte(void **state)
{
	(void)state;
	assert_string_equal(lines_of("a\nb\0c\nd\n", 8), "1:a|2!|");
}

static void
test_a_line_too_long_is_refused_and_the_next_read(void **state)
{
	AUTO_FREE char *text = malloc(LEXER_LINE + 16);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', LEXER_LINE + 1);
	memcpy(text + LEXER_LINE + 1, "\ny\n", 3);
	assert_string_equal(lines_of(text, LEXER_LINE + 4), "1!|2:y|");
	/* Not by continuation either. */
	text[LEXER_LINE / 2] = '\\';
	text[LEXER_LINE / 2 + 1] = '\n';
	memcpy(text + LEXER_LINE + 1, "xxx\ny\n", 6);
	assert_string_equal(lines_of(text, LEXER_LINE + 7), "1!|3:y|");
}

static const char *
look_up(void *arg, struct str name, struct err *err)
{
	(void)arg;
	if (str_equal(name, STR("A")))
		return "value of a";
	if (str_equal(name, STR("nested")))
		return "${A}\"";
	if (str_equal(name, STR("empty")))
		return "";
	err_setx(err, EINVAL, "there is no %.*s", (int)name.len, name.p);
	return NULL;
}

static void
assert_words(const char *text, lexer_lookup *lookup, const char *words)
{
	struct arena arena = {0};
	struct lexer_words found;
	struct err err = {0};
	char all[2048] = "";
	size_t n = 0;

	if (lexer_split(&found, text, &arena, lookup, NULL, &err) < 0)
		snprintf(all, sizeof(all), "! %s", err.text);
	else
		for (size_t i = 0; i < found.n; i++)
			n += (size_t)snprintf(
				all + n, sizeof(all) - n, "%s|", found.word[i]);
	if (words[0] == '!')
		assert_non_null(strstr(all, words + 2));
	else
		assert_string_equal(all, words);
	arena_fini(&arena);
}

static void
test_words(void **state)
{
	static const struct {
		const char *text, *words;
	} table[] = {
		{"", ""},
		{"a b\tc", "a|b|c|"},
		{"\"a b\" c", "a b|c|"},
		{"'a b' c", "a b|c|"},
		{"\"a 'b'\"", "a 'b'|"},
		{"\"a \\\"b\\\" c\"", "a \"b\" c|"},
		{"'it\\'s'", "it's|"},
		{"\"a\\\\\"", "a\\|"},
		{"\"a\\nb\"", "a\\nb|"},
		{"a\\\\b", "a\\b|"},
		{"a\\b", "a\\b|"},
		{"a\"b", "a\"b|"},
		{"\"\"", "|"},
		{"\"a", "! closing \" is missing"},
		{"'a\"", "! closing ' is missing"},
		{"\"a\\\"", "! closing \" is missing"},
		{"\"a\"b", "! a space is missing"},
		{"${A}", "value of a|"},
		{"x${A}y z", "xvalue of ay|z|"},
		{"\"${A}\"", "value of a|"},
		{"'${A}'", "value of a|"},
		{"${nested}", "${A}\"|"},
		{"x${empty}", "x|"},
		{"\\${A}", "${A}|"},
		{"\"\\${A}\"", "${A}|"},
		{"\\\\${A}", "\\value of a|"},
		{"$A $ $$", "$A|$|$$|"},
		{"${B}", "! there is no B"},
		{"${", "! ${NAME} is expected"},
		{"${}", "! ${NAME} is expected"},
		{"${A", "! ${NAME} is expected"},
		{"${A b}", "! ${NAME} is expected"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_words(table[i].text, look_up, table[i].words);
}

static void
test_without_a_lookup_a_dollar_is_a_dollar(void **state)
{
	(void)state;
	assert_words("${A} \\${A}", NULL, "${A}|\\${A}|");
}

static void
test_all_words_of_a_long_line_are_kept(void **state)
{
	struct arena arena = {0};
	struct lexer_words found;
	struct buf line = {0};

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_printf(&line, "%d ", i);
	assert_int_equal(lexer_split(&found, buf_text(&line), &arena, NULL,
				 NULL, NULL),
		0);
	assert_int_equal(found.n, 5000);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(atoi(found.word[i]), i);
	buf_fini(&line);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_a_comment_that_swallows_a_line_is_told),
		cmocka_unit_test(test_nothing_is_read_behind_a_nul_byte),
		cmocka_unit_test(
			test_a_line_too_long_is_refused_and_the_next_read),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_without_a_lookup_a_dollar_is_a_dollar),
		cmocka_unit_test(
			test_all_words_of_a_long_line_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
