/*
 * network.c - whom an administrator means by "10.0.0.0/8", "::1" or "unix:".
 * See network.h.
 */
#include "base/network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum { BITS = IP_BYTES * 8, SHOWN = 80 };

/* The address with all bits behind the first ones cleared. */
static struct ip
begin_of(struct ip ip, unsigned bits)
{
	for (unsigned i = 0; i < IP_BYTES; i++) {
		unsigned kept = bits > i * 8 ? bits - i * 8 : 0;

		if (kept < 8)
			ip.bytes[i] &= (unsigned char)(0xff00 >> kept);
	}
	return ip;
}

static int
parse_bits(unsigned *ret, struct str text, bool is_v4)
{
	unsigned most = is_v4 ? BITS - IP_V4_BITS : BITS;
	unsigned long long bits;

	if (text.len > 3 || str_to_u64(text, &bits) < 0 || bits > most)
		return -EINVAL;
	*ret = (unsigned)bits + (is_v4 ? IP_V4_BITS : 0);
	return 0;
}

static int
check_first(const struct network *n, const char *text, struct err *err)
{
	struct network meant = {
		.first = begin_of(n->first, n->bits),
		.bits = n->bits,
	};
	char shown[NETWORK_TEXT];

	if (memcmp(&meant.first, &n->first, sizeof(meant.first)) == 0)
		return 0;
	network_format(&meant, shown);
	return err_setx(err, EINVAL,
		"\"%.*s\" is an address and not the first of its network; "
		"write %s for all of it, or the address alone",
		SHOWN, text, shown);
}

int
network_parse(struct network *ret, const char *text, struct err *err)
{
	struct network n = {.kind = NETWORK_OF_ADDRESSES, .bits = BITS};
	const char *slash = strchr(text, '/');
	struct str address = {text, strcspn(text, "/")};
	int rc;

	if (strcmp(text, "unix:") == 0 || strcmp(text, "*") == 0) {
		*ret = (struct network){
			.kind = *text == '*' ? NETWORK_ALL : NETWORK_UNIX};
		return 0;
	}
	rc = ip_parse(&n.first, address);
	if (rc == 0 && slash != NULL)
		rc = parse_bits(&n.bits, str_of(slash + 1), ip_is_v4(&n.first));
	if (rc < 0)
		return err_setx(err, EINVAL,
			"\"%.*s\" is no address, such as 192.0.2.7 or ::1, no "
			"network, such as 10.0.0.0/8 or 2001:db8::/32, and "
			"neither unix: nor *",
			SHOWN, text);
	rc = check_first(&n, text, err);
	if (rc == 0)
		*ret = n;
	return rc;
}

void
network_format(const struct network *n, char to[NETWORK_TEXT])
{
	unsigned skipped = ip_is_v4(&n->first) ? IP_V4_BITS : 0;
	size_t len;

	if (n->kind != NETWORK_OF_ADDRESSES) {
		strcpy(to, n->kind == NETWORK_ALL ? "*" : "unix:");
		return;
	}
	len = ip_format(&n->first, to);
	if (n->bits < BITS)
		snprintf(
			to + len, NETWORK_TEXT - len, "/%u", n->bits - skipped);
}

static bool
has(const struct network *n, const struct ip *ip)
{
	struct ip first;

	if (n->kind != NETWORK_OF_ADDRESSES)
		return n->kind == NETWORK_ALL || ip == NULL;
	/* A mapped address lies in ::/0, and is IPv4 all the same. */
	if (ip == NULL || ip_is_v4(ip) != ip_is_v4(&n->first))
		return false;
	first = begin_of(*ip, n->bits);
	return memcmp(&first, &n->first, sizeof(first)) == 0;
}

bool
network_any_has(const struct network *networks, size_t n, const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (has(&networks[i], ip))
			return true;
	return false;
}
