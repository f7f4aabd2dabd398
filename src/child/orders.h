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

/* Tell the master that this child ends, lest it wait for the end of the process;
 * where it has told us to, that is no news.  Again when only Python is still to
 * end, since the first word may have found the channel full. */
void orders_say_leaving(const struct engine *e);

/* What another worker of this child has heard. */
void orders_obey(struct engine *e);

/* Give one, to all workers of this child: within deadline_ms, 0 = no limit. */
void orders_give(struct engine *e, enum crew_order what, int64_t deadline_ms);

#endif
