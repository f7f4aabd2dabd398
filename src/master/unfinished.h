/*
 * unfinished.h - what a child was doing when it died, or was killed.
 */
#ifndef WSGID_MASTER_UNFINISHED_H
#define WSGID_MASTER_UNFINISHED_H

struct buf;
struct child;
struct master;

/* The requests that a child was in whom nobody had told to go: to be noted before
 * it is buried, and said, a line each, when its death is.  The second frees. */
void unfinished_note(
	const struct master *m, const struct child *c, struct buf *to);
void unfinished_say(const struct child *c, struct buf *noted);

/* Those of a child that is about to be killed, as its time is over: said at once. */
void unfinished_tell(const struct master *m, const struct child *c);

#endif
