/*
 * proxy_protocol.c - the line, or the record, that a balancer sends first.
 * See proxy_protocol.h.
 */
#include "http/proxy_protocol.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* Is data, as far as it has come, how this begins? */
static bool
begins(const char *data, size_t len, struct str with)
{
	return memcmp(data, with.p, len < with.len ? len : with.len) == 0;
}

/* --- version 1: text -------------------------------------------------------------- */

enum { LINE_MAX_V1 = 107 }; /* with CRLF */

/* Cut a word off, and the one space behind it. */
static struct str
cut_word(struct str *line)
{
	const char *space = memchr(line->p, ' ', line->len);
	struct str word = *line;

	if (space != NULL)
		word.len = (size_t)(space - line->p);
	line->p += word.len + (space != NULL);
	line->len -= word.len + (space != NULL);
	return word;
}

static int
parse_port(uint16_t *ret, struct str s)
{
	unsigned long long port;

	if (s.len == 0 || s.len > 5 || (s.len > 1 && s.p[0] == '0') ||
		str_to_u64(s, &port) < 0 || port > 65535)
		return -EBADMSG;
	*ret = (uint16_t)port;
	return 0;
}

/* An IPv4 address is no TCP6 one, though it can be written as one. */
static int
parse_address(struct ip *ret, struct str s, bool is_v4)
{
	if (ip_parse(ret, s) < 0 || (memchr(s.p, ':', s.len) == NULL) != is_v4)
		return -EBADMSG;
	return 0;
}

static int
parse_line(struct proxy_protocol *ret, struct str line)
{
	struct proxy_protocol p = {.has_ends = true};
	struct str family;
	bool is_v4;

	(void)cut_word(&line); /* PROXY */
	family = cut_word(&line);
	if (str_equal(family, STR("UNKNOWN"))) {
		*ret = (struct proxy_protocol){0};
		return 0;
	}
	is_v4 = str_equal(family, STR("TCP4"));
	if (!is_v4 && !str_equal(family, STR("TCP6")))
		return -EBADMSG;
	if (parse_address(&p.client, cut_word(&line), is_v4) < 0 ||
		parse_address(&p.server, cut_word(&line), is_v4) < 0 ||
		parse_port(&p.client_port, cut_word(&line)) < 0 ||
		parse_port(&p.server_port, line) < 0)
		return -EBADMSG;
	*ret = p;
	return 0;
}

static ssize_t
parse_v1(struct proxy_protocol *ret, const char *data, size_t len)
{
	size_t most = len < LINE_MAX_V1 ? len : LINE_MAX_V1;
	const char *end = memchr(data, '\r', most);
	size_t line_len;

	if (end == NULL)
		return most < LINE_MAX_V1 ? 0 : -EBADMSG;
	line_len = (size_t)(end - data);
	if (line_len + 1 == most)
		return most < LINE_MAX_V1 ? 0 : -EBADMSG;
	if (end[1] != '\n' || parse_line(ret, (struct str){data, line_len}) < 0)
		return -EBADMSG;
	return (ssize_t)line_len + 2;
}

/* --- version 2: bytes --------------------------------------------------------------- */

enum {
	HEAD_V2 = 16,
	VERSION = 0x20, /* the high half of a byte; the low one: */
	LOCAL = 0,
	PROXY = 1,
	OVER_TCP4 = 0x11,
	OVER_TCP6 = 0x21,
	OVER_UNIX = 0x31,
	UNSPECIFIED = 0,
	TYPE_CHECKSUM = 3,
	TYPE_SSL = 0x20, /* of a TLV: kind, 16 bits of length, value */
	CLIENT_SSL = 1,
	TLV_HEAD = 3,
};

struct header {
	const unsigned char *bytes;
	size_t len;
};

static unsigned
two_bytes(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* CRC32c of the header, in which the sum itself counts as zeros. */
static bool
checksum_is(const struct header *h, const unsigned char *sum)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < h->len; i++) {
		const unsigned char *p = h->bytes + i;

		crc ^= p >= sum && p < sum + 4 ? 0 : *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	crc = ~crc;
	return crc == ((uint32_t)two_bytes(sum) << 16 | two_bytes(sum + 2));
}

/* What may follow the addresses.  -EBADMSG where it is cut off, or its sum says
 * that something was changed on the way. */
static int
parse_tlvs(struct proxy_protocol *ret, const struct header *h, size_t at)
{
	while (at < h->len) {
		const unsigned char *p = h->bytes + at;
		size_t size;

		if (h->len - at < TLV_HEAD)
			return -EBADMSG;
		size = TLV_HEAD + two_bytes(p + 1);
		if (size > h->len - at)
			return -EBADMSG;
		if (p[0] == TYPE_SSL && size > TLV_HEAD)
			ret->tls = (p[TLV_HEAD] & CLIENT_SSL) != 0;
		if (p[0] == TYPE_CHECKSUM &&
			(size != TLV_HEAD + 4 || !checksum_is(h, p + TLV_HEAD)))
			return -EBADMSG;
		at += size;
	}
	return 0;
}

/* Behind the head: two addresses, two ports and what else there is. */
static int
parse_ends(struct proxy_protocol *ret, const struct header *h, int family)
{
	static const size_t unix_addresses = 2 * 108;
	const unsigned char *p = h->bytes + HEAD_V2;
	size_t size = family == OVER_TCP4 ? 4 : IP_BYTES;
	size_t all = family == OVER_UNIX ? unix_addresses : 2 * size + 4;

	if (h->len < HEAD_V2 + all)
		return -EBADMSG;
	if (family == OVER_TCP4) {
		ret->client = ip_of_v4(p);
		ret->server = ip_of_v4(p + size);
	} else if (family == OVER_TCP6) {
		ret->client = ip_of_v6(p);
		ret->server = ip_of_v6(p + size);
	}
	ret->has_ends = family != OVER_UNIX;
	if (ret->has_ends) {
		ret->client_port = (uint16_t)two_bytes(p + 2 * size);
		ret->server_port = (uint16_t)two_bytes(p + 2 * size + 2);
	}
	return parse_tlvs(ret, h, HEAD_V2 + all);
}

static int
parse_content(struct proxy_protocol *ret, const struct header *h)
{
	int family = h->bytes[13];

	if ((h->bytes[12] & 0xf) == LOCAL)
		return 0;
	if ((h->bytes[12] & 0xf) != PROXY)
		return -EBADMSG;
	switch (family) {
	case OVER_TCP4:
	case OVER_TCP6:
	case OVER_UNIX:
		return parse_ends(ret, h, family);
	case UNSPECIFIED:
		return 0; /* whatever follows says nothing */
	default:
		return -EBADMSG; /* datagrams, and what nobody has defined */
	}
}

static ssize_t
parse_v2(struct proxy_protocol *ret, const char *data, size_t len)
{
	const unsigned char *head = (const unsigned char *)data;
	struct proxy_protocol p = {0};
	size_t all;

	if (len > 12 && (head[12] & 0xf0) != VERSION)
		return -EBADMSG;
	if (len < HEAD_V2)
		return 0;
	all = HEAD_V2 + two_bytes(head + 14);
	if (len < all)
		return 0;
	if (parse_content(&p, &(struct header){head, all}) < 0)
		return -EBADMSG;
	*ret = p;
	return (ssize_t)all;
}

ssize_t
proxy_protocol_parse(struct proxy_protocol *ret, const char *data, size_t len)
{
	static const struct str v1 = {"PROXY ", 6};
	static const struct str v2 = {"\r\n\r\n\0\r\nQUIT\n", 12};

	if (len == 0)
		return 0;
	if (begins(data, len, v1))
		return parse_v1(ret, data, len);
	if (begins(data, len, v2))
		return parse_v2(ret, data, len);
	return -ENOMSG;
}
