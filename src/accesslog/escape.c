/*
 * escape.c - a client's bytes in a log line.
 *
 * As Apache's ap_escape_logitem: a line stays a line, a quoted string stays
 * quoted, and a terminal that shows the log obeys nobody.
 */
#include "accesslog/format_priv.h"

enum {
	PLAIN,
	HEX, /* \xhh; every other value is the letter behind the backslash */
};

static const char escapes[256] = {
	[0 ... 7] = HEX,
	['\b'] = 'b',
	['\t'] = 't',
	['\n'] = 'n',
	['\v'] = 'v',
	['\f'] = HEX,
	['\r'] = 'r',
	[14 ... 31] = HEX,
	['"'] = '"',
	['\\'] = '\\',
	[127 ... 255] = HEX,
};

static char *
put_escaped(char *to, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	*to++ = '\\';
	if (escapes[c] != HEX) {
		*to++ = escapes[c];
		return to;
	}
	*to++ = 'x';
	*to++ = digits[c >> 4];
	*to++ = digits[c & 15];
	return to;
}

void
log_escape(struct buf *out, struct str s)
{
	size_t plain = 0;
	char *to;

	while (plain < s.len && escapes[(unsigned char)s.p[plain]] == PLAIN)
		plain++;
	buf_add(out, s.p, plain);
	if (plain == s.len)
		return;

	to = buf_reserve(out, (s.len - plain) * 4);
	if (to == NULL)
		return;
	for (size_t i = plain; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (escapes[c] == PLAIN)
			*to++ = (char)c;
		else
			to = put_escaped(to, c);
	}
	out->len = (size_t)(to - out->data);
}
