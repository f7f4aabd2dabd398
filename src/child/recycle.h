/*
 * recycle.h - has this child done its share?
 *
 * Four limits replace a child while all is well with it.  Requests and
 * connections are counted where they end and begin; here is how many requests
 * it may have, and whether it is too old (RestartInterval) or too large
 * (MaxMemoryPerChild).  That is looked at between requests, by the worker that
 * leads, as nobody is better off with a child that goes in the middle of one;
 * and by an idle child too, which wakes for it.
 *
 * Memory is what the process shares with nobody: replacing it frees just that.
 * Its resident size would count libraries, and what it still shares with its
 * template, which no replacement could have less of.
 */
#ifndef WSGID_CHILD_RECYCLE_H
#define WSGID_CHILD_RECYCLE_H

#include <stdbool.h>
#include <stdint.h>

struct config;

enum { RECYCLE_WHY = 128 };

struct recycle {
	int64_t born_ns;
	int64_t age_ns;     /* that it may reach; 0: any */
	int64_t most_bytes; /* of memory; likewise */
	int64_t look_ns;    /* when to look at it again; INT64_MAX: never */
	int64_t cost_ns;    /* of finding out its memory, the last time */
	bool told;          /* that its memory cannot be seen */
	bool large;         /* it is due for it */
};

/* MaxRequests with its jitter: 0 is no limit. */
uint64_t recycle_most_requests(const struct config *c);

/* A child begins to serve.  speaks: it is the one to warn for all.  Is there
 * anything to look at, ever? */
bool recycle_begin(
	struct recycle *r, const struct config *c, int64_t now_ns, bool speaks);

/* At look_ns or later: shall it go?  Then why, in a sentence. */
bool recycle_is_due(
	struct recycle *r, int64_t now_ns, char why[static RECYCLE_WHY]);

/* The master has heard of it. */
void recycle_end(struct recycle *r);

/* Its rule, of a child with so many bytes of its own. */
bool recycle_judge(const struct recycle *r, int64_t now_ns, int64_t bytes,
	char why[static RECYCLE_WHY]);

#endif
