/*
 * unread.c - what a client has sent and nobody has consumed.  See unread.h.
 */
#include "child/unread.h"

#include <errno.h>

#include "child/connection.h"
#include "child/engine.h"
#include "child/spare.h"

enum { FEW = 4096 }; /* who waits with little keeps no more from others */

struct str
unread_of(const struct connection *c)
{
	if (c->in.len > 0)
		return (struct str){c->in.data, c->in.len};
	return c->piece;
}

static void
release_piece(struct engine *e, struct connection *c)
{
	if (c->piece.p != NULL)
		io_release(e->io, c->piece_buffer);
	c->piece = (struct str){0};
}

void
unread_consume(struct engine *e, struct connection *c, size_t len)
{
	if (c->in.len > 0) {
		buf_consume(&c->in, len);
		if (c->in.len == 0)
			spare_give(e, &c->in);
	} else {
		c->piece.p += len;
		c->piece.len -= len;
		if (c->piece.len == 0)
			release_piece(e, c);
	}
}

/* A buffer for what waits, which is so long for now. */
static struct buf
take_for(struct engine *e, size_t len)
{
	return spare_take(e, len > FEW / 4 ? 4 * len : FEW);
}

static int
keep(struct engine *e, struct connection *c, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	if (c->in.size == 0)
		c->in = take_for(e, len);
	return buf_add(&c->in, data, len);
}

int
unread_stash(struct engine *e, struct connection *c)
{
	int rc = keep(e, c, c->piece.p, c->piece.len);

	if (rc == 0)
		release_piece(e, c);
	return rc;
}

int
unread_add(struct engine *e, struct connection *c, char *data, size_t len,
	uint16_t buffer)
{
	int rc = 0;

	if (c->in.len == 0 && c->piece.p == NULL) {
		c->piece = (struct str){data, len};
		c->piece_buffer = buffer;
		return 0;
	}
	if (c->piece.p != NULL)
		rc = unread_stash(e, c);
	if (rc == 0)
		rc = keep(e, c, data, len);
	io_release(e->io, buffer);
	return rc;
}

void
unread_drop(struct engine *e, struct connection *c)
{
	release_piece(e, c);
	spare_give(e, &c->in);
}

int
unread_take(struct engine *e, struct connection *c, size_t len,
	struct unread_taken *ret)
{
	struct str input = unread_of(c);
	struct str rest = {input.p + len, input.len - len};
	struct buf in = {0};

	if (rest.len > 0) {
		in = take_for(e, rest.len);
		if (buf_add(&in, rest.p, rest.len) < 0) {
			spare_give(e, &in);
			return -ENOMEM;
		}
	}
	*ret = (struct unread_taken){
		.in = c->in,
		.has_piece = c->in.len == 0 && c->piece.p != NULL,
		.piece_buffer = c->piece_buffer,
	};
	c->in = in;
	c->piece = (struct str){0};
	return 0;
}

void
unread_give_back(struct engine *e, struct unread_taken *taken)
{
	if (taken->has_piece)
		io_release(e->io, taken->piece_buffer);
	taken->has_piece = false;
	if (taken->in.size > 0)
		spare_give(e, &taken->in);
}
