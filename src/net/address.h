/*
 * address.h - where to listen, as administrators write it.
 */
#ifndef WSGID_NET_ADDRESS_H
#define WSGID_NET_ADDRESS_H

#include <stdbool.h>
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

/* The addresses of one name that are looked at, at most. */
enum { ADDRESS_MOST = 16 };

/* "8000" (every interface: [::]:8000, which takes IPv4 too, or 0.0.0.0:8000
 * where there is no IPv6), "*:8000" and ":8000" likewise, "127.0.0.1:8000",
 * "[::1]:8000", "localhost:8000", "unix:/run/x.sock", "unix:@abstract".  A
 * name may stand for several addresses: up to max are put into ret; asking
 * for it may wait for a name server.  Their number, or a negative errno and
 * a sentence that begins with "Listen TEXT". */
int address_parse(
	struct address *ret, size_t max, const char *text, struct err *err);

/* As address_parse reads it: "127.0.0.1:8000", "[::1]:8000",
 * "unix:/run/x.sock". */
void address_format(const struct address *a, char to[ADDRESS_TEXT]);

/* The host alone ("127.0.0.1", "::1", "" for unix:) and the port (0 for
 * unix:).  An IPv4 client of a [::] listener is "192.0.2.1", here and in
 * address_format. */
void address_host(const struct address *a, char to[ADDRESS_TEXT]);
int address_port(const struct address *a);

/* Are these the same place? */
bool address_equal(const struct address *a, const struct address *b);

/* Would the kernel refuse the one to who has the other?  All interfaces are
 * also each of them, and [::] is those of IPv4 too; port 0 is always free. */
bool address_excludes(const struct address *a, const struct address *b);

#endif
