/*
 * user.c - whom a client says he is: the name of "Authorization: Basic".
 *
 * Nobody here knows whether it is true: the application alone looks at the
 * password, which ends where this begins to forget.  It is logged as nginx and
 * gunicorn do; Apache knows a user only where it has asked for him itself.
 */
#include "accesslog/format_priv.h"

#include <strings.h>

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 up to the first ":", behind which the password is. */
static bool
decode_name(struct str s, struct buf *to)
{
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < s.len; i++) {
		int value = value_of(s.p[i]);
		char c;

		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
		n += 6;
		if (n < 8)
			continue;
		n -= 8;
		c = (char)(bits >> n & 0xff);
		if (c == ':')
			return true;
		buf_add_char(to, c);
	}
	return false;
}

bool
log_find_user(struct str authorization, struct buf *to)
{
	static const char scheme[] = "Basic ";
	size_t len = sizeof(scheme) - 1;

	if (authorization.len < len ||
		strncasecmp(authorization.p, scheme, len) != 0)
		return false;
	authorization.p += len;
	authorization.len -= len;
	return decode_name(str_trim(authorization), to);
}
