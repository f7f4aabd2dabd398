/*
 * words.c - numbers as people read them.  See words.h.
 */
#include "wsgictl/words.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/defs.h"

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void
two_units(struct buf *to, int64_t us, int64_t large, const char *large_name,
	int64_t small, const char *small_name)
{
	long long n = us / large, rest = us % large / small;

	buf_printf(to, "%lld %s", n, large_name);
	if (rest > 0)
		buf_printf(to, " %lld %s", rest, small_name);
}

void
words_duration(struct buf *to, int64_t us)
{
	if (us < 0)
		us = 0; /* somebody has set the clock */
	if (us >= DAY)
		two_units(to, us, DAY, "d", HOUR, "h");
	else if (us >= HOUR)
		two_units(to, us, HOUR, "h", MINUTE, "min");
	else if (us >= MINUTE)
		two_units(to, us, MINUTE, "min", SECOND, "s");
	else if (us >= 10 * SECOND)
		buf_printf(to, "%lld s", (long long)(us / SECOND));
	else if (us >= SECOND)
		buf_printf(to, "%lld.%lld s", (long long)(us / SECOND),
			(long long)(us % SECOND / (SECOND / 10)));
	else
		buf_printf(to, "%lld ms", (long long)(us / MS));
}

void
words_size(struct buf *to, double bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t unit = 0;

	while (bytes >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
		bytes /= 1024;
		unit++;
	}
	buf_printf(to, unit == 0 || bytes >= 9.95 ? "%.0f %s" : "%.1f %s",
		bytes, units[unit]);
}

void
words_time(struct buf *to, int64_t us)
{
	time_t s = (time_t)(us / SECOND);
	struct tm tm;
	char text[32];

	if (us == 0 || localtime_r(&s, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		strcpy(text, "-");
	buf_add_text(to, text);
}

void
words_count(struct buf *to, uint64_t n, const char *one, const char *many)
{
	buf_printf(to, "%llu %s", (unsigned long long)n, n == 1 ? one : many);
}
