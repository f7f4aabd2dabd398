/*
 * test_date.c - dates as HTTP writes them (RFC 9110 section 5.6.7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/defs.h"
#include "http/date.h"

/* RFC 9110 section 5.6.7. */
static void
test_dates_are_imf_fixdates(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
		{951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
		{951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
		{951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
		{1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"},
		{1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
		{1735689600, "Wed, 01 Jan 2025 00:00:00 GMT"},
		{2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
		{4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
		{253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
		/* Clocks that are far off. */
		{253402300800, "Fri, 31 Dec 9999 23:59:59 GMT"},
		{INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
		{-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[DATE_SIZE];

		date_format(text, rows[i].seconds);
		assert_string_equal(text, rows[i].text);
	}
}

static void
test_every_day_of_two_centuries_is_the_librarys(void **state)
{
	(void)state;
	for (time_t day = 0; day < 366 * 200; day++) {
		time_t seconds = day * 86400 + day % 86400;
		char text[DATE_SIZE], expected[DATE_SIZE];
		struct tm tm;

		assert_non_null(gmtime_r(&seconds, &tm));
		strftime(expected, sizeof(expected),
			"%a, %d %b %Y %H:%M:%S GMT", &tm);
		date_format(text, seconds);
		assert_string_equal(text, expected);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates_are_imf_fixdates),
		cmocka_unit_test(
			test_every_day_of_two_centuries_is_the_librarys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
