/*
 * receiving.h - when a connection receives, and how much at a time.
 */
#ifndef WSGID_CHILD_RECEIVING_H
#define WSGID_CHILD_RECEIVING_H

struct connection;
struct engine;

/* See that the connection receives in the way that its state wants, unless it has ended
 * or has more unread input than it should. */
void receiving_start(struct engine *e, struct connection *c);

/* The receive under way, if there is one, is to end: its completion may still bring
 * something.  Until receiving_start nothing is received. */
void receiving_stop(struct engine *e, struct connection *c);

/* engine.singly_ns has come. */
void receiving_is_due(struct engine *e);

#endif
