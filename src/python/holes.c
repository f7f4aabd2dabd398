/*
 * holes.c - the holes in a heap that children are to share.
 *
 * An import leaves its heap full of holes, blocks that were freed among blocks
 * that stay.  Who allocates is given those first; in a child that was forked, each
 * costs a copy of the page around it.  So the process that is forked takes them
 * and keeps them for good: what its children allocate stands together, on pages
 * that hold nothing else.
 *
 * An allocator does not say what it has free, but it gives away the holes of a
 * size before it cuts blocks from a place that is free as a whole, one behind the
 * other.
 */
#include "python/python_priv.h"

#include <stdlib.h>

#include "base/memory.h"

struct heap {
	void *(*take)(size_t size);
	void (*give)(void *block);
	size_t largest; /* block that is worth it */
	size_t row;     /* so many bytes of blocks side by side are no hole */
};

struct block {
	struct block *below;
};

enum {
	PAGE = 4096,
	STEP = 16,   /* from one size to the next */
	HEADER = 16, /* what malloc has between two blocks */

/* Python's allocator has pools of blocks of one size, and empties one after the
 * other before it begins a new one.  What is larger is malloc's, but where there is
 * no GIL, which has another allocator and another word for its pools. */
#if defined(Py_GIL_DISABLED)
	SMALL = PAGE,
	POOL = 65536 - 16384, /* some have more at their beginning than others */
#elif PY_VERSION_HEX >= 0x030a0000
	SMALL = 512,
	POOL = 16384 - 48, /* without its header */
#else
	SMALL = 512,
	POOL = 4096 - 48,
#endif
};

static const struct heap heaps[] = {
	{malloc, free, PAGE, PAGE},
	{PyObject_Malloc, PyObject_Free, SMALL, POOL},
};

/* A neighbour that was free, too, and has no more between than an allocator puts
 * there: where every second block was freed, the next is farther. */
static bool
is_beside(uintptr_t distance, size_t size)
{
	return distance >= size && distance <= 2 * size + HEADER;
}

static void
give_back(const struct heap *heap, struct block *top, size_t n)
{
	for (; n > 0; n--) {
		struct block *below = top->below;

		heap->give(top);
		top = below;
	}
}

/* Takes blocks of a size until there is a row of them, which goes back; or all of
 * them, when none comes: false. */
static bool
fill(const struct heap *heap, size_t size, size_t *left)
{
	struct block *top = NULL;
	uintptr_t pitch = 0;
	size_t n = 0, row = 0;

	while (row < 2 || (row + 1) * pitch <= heap->row) {
		struct block *block = n < *left / size ? heap->take(size) : NULL;
		uintptr_t distance = (uintptr_t)block - (uintptr_t)top;

		if (block == NULL) {
			give_back(heap, top, n);
			return false;
		}
		n++;
		if (!is_beside(distance, size))
			row = 1;
		else
			row = distance == pitch ? row + 1 : 2;
		pitch = distance;
		block->below = top;
		top = block;
	}
	give_back(heap, top, row);
	*left -= (n - row) * size;
	return true;
}

/* From large to small, as what is left of a hole is one for smaller blocks.  All
 * holes together are less than half of what there is; of a heap that gives more, none
 * of this holds. */
void
holes_fill(void)
{
	int64_t resident = memory_resident();
	size_t left = resident > 0 ? (size_t)resident / 2 : 0;

	for (size_t i = 0; i < ARRAY_LEN(heaps); i++) {
		size_t size = heaps[i].largest;

		while (size >= STEP && fill(&heaps[i], size, &left))
			size -= STEP;
	}
}
