/*
 * rings.h - the io of each worker: a ring, or an epoll set where the kernel
 * refuses rings.
 *
 * To be made while the process still is root, where it ever was: newer
 * kernels charge a ring's memory to the user, and not to root.
 */
#ifndef WSGID_CHILD_RINGS_H
#define WSGID_CHILD_RINGS_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct err;
struct io;

/* n of them, all of one kind, as IoEngine asks; speak: say in the log, for all
 * children, when that is not io_uring.  A channel to the master, whose end
 * ends the waiting for memory.  0 and *ret, or a negative errno. */
int rings_make(struct io ***ret, size_t n, const struct config *config,
	int channel, bool speak, struct err *err);
void rings_destroy(struct io **rings, size_t n); /* NULL is allowed */

/* In a forked copy of the process: their descriptors. */
void rings_abandon(struct io *const *rings, size_t n);

#endif
