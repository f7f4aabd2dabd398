/*
 * peer.h - who is at the other end, and whom he speaks for.
 *
 * There are three answers, each from farther away: the address of the socket;
 * what a trusted balancer says of the connection (the PROXY protocol), which
 * takes its place; and what a trusted proxy says of a request (X-Forwarded-For
 * and the like), which counts for that request alone.
 */
#ifndef WSGID_CHILD_PEER_H
#define WSGID_CHILD_PEER_H

#include <stdbool.h>

struct connection;
struct engine;
struct handoff_peer;

/* From the socket.  False where it does not say so any more: who has reset his
 * connection has no address, and would be served as nobody. */
bool peer_find(struct engine *e, struct connection *c);

/* What another owner of the connection has been told. */
void peer_be_told(struct engine *e, struct connection *c,
	const struct handoff_peer *told);

/* The listener is for those that have spoken TLS, to somebody before us. */
void peer_is_https(struct connection *c);

/* While c->told.awaits: look for the PROXY protocol at the start of the input,
 * and take it.  1: done, or there need be none; 0: wait for more, which has
 * been seen to; or -STATUS to refuse with. */
int peer_introduce(struct engine *e, struct connection *c);

/* Why it was refused, as a sentence. */
const char *peer_complaint(const struct connection *c, int status);

/* What the fields of e->request say, if they are to be believed: e->forwarded
 * and e->client. */
void peer_read_fields(struct engine *e, struct connection *c);

#endif
