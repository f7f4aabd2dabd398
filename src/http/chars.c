/*
 * chars.c - which bytes may stand where in HTTP.  See chars.h.
 *
 * "#" is left out of targets: a fragment is never sent (RFC 9112 section
 * 3.2), and peers that get one differ in where the path ends.  Bytes outside
 * ASCII ought not to be sent in one either, but old clients and people who type
 * an address do, and every other server takes them as they are.
 */
#include "http/chars.h"

#include <stdint.h>
#include <string.h>

enum {
	TARGET = CHAR_TARGET | CHAR_PATH | CHAR_VALUE, /* and nowhere else */
	TOKEN = TARGET | CHAR_TOKEN,
	HOST = TARGET | CHAR_HOST,
	ANY = TOKEN | HOST,
};

/* clang-format off */
const unsigned char chars[256] = {
	['\t'] = CHAR_VALUE,
	[' '] = CHAR_VALUE,
	['!'] = ANY,
	['"'] = TARGET,
	['#'] = CHAR_TOKEN | CHAR_VALUE,
	['$'] = ANY,
	['%'] = TOKEN,
	['&'] = ANY,
	['\''] = ANY,
	['('] = HOST,
	[')'] = HOST,
	['*'] = ANY,
	['+'] = ANY,
	[','] = HOST,
	['-'] = ANY,
	['.'] = ANY,
	['/'] = TARGET,
	['0' ... '9'] = ANY | CHAR_DIGIT | CHAR_HEX,
	[':'] = TARGET,
	[';'] = HOST,
	['<'] = TARGET,
	['='] = HOST,
	['>'] = TARGET,
	['?'] = CHAR_TARGET | CHAR_VALUE,
	['@'] = TARGET,
	['A' ... 'F'] = ANY | CHAR_HEX,
	['G' ... 'Z'] = ANY,
	['['] = TARGET,
	['\\'] = TARGET,
	[']'] = TARGET,
	['^'] = TOKEN,
	['_'] = ANY,
	['`'] = TOKEN,
	['a' ... 'f'] = ANY | CHAR_HEX,
	['g' ... 'z'] = ANY,
	['{'] = TARGET,
	['|'] = TOKEN,
	['}'] = TARGET,
	['~'] = ANY,
	[0x80 ... 0xff] = TARGET,
};

/* Eight bytes at a time while none of them is a control byte, then one by
 * one, which knows that tabs are fine. */
const char *
chars_skip_value(const char *p, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	while (end - p >= 8) {
		uint64_t word, del;

		memcpy(&word, p, 8);
		del = word ^ ones * 0x7f;
		if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) &
			ones * 0x80)
			break;
		p += 8;
	}
	while (p < end && char_is_of(*p, CHAR_VALUE))
		p++;
	return p;
}
