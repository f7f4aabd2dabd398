/*
 * bequest.h - what a master leaves to the one that follows it.
 *
 * It is a heritage, written down in a memory file, and the descriptors that it
 * names, which the program of the next is executed with.
 */
#ifndef WSGID_MASTER_BEQUEST_H
#define WSGID_MASTER_BEQUEST_H

#include "master/heritage.h"

struct master;

/* All that one needs who comes in this way.  The descriptors stay ours.  0 or a
 * negative errno; heritage_disown and heritage_fini are the caller's either way. */
int bequest_gather(struct master *m, enum heritage_way way, struct heritage *h);

/* A memory file with the text of it, or a negative errno. */
int bequest_write(const struct heritage *h);

/* Become the program that is installed now, with that memory.  Returns only when it
 * fails: a negative errno. */
int bequest_execute(
	const struct master *m, const struct heritage *h, int memory);

/* Then we go on as if nothing had been left: h is of no use any more. */
void bequest_revoke(struct heritage *h);

#endif
