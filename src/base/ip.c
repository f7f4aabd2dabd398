/*
 * ip.c - an IP address, of either family, in one form.  See ip.h.
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/defs.h"

static const unsigned char mapped[IP_V4_BITS / 8] = {[10] = 0xff, [11] = 0xff};

int
ip_parse(struct ip *ret, struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	struct in_addr in4;

	if (s.len == 0 || s.len >= sizeof(text) ||
		memchr(s.p, '\0', s.len) != NULL)
		return -EINVAL;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, &in4) == 1)
		*ret = ip_of_v4(&in4);
	else if (inet_pton(AF_INET6, text, &in6) == 1)
		*ret = ip_of_v6(&in6);
	else
		return -EINVAL;
	return 0;
}

struct ip
ip_of_v4(const void *bytes)
{
	struct ip ip;

	memcpy(ip.bytes, mapped, sizeof(mapped));
	memcpy(ip.bytes + sizeof(mapped), bytes, IP_BYTES - sizeof(mapped));
	return ip;
}

struct ip
ip_of_v6(const void *bytes)
{
	struct ip ip;

	memcpy(ip.bytes, bytes, IP_BYTES);
	return ip;
}

bool
ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

static bool
same_begin(const struct ip *a, const struct ip *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a->bytes, b->bytes, whole) == 0 &&
	       (rest == 0 ||
		       (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

bool
ip_is_private(const struct ip *ip)
{
	static const struct {
		struct ip first;
		unsigned bits;
	} networks[] = {
		{{{[10] = 0xff, 0xff, 127}}, IP_V4_BITS + 8},
		{{{[10] = 0xff, 0xff, 10}}, IP_V4_BITS + 8},
		{{{[10] = 0xff, 0xff, 172, 16}}, IP_V4_BITS + 12},
		{{{[10] = 0xff, 0xff, 192, 168}}, IP_V4_BITS + 16},
		{{{[10] = 0xff, 0xff, 169, 254}}, IP_V4_BITS + 16},
		{{{[10] = 0xff, 0xff, 100, 64}}, IP_V4_BITS + 10},
		{{{[15] = 1}}, 8 * IP_BYTES},
		{{{0xfc}}, 7},
		{{{0xfe, 0x80}}, 10},
	};

	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		if (same_begin(ip, &networks[i].first, networks[i].bits))
			return true;
	return false;
}

/* Each connection has two of them: inet_ntop formats by way of sprintf. */
static size_t
format_v4(const unsigned char bytes[4], char *to)
{
	char *p = to;

	for (int i = 0; i < 4; i++) {
		p = str_put_decimal(p, bytes[i]);
		*p++ = '.';
	}
	*--p = '\0';
	return (size_t)(p - to);
}

size_t
ip_format(const struct ip *ip, char to[IP_TEXT])
{
	if (ip_is_v4(ip))
		return format_v4(ip->bytes + sizeof(mapped), to);
	(void)inet_ntop(AF_INET6, ip->bytes, to, IP_TEXT);
	return strlen(to);
}
