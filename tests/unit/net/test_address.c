/*
 * test_address.c - what administrators write, and what comes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "net/address.h"

enum { MANY = 8 };

static bool
has_ipv6(void)
{
	AUTO_CLOSE int fd = socket(AF_INET6, SOCK_STREAM, 0);

	return fd >= 0;
}

static void
test_an_address_is_read_and_shown_again(void **state)
{
	static const struct {
		const char *text, *shown, *host;
		int family, port;
	} rows[] = {
		{"127.0.0.1:8000", NULL, "127.0.0.1", AF_INET, 8000},
		{"0.0.0.0:80", NULL, "0.0.0.0", AF_INET, 80},
		{"127.0.0.1:0", NULL, "127.0.0.1", AF_INET, 0},
		{"127.0.0.1:65535", NULL, "127.0.0.1", AF_INET, 65535},
		{"[::1]:8000", NULL, "::1", AF_INET6, 8000},
		{"[::]:8000", NULL, "::", AF_INET6, 8000},
		{"[2001:DB8:0::1]:80", "[2001:db8::1]:80", "2001:db8::1",
			AF_INET6, 80},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1:80", "192.0.2.1", AF_INET6,
			80},
		{"unix:/run/x.sock", NULL, "", AF_UNIX, 0},
		{"unix:app.sock", NULL, "", AF_UNIX, 0},
		{"unix:/run/a b.sock", NULL, "", AF_UNIX, 0},
		{"unix:@wsgid", NULL, "", AF_UNIX, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address a[MANY];
		char text[ADDRESS_TEXT];
		struct err err = {0};

		assert_int_equal(address_parse(a, MANY, rows[i].text, &err), 1);
		assert_int_equal(a[0].any.sa_family, rows[i].family);
		address_format(&a[0], text);
		assert_string_equal(text,
			rows[i].shown != NULL ? rows[i].shown : rows[i].text);
		address_host(&a[0], text);
		assert_string_equal(text, rows[i].host);
		assert_int_equal(address_port(&a[0]), rows[i].port);
	}
}

static void
test_a_port_alone_is_every_interface(void **state)
{
	static const char *const texts[] = {"8000", "*:8000", ":8000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct address a;
		char text[ADDRESS_TEXT];
		struct err err = {0};

		assert_int_equal(address_parse(&a, 1, texts[i], &err), 1);
		address_format(&a, text);
		assert_string_equal(
			text, has_ipv6() ? "[::]:8000" : "0.0.0.0:8000");
	}
}

static void
test_localhost_is_this_machine(void **state)
{
	struct address a[MANY];
	struct err err = {0};
	char host[ADDRESS_TEXT];
	int n = address_parse(a, MANY, "localhost:8000", &err);

	(void)state;
	assert_in_range(n, 1, 2);
	for (int i = 0; i < n; i++) {
		address_host(&a[i], host);
		assert_true(strcmp(host, "127.0.0.1") == 0 ||
			    strcmp(host, "::1") == 0);
		assert_int_equal(address_port(&a[i]), 8000);
	}
}

static void
test_a_mistake_is_answered_with_what_to_write(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{"", "write 127.0.0.1:8000"},
		{"-1", "there is no port below 0"},
		{"-", "the port is missing: write -:8000"},
		{"127.0.0.1", "the port is missing: write 127.0.0.1:8000"},
		{"localhost:", "the port is missing: write localhost:8000"},
		{"[::1]", "the port is missing: write [::1]:8000"},
		{"[::1]:", "the port is missing: write [::1]:8000"},
		{"[::1", "] is missing"},
		{"[::1]8000", "write [ADDRESS]:PORT"},
		{"[127.0.0.1]:80", "127.0.0.1 is not an IPv6 address"},
		{"[]:80", "not an IPv6 address"},
		{"[fe80::1%nosuchif0]:80", "no such interface"},
		{"::1", "[ADDRESS]:PORT"},
		{"::1:8000", "[ADDRESS]:PORT"},
		{"1:2:8000", "write an IPv6 address as [1:2]:8000"},
		{"127.0.0.1:http", "\"http\" is not a port"},
		{"127.0.0.1:-1", "\"-1\" is not a port"},
		{"127.0.0.1:+80", "\"+80\" is not a port"},
		{"127.0.0.1:0x50", "\"0x50\" is not a port"},
		{"127.0.0.1:65536", "65535 is the last"},
		{"99999", "65535 is the last"},
		{"127.0.0.1:99999999999999999999999", "65535 is the last"},
		{"127.0.0.1 :80", "no spaces"},
		{"127.0.0.1:80\n", "no spaces"},
		{"http://127.0.0.1:8000/", "that is a URL: write "
					   "127.0.0.1:8000"},
		{"/run/x.sock", "write unix:/run/x.sock"},
		{"unix:", "write unix:/PATH"},
		{"unix:@", "write unix:/PATH"},
		{"unix:/run/", "that is a directory"},
		{"256.0.0.1:80", "256.0.0.1 is neither"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address a[MANY];
		struct err err = {0};
		int rc = address_parse(a, MANY, rows[i].text, &err);

		if (rc >= 0 || strstr(err.text, rows[i].said) == NULL)
			fail_msg("Listen \"%s\": %d \"%s\", not \"%s\"",
				rows[i].text, rc, err.text, rows[i].said);
		assert_int_equal(err.code, -rc);
		assert_int_equal(strncmp(err.text, "Listen ", 7), 0);
	}
}

static void
test_a_path_has_as_many_bytes_as_a_socket_takes(void **state)
{
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char text[200] = "unix:/", shown[ADDRESS_TEXT];
	struct address a;
	struct err err = {0};

	(void)state;
	memset(text + 6, 'x', most - 1);
	assert_int_equal(address_parse(&a, 1, text, &err), 1);
	address_format(&a, shown);
	assert_string_equal(shown, text);

	text[6 + most - 1] = 'x';
	assert_int_equal(address_parse(&a, 1, text, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "has 108 bytes"));
	assert_non_null(strstr(err.text, "may have 107"));
}

static void
test_a_text_without_end_is_refused(void **state)
{
	enum { LEN = 100000 };
	AUTO_FREE char *text = malloc(LEN + 1);
	struct address a;
	struct err err = {0};

	(void)state;
	memset(text, '8', LEN);
	text[LEN] = '\0';
	assert_int_equal(address_parse(&a, 1, text, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too long"));
	assert_int_equal(address_parse(&a, 1, text, NULL), -EINVAL);
}

static void
test_no_room_is_said(void **state)
{
	struct err err = {0};
	struct address a;

	(void)state;
	assert_int_equal(address_parse(&a, 0, "8000", &err), -E2BIG);
}

static void
test_names_that_the_kernel_gives_can_be_shown(void **state)
{
	struct address a = {.len = sizeof(sa_family_t)};
	char text[ADDRESS_TEXT];

	(void)state;
	a.un.sun_family = AF_UNIX;
	address_format(&a, text);
	assert_string_equal(text, "unix:");

	/* Without a NUL, as long as there is room. */
	memset(a.un.sun_path, 'y', sizeof(a.un.sun_path));
	a.len = sizeof(a.un);
	address_format(&a, text);
	assert_int_equal(strlen(text), 5 + sizeof(a.un.sun_path));

	/* Bytes that would upset a terminal. */
	memcpy(a.un.sun_path, "\0a\0\033b", 5);
	a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 5);
	address_format(&a, text);
	assert_string_equal(text, "unix:@a??b");
}

static void
test_the_same_place_is_the_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "[::1]:80", false},
		{"8000", "*:8000", true},
		{"unix:/a", "unix:/a", true},
		{"unix:/a", "unix:/ab", false},
		{"unix:/a", "unix:@a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address a, b;

		assert_int_equal(address_parse(&a, 1, rows[i].a, NULL), 1);
		assert_int_equal(address_parse(&b, 1, rows[i].b, NULL), 1);
		assert_int_equal(address_equal(&a, &b), rows[i].same);
	}
}

static void
test_what_one_server_cannot_have_at_once(void **state)
{
	static const struct {
		const char *a, *b;
		bool excludes;
	} rows[] = {
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "0.0.0.0:80", true},
		{"127.0.0.1:0", "0.0.0.0:0", false},
		{"127.0.0.1:80", "[::1]:80", false},
		{"127.0.0.1:80", "[::]:80", true},
		{"0.0.0.0:80", "[::]:80", true},
		{"0.0.0.0:80", "[::1]:80", false},
		{"[::1]:80", "[::]:80", true},
		{"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
		{"[::ffff:127.0.0.1]:80", "[::1]:80", false},
		{"8000", "*:8000", true},
		{"unix:/a", "unix:/a", true},
		{"unix:/a", "unix:@/a", false},
		{"unix:/a", "8000", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address a, b;

		assert_int_equal(address_parse(&a, 1, rows[i].a, NULL), 1);
		assert_int_equal(address_parse(&b, 1, rows[i].b, NULL), 1);
		assert_int_equal(address_excludes(&a, &b), rows[i].excludes);
		assert_int_equal(address_excludes(&b, &a), rows[i].excludes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_address_is_read_and_shown_again),
		cmocka_unit_test(test_a_port_alone_is_every_interface),
		cmocka_unit_test(test_localhost_is_this_machine),
		cmocka_unit_test(test_a_mistake_is_answered_with_what_to_write),
		cmocka_unit_test(
			test_a_path_has_as_many_bytes_as_a_socket_takes),
		cmocka_unit_test(test_a_text_without_end_is_refused),
		cmocka_unit_test(test_no_room_is_said),
		cmocka_unit_test(test_names_that_the_kernel_gives_can_be_shown),
		cmocka_unit_test(test_the_same_place_is_the_same),
		cmocka_unit_test(test_what_one_server_cannot_have_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
