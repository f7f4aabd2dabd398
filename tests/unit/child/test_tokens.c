/*
 * test_tokens.c - what the Server field says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "child/tokens.h"
#include "config/config.h"

static void
test_server_says_what_server_tokens_wants(void **state)
{
	static const struct {
		int tokens;
		const char *text;
	} rows[] = {
		{CONFIG_TOKENS_PROD, "wsgid"},
		{CONFIG_TOKENS_PRODUCT_ONLY, "wsgid"},
		{CONFIG_TOKENS_MAJOR, "wsgid/1"},
		{CONFIG_TOKENS_MINOR, "wsgid/1.20"},
		{CONFIG_TOKENS_MIN, "wsgid/1.20.3"},
		{CONFIG_TOKENS_MINIMAL, "wsgid/1.20.3"},
		{CONFIG_TOKENS_OS, "wsgid/1.20.3 (Linux)"},
		{CONFIG_TOKENS_FULL, "wsgid/1.20.3 (Linux) Python/3.11.2"},
	};
	char text[TOKENS_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tokens_write(text, rows[i].tokens, "1.20.3", "3.11.2");
		assert_string_equal(text, rows[i].text);
	}
	tokens_write(text, CONFIG_TOKENS_MINOR, "1", "3.11.2");
	assert_string_equal(text, "wsgid/1");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_says_what_server_tokens_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
