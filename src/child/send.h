/*
 * send.h - what goes out to a client.
 *
 * A connection's parts are what is to be sent, where it lies, and behind them
 * come as many more as are held or gathered.  They are sent by io, which ends
 * with a completion, or at once as far as the socket takes it.  Which of the
 * two is the caller's choice, and never both at a time.
 */
#ifndef WSGID_CHILD_SEND_H
#define WSGID_CHILD_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/str.h"

struct connection;
struct engine;

enum {
	SEND_GATHERED = 16, /* pieces at most, and what is sent with them */
	SEND_FRAMES = 512,  /* bytes around them */
};

/* Of the request that runs: pieces that are lent, and are sent together. */
struct gathered {
	unsigned pieces; /* since nothing was lent; some may be out by now */
	size_t len;
	struct iovec parts[3 * (SEND_GATHERED + 1)];
	size_t n_parts;
	char text[SEND_FRAMES];
	size_t text_len;
};

/* Behind what is left to be sent comes this, too, if it is anything. */
void send_add(struct connection *c, const void *data, size_t len);

/* How many bytes are left. */
size_t send_left(const struct connection *c);

/* Start sending parts[part..n_parts); never more at once than lets progress
 * be seen. */
void send_start(struct engine *e, struct connection *c);

/* Send what the socket takes at once of the parts, with no help from io, where
 * no send of this connection's is to be started, or it is withdrawn.  0, or a
 * negative errno when the connection is broken. */
int send_push(struct connection *c);

/* So much of the parts is out. */
void send_count(struct connection *c, size_t len);

/* A send has completed with result: account it.  True when all parts are out
 * or the connection has failed, false when the rest goes on, now or when there is
 * room.  Likewise when there is. */
bool send_ended(struct engine *e, struct connection *c, int result);
bool send_go_on(struct engine *e, struct connection *c);

/* For a request that runs, without the GIL: send a piece of its response, where
 * it lies.  What the client does not take at once is copied and goes on by
 * itself, and so does a small piece that follows another within a millisecond, or
 * is the first where the others of the last responses did; beyond ResponseBufferSize
 * it is waited for.  0; -ETIMEDOUT when the
 * client took nothing for Timeout, another negative errno when it is gone;
 * either stays in c->error. */
int send_piece(struct engine *e, struct connection *c, struct str out,
	struct str data, struct str tail);

/* The same for a head that goes before the response, at once. */
int send_interim(struct engine *e, struct connection *c, struct str head);

/* The same for data that stays where it is, so that a large piece that follows
 * another within a millisecond is sent together with more of them.  1 when it is
 * needed still: until send_lent or send_piece returns something else, or
 * send_reclaim does. */
int send_lent(struct engine *e, struct connection *c, struct str out,
	struct str data, struct str tail);
int send_reclaim(struct engine *e, struct connection *c);

/* Its response is made: did its pieces follow each other that closely? */
void send_learn(struct engine *e, const struct connection *c);

/* The end of its response, behind which the request may still do something: what
 * is small goes out with the answers to others who wait, unless that takes longer
 * than the watcher lets it.  0 or a negative errno. */
int send_last(const struct engine *e, struct connection *c);

/* It does something else, which takes no time that the watcher would see: has
 * something been kept for long enough?  0 or a negative errno. */
int send_due(struct connection *c);

/* The request is about to wait for something else, in a turn of the loop: what is
 * left goes on meanwhile.  And it does so no more. */
void send_await_room(struct engine *e, struct connection *c);
void send_forget_room(struct engine *e, struct connection *c);

/* Have it said when there is room; once. */
void send_wait_for_room(struct engine *e, struct connection *c);

/* There is room, or the connection is broken: send more of what is left. */
void send_more(struct connection *c);

#endif
