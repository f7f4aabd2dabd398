/*
 * spare.c - buffers that are kept for the next request.  See spare.h.
 */
#include "child/spare.h"

#include "child/engine.h"

enum { KEPT_MOST = 32 * 1024 }; /* larger ones are freed */

struct buf
spare_take(struct engine *e, size_t most)
{
	size_t n = e->n_spare_buffers;

	if (n == 0 || e->spare_buffers[n - 1].size > most)
		return (struct buf){0};
	return e->spare_buffers[--e->n_spare_buffers];
}

void
spare_give(struct engine *e, struct buf *b)
{
	buf_clear(b);
	if (b->size > 0 && b->size <= KEPT_MOST &&
		e->n_spare_buffers < ENGINE_SPARE)
		e->spare_buffers[e->n_spare_buffers++] = *b;
	else
		buf_fini(b);
	*b = (struct buf){0};
}
