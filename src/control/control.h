/*
 * control.h - the lines that wsgictl and the master exchange over NAME.ctl.
 *
 * A Unix stream socket.  The client sends one line, "VERB [ARGUMENT]...\n",
 * at most CONTROL_LINE bytes; words are separated by one space, and a space, a
 * control character or "%" within a word is written as %XX.  The server
 * answers with any number of "+ WORD...\n" lines that tell of progress, and
 * ends with "ok [WORD]...\n" or "error SENTENCE\n", and closes.  A sentence
 * is one word, its spaces written as %20.  Every word but the first may be
 * empty; none has a NUL, so that it can become a string.
 */
#ifndef WSGID_CONTROL_CONTROL_H
#define WSGID_CONTROL_CONTROL_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/* A line holds a full sentence of struct err, its spaces tripled. */
enum { CONTROL_LINE = 4096, CONTROL_WORDS = 16 };

/* The sentence of what a stop has put an end to. */
#define CONTROL_STOPPING "the server is being stopped"

/* And that of what an upgrade has overtaken: it has not been done. */
#define CONTROL_SUCCEEDED "a new master has taken over, and is to be asked"

/* That of a master which has no place for one more, and has not read what this
 * one asked. */
#define CONTROL_FULL "too many are waiting for an answer already"

struct control_line {
	size_t n;
	struct str words[CONTROL_WORDS]; /* decoded; inside text */
	char text[CONTROL_LINE];
};

/* Take a line apart; line is without its newline.  0, or -EINVAL for a line
 * that is empty, too long, has too many words, a bad %XX, or a control
 * character that is not written as one. */
int control_decode(struct control_line *ret, struct str line);

/* Append words as one line, newline included.  0, or with nothing appended:
 * -EINVAL for words that cannot be said, -E2BIG for a line that would be too
 * long, -ENOMEM. */
int control_encode(struct buf *out, const struct str *words, size_t n);

#endif
