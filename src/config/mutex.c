/*
 * mutex.c - Mutex, as Apache writes it: "fcntl:/run/lock mpm-accept".
 *
 * Which mechanisms there are is known where they are compiled in; here is only
 * what the words mean.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "config/config.h"
#include "config/values.h"
#include "config/values_priv.h"

/* "fcntl /run/lock": the file as a word of its own. */
static bool
has_file_apart(const struct directive_input *in)
{
	return in->n > 1 && in->words[1][0] == '/' &&
	       strchr(in->words[0], ':') == NULL;
}

/* Apache's other words, of which it takes these where they are to be had. */
static const char *
mechanism_meant(const char *word)
{
	static const struct {
		const char *word, *meant;
	} others[] = {
		{"yes", "default"},
		{"file", "fcntl"},
		{"sem", "posixsem"},
	};
	size_t len = strcspn(word, ":");

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strlen(others[i].word) == len &&
			strncasecmp(word, others[i].word, len) == 0)
			return others[i].meant;
	return NULL;
}

static int
keep_mutex(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	const char *word = in->words[0], *meant = mechanism_meant(word);
	struct buf b = {0};
	int rc;

	if (meant != NULL)
		buf_printf(&b, "%s%s", meant, word + strcspn(word, ":"));
	else
		buf_add_text(&b, word);
	if (has_file_apart(in))
		buf_printf(&b, ":%s", in->words[1]);
	buf_add_char(&b, '\0');
	rc = buf_failed(&b) ? err_set(err, ENOMEM, "%s", in->row->name)
			    : value_keep(&ret->text, in->arena, b.data,
				      b.len - 1, err);
	buf_fini(&b);
	return rc;
}

/* "sysvsem mpm-accept": behind the mechanism Apache has the names of those that
 * it is for.  Here there is one. */
static int
parse_mutex(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	size_t names = has_file_apart(in) ? 2 : 1;
	int rc = value_check_words(in, 1, names + 3, err);

	for (size_t i = names; rc == 0 && i < in->n; i++)
		if (strcasecmp(in->words[i], "mpm-accept") != 0 &&
			strcasecmp(in->words[i], "default") != 0 &&
			strcasecmp(in->words[i], "OmitPID") != 0)
			rc = err_setx(err, EINVAL,
				"\"%s\" is no mutex of wsgid; there is "
				"mpm-accept alone, and its name may be left "
				"out; the path of a file must be absolute",
				value_show(in->words[i]).text);
	return rc < 0 ? rc : keep_mutex(in, ret, err);
}

const struct directive_type value_mutex = {
	.metavar = "MECHANISM[:FILE]",
	.size = sizeof(const char *),
	.many_words = true,
	.parse = parse_mutex,
	.write = value_write_text,
};

bool
config_has_mutex(const struct config *c)
{
	static const char *const none[] = {"default", "none", "no"};
	size_t len = strcspn(c->mutex, ":");

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (strlen(none[i]) == len &&
			strncasecmp(c->mutex, none[i], len) == 0)
			return false;
	return true;
}
