/*
 * date.c - dates as HTTP writes them.  See date.h.
 *
 * Done by hand: strftime would write a locale's day names, and gmtime takes
 * a lock.
 */
#include "http/date.h"

#include <string.h>

enum { DAY = 24 * 60 * 60 };

/* 31 December 9999: four digits are all the form has. */
static const int64_t last_second = 253402300799;

static const char day_names[] = "ThuFriSatSunMonTueWed"; /* since 1970 */
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct day {
	int year;
	int month; /* from 0 */
	int day;
};

/* The day of the Gregorian calendar, days after 1 January 1970.  Counts
 * years from March, so that a leap day is the last of its year. */
static struct day
civil_day(int days)
{
	int since = days + 719468; /* 1 March of year 0 */
	int era = since / 146097;  /* of 400 years */
	int of_era = since % 146097;
	int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) /
		   365;
	int of_year = of_era - (365 * year + year / 4 - year / 100);
	int month = (5 * of_year + 2) / 153; /* from March */
	struct day ret = {
		.year = year + era * 400 + (month >= 10),
		.month = (month + 2) % 12,
		.day = of_year - (153 * month + 2) / 5 + 1,
	};

	return ret;
}

static void
two_digits(char *to, int n)
{
	to[0] = (char)('0' + n / 10);
	to[1] = (char)('0' + n % 10);
}

void
date_format(char to[DATE_SIZE], int64_t seconds)
{
	struct day day;
	int days, rest;

	if (seconds < 0)
		seconds = 0;
	if (seconds > last_second)
		seconds = last_second;
	days = (int)(seconds / DAY);
	rest = (int)(seconds % DAY);
	day = civil_day(days);

	memcpy(to, "Thu, 01 Jan 1970 00:00:00 GMT", DATE_SIZE);
	memcpy(to, day_names + days % 7 * 3, 3);
	two_digits(to + 5, day.day);
	memcpy(to + 8, month_names + day.month * 3, 3);
	two_digits(to + 12, day.year / 100);
	two_digits(to + 14, day.year % 100);
	two_digits(to + 17, rest / 3600);
	two_digits(to + 20, rest / 60 % 60);
	two_digits(to + 23, rest % 60);
}
