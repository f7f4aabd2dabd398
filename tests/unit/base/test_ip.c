/*
 * test_ip.c - what is an IP address, and that both families are one form.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/ip.h"

static void
test_an_address_is_one_and_comes_back_as_people_write_it(void **state)
{
	static const struct {
		const char *text, *again; /* NULL: no address */
	} rows[] = {
		{"192.0.2.7", "192.0.2.7"},
		{"255.255.255.255", "255.255.255.255"},
		{"2001:db8::7", "2001:db8::7"},
		{"2001:DB8:0:0:0:0:0:7", "2001:db8::7"},
		{"::", "::"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"", NULL},
		{"192.0.2", NULL},
		{"192.0.2.256", NULL},
		{"192.0.02.7", NULL},
		{" 192.0.2.7", NULL},
		{"192.0.2.7:80", NULL},
		{"[::1]", NULL},
		{"fe80::1%eth0", NULL},
		{"localhost", NULL},
		{"1:2:3:4:5:6:7:8:9", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip ip;
		char text[IP_TEXT];
		int rc = ip_parse(&ip, str_of(rows[i].text));

		if (rc == -EINVAL && rows[i].again == NULL)
			continue;
		if (rc != 0 || rows[i].again == NULL)
			fail_msg("\"%s\": %d", rows[i].text, rc);
		assert_int_equal(ip_format(&ip, text), strlen(rows[i].again));
		assert_string_equal(text, rows[i].again);
	}
}

static void
test_a_nul_within_is_no_address(void **state)
{
	struct ip ip;

	(void)state;
	assert_int_equal(ip_parse(&ip, STR("1.2.3.4\0")), -EINVAL);
}

static void
test_a_mapped_ipv4_address_is_the_ipv4_address(void **state)
{
	struct ip v4, v6;

	(void)state;
	assert_int_equal(ip_parse(&v4, STR("192.0.2.7")), 0);
	assert_int_equal(ip_parse(&v6, STR("::ffff:192.0.2.7")), 0);
	assert_memory_equal(&v4, &v6, sizeof(v4));
	assert_true(ip_is_v4(&v6));
	v6 = ip_of_v4("\xc0\0\2\7");
	assert_memory_equal(&v4, &v6, sizeof(v4));
	assert_int_equal(ip_parse(&v6, STR("::192.0.2.7")), 0);
	assert_false(ip_is_v4(&v6));
}

static void
test_private_is_what_is_no_part_of_the_internet(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} rows[] = {
		{"127.0.0.1", true},
		{"127.255.255.255", true},
		{"128.0.0.0", false},
		{"10.0.0.0", true},
		{"11.0.0.0", false},
		{"172.16.0.0", true},
		{"172.31.255.255", true},
		{"172.32.0.0", false},
		{"172.15.255.255", false},
		{"192.168.255.255", true},
		{"192.169.0.0", false},
		{"169.254.1.1", true},
		{"100.64.0.1", true},
		{"100.127.255.255", true},
		{"100.128.0.0", false},
		{"192.0.2.7", false},
		{"::1", true},
		{"::2", false},
		{"fc00::1", true},
		{"fdff::1", true},
		{"fe00::1", false},
		{"fe80::1", true},
		{"febf::1", true},
		{"fec0::1", false},
		{"2001:db8::1", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip ip;

		assert_int_equal(ip_parse(&ip, str_of(rows[i].text)), 0);
		if (ip_is_private(&ip) != rows[i].is)
			fail_msg("%s", rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_an_address_is_one_and_comes_back_as_people_write_it),
		cmocka_unit_test(test_a_nul_within_is_no_address),
		cmocka_unit_test(
			test_a_mapped_ipv4_address_is_the_ipv4_address),
		cmocka_unit_test(
			test_private_is_what_is_no_part_of_the_internet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
