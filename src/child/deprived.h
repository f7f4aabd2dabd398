/*
 * deprived.h - how a child leaves that lacks a descriptor of the server.
 *
 * The application has closed it, or opened another one in its place (see
 * descriptors.h).  Whoever waits for that one is never woken again, so the child
 * asks to be replaced.  A single worker with io_uring, whose waits hold the
 * files, goes on until its replacement is ready; others leave when nobody is
 * served, a second later at the latest, and what is cut then is counted.
 */
#ifndef WSGID_CHILD_DEPRIVED_H
#define WSGID_CHILD_DEPRIVED_H

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* What the watcher remembers of it. */
struct deprived {
	int fd;         /* the one that is lost, or -1 */
	int64_t due_ns; /* when to look next; when it is known: to leave */
};

/* Look, if it is time; with any engine of this child.  calm: for some ticks no
 * worker has been in a request; asleep: the watcher would sleep now.  Does not
 * come back when the child has to leave. */
void deprived_look(
	struct deprived *d, struct engine *e, bool calm, bool asleep);

static inline bool
deprived_is_known(const struct deprived *d)
{
	return d->fd >= 0;
}

/* A worker has met it, with that error (negative): the child says so, asks to be
 * replaced, and leaves by the master's order, or where that cannot be when the
 * watcher says. */
void deprived_leave(struct engine *e, int error);

/* Leave without waiting for anything: what is not finished is said. */
void deprived_end(const struct engine *e) __attribute__((noreturn));

/* All are served.  Whom the master cannot hear does not wait for Python's end,
 * which may be far away: then it does not come back. */
void deprived_leave_python(const struct engine *e);

/* Is it what the master is heard by? */
bool deprived_of_master(const struct engine *e);

#endif
