/*
 * test_read_timeout.c - RequestReadTimeout, as mod_reqtimeout reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "config/directive.h"
#include "reading.h"

static struct config *
read_words(const char *words)
{
	char text[300];

	snprintf(text, sizeof(text), "RequestReadTimeout %s\n", words);
	return read_config(text);
}

static void
assert_limit(const struct config_read_limit *limit, int64_t first, int64_t most,
	long min_rate)
{
	assert_int_equal(limit->first, first);
	assert_int_equal(limit->most, most);
	assert_int_equal(limit->min_rate, min_rate);
}

struct row {
	const char *text;
	struct config_read_limit header, body;
};

static void
assert_rows(const struct row *rows, size_t n)
{
	for (const struct row *row = rows; row < rows + n; row++) {
		struct config *c = read_config(row->text);

		assert_int_equal(count_messages(c), 0);
		assert_limit(&c->request_read_timeout.header, row->header.first,
			row->header.most, row->header.min_rate);
		assert_limit(&c->request_read_timeout.body, row->body.first,
			row->body.most, row->body.min_rate);
		config_destroy(c);
	}
}

static void
test_what_is_not_said_is_the_default(void **state)
{
	static const struct row rows[] = {
		{"RequestReadTimeout header=10\n", {10000, 0, 0},
			{20000, 0, 500}},
		{"RequestReadTimeout body=10,MinRate=1000\n",
			{20000, 40000, 500}, {10000, 0, 1000}},
		{"RequestReadTimeout Header=10-30,minrate=500 BODY=500ms\n",
			{10000, 30000, 500}, {500, 0, 0}},
		{"RequestReadTimeout handshake=0 header=0 body=0\n", {0, 0, 0},
			{0, 0, 0}},
		{"RequestReadTimeout header=1min-5min,MinRate=1\n",
			{60000, 300000, 1}, {20000, 0, 500}},
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

/* Debian's reqtimeout.conf has one for each part. */
static void
test_a_further_line_adds_to_the_one_before(void **state)
{
	static const struct row rows[] = {
		{"RequestReadTimeout header=20-40,minrate=500\n"
		 "RequestReadTimeout body=10,minrate=400\n",
			{20000, 40000, 500}, {10000, 0, 400}},
		{"RequestReadTimeout header=2 body=4\n"
		 "RequestReadTimeout body=3\n",
			{2000, 0, 0}, {3000, 0, 0}},
		{"RequestReadTimeout body=3\n"
		 "RequestReadTimeout header=2\n"
		 "RequestReadTimeout header=1\n",
			{1000, 0, 0}, {3000, 0, 0}},
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void
test_a_stronger_source_begins_anew(void **state)
{
	struct config *c = config_create();
	static const char weaker[] = "RequestReadTimeout header=2 body=4\n";

	(void)state;
	assert_int_equal(config_read_text(c, "test", weaker, strlen(weaker)), 0);
	config_set(c, "RequestReadTimeout", "body=3", "test");
	assert_limit(&c->request_read_timeout.header, 20000, 40000, 500);
	assert_limit(&c->request_read_timeout.body, 3000, 0, 0);
	config_destroy(c);
}

/* The parser has them as numbers. */
static void
test_the_default_is_the_one_of_the_table(void **state)
{
	const struct directive *row = directive_find("RequestReadTimeout");
	struct config *said = read_words(row->initial);
	struct config *left_out = read_words("handshake=0");

	(void)state;
	assert_limit(&said->request_read_timeout.header, 20000, 40000, 500);
	assert_limit(&said->request_read_timeout.body, 20000, 0, 500);
	assert_memory_equal(&said->request_read_timeout,
		&left_out->request_read_timeout,
		sizeof(said->request_read_timeout));
	config_destroy(said);
	config_destroy(left_out);
}

static void
test_what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *words, *sentence;
	} rows[] = {
		{"", "other words are expected"},
		{"20", "\"20\" is neither header=TIME nor body=TIME"},
		{"head=20", "\"head=20\" is neither header=TIME"},
		{"header=", "\"header=\": \"\" is no time, such as 20"},
		{"header=-5", "\"\" is no time"},
		{"header=20s-x,MinRate=1", "\"x\" is no time"},
		{"header=20-20,MinRate=500", "must be more than the first"},
		{"header=20-40",
			"without MinRate nothing leads from 20 to the "
			"other time; write \"header=20-40,MinRate=500\""},
		{"header=20,Rate=500", "MinRate= is expected behind the comma"},
		{"header=20,MinRate=0", "MinRate is a number of bytes"},
		{"header=20,MinRate=500x", "MinRate is a number of bytes"},
		{"handshake=5", "wsgid speaks no TLS"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = read_words(rows[i].words);

		assert_int_equal(count_fatal(c), 1);
		assert_true(has_message(c, rows[i].sentence));
		config_destroy(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_said_is_the_default),
		cmocka_unit_test(test_a_further_line_adds_to_the_one_before),
		cmocka_unit_test(test_a_stronger_source_begins_anew),
		cmocka_unit_test(test_the_default_is_the_one_of_the_table),
		cmocka_unit_test(test_what_is_wrong_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
