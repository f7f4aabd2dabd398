/*
 * arena.c - memory that is given back all at once.  See arena.h.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 };

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) char data[];
};

static struct arena_block *
add_block(struct arena *a, size_t least)
{
	size_t size = least > BLOCK ? least : BLOCK;
	struct arena_block *block = calloc(1, sizeof(*block) + size);

	if (block == NULL)
		return NULL;
	block->size = size;
	block->next = a->blocks;
	a->blocks = block;
	return block;
}

void *
arena_alloc(struct arena *a, size_t len)
{
	size_t align = alignof(max_align_t);
	struct arena_block *block = a->blocks;
	size_t need;
	void *ret;

	if (len > PTRDIFF_MAX - sizeof(*block) - align)
		return NULL;
	need = (len + align - 1) / align * align;
	if (block == NULL || block->size - block->used < need)
		block = add_block(a, need);
	if (block == NULL)
		return NULL;
	ret = block->data + block->used;
	block->used += need;
	return ret;
}

char *
arena_copy(struct arena *a, const char *text, size_t len)
{
	char *ret = arena_alloc(a, len + 1);

	if (ret != NULL && len > 0)
		memcpy(ret, text, len);
	return ret;
}

void
arena_fini(struct arena *a)
{
	struct arena_block *block;

	while ((block = a->blocks) != NULL) {
		a->blocks = block->next;
		free(block);
	}
}
