/*
 * buf.c - bytes that grow.  See buf.h.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256 };

/* The contents go to where the memory begins. */
static void
move_to_front(struct buf *b)
{
	char *front = b->data - b->consumed;

	if (b->consumed == 0)
		return;
	memmove(front, b->data, b->len);
	b->data = front;
	b->size += b->consumed;
	b->consumed = 0;
}

/* To at least twice the memory: what is added until it is full again pays for the
 * way of the contents. */
static int
grow(struct buf *b, size_t len)
{
	size_t size = SMALLEST;
	char *data;

	move_to_front(b);
	if (b->size != 0 && __builtin_mul_overflow(b->size, (size_t)2, &size))
		return -ENOMEM;
	while (size - b->len < len)
		if (__builtin_mul_overflow(size, (size_t)2, &size))
			return -ENOMEM;
	data = realloc(b->data, size);
	if (data == NULL)
		return -ENOMEM;
	b->data = data;
	b->size = size;
	return 0;
}

char *
buf_reserve(struct buf *b, size_t len)
{
	if (LIKELY(len <= b->size - b->len))
		return b->data + b->len;
	/* What was consumed pays for the way of as much that was not. */
	if (b->consumed >= b->len)
		move_to_front(b);
	if (b->size - b->len < len && grow(b, len) < 0) {
		b->failed = true;
		return NULL;
	}
	return b->data + b->len;
}

int
buf_add(struct buf *b, const void *data, size_t len)
{
	char *to;

	if (len == 0)
		return 0;
	to = buf_reserve(b, len);
	if (to == NULL)
		return -ENOMEM;
	memcpy(to, data, len);
	b->len += len;
	return 0;
}

int
buf_add_str(struct buf *b, struct str s)
{
	return buf_add(b, s.p, s.len);
}

int
buf_add_text(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	char *to;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return -EINVAL;
	to = buf_reserve(b, (size_t)n + 1);
	if (to == NULL)
		return -ENOMEM;
	vsnprintf(to, (size_t)n + 1, format, args);
	b->len += (size_t)n;
	return 0;
}

int
buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int rc;

	va_start(args, format);
	rc = buf_vprintf(b, format, args);
	va_end(args);
	return rc;
}

/* All room is at data again once nothing is in it. */
static void
make_empty(struct buf *b)
{
	b->data -= b->consumed;
	b->size += b->consumed;
	b->consumed = 0;
	b->len = 0;
}

void
buf_consume(struct buf *b, size_t len)
{
	if (len >= b->len) {
		make_empty(b);
		return;
	}
	b->data += len;
	b->len -= len;
	b->size -= len;
	b->consumed += len;
}

const char *
buf_text(struct buf *b)
{
	char *end = buf_reserve(b, 1);

	if (end == NULL)
		return "";
	*end = '\0';
	return b->data;
}

bool
buf_failed(const struct buf *b)
{
	return b->failed;
}

void
buf_clear(struct buf *b)
{
	make_empty(b);
	b->failed = false;
}

void
buf_fini(struct buf *b)
{
	if (b->data != NULL)
		free(b->data - b->consumed);
	*b = (struct buf){0};
}
