/*
 * test_network.c - what is a network, and who is in it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/network.h"

static void
test_a_network_comes_back_as_it_was_written(void **state)
{
	static const char *const rows[] = {
		"192.0.2.7",
		"10.0.0.0/8",
		"0.0.0.0/0",
		"192.0.2.128/25",
		"2001:db8::/32",
		"::1",
		"::/0",
		"unix:",
		"*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct network n;
		struct err err = {0};
		char text[NETWORK_TEXT];

		if (network_parse(&n, rows[i], &err) != 0)
			fail_msg("%s", err.text);
		network_format(&n, text);
		assert_string_equal(text, rows[i]);
	}
}

static void
test_what_is_no_network_is_refused_with_what_to_write(void **state)
{
	static const struct {
		const char *text, *sentence;
	} rows[] = {
		{"", "\"\" is no address"},
		{"proxy.example", "\"proxy.example\" is no address, such as "},
		{"10.0.0.0/33", "no network, such as 10.0.0.0/8"},
		{"10.0.0.0/", "is no address"},
		{"10.0.0.0/+8", "is no address"},
		{"10.0.0.0/255.0.0.0", "is no address"},
		{"::/129", "is no address"},
		{"unix:/run/x", "neither unix: nor *"},
		{"10.0.0.1/8", "write 10.0.0.0/8 for all of it"},
		{"2001:db8::1/32", "write 2001:db8::/32 for all of it"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct network n;
		struct err err = {0};

		assert_int_equal(
			network_parse(&n, rows[i].text, &err), -EINVAL);
		if (strstr(err.text, rows[i].sentence) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

static void
test_who_is_in_a_network(void **state)
{
	static const struct {
		const char *network, *who; /* NULL: of a Unix socket */
		bool in;
	} rows[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"192.0.2.128/25", "192.0.2.129", true},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"0.0.0.0/0", "192.0.2.7", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "::1", true},
		{"::/0", "192.0.2.7", false},
		{"::1", "::1", true},
		{"2001:db8::/32", "2001:db8:ffff::", true},
		{"2001:db8::/32", "2001:db9::", false},
		{"::/0", NULL, false},
		{"unix:", NULL, true},
		{"unix:", "127.0.0.1", false},
		{"*", NULL, true},
		{"*", "192.0.2.7", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *who = rows[i].who;
		struct network n;
		struct ip ip = {0};

		assert_int_equal(network_parse(&n, rows[i].network, NULL), 0);
		if (who != NULL)
			assert_int_equal(ip_parse(&ip, str_of(who)), 0);
		if (network_any_has(&n, 1, who != NULL ? &ip : NULL) !=
			rows[i].in)
			fail_msg("%s in %s: not %d", who != NULL ? who : "unix",
				rows[i].network, rows[i].in);
	}
	assert_false(network_any_has(NULL, 0, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_network_comes_back_as_it_was_written),
		cmocka_unit_test(
			test_what_is_no_network_is_refused_with_what_to_write),
		cmocka_unit_test(test_who_is_in_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
