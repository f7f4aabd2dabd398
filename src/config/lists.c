/*
 * lists.c - values that are a list of words: networks, and words of a row.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "config/values.h"
#include "config/values_priv.h"

/* ---- Networks ----------------------------------------------------------- */

static int
parse_networks(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	struct config_networks networks = {.n = in->n};
	struct network *list;
	int rc = value_check_words(in, 1, VALUE_WORDS, err);

	if (rc < 0)
		return rc;
	list = arena_alloc(in->arena, in->n * sizeof(*list));
	if (list == NULL)
		return err_set(err, ENOMEM, "keeping a value");
	for (size_t i = 0; i < in->n; i++) {
		rc = network_parse(&list[i], in->words[i], err);
		if (rc < 0)
			return rc;
	}
	networks.list = list;
	ret->networks = networks;
	return 0;
}

static int
write_networks(const struct directive *row, const void *target, struct buf *out)
{
	const struct config_networks *networks = target;
	char text[NETWORK_TEXT];

	(void)row;
	for (size_t i = 0; i < networks->n; i++) {
		network_format(&networks->list[i], text);
		buf_printf(out, "%s%s", i > 0 ? " " : "", text);
	}
	return buf_failed(out) ? -ENOMEM : 0;
}

/* ---- Words of a row ------------------------------------------------------- */

static int
not_among(const struct directive_input *in, const char *word, struct err *err)
{
	struct buf b = {0};
	int rc;

	for (const char *const *w = in->row->words; *w != NULL; w++)
		buf_printf(&b, "%s%s",
			w == in->row->words ? ""
			: w[1] == NULL      ? " and "
					    : ", ",
			*w);
	rc = err_setx(err, EINVAL, "\"%s\" is none of %s",
		value_show(word).text, buf_text(&b));
	buf_fini(&b);
	return rc;
}

static int
parse_set(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int set = 0, rc = value_check_words(in, 1, VALUE_WORDS, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < in->n; i++) {
		const char *const *w = in->row->words;

		while (*w != NULL && strcasecmp(*w, in->words[i]) != 0)
			w++;
		if (*w == NULL)
			return not_among(in, in->words[i], err);
		set |= 1 << (w - in->row->words);
	}
	ret->word = set;
	return 0;
}

static int
write_set(const struct directive *row, const void *target, struct buf *out)
{
	int set = *(const int *)target;
	const char *space = "";

	for (size_t i = 0; row->words[i] != NULL; i++)
		if (set & 1 << i) {
			buf_printf(out, "%s%s", space, row->words[i]);
			space = " ";
		}
	return buf_failed(out) ? -ENOMEM : 0;
}

/* ---- The kinds ------------------------------------------------------------ */

const struct directive_type value_networks = {
	.metavar = "NETWORK ...",
	.storage = STORED_NETWORKS,
	.many_words = true,
	.commas = true,
	.parse = parse_networks,
	.write = write_networks,
};

const struct directive_type value_set = {
	.metavar = "WORD ...",
	.size = sizeof(int),
	.many_words = true,
	.parse = parse_set,
	.write = write_set,
};
