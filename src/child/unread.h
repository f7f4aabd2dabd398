/*
 * unread.h - what a client has sent and nobody has consumed.
 *
 * It comes in pieces of the engine's own receive buffers.  The common request is
 * one piece and is served where it lies; only what must wait for more is copied
 * together.
 */
#ifndef WSGID_CHILD_UNREAD_H
#define WSGID_CHILD_UNREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct connection;
struct engine;

/* What has arrived and is not consumed yet, and consuming it. */
struct str unread_of(const struct connection *c);
void unread_consume(struct engine *e, struct connection *c, size_t len);

/* More of it, in a receive buffer which is kept or released here.  0 or -ENOMEM. */
int unread_add(struct engine *e, struct connection *c, char *data, size_t len,
	uint16_t buffer);

/* Copy it together, so that its receive buffer goes back and more can be added.  0
 * or -ENOMEM. */
int unread_stash(struct engine *e, struct connection *c);

/* Nobody will read it. */
void unread_drop(struct engine *e, struct connection *c);

/* Bytes that a request has taken out of its connection's input, so that they
 * stay where they are however much more arrives. */
struct unread_taken {
	struct buf in;
	bool has_piece;
	uint16_t piece_buffer;
};

/* Take the first len bytes of the input, where they lie; 0 or -ENOMEM.  Give
 * the memory back when no slice of them is used any more. */
int unread_take(struct engine *e, struct connection *c, size_t len,
	struct unread_taken *ret);
void unread_give_back(struct engine *e, struct unread_taken *taken);

#endif
