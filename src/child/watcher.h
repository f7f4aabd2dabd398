/*
 * watcher.h - nobody waits for a worker that is stuck in a request.
 *
 * A request runs inline, so while it does its worker looks after no other
 * connection.  That is fast as long as requests are short; when one is long,
 * the watcher, a thread of C that never runs Python and never waits with a
 * worker's io, gives what the worker holds to others that are idle: another
 * worker of this child, else a sibling.  It looks four to eight milliseconds after a
 * request has begun that is not over by then.
 *
 * One word for each worker decides whose its engine is: the worker's, nobody's
 * while the worker is in the application, or the watcher's for some
 * microseconds.  The worker says so with watch_begin and watch_end, around
 * everything that runs foreign code; between them it must not touch the
 * engine.
 */
#ifndef WSGID_CHILD_WATCHER_H
#define WSGID_CHILD_WATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct engine;
struct err;
struct watch;
struct watcher;

/* A watcher for n engines, whose thread starts with the first watcher_start.
 * 0 or a negative errno. */
int watcher_create(struct watcher **ret, struct engine *const *engines,
	size_t n, struct err *err);

/* End the thread.  NULL is allowed. */
void watcher_destroy(struct watcher *w);

/* See that the thread runs, and that it does not: the application forks, and
 * the copy has no such thread.  NULL is allowed. */
void watcher_start(struct watcher *w);
void watcher_stop(struct watcher *w);

/* Ticks are to be short: a worker leaves something to be sent at the next one, or
 * its requests usually are long while somebody is idle.  NULL is allowed. */
void watcher_hurry(struct watcher *w, int64_t now_ns);

/* It is to look now, even if nothing has begun for long.  NULL is allowed. */
void watcher_call(struct watcher *w);

/* Is there nobody who looks after what a busy worker leaves behind, as no thread
 * was to be had?  Or for a moment, as the application forks?  False of NULL. */
bool watcher_failed(const struct watcher *w);
bool watcher_is_away(const struct watcher *w);

/* What a thread waits on, for those who remember them. */
int watcher_epoll(const struct watcher *w, size_t i);

/* In a forked copy of the process: its descriptors. */
void watcher_abandon(struct watcher *w);

/* --- one worker ----------------------------------------------------------------- */

/* What watches the engine of that number. */
struct watch *watcher_watch(struct watcher *w, size_t i);

/* This thread is the worker. */
void watch_me(struct watch *w);

/* The worker goes into the application, or waits to be let in (then
 * engine.entering is set before), and comes back from it.  NULL is allowed:
 * then nobody watches. */
void watch_begin(struct watch *w, int64_t now_ns);
void watch_end(struct watch *w);

/* A connection that the watcher knows is closed or given away. */
void watch_forget(struct watch *w, struct connection *c);

#endif
