/*
 * direct.h - a large body, read out of the socket by who wants it.
 *
 * What io receives lies in its buffers first, or in ours where it is more than
 * one of those; of megabytes that is one copy too many, or two.
 */
#ifndef WSGID_CHILD_DIRECT_H
#define WSGID_CHILD_DIRECT_H

#include <stddef.h>

struct connection;
struct engine;

/* Up to len bytes of what has come by now; 0 where nothing has, where nothing will,
 * as the connection then says, or while io receives.  Only where nothing is unread. */
size_t direct_take(
	struct engine *e, struct connection *c, void *data, size_t len);

/* Have the next wait end when more has come.  io receives nothing any more, until
 * direct_end. */
void direct_await(struct engine *e, struct connection *c);
void direct_happened(struct engine *e, struct connection *c, int result);
void direct_end(struct engine *e, struct connection *c);

#endif
