/*
 * accept_filter.c - AcceptFilter, as Apache writes it: "http data".
 */
#include <errno.h>
#include <stdbool.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/values.h"
#include "config/values_priv.h"

static int
check_protocol(const struct directive_input *in, struct err *err)
{
	if (in->n < 2 || strcasecmp(in->words[0], "http") == 0)
		return 0;
	return err_setx(err, EINVAL,
		"\"%s\" is no protocol of wsgid, which speaks http alone: "
		"leave the line out",
		value_show(in->words[0]).text);
}

/* The protocol may be left out.  As with Apache on Linux httpready, which is
 * FreeBSD's, is data. */
static int
parse_accept_filter(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 2, err);
	const char *filter;

	if (rc == 0)
		rc = check_protocol(in, err);
	if (rc < 0)
		return rc;
	filter = in->words[in->n - 1];
	ret->flag = strcasecmp(filter, "none") != 0;
	if (!ret->flag || strcasecmp(filter, "data") == 0 ||
		strcasecmp(filter, "httpready") == 0)
		return 0;
	return err_setx(err, EINVAL, "\"%s\" is none of data and none",
		value_show(filter).text);
}

static int
write_accept_filter(
	const struct directive *row, const void *target, struct buf *out)
{
	(void)row;
	return buf_add_text(
		out, *(const bool *)target ? "http data" : "http none");
}

const struct directive_type value_accept_filter = {
	.metavar = "[http] FILTER",
	.size = sizeof(bool),
	.many_words = true,
	.parse = parse_accept_filter,
	.write = write_accept_filter,
};
