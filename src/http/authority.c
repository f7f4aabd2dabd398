/*
 * authority.c - "host:port" as Host and request targets write it.
 *
 * The grammar is RFC 3986's for registered names, which is wider than what
 * DNS resolves; whether a name is served here is not asked.  User
 * information ("user@host") is never accepted (RFC 9110 section 4.2.4).
 */
#include "http/authority.h"

#include <arpa/inet.h>
#include <string.h>

#include "http/chars.h"

static bool
port_valid(struct str s)
{
	unsigned long port = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!char_is_of(s.p[i], CHAR_DIGIT))
			return false;
		port = port * 10 + (unsigned long)(s.p[i] - '0');
		if (port > 65535)
			return false;
	}
	return true;
}

/* RFC 3986's IPvFuture: "v", hex digits, ".", and letters of a name. */
static bool
future_address_valid(struct str s)
{
	size_t i = 1;

	while (i < s.len && char_is_of(s.p[i], CHAR_HEX))
		i++;
	if (i == 1 || i + 1 >= s.len || s.p[i] != '.')
		return false;
	for (i++; i < s.len; i++)
		if (!char_is_of(s.p[i], CHAR_HOST) && s.p[i] != ':')
			return false;
	return true;
}

static bool
address_valid(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (s.len > 0 && (s.p[0] == 'v' || s.p[0] == 'V'))
		return future_address_valid(s);
	if (s.len == 0 || s.len >= sizeof(text) ||
		memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* The length of the registered name or IPv4 address at the start of s; 0
 * when there is none. */
static size_t
name_len(struct str s)
{
	size_t i = 0;

	while (i < s.len) {
		if (char_is_of(s.p[i], CHAR_HOST))
			i++;
		else if (s.p[i] == '%' && s.len - i >= 3 &&
			 char_is_of(s.p[i + 1], CHAR_HEX) &&
			 char_is_of(s.p[i + 2], CHAR_HEX))
			i += 3;
		else
			break;
	}
	return i;
}

/* The length of the host at the start of s; 0 when it is not one. */
static size_t
host_len(struct str s)
{
	const char *bracket;
	size_t len;

	if (s.len == 0 || s.p[0] != '[')
		return name_len(s);
	bracket = memchr(s.p, ']', s.len);
	if (bracket == NULL)
		return 0;
	len = (size_t)(bracket - s.p);
	if (!address_valid((struct str){s.p + 1, len - 1}))
		return 0;
	return len + 1;
}

bool
authority_valid(struct str s, bool *has_port)
{
	size_t len = host_len(s);
	struct str port = {NULL, 0};

	if (len == 0)
		return false;
	if (len < s.len) {
		if (s.p[len] != ':')
			return false;
		port = (struct str){s.p + len + 1, s.len - len - 1};
		if (!port_valid(port))
			return false;
	}
	if (has_port != NULL)
		*has_port = port.len > 0;
	return true;
}
