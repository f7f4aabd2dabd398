/*
 * read_timeout.c - RequestReadTimeout, as mod_reqtimeout reads it:
 * "header=20-40,MinRate=500 body=20,MinRate=500".
 *
 * A part that is not named keeps what a line before has said, or its default;
 * one that is named has what is said and nothing else.  Times may have a unit.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/str.h"
#include "config/values.h"
#include "config/values_priv.h"

enum { MOST_PARTS = 3, PART_BYTES = 100 };

#define YEAR INT64_C(31536000000)

/* The same as the row says; a test compares them. */
static const struct config_read_timeout usual = {
	.header = {.first = 20000, .most = 40000, .min_rate = 500},
	.body = {.first = 20000, .min_rate = 500},
};

static int
no_time(const char *word, const char *text, struct err *err)
{
	return err_setx(err, EINVAL,
		"\"%s\": \"%s\" is no time, such as 20 or 500ms",
		value_show(word).text, value_show(text).text);
}

/* "20" or "20-40". */
static int
parse_times(struct config_read_limit *ret, const char *word, char *text,
	struct err *err)
{
	char *dash = strchr(text, '-');

	if (dash != NULL)
		*dash = '\0';
	if (value_read_time(text, &ret->first) < 0 || ret->first > YEAR)
		return no_time(word, text, err);
	if (dash == NULL)
		return 0;
	if (value_read_time(dash + 1, &ret->most) < 0 || ret->most > YEAR)
		return no_time(word, dash + 1, err);
	if (ret->most <= ret->first)
		return err_setx(err, EINVAL,
			"\"%s\": the most time, behind the \"-\", must be more "
			"than the first",
			value_show(word).text);
	return 0;
}

static int
parse_rate(struct config_read_limit *ret, const char *word, const char *text,
	struct err *err)
{
	static const char name[] = "MinRate=";
	unsigned long long rate;

	if (strncasecmp(text, name, sizeof(name) - 1) != 0)
		return err_setx(err, EINVAL,
			"\"%s\": MinRate= is expected behind the comma, as in "
			"header=20-40,MinRate=500",
			value_show(word).text);
	if (str_to_u64(str_of(text + sizeof(name) - 1), &rate) < 0 ||
		rate == 0 || rate > 1000000000)
		return err_setx(err, EINVAL,
			"\"%s\": MinRate is a number of bytes a second, 1 to "
			"1000000000",
			value_show(word).text);
	ret->min_rate = (long)rate;
	return 0;
}

/* What stands behind "header=". */
static int
parse_limit(struct config_read_limit *ret, const char *word, const char *value,
	struct err *err)
{
	struct config_read_limit limit = {0};
	char text[PART_BYTES];
	char *comma;
	int rc;

	if (strlen(value) >= sizeof(text))
		return no_time(word, value, err);
	strcpy(text, value);
	comma = strchr(text, ',');
	if (comma != NULL)
		*comma = '\0';
	rc = parse_times(&limit, word, text, err);
	if (rc == 0 && comma != NULL)
		rc = parse_rate(&limit, word, comma + 1, err);
	if (rc == 0 && limit.most > 0 && limit.min_rate == 0)
		rc = err_setx(err, EINVAL,
			"\"%s\": without MinRate nothing leads from %s to the "
			"other time; write \"%s,MinRate=500\", or one time",
			value_show(word).text, text, value_show(word).text);
	if (rc == 0)
		*ret = limit;
	return rc;
}

static int
parse_part(struct config_read_timeout *ret, const char *word, struct err *err)
{
	struct config_read_limit handshake = {0};
	const char *equals = strchr(word, '=');
	struct str name = {word, strcspn(word, "=")};
	int rc;

	if (equals != NULL && str_equal_nocase(name, STR("header")))
		return parse_limit(&ret->header, word, equals + 1, err);
	if (equals != NULL && str_equal_nocase(name, STR("body")))
		return parse_limit(&ret->body, word, equals + 1, err);
	if (equals == NULL || !str_equal_nocase(name, STR("handshake")))
		return err_setx(err, EINVAL,
			"\"%s\" is neither header=TIME nor body=TIME",
			value_show(word).text);
	rc = parse_limit(&handshake, word, equals + 1, err);
	if (rc == 0 && handshake.first > 0)
		rc = err_setx(err, EINVAL,
			"\"%s\": wsgid speaks no TLS, so there is no "
			"handshake; "
			"leave it out",
			value_show(word).text);
	return rc;
}

static int
parse_read_timeout(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	struct config_read_timeout timeout = usual;
	int rc = value_check_words(in, 1, MOST_PARTS, err);

	if (in->before != NULL)
		timeout = *(const struct config_read_timeout *)in->before;
	for (size_t i = 0; rc == 0 && i < in->n; i++)
		rc = parse_part(&timeout, in->words[i], err);
	if (rc == 0)
		ret->read_timeout = timeout;
	return rc;
}

static void
write_limit(const char *name, const struct config_read_limit *limit,
	struct buf *out)
{
	buf_printf(out, "%s=", name);
	value_write_time(limit->first, out);
	if (limit->most > 0) {
		buf_add_char(out, '-');
		value_write_time(limit->most, out);
	}
	if (limit->min_rate > 0)
		buf_printf(out, ",MinRate=%ld", limit->min_rate);
}

static int
write_read_timeout(
	const struct directive *row, const void *target, struct buf *out)
{
	const struct config_read_timeout *timeout = target;

	(void)row;
	write_limit("header", &timeout->header, out);
	write_limit(" body", &timeout->body, out);
	return buf_failed(out) ? -ENOMEM : 0;
}

const struct directive_type value_read_timeout = {
	.metavar = "STAGE=TIME ...",
	.size = sizeof(struct config_read_timeout),
	.many_words = true,
	.parse = parse_read_timeout,
	.write = write_read_timeout,
};
