/*
 * test_words.c - numbers as people read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/defs.h"
#include "wsgictl/words.h"

#define S INT64_C(1000000)

static void
test_durations_have_two_units_at_most(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{-5 * S, "0 ms"},
		{0, "0 ms"},
		{999, "0 ms"},
		{20500, "20 ms"},
		{999999, "999 ms"},
		{S, "1.0 s"},
		{2 * S + 360000, "2.3 s"},
		{59 * S, "59 s"},
		{60 * S, "1 min"},
		{125 * S, "2 min 5 s"},
		{3600 * S, "1 h"},
		{3600 * S + 59 * S, "1 h"},
		{7260 * S, "2 h 1 min"},
		{86400 * S, "1 d"},
		{400 * 86400 * S + 3600 * S, "400 d 1 h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = {0};

		words_duration(&b, cases[i].us);
		assert_string_equal(buf_text(&b), cases[i].text);
		buf_fini(&b);
	}
}

static void
test_sizes_stay_short(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1000, "1.0 kB"},
		{1536, "1.5 kB"},
		{20 * 1024.0, "20 kB"},
		{5.25 * 1024 * 1024, "5.2 MB"},
		{3e12, "2.7 TB"},
		{1e19, "8882 PB"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = {0};

		words_size(&b, cases[i].bytes);
		assert_string_equal(buf_text(&b), cases[i].text);
		buf_fini(&b);
	}
}

static void
test_times_are_local(void **state)
{
	struct buf b = {0};

	(void)state;
	setenv("TZ", "UTC-2", 1);
	tzset();
	words_time(&b, 1795670152 * S + 5);
	buf_add_char(&b, ' ');
	words_time(&b, 0);
	assert_string_equal(buf_text(&b), "2026-11-26 07:15:52 -");
	buf_clear(&b);
	words_time(&b, INT64_MAX);
	assert_true(b.len > 0);
	buf_fini(&b);
}

static void
test_one_is_no_plural(void **state)
{
	struct buf b = {0};

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		words_count(&b, i, "child,", "children,");
	assert_string_equal(buf_text(&b), "0 children,1 child,2 children,");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_have_two_units_at_most),
		cmocka_unit_test(test_sizes_stay_short),
		cmocka_unit_test(test_times_are_local),
		cmocka_unit_test(test_one_is_no_plural),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
