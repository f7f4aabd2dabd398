/*
 * hangup.c - idle clients of a worker that is stuck when the server stops.
 *
 * The order to finish is in the channel, and whom it is for does not read it
 * before its request is over.  Until then its idle clients would believe that
 * they are served still, and their next requests would wait for that one.  The
 * watcher sees the order without taking it away, and shuts what is idle: of
 * that the worker learns as of a client that has left.
 */
#include "child/hangup.h"

#include <errno.h>
#include <sys/socket.h>

#include "child/connection.h"
#include "child/crew.h"
#include "child/engine.h"
#include "child/unread.h"
#include "net/channel.h"

bool
hangup_is_due(const struct engine *e)
{
	int64_t leave_by_ns;

	/* The worker has heard it in a turn within its request. */
	if (e->finishing)
		return true;
	if (e->set.crew != NULL &&
		crew_order(e->set.crew, &leave_by_ns) == CREW_FINISH)
		return true;
	return channel_peek(e->set.channel) == CHANNEL_FINISH;
}

/* One that has sent something is given to a sibling, or answered. */
static bool
has_sent_nothing(const struct connection *c)
{
	char byte;

	return unread_of(c).len == 0 &&
	       recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       errno == EAGAIN;
}

/* Where the worker knows, it has said so by the deadline. */
static int64_t
last_ns(const struct engine *e, const struct connection *c)
{
	return e->finishing ? c->deadline_ns : connection_last_ns(e, c);
}

void
hangup_idle(struct engine *e, int64_t now_ns)
{
	for (struct connection *c = e->parked.first; c != NULL; c = c->next) {
		if (c->hung_up || last_ns(e, c) > now_ns ||
			!has_sent_nothing(c))
			continue;
		c->hung_up = true;
		(void)shutdown(c->fd, SHUT_RDWR);
	}
}
