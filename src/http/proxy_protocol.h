/*
 * proxy_protocol.h - the line, or the record, that a balancer sends first.
 *
 * A balancer that does not speak HTTP cannot add a field to a request; instead
 * it begins the connection with the client's address, as text (version 1) or
 * as bytes (version 2), by HAProxy's "The PROXY protocol", revision 2020.
 *
 * The parser keeps nothing: a header that has come in part is given again, with
 * what has come since.  It is one of the few things here that may be looked at
 * before it is known who sends it: whether he is believed is for the caller.
 */
#ifndef WSGID_HTTP_PROXY_PROTOCOL_H
#define WSGID_HTTP_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ip.h"

/* Of a header: what version 2 can say of its own length. */
enum { PROXY_PROTOCOL_MAX = 16 + 65535 };

struct proxy_protocol {
	/* Else the header says nothing of a client, as in a health check by the
	 * balancer itself: the connection is what it looks like. */
	bool has_ends;
	struct ip client, server;
	uint16_t client_port, server_port;
	bool tls; /* between the client and the balancer; version 2 */
};

/* The header at the start of data: its length; 0 when it is not whole yet;
 * -ENOMSG when what comes is none; -EBADMSG when it begins as one and is
 * wrong.  *ret is filled when there is one. */
ssize_t proxy_protocol_parse(
	struct proxy_protocol *ret, const char *data, size_t len);

#endif
