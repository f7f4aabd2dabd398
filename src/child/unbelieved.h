/*
 * unbelieved.h - a word about a proxy that nobody has named.
 *
 * What somebody who is not in TrustedProxies says of clients is taken out of his
 * requests, and nothing shows it: an application that wants https redirects to
 * where it is asked from, for ever.  Who is so near as a proxy mostly is, on a
 * Unix socket or at a private address, is worth a line.  One in the life of a
 * process, for clients may be as near, and write what they like.  Likewise what a
 * trusted proxy says by a field that TrustedProxyHeaders does not name.
 */
#ifndef WSGID_CHILD_UNBELIEVED_H
#define WSGID_CHILD_UNBELIEVED_H

#include <stdatomic.h>

struct connection;

struct unbelieved {
	atomic_bool told;
};

/* Of this connection these fields, a set of forwarded.h's, were not shown to the
 * application.  By any worker; u may be NULL: nothing is said. */
void unbelieved_tell(
	struct unbelieved *u, const struct connection *c, unsigned fields);

#endif
