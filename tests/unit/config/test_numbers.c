/*
 * test_numbers.c - counts, sizes and times are strict.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "config/values.h"

/* The value of text for a directive; -1 with the sentence in *err when it is
 * refused. */
static int64_t
parse(const char *directive, const char *text, struct err *err)
{
	const struct directive *row = directive_find(directive);
	union directive_value value = {0};
	struct arena arena = {0};
	struct directive_input in = {
		.row = row, .words = &text, .n = 1, .arena = &arena};
	int rc = row->type->parse(&in, &value, err);

	arena_fini(&arena);
	if (rc < 0)
		return -1;
	return row->type->size == sizeof(int64_t) ? value.amount : value.number;
}

static void
test_numbers_that_are_numbers(void **state)
{
	static const struct {
		const char *directive, *text;
		int64_t value;
	} table[] = {
		{"MinSpareServers", "0", 0},
		{"MinSpareServers", "007", 7},
		{"MinSpareServers", "2147483647", 2147483647},
		{"ListenBacklog", "1", 1},
		{"ListenBacklog", "65535", 65535},
		{"SendBufferSize", "256k", 262144},
		{"ReceiveBufferSize", "0", 0},
		{"Timeout", "30", 30000},
		{"Timeout", "30s", 30000},
		{"Timeout", "30S", 30000},
		{"Timeout", "500ms", 500},
		{"Timeout", "1ms", 1},
		{"Timeout", "5min", 300000},
		{"Timeout", "2h", 7200000},
		{"Timeout", "8760h", INT64_C(31536000000)},
		{"GracefulShutdownTimeout", "0", 0},
		{"KeepAliveTimeout", "1500ms", 1500},
		{"LimitRequestLine", "8190", 8190},
		{"LimitRequestLine", "64k", 65536},
		{"LimitRequestBody", "0", 0},
		{"LimitRequestBody", "100m", 104857600},
		{"LimitRequestBody", "1G", 1073741824},
		{"LimitRequestBody", "8589934591g",
			INT64_C(9223372035781033984)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_int_equal(parse(table[i].directive, table[i].text, NULL),
			table[i].value);
}

static void
test_numbers_that_are_none(void **state)
{
	static const struct {
		const char *directive, *text, *sentence;
	} table[] = {
		{"MinSpareServers", "3x",
			"\"3x\" is not a number; digits alone are expected, "
			"as in \"MinSpareServers 1\""},
		{"MinSpareServers", "-1", "\"-1\" is not a number"},
		{"MinSpareServers", "+1", "\"+1\" is not a number"},
		{"MinSpareServers", "0x10", "\"0x10\" is not a number"},
		{"MinSpareServers", "1e3", "\"1e3\" is not a number"},
		{"MinSpareServers", "1.5", "\"1.5\" is not a number"},
		{"MinSpareServers", " 1", "\" 1\" is not a number"},
		{"MinSpareServers", "1 ", "\"1 \" is not a number"},
		{"MinSpareServers", "", "the value is empty"},
		{"MinSpareServers", "many", "\"many\" is not a number"},
		{"MinSpareServers", "auto", "\"auto\" is not a number"},
		{"MinSpareServers", "10k", "\"10k\" is not a number"},
		{"MinSpareServers", "2147483648",
			"2147483648 is out of range; 0 to 2147483647 is "
			"expected"},
		{"MinSpareServers", "99999999999999999999999",
			"99999999999999999999999 is out of range"},
		{"ListenBacklog", "0",
			"0 is out of range; 1 to 65535 is expected"},
		{"ListenBacklog", "65536", "65536 is out of range"},
		{"SendBufferSize", "1025m", "0 to 1g is expected"},
		{"Processes", "0", "0 is out of range; 1 to 200000"},
		{"Timeout", "30 s", "\"30 s\" is not a time"},
		{"Timeout", "3x",
			"\"3x\" is not a time; seconds, or a number with ms, "
			"s, min or h (a day is 24h), are expected, as in "
			"\"Timeout 60s\""},
		{"Timeout", "1m", "\"1m\" is not a time"},
		{"Timeout", "s", "\"s\" is not a time"},
		{"Timeout", "-1s", "\"-1s\" is not a time"},
		{"Timeout", "0", "0 is out of range; 1ms to 8760h"},
		{"Timeout", "8761h", "8761h is out of range"},
		{"Timeout", "9223372036854775807h", "is out of range"},
		{"LimitRequestBody", "1kb",
			"\"1kb\" is not a size; bytes, or a number with k, m "
			"or g, are expected, as in"},
		{"LimitRequestBody", "8589934592g",
			"8589934592g is out of range; that is more than"},
		{"LimitRequestLine", "255",
			"255 is out of range; 256 to 64k is expected"},
		{"LimitRequestLine", "65537", "65537 is out of range"},
		{"LimitRequestFieldSize", "65k", "65k is out of range"},
		{"LimitRequestFields", "1001", "0 to 1000 is expected"},
		{"RequestBodyBuffer", "1025m", "0 to 1g is expected"},
		{"MaxRequestWorkers", "\033[2J",
			"\"\\x1b[2J\" contains a control character (0x1b)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct err err = {0};

		assert_int_equal(
			parse(table[i].directive, table[i].text, &err), -1);
		if (strstr(err.text, table[i].sentence) == NULL)
			assert_string_equal(err.text, table[i].sentence);
	}
}

static void
test_auto_is_a_word_where_it_has_a_meaning(void **state)
{
	static const char *const names[] = {"StartServers", "MaxSpareServers",
		"MaxRequestWorkers", "ServerLimit"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct err err = {0};

		assert_int_equal(parse(names[i], "auto", &err), CONFIG_AUTO);
		assert_int_equal(err.code, 0);
	}
}

static void
test_what_is_written_reads_back(void **state)
{
	static const char *const names[] = {"MaxConnectionsPerChild",
		"GracefulShutdownTimeout", "LimitRequestBody",
		"MaxRequestWorkers"};
	static const int64_t values[] = {0, 1, 59, 60, 999, 1000, 1001, 1023,
		1024, 1500, 3600000, 65536, 1 << 20, INT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (size_t j = 0; j < ARRAY_LEN(values); j++) {
			const struct directive *row = directive_find(names[i]);
			long number = (long)values[j];
			struct buf b = {0};

			row->type->write(row,
				row->type->size == sizeof(int64_t)
					? (const void *)&values[j]
					: (const void *)&number,
				&b);
			assert_int_equal(
				parse(names[i], buf_text(&b), NULL), values[j]);
			buf_fini(&b);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_that_are_numbers),
		cmocka_unit_test(test_numbers_that_are_none),
		cmocka_unit_test(test_auto_is_a_word_where_it_has_a_meaning),
		cmocka_unit_test(test_what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
