/*
 * test_proxy_protocol.c - headers of both versions, whole, in parts and wrong,
 * with the sections of HAProxy's proxy-protocol.txt (2020/03/05).
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
#include "http/proxy_protocol.h"

/* Parse a copy that ends where the bytes do. */
static ssize_t
parse(struct proxy_protocol *ret, const char *data, size_t len)
{
	char *copy = malloc(len + (len == 0));
	ssize_t rc;

	assert_non_null(copy);
	memcpy(copy, data, len);
	rc = proxy_protocol_parse(ret, copy, len);
	free(copy);
	return rc;
}

static const char *
describe(const struct proxy_protocol *p)
{
	static char text[200];
	char client[IP_TEXT], server[IP_TEXT];

	if (!p->has_ends)
		return p->tls ? "nobody tls" : "nobody";
	ip_format(&p->client, client);
	ip_format(&p->server, server);
	snprintf(text, sizeof(text), "%s %u %s %u%s", client, p->client_port,
		server, p->server_port, p->tls ? " tls" : "");
	return text;
}

/* Every part of a header is one that more is needed of, and what follows it is
 * not looked at. */
static void
check_whole(const char *section, const char *data, size_t len, const char *ends)
{
	struct proxy_protocol p;
	char more[400];

	for (size_t i = 0; i < len; i++)
		assert_int_equal(parse(&p, data, i), 0);
	if (parse(&p, data, len) != (ssize_t)len ||
		strcmp(describe(&p), ends) != 0)
		fail_msg("section %s: \"%s\" and not \"%s\"", section,
			describe(&p), ends);
	memcpy(more, data, len);
	memcpy(more + len, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(parse(&p, more, len + 16), len);
}

static void
test_a_line_of_version_1_names_both_ends(void **state)
{
	static const struct {
		const char *section, *line, *ends;
	} rows[] = {
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n",
			"192.0.2.7 4711 198.51.100.1 443"},
		{"2.1",
			"PROXY TCP4 255.255.255.255 255.255.255.255 65535 "
			"65535\r\n",
			"255.255.255.255 65535 255.255.255.255 65535"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n",
			"192.0.2.7 0 198.51.100.1 0"},
		{"2.1", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n",
			"2001:db8::7 4711 2001:db8::1 443"},
		{"2.1",
			"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
			"65535\r\n",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
		{"2.1", "PROXY UNKNOWN\r\n", "nobody"},
		{"2.1", "PROXY UNKNOWN whatever 1 2\r\n", "nobody"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_whole(rows[i].section, rows[i].line, strlen(rows[i].line),
			rows[i].ends);
}

static void
test_a_line_that_is_wrong_is_refused(void **state)
{
	static const struct {
		const char *section, *line;
	} rows[] = {
		{"2.1", "PROXY \r\n"},
		{"2.1", "PROXY TCP5 192.0.2.7 198.51.100.1 4711 443\r\n"},
		{"2.1", "PROXY tcp4 192.0.2.7 198.51.100.1 4711 443\r\n"},
		{"2.1", "PROXY  TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7  198.51.100.1 4711 443\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 \r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 1\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.256 198.51.100.1 4711 443\r\n"},
		{"2.1", "PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n"},
		{"2.1", "PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n"},
		{"2.1", "PROXY TCP6 [2001:db8::7] 2001:db8::1 4711 443\r\n"},
		{"2.1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\rX"},
		{"2.1", "PROXY UNKNOWN "
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
	};
	struct proxy_protocol p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (parse(&p, rows[i].line, strlen(rows[i].line)) != -EBADMSG)
			fail_msg("section %s: %s: is not refused",
				rows[i].section, rows[i].line);
}

#define SIGNATURE      "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) literal, sizeof(literal) - 1

#define V4 "\xc0\0\2\7\xc6\x33\x64\1\x12\x67\1\xbb"
#define V6                                               \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"         \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67" \
	"\1\xbb"

static void
test_a_record_of_version_2_names_both_ends(void **state)
{
	static const struct {
		const char *section, *data;
		size_t len;
		const char *ends;
	} rows[] = {
		{"2.2", BYTES(SIGNATURE "\x21\x11\0\x0c" V4),
			"192.0.2.7 4711 198.51.100.1 443"},
		{"2.2", BYTES(SIGNATURE "\x21\x21\0\x24" V6),
			"2001:db8::7 4711 2001:db8::1 443"},
		/* The balancer itself, whatever it adds. */
		{"2.2", BYTES(SIGNATURE "\x20\0\0\0"), "nobody"},
		{"2.2", BYTES(SIGNATURE "\x20\x11\0\x0c" V4), "nobody"},
		{"2.2", BYTES(SIGNATURE "\x21\0\0\3xyz"), "nobody"},
		/* A name, and a client with TLS and without. */
		{"2.2.2", BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\2\0\4shop"),
			"192.0.2.7 4711 198.51.100.1 443"},
		{"2.2.6",
			BYTES(SIGNATURE "\x21\x11\0\x14" V4
					"\x20\0\5\1\0\0\0\0"),
			"192.0.2.7 4711 198.51.100.1 443 tls"},
		{"2.2.6",
			BYTES(SIGNATURE "\x21\x11\0\x14" V4
					"\x20\0\5\0\0\0\0\0"),
			"192.0.2.7 4711 198.51.100.1 443"},
		/* Its checksum. */
		{"2.2.3",
			BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\3\0\4"
					"\x6a\xcd\xf6\x1c"),
			"192.0.2.7 4711 198.51.100.1 443"},
		{"2.2.6",
			BYTES(SIGNATURE "\x21\x11\0\x17" V4
					"\x20\0\5\1\0\0\0\0\4\0\0"),
			"192.0.2.7 4711 198.51.100.1 443 tls"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_whole(rows[i].section, rows[i].data, rows[i].len,
			rows[i].ends);
}

static void
test_the_client_of_a_unix_socket_has_no_address(void **state)
{
	char data[16 + 216] = SIGNATURE "\x21\x31\0\xd8";

	(void)state;
	check_whole("2.2", data, sizeof(data), "nobody");
}

static void
test_a_record_may_be_as_long_as_it_can_say(void **state)
{
	static char data[PROXY_PROTOCOL_MAX] =
		SIGNATURE "\x21\x11\xff\xff" V4 "\4\xff\xf0";
	struct proxy_protocol p;

	(void)state;
	assert_int_equal(parse(&p, data, sizeof(data) - 1), 0);
	assert_int_equal(parse(&p, data, sizeof(data)), sizeof(data));
	assert_string_equal(describe(&p), "192.0.2.7 4711 198.51.100.1 443");
}

static void
test_a_record_that_is_wrong_is_refused(void **state)
{
	static const struct {
		const char *section, *data;
		size_t len;
	} rows[] = {
		{"2.2", BYTES(SIGNATURE "\x11")},
		{"2.2", BYTES(SIGNATURE "\x31\x11\0\x0c")},
		{"2.2", BYTES(SIGNATURE "\x22\x11\0\x0c" V4)},
		{"2.2", BYTES(SIGNATURE "\x21\x12\0\x0c" V4)},
		{"2.2", BYTES(SIGNATURE "\x21\x41\0\x0c" V4)},
		{"2.2", BYTES(SIGNATURE "\x21\x11\0\x0b" V4)},
		{"2.2", BYTES(SIGNATURE "\x21\x21\0\x0c" V4)},
		{"2.2", BYTES(SIGNATURE "\x21\x31\0\x0c" V4)},
		/* Cut off behind the addresses. */
		{"2.2", BYTES(SIGNATURE "\x21\x11\0\x0e" V4 "\2\0")},
		{"2.2", BYTES(SIGNATURE "\x21\x11\0\x10" V4 "\2\0\2x")},
		/* A checksum that is another one's, or none. */
		{"2.2.3", BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\3\0\4"
					  "\x6b\xcd\xf6\x1c")},
		{"2.2.3", BYTES(SIGNATURE "\x21\x11\0\x12" V4 "\3\0\3"
					  "abc")},
	};
	struct proxy_protocol p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (parse(&p, rows[i].data, rows[i].len) != -EBADMSG)
			fail_msg("section %s, row %zu is not refused",
				rows[i].section, i);
}

static void
test_what_is_no_header_is_told_at_its_first_byte(void **state)
{
	static const struct {
		const char *section, *data;
		size_t len;
		ssize_t rc;
	} rows[] = {
		{"2", BYTES(""), 0},
		{"2", BYTES("GET / HTTP/1.1\r\n"), -ENOMSG},
		{"2", BYTES("P"), 0},
		{"2", BYTES("PR"), 0},
		{"2", BYTES("PROXY"), 0},
		{"2", BYTES("POST / HTTP/1.1\r\n"), -ENOMSG},
		{"2", BYTES("PROPFIND / HTTP/1.1\r\n"), -ENOMSG},
		{"2", BYTES("PROXY\r\n"), -ENOMSG},
		{"2", BYTES("proxy TCP4"), -ENOMSG},
		/* Empty lines before a request. */
		{"2", BYTES("\r\n"), 0},
		{"2", BYTES("\r\n\r\n"), 0},
		{"2", BYTES("\r\nGET / HTTP/1.1\r\n"), -ENOMSG},
		{"2", BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), -ENOMSG},
	};
	struct proxy_protocol p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (parse(&p, rows[i].data, rows[i].len) != rows[i].rc)
			fail_msg("section %s: \"%s\" is not %zd",
				rows[i].section, rows[i].data, rows[i].rc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_of_version_1_names_both_ends),
		cmocka_unit_test(test_a_line_that_is_wrong_is_refused),
		cmocka_unit_test(test_a_record_of_version_2_names_both_ends),
		cmocka_unit_test(
			test_the_client_of_a_unix_socket_has_no_address),
		cmocka_unit_test(test_a_record_may_be_as_long_as_it_can_say),
		cmocka_unit_test(test_a_record_that_is_wrong_is_refused),
		cmocka_unit_test(
			test_what_is_no_header_is_told_at_its_first_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
