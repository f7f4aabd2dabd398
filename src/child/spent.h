/*
 * spent.h - Python objects that responses held which are out by now.
 *
 * A response goes out when the GIL is another's, in a wait of the loop or within
 * a request that waits for its client.  Who gets it is done with then: that the
 * object still lives is no business of the connection's, which goes on at once.
 */
#ifndef WSGID_CHILD_SPENT_H
#define WSGID_CHILD_SPENT_H

struct connection;
struct engine;

/* The response is out, or nobody is to have it: what it held is put aside.
 * Needs no GIL. */
void spent_add(struct engine *e, struct connection *c);

/* Let go of all that was put aside, with the GIL.  To be done before each request,
 * whose connection may be among those, before memory of a connection goes, and
 * before the engine sleeps. */
void spent_drop(struct engine *e);

#endif
