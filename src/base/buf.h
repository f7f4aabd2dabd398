/*
 * buf.h - bytes that grow.
 *
 * A zeroed struct buf is an empty one.  When memory runs out the buffer
 * keeps what it had and remembers: writers may append a whole message and
 * ask once, with buf_failed, whether all of it is there.
 */
#ifndef WSGID_BASE_BUF_H
#define WSGID_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/defs.h"
#include "base/str.h"

struct buf {
	char *data; /* not NUL-terminated; see buf_text */
	size_t len;
	size_t size;     /* there is room for so many bytes at data */
	size_t consumed; /* before data: room that was theirs */
	bool failed;
};

/* Room for len more bytes: where they go, to be claimed by adding to
 * b->len, or NULL when memory is short. */
char *buf_reserve(struct buf *b, size_t len);

/* Append bytes.  0 or -ENOMEM. */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_str(struct buf *b, struct str s);
int buf_add_text(struct buf *b, const char *text);
int buf_add_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...) PRINTF(2, 3);
int buf_vprintf(struct buf *b, const char *format, va_list args) PRINTF(2, 0);

/* Drop the first len bytes.  The others stay where they are: who drops little by
 * little does not pay for all of them each time. */
void buf_consume(struct buf *b, size_t len);

/* The contents as a NUL-terminated string, valid until the next change;
 * "" when memory is short. */
const char *buf_text(struct buf *b);

/* Has an append failed since the buffer was last emptied? */
bool buf_failed(const struct buf *b);

/* Forget the contents, keep the memory. */
void buf_clear(struct buf *b);

/* Give the memory back; the buffer is empty and usable again. */
void buf_fini(struct buf *b);

#endif
