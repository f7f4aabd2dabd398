/*
 * share.h - sharing the work: with the other workers of this child, and with
 * its siblings.
 */
#ifndef WSGID_CHILD_SHARE_H
#define WSGID_CHILD_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* There is something to do, for which Python must be had: this worker is idle no
 * more. */
void share_begin(struct engine *e);

/* Before the queue is served: what others that are idle would serve sooner is
 * theirs, and no one waits for us longer than for a short request. */
void share_queue(struct engine *e);

/* Of what is left of it: so long answers may wait for those of others, with which
 * they are sent. */
int64_t share_batch_ns(const struct engine *e);

/* While our request waits for its client: to whoever is idle, or who is first to be.
 * What is large waits a moment for the former, and is to be asked about again. */
void share_give_queue(struct engine *e);

/* Other threads of this child have kept us out of Python for a while, and would
 * again: whoever has come meanwhile is served in this turn, unless a sibling is
 * about to.  Waits for nothing. */
void share_catch_up(struct engine *e);

/* Are requests short, but for one now and then, behind which others would wait? */
bool share_sees_long_ones(const struct engine *e);

/* Is a sibling idle? */
bool share_has_idle_sibling(const struct engine *e);
/* Or another worker of this child? */
bool share_has_idle(const struct engine *e);

/* Done for now.  Who does not lead waits for nothing of its own: what it has
 * goes to who does. */
void share_rest(struct engine *e);

/* What siblings see of us: of the worker that takes what they give. */
void share_show(struct engine *e, bool idle);

/* See that a worker hears when something comes for it, and take it. */
void share_watch(struct engine *e);
void share_heard(struct engine *e);

/* What other workers have passed on to this one, which holds it from now on;
 * in its own thread. */
void share_take_parcels(struct engine *e);
/* As many of those as io has room for, while the watcher has the engine, which may not
 * submit what it asks for.  Was there any? */
bool share_take_what_fits(struct engine *e);

#endif
