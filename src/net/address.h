/*
 * address.h - where to listen, as administrators write it.
 */
#ifndef WSGID_NET_ADDRESS_H
#define WSGID_NET_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

struct err;

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

enum { ADDRESS_TEXT = 128 };

/* "8000" (every interface: [::] and 0.0.0.0), "127.0.0.1:8000",
 * "[::1]:8000", "localhost:8000", "*:8000", "unix:/run/x.sock",
 * "unix:@abstract".  A name may stand for several addresses: up to max are
 * put into ret.  Their number, or a negative errno and a sentence. */
int address_parse(
	struct address *ret, size_t max, const char *text, struct err *err);

/* As address_parse reads it: "127.0.0.1:8000", "[::1]:8000",
 * "unix:/run/x.sock". */
void address_format(const struct address *a, char to[ADDRESS_TEXT]);

/* The host alone ("127.0.0.1", "::1", "" for unix:) and the port (0 for
 * unix:). */
void address_host(const struct address *a, char to[ADDRESS_TEXT]);
int address_port(const struct address *a);

#endif
