/*
 * buf.c - bytes that grow.  See buf.h.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256 };

char *
buf_reserve(struct buf *b, size_t len)
{
	size_t size = b->size != 0 ? b->size : SMALLEST;
	char *data;

	if (LIKELY(len <= b->size - b->len))
		return b->data + b->len;
	while (size - b->len < len) {
		if (__builtin_mul_overflow(size, (size_t)2, &size)) {
			b->failed = true;
			return NULL;
		}
	}
	data = realloc(b->data, size);
	if (data == NULL) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->size = size;
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

void
buf_consume(struct buf *b, size_t len)
{
	if (len >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
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
	b->len = 0;
	b->failed = false;
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}
