/*
 * clients.h - which descriptors are those of clients.
 *
 * For one purpose: a copy of the process that the application has forked must
 * close them all, or clients would wait for the end of a response that has
 * ended.  The lists of connections cannot tell, because another thread may be
 * changing them while the copy is made; and one that the kernel has accepted
 * just then nobody knows yet, but for its address, which is a listener's.
 */
#ifndef WSGID_CHILD_CLIENTS_H
#define WSGID_CHILD_CLIENTS_H

#include <stddef.h>

struct clients;
struct err;

/* For all descriptors that this process may ever have, of clients that come to
 * these listeners or from a sibling.  0 or a negative errno. */
int clients_create(struct clients **ret, const int *listeners,
	size_t n_listeners, struct err *err);
void clients_destroy(struct clients *clients); /* NULL is allowed */

/* fd is a client's; and, to be called before it is closed, no more.  By any
 * thread. */
void clients_add(struct clients *clients, int fd);
void clients_remove(struct clients *clients, int fd);

/* Close them all; in the copy, and nowhere else.  NULL is allowed. */
void clients_abandon(const struct clients *clients);

#endif
