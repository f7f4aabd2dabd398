/*
 * spare.h - buffers that are kept for the next request.
 */
#ifndef WSGID_CHILD_SPARE_H
#define WSGID_CHILD_SPARE_H

#include <stddef.h>

#include "base/buf.h"

struct engine;

/* An empty one with room for no more than most bytes: all of it is kept from
 * others by who waits with some bytes in it.  It may have none. */
struct buf spare_take(struct engine *e, size_t most);

/* Empty it, and keep its memory for the next; b is a zeroed buffer then. */
void spare_give(struct engine *e, struct buf *b);

#endif
