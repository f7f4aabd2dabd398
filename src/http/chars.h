/*
 * chars.h - which bytes may stand where in HTTP.
 *
 * One table look-up a byte is what the parsers cost.  chars[c] is the set of
 * places in which the byte c may stand.
 */
#ifndef WSGID_HTTP_CHARS_H
#define WSGID_HTTP_CHARS_H

#include <stdbool.h>

enum {
	CHAR_TOKEN = 1 << 0,  /* RFC 9110 section 5.6.2 */
	CHAR_TARGET = 1 << 1, /* VCHAR without "#", obs-text */
	CHAR_PATH = 1 << 2,   /* the same without "?" */
	CHAR_VALUE = 1 << 3, /* RFC 9110 section 5.5: VCHAR, obs-text, blanks */
	CHAR_HOST = 1 << 4, /* RFC 3986 section 3.2.2: unreserved, sub-delims */
	CHAR_DIGIT = 1 << 5,
	CHAR_HEX = 1 << 6,
};

extern const unsigned char chars[256];

/* The first byte from p on that may not stand in a field value, or end. */
const char *chars_skip_value(const char *p, const char *end);

/* May the byte stand in one of these places? */
static inline bool
char_is_of(char c, unsigned places)
{
	return (chars[(unsigned char)c] & places) != 0;
}

#endif
