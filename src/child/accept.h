/*
 * accept.h - waiting for new clients, while there is a worker for them.
 */
#ifndef WSGID_CHILD_ACCEPT_H
#define WSGID_CHILD_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

struct connection;
struct engine;

/* Of one worker; accept.c's own, but for under_way and not_before_ns, which others
 * read. */
struct acceptor {
	bool under_way;        /* a poll or an accept */
	enum io_kind kind;     /* which of the two */
	bool tried;            /* the accept has had its turn */
	bool looking;          /* the wait is ended only to look */
	bool knocking;         /* it is for siblings: accept_arm_for_others */
	bool shown;            /* under_way, by the page */
	int64_t not_before_ns; /* descriptors ran short */
	unsigned vain;         /* it came to nothing so often in a row */

	bool told_short;     /* that it cannot go on; until it has */
	bool asked_for_room; /* other workers, for one of theirs */
	const struct connection *room_awaited; /* whose descriptor is to be
	                                        * free before the next */

	int mutex_error; /* it answers with that; 0: it does not */
	bool mutex_told; /* and the master knows */
};

/* Wait for one client, unless that is under way or must not be. */
void accept_arm(struct engine *e);

/* Is it about to take one, so that waiting would be wrong? */
bool accept_is_trying(const struct engine *e);

/* End the waiting. */
void accept_disarm(struct engine *e);

/* We leave at once, e->stopping: end what is about to take a client, and be sure that
 * it has.  Within milliseconds, whatever happens. */
void accept_withdraw(struct engine *e);

/* The worker is stuck in a request: what it has armed waits for nobody. */
void accept_show_away(struct engine *e);

/* A request waits for its client, and in a bucket nobody else may be waiting at all:
 * siblings are told of who comes. */
void accept_arm_for_others(struct engine *e);

/* Do siblings wait for our turn to end?  Then it must, before a request runs. */
bool accept_keeps_others_waiting(const struct engine *e);

/* The wait is over. */
void accept_happened(struct engine *e, const struct io_event *event);

/* Take one who is there, or all, as nobody else is about to serve them.  Waits for
 * nothing; false when there was none. */
bool accept_next(struct engine *e);
void accept_all(struct engine *e);

/* There is no descriptor or memory for a client, as error says: make room here
 * or with another worker of this child, or let siblings look and try again in a
 * moment. */
void accept_make_room(struct engine *e, int error);
bool accept_pauses(const struct engine *e);

/* Another worker may need a descriptor of ours, or we have got one of its. */
void accept_hear(struct engine *e);

/* The descriptor of a connection is closed: it may have been waited for. */
void accept_has_room(struct engine *e, const struct connection *c);

/* A client may wait that nobody was woken for: look. */
void accept_look(struct engine *e);

/* So many clients may be connected: three quarters of the descriptors. */
unsigned accept_most(void);

#endif
