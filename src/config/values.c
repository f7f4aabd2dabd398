/*
 * values.c - words, texts, paths and lists.  See values.h; numbers are in
 * numbers.c.
 *
 * The sentences here are read by people who have just made a mistake: each
 * quotes what was written and shows a line that would be right.
 */
#include "config/values.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/workdir.h"
#include "config/values_priv.h"

struct shown
value_show(const char *text)
{
	static const char hex[] = "0123456789abcdef";
	struct shown s;
	size_t len = 0;

	/* Room for an escape or a character, the dots and the end. */
	while (*text != '\0' && len < sizeof(s.text) - 8) {
		unsigned char c = (unsigned char)*text++;

		if (c >= ' ' && c != 0x7f) {
			s.text[len++] = (char)c;
			continue;
		}
		s.text[len++] = '\\';
		s.text[len++] = 'x';
		s.text[len++] = hex[c >> 4];
		s.text[len++] = hex[c & 15];
	}
	if (*text != '\0') {
		/* Not in the middle of a character. */
		while (len > 0 && (s.text[len - 1] & 0xc0) == 0x80)
			len--;
		if (len > 0 && (s.text[len - 1] & 0xc0) == 0xc0)
			len--;
		memcpy(s.text + len, "...", 3);
		len += 3;
	}
	s.text[len] = '\0';
	return s;
}

/* A value must be one line of a configuration, and something. */
static int
check_word(const char *word, struct err *err)
{
	if (*word == '\0')
		return err_setx(err, EINVAL, "the value is empty");
	if (strlen(word) > VALUE_BYTES)
		return err_setx(err, EINVAL,
			"the value is longer than %d bytes", VALUE_BYTES);
	for (const char *p = word; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_setx(err, EINVAL,
				"\"%s\" contains a control character (0x%02x)",
				value_show(word).text, (unsigned char)*p);
	return 0;
}

int
value_check_words(const struct directive_input *in, size_t least, size_t most,
	struct err *err)
{
	for (size_t i = 1; i < in->n; i++)
		if (in->words[i][0] == '#' && in->n > most)
			return err_setx(err, EINVAL,
				"\"%s\" is not a value; a comment must be on a "
				"line of its own",
				value_show(in->words[i]).text);
	if (in->n > most && most == VALUE_WORDS)
		return err_setx(err, EINVAL,
			"there are more than %d values; write several lines",
			VALUE_WORDS);
	if (in->n < least || in->n > most)
		return err_setx(err, EINVAL, "%s expected, as in \"%s %s\"%s",
			most == 1 ? "one value is" : "other words are",
			in->row->name, in->row->example,
			most == 1 && in->n > 1
				? "; put one with spaces in quotes"
				: "");
	for (size_t i = 0; i < in->n; i++) {
		int rc = check_word(in->words[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int
value_keep(const char **ret, struct arena *arena, const char *text, size_t len,
	struct err *err)
{
	const char *copy = arena_copy(arena, text, len);

	if (copy == NULL)
		return err_set(err, ENOMEM, "keeping a value");
	*ret = copy;
	return 0;
}

/* ---- Words -------------------------------------------------------------- */

static int
parse_flag(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);

	if (rc < 0)
		return rc;
	if (strcasecmp(in->words[0], "on") == 0)
		ret->flag = true;
	else if (strcasecmp(in->words[0], "off") == 0)
		ret->flag = false;
	else
		return err_setx(err, EINVAL, "\"%s\" is neither On nor Off",
			value_show(in->words[0]).text);
	return 0;
}

static int
write_flag(const struct directive *row, const void *target, struct buf *out)
{
	(void)row;
	return buf_add_text(out, *(const bool *)target ? "On" : "Off");
}

/* The word of ours for one that another program has. */
static const char *
meant(const struct directive_input *in)
{
	const char *const *w = in->row->habits;

	while (w != NULL && *w != NULL && strcasecmp(*w, in->words[0]) != 0)
		w += 2;
	return w != NULL && *w != NULL ? w[1] : NULL;
}

static int
not_a_choice(const struct directive_input *in, struct err *err)
{
	const char *ours = meant(in);
	struct buf b = {0};
	int rc;

	for (const char *const *w = in->row->words; *w != NULL; w++)
		buf_printf(&b, "%s%s",
			w == in->row->words ? ""
			: w[1] == NULL      ? " and "
					    : ", ",
			*w);
	if (ours != NULL)
		buf_printf(&b, "; did you mean %s?", ours);
	rc = err_setx(err, EINVAL, "\"%s\" is none of %s",
		value_show(in->words[0]).text, buf_text(&b));
	buf_fini(&b);
	return rc;
}

static int
parse_choice(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int value = (int)in->row->min;
	int rc = value_check_words(in, 1, 1, err);

	if (rc < 0)
		return rc;
	for (const char *const *w = in->row->words; *w != NULL; w++, value++)
		if (strcasecmp(*w, in->words[0]) == 0) {
			ret->word = value;
			return 0;
		}
	return not_a_choice(in, err);
}

static int
write_choice(const struct directive *row, const void *target, struct buf *out)
{
	return buf_add_text(
		out, row->words[*(const int *)target - (int)row->min]);
}

/* ---- Texts and paths ---------------------------------------------------- */

static int
parse_text(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);

	if (rc < 0)
		return rc;
	return value_keep(
		&ret->text, in->arena, in->words[0], strlen(in->words[0]), err);
}

static bool
needs_quotes(const char *text)
{
	return *text == '\0' || *text == '#' || *text == '<' ||
	       strpbrk(text, " \t\"'\\$") != NULL;
}

int
value_write_word(const char *text, struct buf *out)
{
	if (!needs_quotes(text))
		return buf_add_text(out, text);
	buf_add_char(out, '"');
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\' || (*p == '$' && p[1] == '{'))
			buf_add_char(out, '\\');
		buf_add_char(out, *p);
	}
	return buf_add_char(out, '"');
}

int
value_write_text(
	const struct directive *row, const void *target, struct buf *out)
{
	const char *text = *(const char *const *)target;

	(void)row;
	return text != NULL ? value_write_word(text, out) : 0;
}

static int
join(const char **ret, struct arena *arena, const char *base, const char *path,
	struct err *err)
{
	struct buf b = {0};
	int rc;

	while (strncmp(path, "./", 2) == 0)
		path += 2 + strspn(path + 2, "/");
	buf_add_text(&b, base);
	if (*path != '\0' && strcmp(path, ".") != 0) {
		if (b.len == 0 || b.data[b.len - 1] != '/')
			buf_add_char(&b, '/');
		buf_add_text(&b, path);
	}
	rc = buf_failed(&b) ? err_set(err, ENOMEM, "keeping a path")
			    : check_word(buf_text(&b), err);
	if (rc == 0)
		rc = value_keep(ret, arena, b.data, b.len, err);
	buf_fini(&b);
	return rc;
}

int
value_absolute(const char **ret, struct arena *arena, const char *base,
	const char *path, struct err *err)
{
	AUTO_FREE char *here = NULL;

	if (*path == '/')
		return value_keep(ret, arena, path, strlen(path), err);
	if (strcmp(path, "~") == 0 || strncmp(path, "~/", 2) == 0)
		return err_setx(err, EINVAL,
			"\"%s\": \"~\" means a home directory to a shell "
			"only; write the whole path",
			value_show(path).text);
	if (base == NULL) {
		here = workdir_now();
		if (here == NULL)
			return err_set(err, errno,
				"\"%s\" is relative to the current directory, "
				"which cannot be found",
				value_show(path).text);
		base = here;
	}
	return join(ret, arena, base, path, err);
}

static int
parse_path(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);

	if (rc < 0)
		return rc;
	return value_absolute(
		&ret->text, in->arena, in->base, in->words[0], err);
}

/* Never looked up in PATH: which Python that is would depend on who asks. */
static int
parse_interpreter(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);
	const char *word = in->words[0];

	if (rc < 0)
		return rc;
	if (strchr(word, '/') != NULL)
		return value_absolute(
			&ret->text, in->arena, in->base, word, err);
	if (word[strspn(word, "0123456789.")] != '\0' &&
		strcmp(word + strspn(word, "0123456789."), "t") != 0)
		return err_setx(err, EINVAL,
			"\"%s\" is neither a version, as in 3.11, nor the path "
			"of an interpreter, as in /usr/bin/python3.11",
			value_show(word).text);
	return value_keep(&ret->text, in->arena, word, strlen(word), err);
}

/* Python would only say that it does not start. */
static int
parse_x_options(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);
	const char *at = in->words[0];

	if (rc < 0)
		return rc;
	for (; *at != '\0'; at += *at == ',') {
		size_t len = strcspn(at, ",");

		if (len >= 5 && memcmp(at, "utf8=", 5) == 0 &&
			(len != 6 || (at[5] != '0' && at[5] != '1')))
			return err_setx(err, EINVAL,
				"\"%s\": utf8 stands alone, or is utf8=1 or "
				"utf8=0",
				value_show(in->words[0]).text);
		at += len;
	}
	return parse_text(in, ret, err);
}

/* mod_wsgi takes "random" for 0, which is the one number that is not. */
static int
parse_hash_seed(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);
	const char *word = in->words[0];
	unsigned long long number;

	if (rc < 0)
		return rc;
	if (strcmp(word, "random") != 0 &&
		(str_to_u64(str_of(word), &number) < 0 || number > UINT32_MAX))
		return err_setx(err, EINVAL,
			"\"%s\" is neither \"random\" nor a number from 0 to "
			"%lu",
			value_show(word).text, (unsigned long)UINT32_MAX);
	return value_keep(&ret->text, in->arena, word, strlen(word), err);
}

static int
log_target(const char **ret, const struct directive_input *in, struct err *err)
{
	const char *word = in->words[0];

	if (strcmp(word, "-") == 0)
		return value_keep(ret, in->arena, word, 1, err);
	if (*word == '|' || strncasecmp(word, "syslog", 6) == 0 ||
		strcasecmp(word, "journald") == 0)
		return err_setx(err, EINVAL,
			"\"%s\": wsgid writes logs to files, to \"-\" and, the "
			"error log, to journald; let the service manager pass "
			"\"-\" on",
			value_show(word).text);
	return value_absolute(ret, in->arena, in->base, word, err);
}

static int
parse_log_target(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);

	if (rc == 0 && strcasecmp(in->words[0], "journald") == 0)
		return value_keep(&ret->text, in->arena, "journald", 8, err);
	return rc < 0 ? rc : log_target(&ret->text, in, err);
}

/* Entries of a colon-separated list, each made absolute; empty ones, as
 * "$PYTHONPATH:" leaves them, are dropped. */
static int
join_entries(const struct directive_input *in, struct buf *out, struct err *err)
{
	const char *p = in->words[0];

	for (;;) {
		size_t len = strcspn(p, ":");
		const char *entry = NULL;
		int rc;

		if (len > 0) {
			rc = value_keep(&entry, in->arena, p, len, err);
			if (rc == 0)
				rc = value_absolute(&entry, in->arena, in->base,
					entry, err);
			if (rc < 0)
				return rc;
			if (out->len > 0)
				buf_add_char(out, ':');
			buf_add_text(out, entry);
		}
		if (p[len] == '\0')
			return buf_failed(out) ? -ENOMEM : 0;
		p += len + 1;
	}
}

static int
parse_path_list(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	struct buf b = {0};
	int rc = value_check_words(in, 1, 1, err);

	if (rc == 0)
		rc = join_entries(in, &b, err);
	if (rc == 0 && b.len == 0)
		rc = err_setx(err, EINVAL, "\"%s\" names no directory",
			value_show(in->words[0]).text);
	if (rc == 0 && b.len > VALUE_BYTES)
		rc = err_setx(err, EINVAL,
			"the directories are longer than %d bytes",
			VALUE_BYTES);
	if (rc == 0)
		rc = value_keep(&ret->text, in->arena, b.data, b.len, err);
	buf_fini(&b);
	return rc;
}

size_t
value_module_length(const char *application)
{
	const char *colon = strrchr(application, ':');

	return colon != NULL && strchr(colon, '/') == NULL
		       ? (size_t)(colon - application)
		       : strlen(application);
}

bool
value_may_be_script(const char *application)
{
	size_t len = value_module_length(application);

	if (strchr(application, '/') != NULL)
		return true;
	return (len > 5 && memcmp(application + len - 5, ".wsgi", 5) == 0) ||
	       (len > 3 && memcmp(application + len - 3, ".py", 3) == 0);
}

/* ---- Lists -------------------------------------------------------------- */

/* "0660" and the like. */
static int
parse_mode(const char *text, int *ret, struct err *err)
{
	size_t len = strspn(text, "01234567");
	int mode = 0;

	if (len < 3 || len > 4 || text[len] != '\0' ||
		(len == 4 && text[0] != '0'))
		return err_setx(err, EINVAL,
			"mode=%s: three octal digits are expected, as in "
			"mode=0660",
			value_show(text).text);
	for (; *text != '\0'; text++)
		mode = mode * 8 + (*text - '0');
	*ret = mode;
	return 0;
}

/* The words of the directive that this is an exception to. */
static const char *const *
proxy_protocols(void)
{
	return directive_of(offsetof(struct config, proxy_protocol))->words;
}

const char *
value_proxy_protocol(int which)
{
	return proxy_protocols()[which];
}

static int
parse_proxy_protocol(const char *text, int *ret, struct err *err)
{
	const char *const *words = proxy_protocols();

	for (int i = 0; words[i] != NULL; i++)
		if (strcasecmp(text, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	return err_setx(err, EINVAL,
		"ProxyProtocol=%s: it is none of Off, On and Optional",
		value_show(text).text);
}

static int
parse_scheme(const char *text, bool *ret, struct err *err)
{
	*ret = strcasecmp(text, "https") == 0;
	return *ret || strcasecmp(text, "http") == 0
		       ? 0
		       : err_setx(err, EINVAL,
				 "Scheme=%s: it is neither http nor https",
				 value_show(text).text);
}

static bool
is_name_of(const char *word, const char *name)
{
	return strncasecmp(word, name, strlen(name)) == 0;
}

/* What only a socket file has. */
static int
parse_file_word(const struct directive_input *in, const char *word,
	struct config_listen *listen, struct err *err)
{
	const char *address = in->words[0], *value = strchr(word, '=') + 1;

	if (strncmp(address, "unix:", 5) != 0)
		return err_setx(err, EINVAL,
			"\"%s\": only a socket file (unix:PATH) has a mode, "
			"an owner and a group",
			value_show(word).text);
	if (address[5] == '@')
		return err_setx(err, EINVAL,
			"\"%s\": an abstract socket is no file and has no "
			"mode, owner or group",
			value_show(word).text);
	if (is_name_of(word, "mode="))
		return parse_mode(value, &listen->mode, err);
	if (*value == '\0')
		return err_setx(err, EINVAL, "\"%s\": a name is missing", word);
	return value_keep(
		is_name_of(word, "owner=") ? &listen->owner : &listen->group,
		in->arena, value, strlen(value), err);
}

static int
parse_listen_word(const struct directive_input *in, const char *word,
	struct config_listen *listen, struct err *err)
{
	if (*word == '#')
		return err_setx(err, EINVAL,
			"\"%s\" is not a value; a comment must be on a line "
			"of its own",
			value_show(word).text);
	if (is_name_of(word, "mode=") || is_name_of(word, "owner=") ||
		is_name_of(word, "group="))
		return parse_file_word(in, word, listen, err);
	if (is_name_of(word, "ProxyProtocol="))
		return parse_proxy_protocol(
			strchr(word, '=') + 1, &listen->proxy_protocol, err);
	if (is_name_of(word, "Scheme="))
		return parse_scheme(
			strchr(word, '=') + 1, &listen->https, err);
	if (is_name_of(word, "http"))
		return err_setx(err, EINVAL,
			"\"%s\": a listener has no protocol; wsgid speaks "
			"HTTP, and TLS is the business of a proxy",
			value_show(word).text);
	return err_setx(err, EINVAL,
		"\"%s\" is none of mode=MODE, owner=NAME, group=NAME, "
		"ProxyProtocol=On and Scheme=https; another address needs a "
		"Listen of its own",
		value_show(word).text);
}

/* "unix:x.sock" becomes "unix:/the/base/x.sock". */
static int
listen_address(
	const struct directive_input *in, const char **ret, struct err *err)
{
	const char *word = in->words[0], *path = word + 5;
	struct buf b = {0};
	int rc;

	if (strncmp(word, "unix:", 5) != 0 && strncmp(word, "fd:", 3) != 0 &&
		strchr(word, ',') != NULL)
		return err_setx(err, EINVAL,
			"\"%s\" has a comma in it; each address needs a Listen "
			"(-b) of its own",
			value_show(word).text);
	if (strncmp(word, "unix:", 5) != 0 || *path == '@')
		return value_keep(ret, in->arena, word, strlen(word), err);
	if (*path == '\0')
		return err_setx(err, EINVAL,
			"\"unix:\": the path of the socket is missing, as in "
			"\"Listen unix:/run/wsgid/shop.sock\"");
	rc = value_absolute(&path, in->arena, in->base, path, err);
	if (rc < 0)
		return rc;
	buf_printf(&b, "unix:%s", path);
	rc = check_word(buf_text(&b), err);
	if (rc == 0)
		rc = value_keep(ret, in->arena, b.data, b.len, err);
	buf_fini(&b);
	return rc;
}

static int
parse_listen(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	struct config_listen listen = {.mode = -1, .proxy_protocol = -1};
	int rc = value_check_words(in, 1, 6, err);

	if (rc < 0)
		return rc;
	for (size_t i = 1; i < in->n; i++) {
		rc = parse_listen_word(in, in->words[i], &listen, err);
		if (rc < 0)
			return rc;
	}
	rc = listen_address(in, &listen.address, err);
	if (rc < 0)
		return rc;
	listen.where = in->where;
	ret->listen = listen;
	return 0;
}

static int
parse_access_log(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	struct config_access_log log = {.format = "combined"};
	int rc = value_check_words(in, 1, 2, err);

	if (rc == 0)
		rc = log_target(&log.target, in, err);
	if (rc == 0 && in->n == 2)
		rc = value_keep(&log.format, in->arena, in->words[1],
			strlen(in->words[1]), err);
	if (rc == 0)
		ret->access_log = log;
	return rc;
}

static int
parse_log_format(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	struct config_log_format format;
	int rc = value_check_words(in, 2, 2, err);

	if (rc < 0)
		return rc;
	if (strchr(in->words[0], '%') == NULL)
		return err_setx(err, EINVAL,
			"\"%s\" is no format: there is no item such as %%h in "
			"it",
			value_show(in->words[0]).text);
	if (strchr(in->words[1], '%') != NULL)
		return err_setx(err, EINVAL,
			"\"%s\" is no nickname: it contains a \"%%\"; the "
			"format comes first, in quotes, then the nickname",
			value_show(in->words[1]).text);
	rc = value_keep(&format.format, in->arena, in->words[0],
		strlen(in->words[0]), err);
	if (rc == 0)
		rc = value_keep(&format.nickname, in->arena, in->words[1],
			strlen(in->words[1]), err);
	if (rc == 0)
		ret->log_format = format;
	return rc;
}

/* ---- The kinds ---------------------------------------------------------- */

const struct directive_type value_flag = {
	.metavar = "On|Off",
	.size = sizeof(bool),
	.is_flag = true,
	.parse = parse_flag,
	.write = write_flag,
};

const struct directive_type value_choice = {
	.metavar = "WORD",
	.size = sizeof(int),
	.parse = parse_choice,
	.write = write_choice,
};

const struct directive_type value_text = {
	.metavar = "TEXT",
	.size = sizeof(const char *),
	.parse = parse_text,
	.write = value_write_text,
};

const struct directive_type value_texts = {
	.metavar = "TEXT,...",
	.storage = STORED_TEXTS,
	.size = sizeof(const char *),
	.parse = parse_text,
	.write = value_write_text,
};

const struct directive_type value_x_options = {
	.metavar = "OPTION,...",
	.storage = STORED_TEXTS,
	.size = sizeof(const char *),
	.parse = parse_x_options,
	.write = value_write_text,
};

const struct directive_type value_path = {
	.metavar = "PATH",
	.size = sizeof(const char *),
	.parse = parse_path,
	.write = value_write_text,
};

const struct directive_type value_interpreter = {
	.metavar = "VERSION|PATH",
	.size = sizeof(const char *),
	.parse = parse_interpreter,
	.write = value_write_text,
};

const struct directive_type value_hash_seed = {
	.metavar = "random|N",
	.size = sizeof(const char *),
	.parse = parse_hash_seed,
	.write = value_write_text,
};

const struct directive_type value_log_target = {
	.metavar = "PATH|-|journald",
	.size = sizeof(const char *),
	.parse = parse_log_target,
	.write = value_write_text,
};

const struct directive_type value_path_list = {
	.metavar = "PATH:...",
	.size = sizeof(const char *),
	.parse = parse_path_list,
	.write = value_write_text,
};

const struct directive_type value_listen = {
	.metavar = "ADDRESS",
	.storage = STORED_LISTENS,
	.many_words = true,
	.commas = true,
	.parse = parse_listen,
};

const struct directive_type value_access_log = {
	.metavar = "PATH|- [FORMAT]",
	.storage = STORED_ACCESS_LOGS,
	.many_words = true,
	.parse = parse_access_log,
};

const struct directive_type value_log_format = {
	.metavar = "FORMAT NICKNAME",
	.storage = STORED_LOG_FORMATS,
	.many_words = true,
	.parse = parse_log_format,
};
