/*
 * ip.h - an IP address, of either family, in one form.
 *
 * An IPv4 address is kept as the IPv6 address that maps it (::ffff:a.b.c.d):
 * so a client of a dual-stack listener and the same client of an IPv4 one are
 * equal, and whoever compares addresses needs no families.
 */
#ifndef WSGID_BASE_IP_H
#define WSGID_BASE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	IP_BYTES = 16,
	IP_V4_BITS = 96, /* what all mapped IPv4 addresses begin with */
	IP_TEXT = 48,
};

struct ip {
	unsigned char bytes[IP_BYTES];
};

/* "192.0.2.7" or "2001:db8::7", and nothing around it: no brackets, no zone,
 * no port, no leading zeros in IPv4.  0 or -EINVAL. */
int ip_parse(struct ip *ret, struct str text);

/* Of the 4 or 16 bytes that the network writes. */
struct ip ip_of_v4(const void *bytes);
struct ip ip_of_v6(const void *bytes);

bool ip_is_v4(const struct ip *ip);

/* This machine's own, or of a network that is not the Internet: loopback,
 * link-local, RFC 1918, 4193 and 6598. */
bool ip_is_private(const struct ip *ip);

/* As people write it; its length. */
size_t ip_format(const struct ip *ip, char to[IP_TEXT]);

#endif
