/*
 * test_authority.c - what is a host and port.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "http/authority.h"

enum { NO, YES, WITH_PORT };

static void
test_only_host_and_port_are_an_authority(void **state)
{
	static const struct {
		const char *section, *text;
		int valid;
	} rows[] = {
		{"9110 7.2", "example.com", YES},
		{"9110 7.2", "example.com:8000", WITH_PORT},
		{"9110 7.2", "EXAMPLE.com.", YES},
		{"9110 7.2", "", NO},
		{"9110 4.2.1", ":80", NO},
		{"9110 4.2.1", ":", NO},
		{"9110 4.2.4", "user@example.com", NO},
		{"9110 4.2.4", "user:word@example.com", NO},
		{"3986 3.2.2", "127.0.0.1:80", WITH_PORT},
		{"3986 3.2.2", "a_b-c~d", YES},
		{"3986 3.2.2", "!$&'()*+,;=", YES},
		{"3986 3.2.2", "caf%C3%A9:1", WITH_PORT},
		{"3986 3.2.2", "a%", NO},
		{"3986 3.2.2", "a%4", NO},
		{"3986 3.2.2", "a%4:", NO},
		{"3986 3.2.2", "a%gg", NO},
		{"3986 3.2.2", "caf\xc3\xa9", NO},
		{"3986 3.2.2", "a b", NO},
		{"3986 3.2.2", "a\tb", NO},
		{"3986 3.2.2", "a/b", NO},
		{"3986 3.2.2", "a?b", NO},
		{"3986 3.2.2", "a#b", NO},
		{"3986 3.2.2", "a\\b", NO},
		{"3986 3.2.2", "a\"b", NO},
		{"3986 3.2.2", "<a>", NO},
		{"3986 3.2.2", "::1", NO},
		{"3986 3.2.2", "[::1]", YES},
		{"3986 3.2.2", "[::1]:8000", WITH_PORT},
		{"3986 3.2.2", "[2001:DB8::192.0.2.7]", YES},
		{"3986 3.2.2", "[::1", NO},
		{"3986 3.2.2", "::1]", NO},
		{"3986 3.2.2", "[]", NO},
		{"3986 3.2.2", "[", NO},
		{"3986 3.2.2", "[::1]8000", NO},
		{"3986 3.2.2", "[::1]]", NO},
		{"3986 3.2.2", "[127.0.0.1]", NO},
		{"3986 3.2.2", "[::12345]", NO},
		{"3986 3.2.2", "[1:2:3:4:5:6:7:8:9]", NO},
		{"3986 3.2.2", "[fe80::1%25eth0]", NO},
		{"3986 3.2.2", "[0000:0000:0000:0000:0000:0000:0000:0000:0]",
			NO},
		{"3986 3.2.2",
			"[0000:0000:0000:0000:0000:0000:0000:0000:0000:"
			"0000:0000:0000]",
			NO},
		{"3986 3.2.2", "[v1.fe80::a+en1]", YES},
		{"3986 3.2.2", "[V7F.x]:1", WITH_PORT},
		{"3986 3.2.2", "[v1.]", NO},
		{"3986 3.2.2", "[v.x]", NO},
		{"3986 3.2.2", "[v]", NO},
		{"3986 3.2.2", "[v1.a/b]", NO},
		{"3986 3.2.3", "a:", YES},
		{"3986 3.2.3", "a:0", WITH_PORT},
		{"3986 3.2.3", "a:65535", WITH_PORT},
		{"3986 3.2.3", "a:00080", WITH_PORT},
		{"3986 3.2.3", "a:65536", NO},
		{"3986 3.2.3", "a:18446744073709551697", NO},
		{"3986 3.2.3", "a:+80", NO},
		{"3986 3.2.3", "a:-1", NO},
		{"3986 3.2.3", "a:8 0", NO},
		{"3986 3.2.3", "a:http", NO},
		{"3986 3.2.3", "a:80:80", NO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool has_port = false;
		bool valid = authority_valid(str_of(rows[i].text), &has_port);
		int got = !valid ? NO : has_port ? WITH_PORT : YES;

		if (got != rows[i].valid)
			fail_msg("RFC %s: %s: %d", rows[i].section,
				rows[i].text, got);
		assert_int_equal(
			authority_valid(str_of(rows[i].text), NULL), valid);
	}
}

static void
test_a_nul_ends_nothing(void **state)
{
	(void)state;
	assert_false(authority_valid(STR("a\0"), NULL));
	assert_false(authority_valid(STR("\0"), NULL));
	assert_false(authority_valid(STR("[::1\0]"), NULL));
	assert_false(authority_valid(STR("a:\0"), NULL));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_host_and_port_are_an_authority),
		cmocka_unit_test(test_a_nul_ends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
