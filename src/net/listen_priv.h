/*
 * listen_priv.h - between listen.c and listen_unix.c.
 */
#ifndef WSGID_NET_LISTEN_PRIV_H
#define WSGID_NET_LISTEN_PRIV_H

#include "net/listen.h"

/* The sentence for EADDRINUSE; text is the address. */
int listen_in_use(const struct address *a, const char *text, struct err *err);

/* listen_open for AF_UNIX: ret->address is where, the rest is filled in. */
int listen_open_unix(struct listener *ret, const struct listen_options *options,
	struct err *err);

/* Remove the socket file if it still is the one that we made. */
void listen_unlink(const struct listener *l);

#endif
