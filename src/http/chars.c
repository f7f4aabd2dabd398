/*
 * chars.c - which bytes may stand where in HTTP.  See chars.h.
 *
 * "#" is left out of targets: a fragment is never sent (RFC 9112 section
 * 3.2), and peers that get one differ in where the path ends.
 */
#include "http/chars.h"

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
	[0x80 ... 0xff] = CHAR_VALUE,
};
