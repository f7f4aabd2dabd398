/*
 * printable.c - which bytes of somebody else's text may be shown.  See
 * printable.h.
 */
#include "base/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/defs.h"

/* Bytes of a character by its first one; 0: none begins so. */
static size_t
length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0;
}

/* Longer forms than needed and halves of UTF-16 are none (RFC 3629). */
static bool
is_encoded_well(uint32_t c, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	return c >= least[len] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static bool
may_be_shown(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0x00, 0x1f},
		{0x7f, 0x9f},
		{0x061c, 0x061c}, /* the marks that turn the direction ... */
		{0x200e, 0x200f},
		{0x2028, 0x202e}, /* ... and before these, ends of lines */
		{0x2066, 0x2069},
	};

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return true;
}

/* Bytes of the well-formed character, and which it is; 0: there is none. */
static size_t
decode(struct str s, uint32_t *ret)
{
	unsigned char first = (unsigned char)s.p[0];
	size_t len = length_of(first);
	uint32_t c = len == 1 ? first : first & (0xffU >> (len + 1));

	if (len == 0 || len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		unsigned char next = (unsigned char)s.p[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (next & 0x3f);
	}
	if (!is_encoded_well(c, len))
		return 0;
	*ret = c;
	return len;
}

size_t
printable_char(struct str s)
{
	uint32_t c;
	size_t len = decode(s, &c);

	return len > 0 && may_be_shown(c) ? len : 0;
}

size_t
printable_clean(char *text, size_t len, const char *allowed)
{
	char *to = text;

	for (size_t at = 0; at < len;) {
		struct str rest = {text + at, len - at};
		size_t n = printable_char(rest);
		uint32_t c;

		if (n == 0 && text[at] != '\0' &&
			strchr(allowed, text[at]) != NULL)
			n = 1;
		if (n > 0) {
			memmove(to, rest.p, n);
			to += n;
			at += n;
			continue;
		}
		n = decode(rest, &c);
		at += n > 0 ? n : 1;
		*to++ = '?';
	}
	return (size_t)(to - text);
}

size_t
printable_cut(const char *text, size_t len, size_t size)
{
	size_t begin = size;

	if (len <= size)
		return len;
	while (begin > 0 && size - begin < 3 &&
		((unsigned char)text[begin] & 0xc0) == 0x80)
		begin--;
	/* What is no UTF-8 has no characters. */
	return ((unsigned char)text[begin] & 0xc0) == 0x80 ? size : begin;
}
