/*
 * lexer.h - from the bytes of a file to lines, from a line to words.
 *
 * Apache's syntax: comments on lines of their own, a backslash before the
 * end of a line continues it, words in double or single quotes, ${NAME}
 * replaced within each word, so that a value with a space stays one word.
 * "\${" is a dollar sign and a brace; Apache has no way to write that.
 */
#ifndef WSGID_CONFIG_LEXER_H
#define WSGID_CONFIG_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

struct err;

enum {
	LEXER_LINE = 65536, /* bytes, continuations included; and again as
			     * many that ${NAME}s stand for */
};

struct lexer {
	const char *p, *end; /* what is left; the caller's */
	unsigned line;       /* of the lines consumed so far */
	struct buf text;
};

struct lexer_line {
	const char *text; /* trimmed, NUL-terminated; until the next call */
	unsigned number;  /* of its first line */
	bool swallows;    /* a comment that takes the next line with it */
};

void lexer_init(struct lexer *l, const char *text, size_t len);
void lexer_fini(struct lexer *l);

/* The next line that is not blank and not a comment (a comment that
 * swallows a line is given, for a warning).  1; 0 at the end; -EINVAL with a
 * sentence and ret->number for a line that cannot be read: the caller goes
 * on with the next. */
int lexer_next(struct lexer *l, struct lexer_line *ret, struct err *err);

struct lexer_words {
	size_t n, room;
	const char **word;
};

/* The text behind ${NAME}, or NULL and a sentence. */
typedef const char *lexer_lookup(
	void *arg, struct str name, struct err *err);

/* Split text; the words, and the list of them, live in arena.  lookup may be
 * NULL: then "${" is nothing special.  0, -EINVAL with a sentence, -ENOMEM. */
int lexer_split(struct lexer_words *ret, const char *text, struct arena *arena,
	lexer_lookup *lookup, void *arg, struct err *err);

#endif
