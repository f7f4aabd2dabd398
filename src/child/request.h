/*
 * request.h - from bytes on a connection to an answered request.
 */
#ifndef WSGID_CHILD_REQUEST_H
#define WSGID_CHILD_REQUEST_H

struct connection;
struct engine;

/* Look at what has arrived on c: serve a request that is whole, refuse one
 * that is wrong, wait for the rest of one that is neither.  The GIL is held. */
void request_serve(struct engine *e, struct connection *c);

/* The client was too slow with a request it had begun: answer 408. */
void request_too_slow(struct engine *e, struct connection *c);

#endif
