/*
 * json.c - items of a format that writes JSON.
 *
 * Items write as in every format, in Apache's escapes, of which JSON does not
 * know all.  What one has written is taken back to the bytes that it stands
 * for, and those are written as JSON has them; so no item knows of this, and
 * the text between them is the administrator's as ever.  What is no UTF-8, or
 * not to be shown, becomes \u00hh byte by byte.
 */
#include "accesslog/format_priv.h"

#include <string.h>

#include "base/defs.h"
#include "base/printable.h"

bool
log_is_json(const char *text)
{
	return text[0] == '{' && text[1 + strspn(text + 1, " ")] == '"';
}

static int
hex_digit(char c)
{
	return (unsigned char)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* The byte that an escape of escape.c stands for, cut off with it. */
static char
take_escaped(struct str *s)
{
	static const char letters[][2] = {{'b', '\b'}, {'n', '\n'},
		{'r', '\r'}, {'t', '\t'}, {'v', '\v'}};
	char c = s->p[1];
	size_t len = 2;

	if (c == 'x' && s->len >= 4) {
		c = (char)(hex_digit(s->p[2]) << 4 | hex_digit(s->p[3]));
		len = 4;
	} else {
		for (size_t i = 0; i < ARRAY_LEN(letters); i++)
			if (letters[i][0] == c) {
				c = letters[i][1];
				break;
			}
	}
	*s = (struct str){s->p + len, s->len - len};
	return c;
}

static void
unescape(struct str s, struct buf *to)
{
	while (s.len > 0) {
		if (s.p[0] == '\\' && s.len >= 2) {
			buf_add_char(to, take_escaped(&s));
			continue;
		}
		buf_add_char(to, s.p[0]);
		s = (struct str){s.p + 1, s.len - 1};
	}
}

static void
escape(struct str s, struct buf *to)
{
	while (s.len > 0) {
		size_t len = printable_char(s);

		if (len == 0) {
			buf_printf(to, "\\u00%02x", (unsigned char)s.p[0]);
			len = 1;
		} else {
			if (s.p[0] == '"' || s.p[0] == '\\')
				buf_add_char(to, '\\');
			buf_add(to, s.p, len);
		}
		s = (struct str){s.p + len, s.len - len};
	}
}

bool
log_json_quotes(struct str text, bool quoted)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '"')
			quoted = !quoted;
	}
	return quoted;
}

void
log_make_json(struct buf *line, size_t start, bool quoted)
{
	struct str said = {line->data + start, line->len - start};
	struct buf bytes = {0};

	if (buf_failed(line) || said.len == 0)
		return;
	if (str_equal(said, STR("-")) && !quoted) {
		line->len = start;
		buf_add_text(line, "null");
		return;
	}
	unescape(said, &bytes);
	line->len = start;
	escape((struct str){bytes.data, bytes.len}, line);
	line->failed |= buf_failed(&bytes);
	buf_fini(&bytes);
}
