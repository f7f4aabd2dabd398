/*
 * control.c - the lines that wsgictl and the master exchange.
 *
 * Only text: no socket, no verb.  What is decoded comes from anybody who may
 * open the control socket, so it is measured before it is believed, and a
 * line that encode writes is always one that decode takes.
 */
#include "control/control.h"

#include <errno.h>
#include <string.h>

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static bool
must_escape(unsigned char c)
{
	return is_control(c) || c == ' ' || c == '%';
}

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Decode one character at *at; -1 when it may not stand there.  Never 0: a
 * word has no NUL. */
static int
decode_char(struct str line, size_t *at)
{
	unsigned char c = (unsigned char)line.p[*at];
	int high, low;

	if (is_control(c))
		return -1;
	*at += 1;
	if (c != '%')
		return c;
	if (line.len - *at < 2)
		return -1;
	high = digit_of(line.p[*at]);
	low = digit_of(line.p[*at + 1]);
	*at += 2;
	if (high < 0 || low < 0 || (high == 0 && low == 0))
		return -1;
	return high * 16 + low;
}

int
control_decode(struct control_line *ret, struct str line)
{
	struct str *word = ret->words;
	char *to = ret->text;
	size_t at = 0;

	ret->n = 0;
	/* The newline is one of the CONTROL_LINE bytes. */
	if (line.len == 0 || line.len >= CONTROL_LINE || line.p[0] == ' ')
		return -EINVAL;
	*word = (struct str){to, 0};
	while (at < line.len) {
		int c;

		if (line.p[at] == ' ') {
			if (++word == ret->words + CONTROL_WORDS)
				return -EINVAL;
			*word = (struct str){to, 0};
			at++;
			continue;
		}
		c = decode_char(line, &at);
		if (c < 0)
			return -EINVAL;
		*to++ = (char)c;
		word->len++;
	}
	ret->n = (size_t)(word - ret->words) + 1;
	return 0;
}

/* The bytes that the words take as a line, or a negative errno. */
static ssize_t
measure(const struct str *words, size_t n)
{
	size_t len = n; /* the spaces and the newline */

	if (n == 0 || n > CONTROL_WORDS || words[0].len == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (words[i].len > CONTROL_LINE)
			return -E2BIG;
		for (size_t j = 0; j < words[i].len; j++) {
			unsigned char c = (unsigned char)words[i].p[j];

			if (c == '\0')
				return -EINVAL;
			len += must_escape(c) ? 3 : 1;
		}
	}
	return len <= CONTROL_LINE ? (ssize_t)len : -E2BIG;
}

static char *
put_word(char *to, struct str word)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.p[i];

		if (!must_escape(c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	return to;
}

int
control_encode(struct buf *out, const struct str *words, size_t n)
{
	ssize_t len = measure(words, n);
	char *to;

	if (len < 0)
		return (int)len;
	to = buf_reserve(out, (size_t)len);
	if (to == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		to = put_word(to, words[i]);
		*to++ = i + 1 < n ? ' ' : '\n';
	}
	out->len += (size_t)len;
	return 0;
}
