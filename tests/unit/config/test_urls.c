/*
 * test_urls.c - values that are paths or URLs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "reading.h"

static void
assert_str(struct str is, const char *expected)
{
	if (expected == NULL) {
		assert_null(is.p);
		return;
	}
	assert_int_equal(is.len, strlen(expected));
	assert_memory_equal(is.p, expected, is.len);
}

static void
test_a_url_is_taken_apart(void **state)
{
	static const struct {
		const char *text, *scheme, *host, *port, *target;
	} rows[] = {
		{"/", "http", NULL, NULL, "/"},
		{"/a/b?c=d&e", "http", NULL, NULL, "/a/b?c=d&e"},
		{"//a", "http", NULL, NULL, "//a"},
		{"http://h", "http", "h", NULL, ""},
		{"HTTPS://H/", "https", "H", NULL, "/"},
		{"https://h:8443/x%20y", "https", "h:8443", "8443", "/x%20y"},
		{"http://[::1]/x", "http", "[::1]", NULL, "/x"},
		{"http://[::1]:80?x", "http", "[::1]:80", "80", "?x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_url url;

		assert_int_equal(
			config_read_url(&url, str_of(rows[i].text), NULL), 0);
		assert_str(url.scheme, rows[i].scheme);
		assert_str(url.host, rows[i].host);
		assert_str(url.port, rows[i].port);
		assert_str(url.target, rows[i].target);
	}
}

static void
test_what_is_no_url_is_told(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"\"\"", "the value is empty"},
		{"login", "\"login\" is neither a path, as in /login, nor a "
			  "URL, as in https://www.example.com/login"},
		{"ftp://h/", "\"ftp://h/\" is neither a path"},
		{",", "there is none in \",\""},
		{"http://h:/x", "does not begin with a host"},
		{"http://h:0/x", "does not begin with a host"},
		{"http://a[b/x", "does not begin with a host"},
		{"http://[zz]/x", "does not begin with a host"},
		{"http://h:65536/x", "does not begin with a host"},
		{"http://::1/x", "does not begin with a host"},
		{"http://[::1/x", "does not begin with a host"},
		{"http://[::1]8/x", "does not begin with a host"},
		{"http://:80/x", "does not begin with a host"},
		{"http://a:b:1/x", "does not begin with a host"},
		{"/a,b", "\"b\" is neither a path"},
		{"http://", "\"http://\" does not begin with a host"},
		{"http:///x", "does not begin with a host"},
		{"http://a@b/", "\"http://a@b/\" does not begin with a host"},
		{"http://h\xc3\xa4/", "does not begin with a host"},
		{"\"/a b\"", "\"/a b\" has a character in it that must be "
			     "written as %20"},
		{"/a#b", "\"/a#b\": no server is told what stands behind "
			  "\"#\"; leave it out"},
		{"/50%", "must be written as %25"},
		{"/%zz", "must be written as %25"},
		{"/\xc3\xa4", "must be written as %C3"},
		{"https://h/{x}", "must be written as %7B"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c;
		char text[200];

		snprintf(text, sizeof(text), "WSGIWarmUp %s\n", rows[i].text);
		c = read_config(text);
		assert_true(has_message(c, rows[i].message));
		assert_int_equal(count_fatal(c), 1);
		assert_null(c->warm_up);
		config_destroy(c);
	}
}

static void
test_words_elements_and_lines_are_one_list(void **state)
{
	char *const env[] = {"WSGID_WARM_UP=/d, /e", NULL};
	struct config *c = read_config("WSGIWarmUp /a /b,https://h/c,\n"
				       "WSGIWarmUp http://[::1]:80?x=${y}\n"
				       "WSGIWarmUp /x\n");

	(void)state;
	/* ${y} is nobody's, which is a mistake of its own. */
	assert_int_equal(count_messages(c), 1);
	assert_string_equal(c->warm_up, "/a,/b,https://h/c,/x");
	config_read_environment(c, env);
	assert_string_equal(c->warm_up, "/d,/e");
	config_destroy(c);
}

static void
test_one_line_is_not_longer_than_a_value(void **state)
{
	struct buf text = {0};
	struct config *c;

	(void)state;
	buf_add_text(&text, "WSGIWarmUp");
	for (int i = 0; i < 200; i++)
		buf_printf(&text, " /%063d", i);
	c = read_config(buf_text(&text));
	assert_string_equal(only_message(c), "WSGIWarmUp: the value is longer "
					     "than 8192 bytes in all");
	config_destroy(c);
	buf_fini(&text);
}

static void
test_none_takes_back_what_a_weaker_source_says(void **state)
{
	char *const env[] = {"WSGID_WARM_UP=None", NULL};
	struct config *c = read_config("WSGIWarmUp /a\n");

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(
		config_settle(c, &(struct config_machine){.cpus = 1}), 0);
	assert_null(c->warm_up);
	config_destroy(c);
	c = settle_config("WSGIWarmUp none\nWSGIWarmUp none\n", 1);
	assert_int_equal(count_messages(c), 0);
	assert_null(c->warm_up);
	config_destroy(c);
	c = settle_config("WSGIWarmUp none\nWSGIWarmUp /a\n", 1);
	assert_string_equal(only_message(c), "WSGIWarmUp: none stands alone");
	config_destroy(c);
}

static void
test_a_mount_point_is_a_path_as_it_is_meant(void **state)
{
	static const struct {
		const char *text, *is; /* NULL: none, or it is wrong */
		const char *message;   /* NULL: there is none */
	} rows[] = {
		{"/", NULL, NULL},
		{"/shop", "/shop", NULL},
		{"/shop/admin", "/shop/admin", NULL},
		{"/.shop", "/.shop", NULL},
		{"/...", "/...", NULL},
		{"\"/a b\"", "/a b", NULL},
		{"/caf\xc3\xa9", "/caf\xc3\xa9", NULL},
		{"shop", NULL, "\"shop\" is no path such as /shop"},
		{"/shop/", NULL, "\"/shop/\" is no path"},
		{"//", NULL, "is no path"},
		{"//shop", NULL, "is no path"},
		{"/a//b", NULL, "is no path"},
		{"/a/./b", NULL, "is no path"},
		{"/a/..", NULL, "is no path"},
		{"http://h/shop", NULL, "is no path"},
		{"/a%20b", NULL, "\"/a%20b\" has a \"%\" in it"},
		{"/shop?a", NULL, "has a \"?\" in it"},
		{"/shop#a", NULL, "has a \"#\" in it"},
		{"/a /b", NULL, "one value"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c;
		char text[200];

		snprintf(text, sizeof(text), "MountPoint %s\n", rows[i].text);
		c = read_config(text);
		if (rows[i].message != NULL)
			assert_true(has_message(c, rows[i].message));
		assert_int_equal(count_messages(c), rows[i].message != NULL);
		if (rows[i].is != NULL)
			assert_string_equal(c->mount_point, rows[i].is);
		else
			assert_null(c->mount_point);
		config_destroy(c);
	}
}

static void
test_the_root_takes_a_mount_point_back(void **state)
{
	char *const env[] = {"WSGID_MOUNT_POINT=/", NULL};
	struct config *c = read_config("MountPoint /shop\n");

	(void)state;
	config_read_environment(c, env);
	assert_null(c->mount_point);
	config_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_url_is_taken_apart),
		cmocka_unit_test(test_what_is_no_url_is_told),
		cmocka_unit_test(test_words_elements_and_lines_are_one_list),
		cmocka_unit_test(test_one_line_is_not_longer_than_a_value),
		cmocka_unit_test(
			test_none_takes_back_what_a_weaker_source_says),
		cmocka_unit_test(test_a_mount_point_is_a_path_as_it_is_meant),
		cmocka_unit_test(test_the_root_takes_a_mount_point_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
