/*
 * handover.h - connections given to siblings, and taken from them.
 *
 * A connection belongs to whoever can serve it.  A child that leaves gives
 * its idle connections to the pool, so that no client sees that it left; an
 * idle child takes what is there, as it would accept.
 */
#ifndef WSGID_CHILD_HANDOVER_H
#define WSGID_CHILD_HANDOVER_H

#include <stdbool.h>

struct connection;
struct connection_list;
struct engine;

/* See that an idle worker hears of what is in the pool. */
void handover_watch(struct engine *e);

/* End the waiting: this child takes no more. */
void handover_unwatch(struct engine *e);

/* The pool was readable, or the waiting has ended otherwise: take one connection
 * out of it, or pass the wake-up on. */
void handover_take(struct engine *e, int result);

/* Take what is in the pool, as nobody else is about to. */
void handover_take_all(struct engine *e);

/* The server stops: whatever still is in the pool is served by who finds it.
 * True when there was something. */
bool handover_take_last(struct engine *e);

/* Give a connection away, with what it has received; it waits where the pool
 * is full.  Only for one of which no request is under way. */
void handover_give(struct engine *e, struct connection *c);

/* All of a list.  Who waits for the rest of a request, or for nothing, is as
 * well off with a sibling, which is given what has come of it. */
void handover_give_waiting(struct engine *e, struct connection_list *list);

/* The same at once, although its receive is still under way: between two waits
 * io touches no socket, and the next one begins with ending it.  False when it
 * must stay for now: the pool is full. */
bool handover_give_now(struct engine *e, struct connection *c);

/* To a worker of this child that is idle, which serves it at once.  False when there
 * is none. */
bool handover_deal(struct engine *e, struct connection *c);

/* To a worker that is busy, but with fewer of them. */
bool handover_even_out(struct engine *e, struct connection *c);

/* To the worker of this child that leads, and to nobody else. */
bool handover_give_back(struct engine *e, struct connection *c);

/* Is there room in io for what giving at once asks of it? */
bool handover_has_room(const struct engine *e);

/* The connection has stopped receiving, or it is time to try again. */
void handover_go_on(struct engine *e, struct connection *c);

/* Try again those that found the pool full. */
void handover_retry(struct engine *e);

#endif
