/*
 * lists.c - values that are a list of words: networks, and fields of proxies.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "config/values.h"
#include "config/values_priv.h"

/* ---- Words ----------------------------------------------------------------- */

struct words {
	const char **word;
	size_t n;
};

static size_t
count_commas(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, ',')) != NULL; text++)
		n++;
	return n;
}

/* A comma may stand where a space does, as in gunicorn's lists. */
static int
split_words(
	struct words *ret, const struct directive_input *in, struct err *err)
{
	size_t most = in->n;
	int rc = value_check_words(in, 1, VALUE_WORDS, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < in->n; i++)
		most += count_commas(in->words[i]);
	*ret = (struct words){
		.word = arena_alloc(in->arena, most * sizeof(*ret->word)),
	};
	for (size_t i = 0; i < in->n && ret->word != NULL; i++) {
		struct str list = str_of(in->words[i]);

		while (list.p != NULL) {
			struct str s = str_next_element(&list);
			const char *word = arena_copy(in->arena, s.p, s.len);

			if (word == NULL)
				return err_set(err, ENOMEM, "keeping a value");
			if (s.len > 0)
				ret->word[ret->n++] = word;
		}
	}
	if (ret->word == NULL)
		return err_set(err, ENOMEM, "keeping a value");
	return ret->n > 0 ? 0
			  : err_setx(err, EINVAL, "\"%s\" is a list of nothing",
				    value_show(in->words[0]).text);
}

/* ---- Networks ----------------------------------------------------------- */

static int
parse_networks(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	struct words words;
	struct network *list;
	int rc = split_words(&words, in, err);

	if (rc < 0)
		return rc;
	list = arena_alloc(in->arena, words.n * sizeof(*list));
	if (list == NULL)
		return err_set(err, ENOMEM, "keeping a value");
	for (size_t i = 0; i < words.n; i++) {
		rc = network_parse(&list[i], words.word[i], err);
		if (rc < 0)
			return rc;
	}
	ret->networks = (struct config_networks){.n = words.n, .list = list};
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

/* ---- Fields of proxies ------------------------------------------------------ */

/* Whatever is not one of ours and may still be passed to the application:
 * X-Real-IP, and what begins with X-Forwarded-.  Other characters are in no
 * key of an environ. */
static bool
may_be_passed(const char *name)
{
	static const char begin[] = "X-Forwarded-";
	const char *rest = name + sizeof(begin) - 1;

	if (strcasecmp(name, "X-Real-IP") == 0)
		return true;
	return strncasecmp(name, begin, sizeof(begin) - 1) == 0 &&
	       *rest != '\0' &&
	       rest[strspn(rest, "-0123456789"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static int
no_proxys(const struct directive_input *in, const char *word, struct err *err)
{
	struct buf b = {0};
	int rc;

	for (const char *const *w = in->row->words; *w != NULL; w++)
		buf_printf(&b, "%s, ", *w);
	rc = err_setx(err, EINVAL,
		"\"%s\" is none of %sX-Real-IP and others that begin with "
		"X-Forwarded-; fields of other names are always passed",
		value_show(word).text, buf_text(&b));
	buf_fini(&b);
	return rc;
}

static int
parse_proxy_headers(const struct directive_input *in,
	union directive_value *ret, struct err *err)
{
	struct config_proxy_headers headers = {0};
	struct buf passed = {0};
	struct words words = {0};
	int rc = split_words(&words, in, err);

	for (size_t i = 0; i < words.n && rc == 0; i++) {
		const char *const *w = in->row->words;

		while (*w != NULL && strcasecmp(*w, words.word[i]) != 0)
			w++;
		if (*w != NULL)
			headers.known |= 1 << (w - in->row->words);
		else if (may_be_passed(words.word[i]))
			buf_printf(&passed, "%s%s", passed.len > 0 ? " " : "",
				words.word[i]);
		else
			rc = no_proxys(in, words.word[i], err);
	}
	if (rc == 0 && passed.len > 0)
		rc = value_keep(&headers.passed, in->arena, buf_text(&passed),
			passed.len, err);
	buf_fini(&passed);
	if (rc == 0)
		ret->proxy_headers = headers;
	return rc;
}

static int
write_proxy_headers(
	const struct directive *row, const void *target, struct buf *out)
{
	const struct config_proxy_headers *headers = target;
	const char *space = "";

	for (size_t i = 0; row->words[i] != NULL; i++)
		if (headers->known & 1 << i) {
			buf_printf(out, "%s%s", space, row->words[i]);
			space = " ";
		}
	if (headers->passed != NULL)
		buf_printf(out, "%s%s", space, headers->passed);
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

const struct directive_type value_proxy_headers = {
	.metavar = "WORD ...",
	.size = sizeof(struct config_proxy_headers),
	.many_words = true,
	.parse = parse_proxy_headers,
	.write = write_proxy_headers,
};
