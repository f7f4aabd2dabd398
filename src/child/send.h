/*
 * send.h - what goes out to a client.
 *
 * A connection's parts are what is to be sent, where it lies: by io, which ends
 * with a completion, or at once as far as the socket takes it.  Which of the
 * two is the caller's choice, and never both at a time.
 */
#ifndef WSGID_CHILD_SEND_H
#define WSGID_CHILD_SEND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct connection;
struct engine;

/* Start sending parts[part..n_parts); never more at once than lets progress
 * be seen. */
void send_start(struct engine *e, struct connection *c);

/* Send what the socket takes at once of the parts, with no help from io, where
 * no send of this connection's is under way, or it is withdrawn.  0, or a
 * negative errno when the connection is broken. */
int send_push(struct connection *c);

/* So much of the parts is out. */
void send_count(struct connection *c, size_t len);

/* A send has completed with result: account it.  True when all parts are out
 * or the connection has failed, false when the rest was started. */
bool send_ended(struct engine *e, struct connection *c, int result);

/* For a request that runs: send the parts and wait until the kernel has them,
 * without the GIL.  0; -ETIMEDOUT when the client took nothing for Timeout,
 * another negative errno when it is gone; either stays in c->error. */
int send_and_wait(struct engine *e, struct connection *c, struct str out,
	const void *data, size_t len, struct str tail);

#endif
