/*
 * network.h - whom an administrator means by "10.0.0.0/8", "::1" or "unix:".
 */
#ifndef WSGID_BASE_NETWORK_H
#define WSGID_BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"

struct err;

enum network_kind {
	NETWORK_OF_ADDRESSES,
	NETWORK_UNIX, /* "unix:", whoever comes by a Unix socket */
	NETWORK_ALL,  /* "*", everybody */
};

struct network {
	enum network_kind kind;
	struct ip first;
	unsigned bits; /* that its addresses have in common with first */
};

enum { NETWORK_TEXT = IP_TEXT + 8 };

/* An address, ADDRESS/BITS, "unix:" or "*".  0, or -EINVAL and a sentence.  An
 * address that is not the first of its network is a mistake. */
int network_parse(struct network *ret, const char *text, struct err *err);

/* As network_parse reads it. */
void network_format(const struct network *n, char to[NETWORK_TEXT]);

/* Is somebody in one of them?  NULL is one who has no address, the client of a
 * Unix socket. */
bool network_any_has(
	const struct network *networks, size_t n, const struct ip *ip);

#endif
