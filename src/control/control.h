/*
 * control.h - the lines that wsgictl and the master exchange over NAME.ctl.
 *
 * A Unix stream socket.  The client sends one line, "VERB [ARGUMENT]...\n",
 * at most CONTROL_LINE bytes; words are separated by one space, and a space, a
 * control character or "%" within a word is written as %XX.  The server
 * answers with any number of "+ WORD...\n" lines that tell of progress, and
 * ends with "ok [WORD]...\n" or "error SENTENCE\n", and closes.
 */
#ifndef WSGID_CONTROL_CONTROL_H
#define WSGID_CONTROL_CONTROL_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

enum { CONTROL_LINE = 1024, CONTROL_WORDS = 16 };

struct control_line {
	size_t n;
	struct str words[CONTROL_WORDS]; /* decoded; inside text */
	char text[CONTROL_LINE];
};

/* Take a line apart; line is without its newline.  0, or -EINVAL for a line
 * that is empty, too long, has too many words or a bad %XX. */
int control_decode(struct control_line *ret, struct str line);

/* Append words as one line, newline included. */
int control_encode(struct buf *out, const struct str *words, size_t n);

#endif
