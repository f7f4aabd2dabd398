/*
 * time.c - %t in all its forms.
 *
 * Local time, as Apache.  Breaking a time down and writing it costs more
 * than the rest of a line, and most lines of a busy server fall into the
 * second of the line before: the text is kept until the second changes.
 */
#include "accesslog/format_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/defs.h"

enum {
	TEXT_SIZE = 256, /* of a time in the administrator's form */
	SECOND = 1000000,
};

enum time_form {
	TIME_CLF, /* [10/Oct/2000:13:55:36 -0700] */
	TIME_STRFTIME,
	TIME_ZONE, /* +01:00, as RFC 3339 has it; strftime's has no colon */
	TIME_SEC, /* since 1970; so msec and usec */
	TIME_MSEC,
	TIME_USEC,
	TIME_MSEC_FRAC, /* within the second, three digits */
	TIME_USEC_FRAC, /* six */
};

struct log_time {
	enum time_form form;
	bool at_end;        /* of the request, not its begin */
	const char *format; /* for strftime */
	int64_t second;     /* that text is about; -1 when there is none yet */
	size_t len;         /* of text */
	char text[TEXT_SIZE];
};

static const struct {
	const char *word;
	enum time_form form;
} words[] = {
	{"", TIME_CLF},
	{"zone", TIME_ZONE},
	{"sec", TIME_SEC},
	{"msec", TIME_MSEC},
	{"usec", TIME_USEC},
	{"msec_frac", TIME_MSEC_FRAC},
	{"usec_frac", TIME_USEC_FRAC},
};

static enum time_form
form_of(struct str text)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_equal(text, str_of(words[i].word)))
			return words[i].form;
	return TIME_STRFTIME;
}

/* Cut "begin:" or "end:", or the whole word, off *text. */
static bool
cut_moment(struct str *text, struct str word)
{
	size_t cut = word.len;

	if (text->len < cut || memcmp(text->p, word.p, cut) != 0)
		return false;
	if (text->len > cut && text->p[cut++] != ':')
		return false;
	text->p += cut;
	text->len -= cut;
	return true;
}

static size_t
zone_text(char *to, size_t size, const struct tm *tm, const char *colon)
{
	long minutes = labs(tm->tm_gmtoff) / 60;
	int n = snprintf(to, size, "%c%02ld%s%02ld",
		tm->tm_gmtoff < 0 ? '-' : '+', minutes / 60, colon,
		minutes % 60);

	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static size_t
clf_text(char *to, size_t size, const struct tm *tm)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char zone[32] = "";
	int n;

	(void)zone_text(zone, sizeof(zone), tm, "");
	n = snprintf(to, size, "[%02d/%.3s/%d:%02d:%02d:%02d %s]", tm->tm_mday,
		months + tm->tm_mon * 3, tm->tm_year + 1900, tm->tm_hour,
		tm->tm_min, tm->tm_sec, zone);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* Write the administrator's text.  strftime says 0 for both an empty text
 * and one that does not fit; the format ends in a blank, cut off here, so
 * that there is no empty one. */
static size_t
strftime_text(struct log_time *t, const struct tm *tm)
{
	size_t len = strftime(t->text, sizeof(t->text), t->format, tm);

	return len > 0 ? len - 1 : 0;
}

/* Make the text for a second. */
static void
refresh(struct log_time *t, int64_t second)
{
	time_t clock = (time_t)second;
	struct tm tm;

	t->second = second;
	t->len = 0;
	if (localtime_r(&clock, &tm) == NULL)
		return;
	if (t->form == TIME_CLF)
		t->len = clf_text(t->text, sizeof(t->text), &tm);
	else if (t->form == TIME_ZONE)
		t->len = zone_text(t->text, sizeof(t->text), &tm, ":");
	else
		t->len = strftime_text(t, &tm);
}

/* Keep the format, if what it gives fits.  Texts differ in length from day
 * to day (names of months), so half of the room must be enough for one. */
static int
take_format(struct log_time *t, struct arena *a, struct str format)
{
	char *copy = arena_alloc(a, format.len + 2);
	char sample[TEXT_SIZE / 2];
	struct tm tm = {.tm_mday = 1, .tm_year = 100, .tm_wday = 6};

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, format.p, format.len);
	copy[format.len] = ' ';
	t->format = copy;
	if (strftime(sample, sizeof(sample), copy, &tm) == 0)
		return -EINVAL;
	return 0;
}

int
log_time_create(struct log_time **ret, struct arena *a, struct str text)
{
	struct log_time *t = arena_alloc(a, sizeof(*t));
	int rc;

	if (t == NULL)
		return -ENOMEM;
	if (!cut_moment(&text, STR("begin")))
		t->at_end = cut_moment(&text, STR("end"));
	t->form = form_of(text);
	t->second = -1;
	if (t->form == TIME_STRFTIME) {
		rc = take_format(t, a, text);
		if (rc < 0)
			return rc;
	}
	tzset();
	*ret = t;
	return 0;
}

static void
write_text(struct log_time *t, int64_t second, struct buf *out)
{
	if (t->second != second)
		refresh(t, second);
	buf_add(out, t->text, t->len);
}

bool
log_time_is_late(const struct log_time *t)
{
	return t->at_end;
}

void
log_write_time(
	const struct log_op *op, const struct record *record, struct buf *out)
{
	struct log_time *t = op->time;
	int64_t us = record->begin_us + (t->at_end ? record->duration_us : 0);
	uint64_t now = us > 0 ? (uint64_t)us : 0;

	switch (t->form) {
	case TIME_CLF:
	case TIME_STRFTIME:
	case TIME_ZONE:
		write_text(t, (int64_t)(now / SECOND), out);
		break;
	case TIME_SEC:
		log_write_number(out, now / SECOND, 1);
		break;
	case TIME_MSEC:
		log_write_number(out, now / 1000, 1);
		break;
	case TIME_USEC:
		log_write_number(out, now, 1);
		break;
	case TIME_MSEC_FRAC:
		log_write_number(out, now % SECOND / 1000, 3);
		break;
	case TIME_USEC_FRAC:
		log_write_number(out, now % SECOND, 6);
		break;
	}
}
