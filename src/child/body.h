/*
 * body.h - the body of the request that runs: its framing and its bytes.
 *
 * Small bodies are collected before the application runs, so that a slow
 * client costs no worker; larger ones, and those whose client waits for
 * "100 Continue", are read when the application asks.
 */
#ifndef WSGID_CHILD_BODY_H
#define WSGID_CHILD_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct connection;
struct engine;
struct request;

struct body {
	struct str collected; /* decoded already; taken first */
	bool chunked;         /* then what follows is */
	uint64_t left;        /* not chunked: bytes to come */
	uint64_t total;       /* taken so far, for the limit */
	bool waits;           /* the client, for 100 Continue */
	bool answered;        /* it must not get that any more */
	bool begun;           /* the application reads */
	bool ended;
	int error; /* stays: a negative errno */
};

enum body_verdict {
	BODY_WHOLE,   /* all of it is in body->collected */
	BODY_TO_READ, /* to be read on demand */
	BODY_AWAITED, /* be called again when more has arrived */
};

/* After a head of head_len bytes at the start of the input: is the body
 * there, must it be waited for, or is it for the application to read?
 * An enum body_verdict; or -STATUS (400, 413) to refuse with. */
int body_begin(struct body *b, struct engine *e, struct connection *c,
	const struct request *r, size_t head_len);

/* Up to len bytes for the application; waits for the client (no GIL).  > 0,
 * 0 at the end, or -ECONNRESET, -ETIMEDOUT, -EBADMSG, -EFBIG.  len 0 only
 * tells a client that waits for it to go on. */
ssize_t body_read(struct body *b, struct engine *e, struct connection *c,
	void *data, size_t len);

/* The client was answered, so it must not be told to go on any more. */
void body_answered(struct body *b);

/* Before a response is begun, which is whole or may be made while the body is
 * read: is it known that what is unread will not be passed over, so that no
 * request can follow? */
bool body_is_in_the_way(
	const struct body *b, const struct connection *c, bool whole);

/* The application is done: pass over what is unread as far as it has arrived.
 * False when the next request cannot be reached; true when it is next, or
 * comes behind c->rest, which is not too much to wait for. */
bool body_finish(struct body *b, struct engine *e, struct connection *c);

/* Pass over what has arrived of c->rest.  0, or a negative errno when what
 * comes is not the rest of a body, or too much. */
int body_skip(struct engine *e, struct connection *c);

#endif
