/*
 * test_chars.c - the table of bytes against the grammars it stands for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "http/chars.h"

static bool
is_among(int c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

static bool
is_visible(int c)
{
	return c > 0x20 && c < 0x7f;
}

static bool
is_alnum(int c)
{
	return c < 0x80 && isalnum(c);
}

static void
test_every_byte_is_where_the_grammar_has_it(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool token = is_alnum(c) || is_among(c, "!#$%&'*+-.^_`|~");
		bool target = (is_visible(c) && c != '#') || c >= 0x80;
		bool value = c == '\t' || (c >= ' ' && c != 0x7f);
		bool host = is_alnum(c) || is_among(c, "-._~!$&'()*+,;=");
		int expected =
			(token ? CHAR_TOKEN : 0) | (target ? CHAR_TARGET : 0) |
			(target && c != '?' ? CHAR_PATH : 0) |
			(value ? CHAR_VALUE : 0) | (host ? CHAR_HOST : 0) |
			(c < 0x80 && isdigit(c) ? CHAR_DIGIT : 0) |
			(c < 0x80 && isxdigit(c) ? CHAR_HEX : 0);

		if (chars[c] != expected)
			fail_msg("0x%02x: %#x, not %#x", c, chars[c], expected);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_is_where_the_grammar_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
