/*
 * test_lists.c - values that are lists of words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "reading.h"

static void
test_what_is_no_network_is_told(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"TrustedProxies\n", "TrustedProxies: other words are "
				     "expected, as in \"TrustedProxies "},
		{"TrustedProxies 10.0.0.0/8 proxy.example\n",
			"\"proxy.example\" is no address, such as 192.0.2.7"},
		{"TrustedProxies 10.0.0.1/8\n", "write 10.0.0.0/8"},
		{"TrustedProxies ::1,10.0.0.1/8\n", "write 10.0.0.0/8"},
		{"TrustedProxies ,\n", "\",\" is a list of nothing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = settle_config(rows[i].text, 2);

		assert_true(has_message(c, rows[i].message));
		assert_int_equal(c->trusted_proxies.n, 0);
		config_destroy(c);
	}
}

static void
test_a_line_that_is_too_long_is_told(void **state)
{
	struct buf text = {0};
	struct config *c;

	(void)state;
	buf_add_text(&text, "TrustedProxies");
	for (int i = 0; i < 1001; i++)
		buf_printf(&text, " 10.0.%d.%d", i / 200, i % 200);
	c = read_config(buf_text(&text));
	assert_string_equal(only_message(c), "TrustedProxies: there are more "
					     "than 1000 values; write several "
					     "lines");
	config_destroy(c);
	buf_fini(&text);
}

static void
test_commas_may_stand_where_spaces_do(void **state)
{
	char *argv[] = {"wsgid", "--forwarded-allow-ips", "10.0.0.1,::1", NULL};
	struct config *c = read_config("TrustedProxies 10.0.0.1, unix:\n");
	int index = 1;

	(void)state;
	assert_int_equal(c->trusted_proxies.n, 2);
	assert_int_equal(c->trusted_proxies.list[1].kind, NETWORK_UNIX);
	assert_int_equal(config_read_option(c, 3, argv, &index), 1);
	assert_int_equal(c->trusted_proxies.n, 2);
	assert_int_equal(c->trusted_proxies.list[1].first.bytes[15], 1);
	config_destroy(c);
}

static void
test_a_stronger_source_replaces_all_networks(void **state)
{
	char *const env[] = {"WSGID_TRUSTED_PROXIES=::1, unix:", NULL};
	struct config *c = read_config("TrustedProxies 10.0.0.1 10.0.0.2\n");

	(void)state;
	assert_int_equal(c->trusted_proxies.n, 2);
	config_read_environment(c, env);
	assert_int_equal(c->trusted_proxies.n, 2);
	assert_int_equal(c->trusted_proxies.list[1].kind, NETWORK_UNIX);
	config_destroy(c);
}

/* Those of a large provider are more than a line usually has. */
static void
test_many_networks_are_all_kept_and_told_to_children(void **state)
{
	enum { LINES = 3, EACH = 600 };
	struct buf text = {0}, dump = {0};
	struct config *c, *again = config_create();

	(void)state;
	for (int i = 0; i < LINES; i++) {
		buf_add_text(&text, "TrustedProxies");
		for (int j = 0; j < EACH; j++)
			buf_printf(&text, " 10.%d.%d.%d", i, j / 200, j % 200);
		buf_add_char(&text, '\n');
	}
	c = settle_config(buf_text(&text), 2);
	assert_int_equal(c->trusted_proxies.n, LINES * EACH);
	assert_int_equal(config_dump(c, &dump), 0);
	assert_int_equal(config_read_text(again, "dump", dump.data, dump.len),
		0);
	assert_int_equal(count_messages(again), 0);
	assert_int_equal(again->trusted_proxies.n, LINES * EACH);
	for (size_t i = 0; i < LINES * EACH; i++)
		assert_memory_equal(&again->trusted_proxies.list[i],
			&c->trusted_proxies.list[i], sizeof(struct network));
	config_destroy(again);
	config_destroy(c);
	buf_fini(&dump);
	buf_fini(&text);
}

static void
test_fields_of_proxies_are_ours_or_passed_on(void **state)
{
	struct config *c = read_config("");

	(void)state;
	assert_int_equal(c->trusted_proxy_headers.known,
		CONFIG_X_FORWARDED_FOR | CONFIG_X_FORWARDED_PROTO);
	config_destroy(c);
	c = read_config("TrustedProxyHeaders x-forwarded-host Forwarded\n");
	assert_int_equal(c->trusted_proxy_headers.known,
		CONFIG_X_FORWARDED_HOST | CONFIG_FORWARDED);
	config_destroy(c);
	c = read_config("TrustedProxyHeaders x-forwarded-host,Forwarded,\n");
	assert_int_equal(c->trusted_proxy_headers.known,
		CONFIG_X_FORWARDED_HOST | CONFIG_FORWARDED);
	config_destroy(c);
	c = read_config("TrustedProxyHeaders X-Forwarded-For "
			"x-forwarded-USER X-Real-Ip X-Forwarded-Client-Cert\n");
	assert_int_equal(
		c->trusted_proxy_headers.known, CONFIG_X_FORWARDED_FOR);
	assert_string_equal(c->trusted_proxy_headers.passed,
		"x-forwarded-USER X-Real-Ip X-Forwarded-Client-Cert");
	config_destroy(c);
}

static void
test_what_is_no_field_of_proxies_is_told(void **state)
{
	static const char *const words[] = {"Remote-User", "X-Forwarded-",
		"X-Forwarded", "X-Forwarded-A_B",
		"\"X-Forwarded-A X-Forwarded-B\""};
	char text[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct config *c;

		snprintf(text, sizeof(text), "TrustedProxyHeaders %s\n",
			words[i]);
		c = read_config(text);
		assert_true(has_message(c,
			"is none of X-Forwarded-For, X-Forwarded-Proto, "
			"X-Forwarded-Host, X-Forwarded-Port, "
			"X-Forwarded-Prefix, Forwarded, X-Real-IP and others "
			"that begin with X-Forwarded-; "));
		config_destroy(c);
	}
}

static void
test_texts_of_more_lines_stand_behind_commas(void **state)
{
	char *const env[] = {"WSGID_PYTHON_WARNINGS=default", NULL};
	struct config *c = read_config("WSGIPythonWarnings error,ignore::X\n"
				       "WSGIPythonWarnings always\n"
				       "WSGIPythonXOptions dev\n"
				       "WSGIPythonXOptions utf8\n");

	(void)state;
	assert_string_equal(c->python_warnings, "error,ignore::X,always");
	assert_string_equal(c->python_x_options, "dev,utf8");
	config_read_environment(c, env);
	assert_string_equal(c->python_warnings, "default");
	config_destroy(c);
}

static void
test_texts_of_more_lines_are_no_longer_than_one(void **state)
{
	struct buf text = {0};
	struct config *c;

	(void)state;
	for (int i = 0; i < 3; i++)
		buf_printf(&text, "WSGIPythonWarnings ignore::%04000d\n", i);
	c = read_config(buf_text(&text));
	assert_string_equal(only_message(c),
		"WSGIPythonWarnings: with those before it the value is longer "
		"than 8192 bytes");
	assert_int_equal(strlen(c->python_warnings), 2 * 4008 + 1);
	config_destroy(c);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_no_network_is_told),
		cmocka_unit_test(test_a_line_that_is_too_long_is_told),
		cmocka_unit_test(test_commas_may_stand_where_spaces_do),
		cmocka_unit_test(test_a_stronger_source_replaces_all_networks),
		cmocka_unit_test(
			test_many_networks_are_all_kept_and_told_to_children),
		cmocka_unit_test(test_fields_of_proxies_are_ours_or_passed_on),
		cmocka_unit_test(test_what_is_no_field_of_proxies_is_told),
		cmocka_unit_test(test_texts_of_more_lines_stand_behind_commas),
		cmocka_unit_test(
			test_texts_of_more_lines_are_no_longer_than_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
