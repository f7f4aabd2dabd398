/*
 * progress.h - does a client take what it is sent?
 *
 * That the kernel takes no more says little of it: a send buffer may have grown
 * to megabytes, and room is reported when a third of it is free.  So who waits
 * for a client asks now and then how much of what the kernel has the client has
 * not got yet.  A client that stands still for Timeout is found out at most a
 * quarter of it later, and who is never waited for is never asked about.
 */
#ifndef WSGID_CHILD_PROGRESS_H
#define WSGID_CHILD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	int64_t timeout_ns; /* 0: there is none */
	int64_t moved_ns;   /* the client may have taken something until then */
	int64_t look_ns;    /* when to look; INT64_MAX: never */
	uint64_t given;     /* at the last look: to the kernel, ... */
	int queued;         /* ... which still had so much; -1: no look yet */
};

/* The client is waited for from now on, or has just been seen to move. */
void progress_begin(struct progress *p, int64_t timeout_ns, int64_t now_ns);

/* look_ns has come, and given bytes have gone into the socket fd so far: may the
 * client be waited for until the next look? */
bool progress_look(struct progress *p, int fd, uint64_t given, int64_t now_ns);

#endif
