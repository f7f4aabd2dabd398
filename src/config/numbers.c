/*
 * numbers.c - counts, sizes and times, from an administrator's text and back.
 *
 * Strict: digits and at most a unit.  "30 s", "+1", "0x10", "1e3" and "1.5"
 * are mistakes and not numbers that end early, as atoi would have it.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "config/values.h"
#include "config/values_priv.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

/* In milliseconds; a bare number is seconds. */
static const struct unit time_units[] = {
	{"", 1000},
	{"ms", 1},
	{"s", 1000},
	{"min", 60 * 1000},
	{"h", 60 * 60 * 1000},
	{NULL, 0},
};

static const struct unit size_units[] = {
	{"", 1},
	{"k", INT64_C(1) << 10},
	{"m", INT64_C(1) << 20},
	{"g", INT64_C(1) << 30},
	{NULL, 0},
};

static int
write_in_units(const struct unit *units, int64_t value, struct buf *out)
{
	const struct unit *best = &units[0];

	for (const struct unit *u = units; u->name != NULL; u++)
		if (value % u->factor == 0 &&
			(u->factor > best->factor || best->name[0] == '\0' ||
				value % best->factor != 0))
			best = u;
	if (value == 0)
		best = &units[0];
	return buf_printf(
		out, "%lld%s", (long long)(value / best->factor), best->name);
}

/* Digits and one of the units: -EINVAL when it is something else, -ERANGE
 * when it is more than an int64_t holds. */
static int
read_in_units(const struct unit *units, const char *text, int64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long number;
	const struct unit *u = units;
	int rc;

	while (u->name != NULL && strcasecmp(u->name, text + digits) != 0)
		u++;
	if (digits == 0 || u->name == NULL)
		return -EINVAL;
	rc = str_to_u64((struct str){text, digits}, &number);
	if (rc < 0)
		return rc;
	return __builtin_mul_overflow(number, u->factor, ret) ? -ERANGE : 0;
}

int
value_read_time(const char *text, int64_t *ret)
{
	return read_in_units(time_units, text, ret);
}

int
value_write_time(int64_t ms, struct buf *out)
{
	return write_in_units(time_units, ms, out);
}

static const struct unit *
units_of(const struct directive *row)
{
	if (row->type == &value_time)
		return time_units;
	if (row->type == &value_bytes || row->type == &value_size)
		return size_units;
	return no_units;
}

int
value_write_range(const struct directive *row, struct buf *out)
{
	write_in_units(units_of(row), row->min, out);
	buf_add_text(out, " to ");
	return write_in_units(units_of(row), row->max, out);
}

static int
out_of_range(const struct directive_input *in, struct err *err)
{
	const struct directive *row = in->row;
	struct buf b = {0};
	int rc;

	if (row->min != 0 || row->max != 0) {
		value_write_range(row, &b);
		buf_add_text(&b, " is expected");
	} else {
		buf_add_text(&b, "that is more than wsgid can count");
	}
	rc = err_setx(err, EINVAL, "%s is out of range; %s",
		value_show(in->words[0]).text, buf_text(&b));
	buf_fini(&b);
	return rc;
}

static int
not_a_number(const struct directive_input *in, struct err *err)
{
	const struct directive *row = in->row;
	const struct unit *units = units_of(row);
	const char *expected = "a number; digits alone";
	struct buf text = {0};
	int rc;

	if (units == time_units)
		expected = "a time; seconds, or a number with ms, s, min or h "
			   "(a day is 24h),";
	else if (units == size_units)
		expected = "a size; bytes, or a number with k, m or g,";
	for (size_t i = 0; i < in->n; i++)
		buf_printf(&text, "%s%s", i > 0 ? " " : "", in->words[i]);
	rc = err_setx(err, EINVAL,
		"\"%s\" is not %s are expected, as in \"%s %s\"",
		value_show(buf_text(&text)).text, expected, row->name,
		row->example);
	buf_fini(&text);
	return rc;
}

static int
parse_in_units(const struct directive_input *in, int64_t *ret, struct err *err)
{
	const struct directive *row = in->row;
	int64_t value = 0;
	int rc;

	/* "30 s" is more likely meant to be one word than two values. */
	if (in->n > 1 && in->words[1][0] != '#')
		return not_a_number(in, err);
	rc = value_check_words(in, 1, 1, err);
	if (rc < 0)
		return rc;
	rc = read_in_units(units_of(row), in->words[0], &value);
	if (rc == -EINVAL)
		return not_a_number(in, err);
	if (rc == -ERANGE || ((row->min != 0 || row->max != 0) &&
				     (value < row->min || value > row->max)))
		return out_of_range(in, err);
	*ret = value;
	return 0;
}

static int
parse_long(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int64_t value;
	int rc = parse_in_units(in, &value, err);

	if (rc < 0)
		return rc;
	if (value > LONG_MAX)
		return out_of_range(in, err);
	ret->number = (long)value;
	return 0;
}

static int
parse_amount(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	return parse_in_units(in, &ret->amount, err);
}

static int
parse_auto_number(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	if (in->n == 1 && strcasecmp(in->words[0], "auto") == 0) {
		ret->number = CONFIG_AUTO;
		return 0;
	}
	return parse_long(in, ret, err);
}

static int
write_number(const struct directive *row, const void *target, struct buf *out)
{
	long value = *(const long *)target;

	/* 0 of a directive without a default means "not given". */
	if (value == 0 && row->initial == NULL)
		return 0;
	if (value == CONFIG_AUTO)
		return buf_add_text(out, "auto");
	return buf_printf(out, "%ld", value);
}

static int
write_bytes(const struct directive *row, const void *target, struct buf *out)
{
	return write_in_units(units_of(row), *(const long *)target, out);
}

static int
write_amount(const struct directive *row, const void *target, struct buf *out)
{
	return write_in_units(units_of(row), *(const int64_t *)target, out);
}

const struct directive_type value_number = {
	.metavar = "N",
	.size = sizeof(long),
	.parse = parse_long,
	.write = write_number,
};

const struct directive_type value_auto_number = {
	.metavar = "N|auto",
	.size = sizeof(long),
	.parse = parse_auto_number,
	.write = write_number,
};

const struct directive_type value_bytes = {
	.metavar = "SIZE",
	.size = sizeof(long),
	.parse = parse_long,
	.write = write_bytes,
};

const struct directive_type value_size = {
	.metavar = "SIZE",
	.size = sizeof(int64_t),
	.parse = parse_amount,
	.write = write_amount,
};

const struct directive_type value_time = {
	.metavar = "TIME",
	.size = sizeof(int64_t),
	.parse = parse_amount,
	.write = write_amount,
};
