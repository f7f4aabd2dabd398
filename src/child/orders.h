/*
 * orders.h - what a child is told to do: by the master, by a signal, by what
 * it finds out itself.
 *
 * The worker that hears an order obeys it and tells the others of its child,
 * which do when they next look.  Orders only get stricter.
 */
#ifndef WSGID_CHILD_ORDERS_H
#define WSGID_CHILD_ORDERS_H

#include <stdint.h>

#include "child/crew.h"

struct engine;

/* See that a leader hears of the master's next order, or of SIGTERM, which no
 * master sends to a child that serves: then everybody finishes and leaves. */
void orders_watch(struct engine *e);
void orders_hear(struct engine *e);
void orders_hear_sigterm(struct engine *e);

/* What another worker of this child has heard. */
void orders_obey(struct engine *e);

/* Give one, to all workers of this child: within deadline_ms, 0 = no limit. */
void orders_give(struct engine *e, enum crew_order what, int64_t deadline_ms);

/* A descriptor of the server is not ours any more: the application has closed
 * it, or opened another one in its place.  This child says so, asks to be
 * replaced, and leaves by the master's order, or where that cannot be when the
 * watcher says. */
void orders_leave(struct engine *e, int error);

/* Without waiting for anything: what is not finished is said. */
void orders_end(const struct engine *e) __attribute__((noreturn));

/* Only that it asks the master, if it can. */
void orders_ask_to_leave(struct engine *e);

/* Is what the master is heard by such a descriptor? */
bool orders_are_lost(const struct engine *e);

#endif
