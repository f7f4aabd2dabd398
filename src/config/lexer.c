/*
 * lexer.c - lines and words of a configuration.  See lexer.h.
 */
#include "config/lexer.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "config/values.h"

void
lexer_init(struct lexer *l, const char *text, size_t len)
{
	*l = (struct lexer){.p = text, .end = text + len};
}

void
lexer_fini(struct lexer *l)
{
	buf_fini(&l->text);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One line of the file, without its end; false when there is none left. */
static bool
take_line(struct lexer *l, struct str *ret)
{
	const char *newline;

	if (l->p == l->end)
		return false;
	newline = memchr(l->p, '\n', (size_t)(l->end - l->p));
	ret->p = l->p;
	ret->len = (size_t)((newline != NULL ? newline : l->end) - l->p);
	l->p = newline != NULL ? newline + 1 : l->end;
	l->line++;
	if (ret->len > 0 && ret->p[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

/* Join a line with those that continue it into l->text.  False when the
 * whole is too long to be one. */
static bool
join_lines(struct lexer *l, struct str first, bool *joined)
{
	struct str s = first;
	bool fits = true;

	buf_clear(&l->text);
	*joined = false;
	for (;;) {
		bool more = s.len > 0 && s.p[s.len - 1] == '\\';

		if (more)
			s.len--;
		fits = fits && l->text.len + s.len <= LEXER_LINE;
		if (fits)
			buf_add_str(&l->text, s);
		if (!more || !take_line(l, &s))
			return fits;
		*joined = true;
	}
}

static int
check_bytes(struct lexer *l, struct err *err)
{
	for (size_t i = 0; i < l->text.len; i++) {
		unsigned char c = (unsigned char)l->text.data[i];

		if (c == '\0') {
			l->p = l->end;
			return err_setx(err, EINVAL,
				"there is a NUL byte; is this a text file? "
				"Nothing is read from here on");
		}
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return err_setx(err, EINVAL,
				"there is a control character (0x%02x) in "
				"column %zu; remove it",
				c, i + 1);
	}
	return 0;
}

int
lexer_next(struct lexer *l, struct lexer_line *ret, struct err *err)
{
	struct str s;

	while (take_line(l, &s)) {
		bool joined;
		size_t begin = 0;
		int rc;

		ret->number = l->line;
		if (!join_lines(l, s, &joined))
			return err_setx(err, EINVAL,
				"the line is longer than %d bytes", LEXER_LINE);
		rc = check_bytes(l, err);
		if (rc < 0)
			return rc;
		while (l->text.len > 0 &&
			is_blank(l->text.data[l->text.len - 1]))
			l->text.len--;
		while (begin < l->text.len && is_blank(l->text.data[begin]))
			begin++;
		buf_consume(&l->text, begin);
		if (buf_failed(&l->text))
			return err_set(err, ENOMEM, "reading a line");
		if (l->text.len == 0)
			continue;
		ret->swallows = l->text.data[0] == '#' && joined;
		if (l->text.data[0] == '#' && !joined)
			continue;
		ret->text = buf_text(&l->text);
		return 1;
	}
	return 0;
}

/* The state of one word that is being put together. */
struct splitter {
	const char *p;
	struct buf word;
	size_t expanded; /* bytes of the line that stand for a name */
	lexer_lookup *lookup;
	void *arg;
};

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* At "${". */
static int
expand(struct splitter *s, struct err *err)
{
	const char *begin = s->p + 2, *end = begin;
	const char *value;

	while (is_name_char(*end))
		end++;
	if (*end != '}' || end == begin)
		return err_setx(err, EINVAL,
			"\"%s\": ${NAME} is expected, with letters, digits "
			"and \"_\" in the name; write \"\\${\" for the two "
			"characters themselves",
			value_show(s->p).text);
	value = s->lookup(
		s->arg, (struct str){begin, (size_t)(end - begin)}, err);
	if (value == NULL)
		return -EINVAL;
	s->expanded += strlen(value);
	if (s->expanded > LEXER_LINE)
		return err_setx(err, EINVAL,
			"${%.*s} is %zu bytes long, with which the line is "
			"longer than the %d that it may be",
			(int)(end - begin), begin, strlen(value), LEXER_LINE);
	buf_add_text(&s->word, value);
	s->p = end + 1;
	return 0;
}

static bool
is_escape(const struct splitter *s, char quote)
{
	if (s->p[0] != '\\')
		return false;
	if (s->p[1] == '\\' || (quote != '\0' && s->p[1] == quote))
		return true;
	return s->lookup != NULL && s->p[1] == '$' && s->p[2] == '{';
}

/* One word, which begins at s->p. */
static int
take_word(struct splitter *s, struct err *err)
{
	char quote = *s->p == '"' || *s->p == '\'' ? *s->p++ : '\0';

	buf_clear(&s->word);
	for (;;) {
		if (*s->p == '\0' && quote != '\0')
			return err_setx(err, EINVAL,
				"the closing %c is missing", quote);
		if (*s->p == '\0' || (quote == '\0' && is_blank(*s->p)))
			return 0;
		if (quote != '\0' && *s->p == quote) {
			s->p++;
			break;
		}
		if (is_escape(s, quote)) {
			buf_add_char(&s->word, s->p[1]);
			s->p += 2;
		} else if (s->lookup != NULL && s->p[0] == '$' &&
			   s->p[1] == '{') {
			int rc = expand(s, err);

			if (rc < 0)
				return rc;
		} else {
			buf_add_char(&s->word, *s->p++);
		}
	}
	if (*s->p != '\0' && !is_blank(*s->p))
		return err_setx(err, EINVAL,
			"a space is missing behind the closing %c, before "
			"\"%s\"",
			quote, value_show(s->p).text);
	return 0;
}

/* Lists that have become too short stay in the arena: all of them together are
 * no longer than the last. */
static int
keep(struct lexer_words *to, struct arena *arena, const struct buf *word)
{
	if (to->n == to->room) {
		size_t room = to->room > 0 ? 2 * to->room : 16;
		const char **more = arena_alloc(arena, room * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		if (to->n > 0)
			memcpy(more, to->word, to->n * sizeof(*more));
		to->word = more;
		to->room = room;
	}
	to->word[to->n] = arena_copy(arena, word->data, word->len);
	return to->word[to->n++] != NULL ? 0 : -ENOMEM;
}

static int
split(struct splitter *s, struct lexer_words *ret, struct arena *arena,
	struct err *err)
{
	for (;;) {
		int rc;

		while (is_blank(*s->p))
			s->p++;
		if (*s->p == '\0')
			return 0;
		rc = take_word(s, err);
		if (rc < 0)
			return rc;
		if (buf_failed(&s->word) || keep(ret, arena, &s->word) < 0)
			return err_set(err, ENOMEM, "reading a word");
	}
}

int
lexer_split(struct lexer_words *ret, const char *text, struct arena *arena,
	lexer_lookup *lookup, void *arg, struct err *err)
{
	struct splitter s = {.p = text, .lookup = lookup, .arg = arg};
	int rc;

	*ret = (struct lexer_words){0};
	rc = split(&s, ret, arena, err);
	buf_fini(&s.word);
	return rc;
}
