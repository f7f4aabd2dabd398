/*
 * progress.c - does a client take what it is sent?  See progress.h.
 *
 * SIOCOUTQ counts what a TCP peer has not acknowledged, and the memory of what
 * a Unix socket's peer has not read: in whole buffers, some 36 KiB each, so
 * that a peer who needs longer than the timeout for one seems to stand still.
 * The two cannot be compared with what was sent, but of either a change says
 * that something has happened.
 */
#include "child/progress.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { LOOKS = 4 }; /* in a timeout */

static int64_t
next_look(const struct progress *p, int64_t now_ns)
{
	return p->timeout_ns > 0 ? now_ns + p->timeout_ns / LOOKS : INT64_MAX;
}

void
progress_begin(struct progress *p, int64_t timeout_ns, int64_t now_ns)
{
	p->timeout_ns = timeout_ns;
	p->moved_ns = now_ns;
	p->queued = -1;
	p->look_ns = next_look(p, now_ns);
}

static int
queued_in(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

bool
progress_look(struct progress *p, int fd, uint64_t given, int64_t now_ns)
{
	int queued = queued_in(fd);

	if (queued != p->queued || given != p->given)
		p->moved_ns = now_ns;
	p->queued = queued;
	p->given = given;
	p->look_ns = next_look(p, now_ns);
	return now_ns - p->moved_ns < p->timeout_ns;
}
