/*
 * authority.h - "host:port" as Host and request targets write it.
 */
#ifndef WSGID_HTTP_AUTHORITY_H
#define WSGID_HTTP_AUTHORITY_H

#include <stdbool.h>

#include "base/str.h"

/* Is s a host name, an IPv4 address or an IPv6 address in brackets, with an
 * optional port (RFC 9110 section 7.2, RFC 3986 section 3.2)?  The port may
 * be empty ("host:"), the host may not; *has_port says whether digits of a
 * port are there, and may be NULL. */
bool authority_valid(struct str s, bool *has_port);

#endif
