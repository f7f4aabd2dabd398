/*
 * test_forwarded.c - whom proxies are believed, and how far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/network.h"
#include "http/forwarded.h"
#include "http/request.h"

enum {
	EACH = FORWARDED_FOR | FORWARDED_PROTO | FORWARDED_HOST |
	       FORWARDED_PORT | FORWARDED_PREFIX,
	ALL = EACH | FORWARDED_RFC7239,
};

/* 10.x, 2001:db8:1:: and Unix sockets are ours. */
static const char *const ours[] = {"10.0.0.0/8", "2001:db8:1::/48", "unix:"};

static const struct request_limits limits = {
	.line = 8190, .fields = 100, .field_size = 8190};

static struct request request;
static char head[65536];
static char said[1024];

static void
add(const char *name, struct str value)
{
	if (value.p != NULL)
		snprintf(said + strlen(said), sizeof(said) - strlen(said),
			"%s%s=%.*s", said[0] != '\0' ? " " : "", name,
			(int)value.len, value.p);
}

/* What a request with these fields makes of its client, as text. */
static const char *
read_fields(const char *fields, unsigned which)
{
	struct network trusted[ARRAY_LEN(ours)];
	struct forwarded f;
	char client[IP_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		assert_int_equal(network_parse(&trusted[i], ours[i], NULL), 0);
	snprintf(head, sizeof(head),
		"GET / HTTP/1.1\r\nHost: inner:8000\r\n%s\r\n", fields);
	assert_true(request_parse(&request, head, strlen(head), &limits) > 0);
	forwarded_read(&f, &request, which, trusted, ARRAY_LEN(trusted));
	assert_int_equal(f.shown, which);
	said[0] = '\0';
	if (f.has_client) {
		add("client",
			(struct str){client, ip_format(&f.client, client)});
		if (f.client_port.len > 0)
			add("from", f.client_port);
	}
	add("scheme", f.scheme);
	add("host", f.host);
	add("port", f.server_port);
	add("prefix", f.prefix);
	return said;
}

/* X-Forwarded-* have no RFC of their own: what is in them is another one's. */
struct row {
	const char *section, *fields, *said;
};

static void
check(const struct row *rows, size_t n, unsigned which)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = read_fields(rows[i].fields, which);

		if (strcmp(got, rows[i].said) != 0)
			fail_msg("RFC %s: %s\nis \"%s\"\nand not \"%s\"",
				rows[i].section, rows[i].fields, got,
				rows[i].said);
	}
}

#define FOR(list) "X-Forwarded-For: " list "\r\n"

static void
test_the_client_is_the_first_from_the_right_that_is_not_trusted(void **state)
{
	static const struct row rows[] = {
		{"7239 7.4", "", ""},
		{"7239 7.4", FOR("192.0.2.7"), "client=192.0.2.7"},
		{"7239 7.4", FOR("198.51.100.1, 192.0.2.7"),
			"client=192.0.2.7"},
		{"7239 7.4", FOR("192.0.2.7, 10.0.0.2"), "client=192.0.2.7"},
		{"7239 7.4", FOR("198.51.100.1, 192.0.2.7, 10.0.0.3, 10.0.0.2"),
			"client=192.0.2.7"},
		/* All are ours: the one that is farthest away. */
		{"7239 7.4", FOR("10.0.0.3, 10.0.0.2"), "client=10.0.0.3"},
		{"7239 7.4", FOR("192.0.2.7") FOR("10.0.0.2"),
			"client=192.0.2.7"},
		{"7239 7.4", FOR("10.0.0.2") FOR("192.0.2.7"),
			"client=192.0.2.7"},
		{"9110 5.1", "x-fORWARDED-for: 192.0.2.7\r\n",
			"client=192.0.2.7"},
		/* What makes no sense ends the walk. */
		{"7239 6.2", FOR("192.0.2.7, unknown, 10.0.0.2"),
			"client=10.0.0.2"},
		{"7239 6.2", FOR("192.0.2.7, unknown"), ""},
		{"7239 6.3", FOR("_hidden"), ""},
		{"3986 3.2.2", FOR("192.0.2.7, 10.0.0.256, 10.0.0.2"),
			"client=10.0.0.2"},
		/* Empty elements are none. */
		{"9110 5.6.1", FOR(""), ""},
		{"9110 5.6.1", FOR(" , ,"), ""},
		{"9110 5.6.1", FOR(", 192.0.2.7,, 10.0.0.2 ,"),
			"client=192.0.2.7"},
		/* With ports, as some balancers write it. */
		{"3986 3.2.3", FOR("192.0.2.7:4711"),
			"client=192.0.2.7 from=4711"},
		{"3986 3.2.3", FOR("192.0.2.7:1, 10.0.0.2:2"),
			"client=192.0.2.7 from=1"},
		{"3986 3.2.3", FOR("192.0.2.7:0"), ""},
		{"3986 3.2.3", FOR("192.0.2.7:65536"), ""},
		{"3986 3.2.3", FOR("192.0.2.7:"), ""},
		{"3986 3.2.3", FOR("192.0.2.7:a"), ""},
		{"3986 3.2.2", FOR("2001:db8::7"), "client=2001:db8::7"},
		{"3986 3.2.2", FOR("[2001:db8::7]"), "client=2001:db8::7"},
		{"3986 3.2.3", FOR("[2001:db8::7]:4711"),
			"client=2001:db8::7 from=4711"},
		{"3986 3.2.3", FOR("[2001:db8::7]4711"), ""},
		{"3986 3.2.2", FOR("[2001:db8::7"), ""},
		{"3986 3.2.2", FOR("192.0.2.7, 2001:db8:1::2"),
			"client=192.0.2.7"},
		{"3986 3.2.2", FOR("::ffff:192.0.2.7, ::ffff:10.0.0.2"),
			"client=192.0.2.7"},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows), ALL);
}

#define PROTO(list)  "X-Forwarded-Proto: " list "\r\n"
#define HOST(list)   "X-Forwarded-Host: " list "\r\n"
#define PORT(list)   "X-Forwarded-Port: " list "\r\n"
#define PREFIX(list) "X-Forwarded-Prefix: " list "\r\n"

static void
test_scheme_host_port_and_prefix_are_what_makes_sense_of_them(void **state)
{
	static const struct row rows[] = {
		/* The port is the one of Host, or what the scheme means. */
		{"3986 3.1", PROTO("https"), "scheme=https port=8000"},
		{"3986 3.1", PROTO("HTTP"), "scheme=http port=8000"},
		{"3986 3.1", PROTO("wss"), ""},
		{"3986 3.1", PROTO("https:"), ""},
		{"3986 3.2.2", HOST("shop.example"),
			"host=shop.example port=80"},
		{"3986 3.2.3", HOST("shop.example:81"),
			"host=shop.example:81 port=81"},
		{"3986 3.2.2", HOST("[::1]"), "host=[::1] port=80"},
		{"3986 3.2.3", HOST("[::1]:81"), "host=[::1]:81 port=81"},
		{"3986 3.2.2", HOST("shop/x"), ""},
		{"3986 3.2.2", HOST("user@shop"), ""},
		{"3986 6.2.3", PROTO("https") HOST("shop.example"),
			"scheme=https host=shop.example port=443"},
		{"3986 3.2.3", PROTO("https") HOST("shop.example") PORT("8443"),
			"scheme=https host=shop.example port=8443"},
		{"3986 3.2.3", PORT("8443"), "port=8443"},
		{"3986 3.2.3", PORT("0443"), "port=443"},
		{"3986 3.2.3", HOST("shop.example:0081"),
			"host=shop.example:0081 port=81"},
		{"3986 3.2.3", FOR("192.0.2.7:04711"),
			"client=192.0.2.7 from=4711"},
		{"3986 3.2.3", PORT("0"), ""},
		{"3986 3.2.3", PORT("00"), ""},
		{"3986 3.2.3", PORT(""), ""},
		{"3986 3.2.3", PORT("65536"), ""},
		{"3986 3.2.3", PORT("+1"), ""},
		{"3986 3.3", PREFIX("/shop"), "prefix=/shop"},
		{"3986 3.3", PREFIX("/shop/"), "prefix=/shop"},
		{"3986 3.3", PREFIX("/a/b//"), "prefix=/a/b"},
		{"3986 3.3", PREFIX("/"), ""},
		{"3986 3.3", PREFIX("shop"), ""},
		{"3986 3.3", PREFIX("//evil.example"), ""},
		{"3986 3.3", PREFIX("/%2fevil.example"), ""},
		{"3986 3.3", PREFIX("/.//evil.example"), ""},
		{"3986 3.3", PREFIX("/a/..//evil.example"), ""},
		{"3986 3.3", PREFIX("/%5cevil.example"), ""},
		{"3986 3.3", PREFIX("/a%0d%0aSet-Cookie:b"), ""},
		{"3986 3.3", PREFIX("/%7f"), ""},
		{"3986 3.3", PREFIX("/a%00"), ""},
		{"3986 3.3", PREFIX("/a%2f"), ""},
		{"3986 3.3", PREFIX("/a/../"), ""},
		{"3986 3.3", PREFIX("/.."), ""},
		{"3986 3.3", PREFIX("/my%20shop"), "prefix=/my%20shop"},
		{"3986 3.3", PREFIX("/a/./b"), "prefix=/a/./b"},
		{"3986 3.3", PREFIX("/a b"), ""},
		{"3986 3.3", PREFIX("/a?b"), ""},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows), ALL);
}

static void
test_lists_are_read_at_the_place_of_the_client(void **state)
{
	static const struct row rows[] = {
		/* What a client itself claims is left of what a proxy adds. */
		{"7239 7.4",
			FOR("198.51.100.1, 192.0.2.7") PROTO("https, http"),
			"client=192.0.2.7 scheme=http port=8000"},
		{"7239 7.4", PROTO("https, http"), "scheme=http port=8000"},
		/* Two proxies of ours. */
		{"7239 7.4",
			FOR("192.0.2.7, 10.0.0.2") PROTO("https, http")
				HOST("shop.example, inner"),
			"client=192.0.2.7 scheme=https host=shop.example "
			"port=443"},
		{"7239 7.4",
			FOR("192.0.2.7, 10.0.0.2") PROTO("http, https, http"),
			"client=192.0.2.7 scheme=https port=8000"},
		/* The second one adds to X-Forwarded-For alone. */
		{"7239 7.4", FOR("192.0.2.7, 10.0.0.2") PROTO("https"),
			"client=192.0.2.7 scheme=https port=8000"},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows), ALL);
}

#define FORWARDED(list) "Forwarded: " list "\r\n"

static void
test_forwarded_says_the_same_in_one_field(void **state)
{
	static const struct row rows[] = {
		{"7239 5.2", FORWARDED("for=192.0.2.7"), "client=192.0.2.7"},
		{"7239 6.3", FORWARDED("for=\"_gazonk\""), ""},
		{"7239 6.1", FORWARDED("For=\"[2001:db8:cafe::17]:4711\""),
			"client=2001:db8:cafe::17 from=4711"},
		{"7239 4",
			FORWARDED("for=192.0.2.60;proto=http;by=203.0.113.43"),
			"client=192.0.2.60 scheme=http port=8000"},
		{"7239 7.1", FORWARDED("for=192.0.2.43, for=198.51.100.17"),
			"client=198.51.100.17"},
		{"7239 7.1", FORWARDED("for=192.0.2.43, for=10.0.0.2"),
			"client=192.0.2.43"},
		{"7239 7.1",
			FORWARDED("for=192.0.2.43") FORWARDED("for=10.0.0.2"),
			"client=192.0.2.43"},
		{"7239 6.1",
			FORWARDED("for=192.0.2.43,for=\"[2001:db8:1::17]\""),
			"client=192.0.2.43"},
		{"7239 6.2", FORWARDED("for=unknown"), ""},
		{"7239 5.3", FORWARDED("proto=https;host=\"shop.example:81\""),
			"scheme=https host=shop.example:81 port=81"},
		{"7239 7.1",
			FORWARDED("for=192.0.2.7;host=a;proto=https, "
				  "for=10.0.0.2;host=b;proto=http"),
			"client=192.0.2.7 scheme=https host=a port=443"},
		{"7239 4", FORWARDED("for = 192.0.2.7"), ""},
		{"7239 4", FORWARDED("for"), ""},
		{"7239 4", FORWARDED("=192.0.2.7"), ""},
		{"7239 4", FORWARDED(";;for=192.0.2.7;;"), "client=192.0.2.7"},
		{"7239 4", FORWARDED("for=\"\""), ""},
		{"7239 4", FORWARDED("fzor=1"), ""},
		{"7239 4", FORWARDED("for=\""), ""},
		/* A quotation mark that the client has left open. */
		{"7239 4", FORWARDED("for=\"198.51.100.1, for=192.0.2.7"),
			"client=192.0.2.7"},
		{"7239 4", FORWARDED("for=\"\\, for=\"192.0.2.7\""),
			"client=192.0.2.7"},
		{"7239 4",
			FORWARDED("for=\"a,b;c\\\"d\", "
				  "for=192.0.2.7;x=\"1,2;3\""),
			"client=192.0.2.7"},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows), ALL);
}

static void
test_x_forwarded_goes_before_forwarded(void **state)
{
	static const struct row rows[] = {
		{"7239 7.4",
			FORWARDED("for=198.51.100.1;proto=https;"
				  "host=evil.example") FOR("192.0.2.7")
				PROTO("http") HOST("shop.example"),
			"client=192.0.2.7 scheme=http host=shop.example "
			"port=80"},
		{"7239 7.4",
			FORWARDED("for=192.0.2.7;proto=https") PREFIX("/shop"),
			"client=192.0.2.7 scheme=https port=8000 "
			"prefix=/shop"},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows), ALL);
}

static void
test_only_what_the_proxy_sets_is_believed(void **state)
{
	static const char fields[] =
		FOR("192.0.2.7") PROTO("https") HOST("shop.example") PORT("81")
			PREFIX("/shop") FORWARDED("for=198.51.100.1;host=b");
	static const struct {
		unsigned which;
		const char *said;
	} rows[] = {
		{0, ""},
		{FORWARDED_FOR, "client=192.0.2.7"},
		{FORWARDED_PROTO, "scheme=https port=8000"},
		{FORWARDED_HOST, "host=shop.example port=80"},
		{FORWARDED_PORT, "port=81"},
		{FORWARDED_PREFIX, "prefix=/shop"},
		{FORWARDED_RFC7239, "client=198.51.100.1 host=b port=80"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(
			read_fields(fields, rows[i].which), rows[i].said);
}

static void
test_which_fields_are_a_proxys(void **state)
{
	static const struct {
		const char *name;
		unsigned field;
	} rows[] = {
		{"X-Forwarded-For", FORWARDED_FOR},
		{"x-forwarded-proto", FORWARDED_PROTO},
		{"X-FORWARDED-HOST", FORWARDED_HOST},
		{"X-Forwarded-Port", FORWARDED_PORT},
		{"X-Forwarded-Prefix", FORWARDED_PREFIX},
		{"Forwarded", FORWARDED_RFC7239},
		{"X-Forwarded-Server", FORWARDED_OTHER},
		{"X-Forwarded-Ssl", FORWARDED_OTHER},
		{"X-Real-Ip", FORWARDED_OTHER},
		{"X-Forwarded", 0},
		{"X-Forwarded-", 0},
		{"Forwarded-For", 0},
		{"From", 0},
		{"X", 0},
		{"Host", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			forwarded_field(str_of(rows[i].name)), rows[i].field);
}

static void
test_what_says_nothing_to_us_is_passed_on_where_it_is_named(void **state)
{
	static const struct {
		const char *passed, *name;
		bool shown;
	} rows[] = {
		{"X-Forwarded-User", "x-forwarded-user", true},
		{"X-Forwarded-A X-Real-IP", "X-Real-Ip", true},
		{"X-Forwarded-A X-Real-IP", "X-Forwarded-A", true},
		{"X-Forwarded-A X-Real-IP", "X-Forwarded-", true},
		{"X-Forwarded-A X-Real-IP", "X-Forwarded-AX", false},
		{"X-Forwarded-AX", "X-Forwarded-A", false},
		{"X-Forwarded-A", "X-Forwarded-Host", false},
		{"", "X-Forwarded-A", false},
		{"", "X-Forwarded-For", true},
		{"", "Host", true},
		{NULL, "X-Forwarded-A", false},
		{NULL, "X-Forwarded-For", false},
		{NULL, "Host", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forwarded f = {.shown = FORWARDED_FOR};

		if (rows[i].passed != NULL)
			f.passed = str_of(rows[i].passed);
		assert_int_equal(
			forwarded_shows(rows[i].passed != NULL ? &f : NULL,
				str_of(rows[i].name)),
			rows[i].shown);
	}
}

/* Whatever somebody sends, looking at it takes a time that grows with its
 * length and not with the square of it. */
static void
test_many_quotation_marks_cost_no_more_than_others(void **state)
{
	static char fields[60000];
	size_t n = 0;

	(void)state;
	while (n < 56000) {
		size_t end = n + 8000;

		n += (size_t)sprintf(fields + n, "Forwarded: ");
		while (n < end)
			n += (size_t)sprintf(
				fields + n, "for=10.0.0.1;x=\\\",");
		n += (size_t)sprintf(fields + n, "\r\n");
	}
	assert_string_equal(read_fields(fields, ALL), "client=10.0.0.1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_client_is_the_first_from_the_right_that_is_not_trusted),
		cmocka_unit_test(
			test_scheme_host_port_and_prefix_are_what_makes_sense_of_them),
		cmocka_unit_test(
			test_lists_are_read_at_the_place_of_the_client),
		cmocka_unit_test(test_forwarded_says_the_same_in_one_field),
		cmocka_unit_test(test_x_forwarded_goes_before_forwarded),
		cmocka_unit_test(test_only_what_the_proxy_sets_is_believed),
		cmocka_unit_test(test_which_fields_are_a_proxys),
		cmocka_unit_test(
			test_what_says_nothing_to_us_is_passed_on_where_it_is_named),
		cmocka_unit_test(
			test_many_quotation_marks_cost_no_more_than_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
