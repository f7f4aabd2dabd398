/*
 * descriptors.h - are the server's descriptors still its own?
 *
 * An application that closes descriptors which it has not opened, or puts
 * others in their place, takes from us what we wait on: a worker that is to be
 * woken by one of them is never woken, and nothing says so.  So what each of
 * them is when we begin to serve is remembered, and looked at now and then.
 */
#ifndef WSGID_CHILD_DESCRIPTORS_H
#define WSGID_CHILD_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

struct descriptors;
struct err;

/* For up to so many.  0 or a negative errno. */
int descriptors_create(struct descriptors **ret, size_t most, struct err *err);
void descriptors_destroy(struct descriptors *d); /* NULL is allowed */

/* Remember what fd is; below 0 there is nothing to remember. */
void descriptors_add(struct descriptors *d, int fd);

/* One that is something else by now, or closed; -1: there is none.  Eventfds
 * and epoll sets cannot be told from each other.  NULL is allowed. */
int descriptors_find_lost(const struct descriptors *d);
/* Has this one been added, and is another one by now?  NULL is allowed. */
bool descriptors_is_lost(const struct descriptors *d, int fd);

#endif
