/*
 * chunked.h - the chunked transfer coding of a request body, taken apart.
 *
 * RFC 9112 section 7.1 to the letter: sizes are plain hex, every line ends
 * in CRLF, extensions and trailers are skipped within limits, and what could
 * smuggle a request is an error.
 */
#ifndef WSGID_HTTP_CHUNKED_H
#define WSGID_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { CHUNKED_NAME_MAX = 24 }; /* longer names are none that are refused */

/* Zeroed to begin with; the rest is private. */
struct chunked {
	int state;
	uint64_t left;   /* of the current chunk */
	size_t line;     /* digits of the size, or bytes of a trailer's name */
	size_t overhead; /* bytes of extensions and trailers so far */
	char name[CHUNKED_NAME_MAX]; /* of the trailer, in small letters */
};

enum chunked_result {
	CHUNKED_MORE, /* all input is used; more is needed */
	CHUNKED_DATA, /* *data is a piece of the body, inside the input */
	CHUNKED_END, /* the body has ended; the input that is left is not its */
};

/* Take the next piece off *in.  An enum chunked_result, or -400 when the
 * framing is broken or its extensions and trailers pass 8 KiB; then nothing
 * behind may be believed. */
int chunked_next(struct chunked *c, struct str *in, struct str *data);

/* Write the size line of a chunk of len bytes to to, which has room for 20
 * bytes: hex and CRLF, no NUL.  The number of bytes. */
size_t chunked_size_line(char *to, size_t len);

#endif
