/*
 * balance.h - clients spread over the children of a pool.
 *
 * Accepting alone does not do it: who comes when one child is idle stays with
 * that child, however many came.  So the children show each other, in shared
 * memory, how many connections they have and whether they are idle; and one
 * that has several requests at once while siblings are idle gives some of
 * them away.  What a sibling writes there is believed only so far: a lie moves
 * connections that are served all the same.
 */
#ifndef WSGID_CHILD_BALANCE_H
#define WSGID_CHILD_BALANCE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct inherit_news;

/* One child as its siblings see it; a line of the processor's cache, so that
 * writing one slows no other. */
struct balance_sibling {
	alignas(64) uint32_t connections;
	uint32_t idle;  /* it waits and has nothing to do */
	uint32_t ready; /* of them have something to do */
};

struct balance {
	struct balance_sibling *siblings; /* NULL: there is nobody */
	size_t n;
	size_t slot;                              /* our own */
	const volatile struct inherit_news *news; /* the master's */
};

/* Map the memory that the master left, for this slot.  0 or a negative
 * errno. */
int balance_open(struct balance *ret, int fd, size_t slot, struct err *err);
void balance_close(struct balance *b);

/* What siblings see of us from now on; and how many have something to do, of which
 * there are none where we are idle.  Of nobody who has no siblings. */
void balance_show(const struct balance *b, size_t connections, bool idle);
void balance_show_ready(const struct balance *b, size_t ready);

/* Is a sibling idle, and how many are? */
bool balance_has_idle(const struct balance *b);
size_t balance_count_idle(const struct balance *b);

/* How many of ready connections that have something to do are better off with
 * a sibling: as many as are above the mean of ourselves and the siblings that
 * are idle now, once it is more than an eighth of it and one; but at most one
 * for each of these, and never the last. */
size_t balance_excess(
	const struct balance *b, size_t connections, size_t ready);

/* Where all are busy: does a request wait here, behind so many, twice as long as
 * with a sibling?  One that is stuck has given away what it had, and is taken for
 * such a one: what is given goes on to whoever takes it. */
bool balance_has_shorter(const struct balance *b, size_t ready);

#endif
