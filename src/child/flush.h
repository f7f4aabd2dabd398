/*
 * flush.h - responses go on while the worker that made them is away.
 *
 * What a socket has not taken at once is sent by the worker's io as there is
 * room, that is, when the worker waits.  While it is stuck in a request the
 * watcher, whose its engine is for a moment, goes on in its place.
 */
#ifndef WSGID_CHILD_FLUSH_H
#define WSGID_CHILD_FLUSH_H

#include <stdbool.h>

struct connection;
struct engine;

/* Has it a response of which some is still to go out? */
bool flush_is_due(const struct connection *c);

/* Send of it what there is room for now; once all is out the client of a
 * connection that ends hears that it does.  To be called while the engine's
 * worker cannot wait with its io.  False when io has no room to be told of
 * it: then nothing was done. */
bool flush(struct engine *e, struct connection *c);

/* What io has not begun to send is withdrawn from it and goes out as far as the
 * sockets take it now; the rest is for flush().  To be called as flush() is.  True
 * when there was any. */
bool flush_unsent(struct engine *e);

/* The worker ends: what io has not begun to send goes out as far as there is room. */
void flush_last(struct engine *e);

#endif
