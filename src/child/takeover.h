/*
 * takeover.h - what is done for the clients of a worker that is stuck.
 *
 * The watcher has taken its engine over for a moment: watcher.h.  What can be done
 * then: what there is of the response whose application does something else is
 * sent; connections with bytes that nobody has looked at, and parked ones that
 * become readable, are given away; responses for more of which there is room go on.
 * Wake-ups that the stuck worker's waits have used up are passed on by a nudge in
 * the pool.
 */
#ifndef WSGID_CHILD_TAKEOVER_H
#define WSGID_CHILD_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct connection;
struct engine;

/* Of one worker. */
struct takeover {
	struct engine *engine;
	pid_t worker; /* its thread */
	int epoll; /* connections of the worker, added when first seen */
	int64_t *told_ns; /* when the master last heard of a stuck worker */

	/* Behind this request: when that was seen first; looks that found
	 * somebody at a door since a sibling was nudged, and the number of them at
	 * which one is again. */
	int64_t since_ns;
	unsigned knocks, pause;
	bool all_watched; /* each connection for what it waits for */
	size_t may_give;  /* connections, in this look */

	/* The last look: are those who are watched to cut short the wait for the
	 * next, and is nothing to be done but that? */
	bool listens, calm;
};

/* It is stuck in another request than before. */
void takeover_begin(struct takeover *t);

/* One go; sets listens and calm. */
void takeover_look(struct takeover *t);

/* The application is in close(), or makes its next piece, and its client need not
 * wait for that.  What is wrong with the client the worker finds out by itself. */
void takeover_push_own(const struct engine *e);

/* It is not looked for what this connection does; the worker may call it, too. */
void takeover_forget(struct takeover *t, struct connection *c);

#endif
