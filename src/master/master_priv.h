/*
 * master_priv.h - the loop and the server as a whole, for this folder; what the
 * program sees is master.h.
 */
#ifndef WSGID_MASTER_MASTER_PRIV_H
#define WSGID_MASTER_MASTER_PRIV_H

#include <stdbool.h>

struct master;
struct source;

/* Put s->fd, which is non-blocking, into the loop.  0 or a negative errno. */
int master_watch(struct master *m, struct source *s, int fd,
	void (*ready)(struct master *m, struct source *s));

/* Something to wait for until it can be written to; closed as well. */
int master_watch_room(struct master *m, struct source *s, int fd,
	void (*ready)(struct master *m, struct source *s));

/* Not to hear of it for a while, but for at most one event; and then again. */
void master_hold(struct master *m, struct source *s);
void master_heed(struct master *m, struct source *s);

/* Take it out and close it. */
void master_forget(struct master *m, struct source *s);

/* Those that have come, now: before what has come with them is looked at. */
void master_obey_signals(struct master *m);

/* The first child is ready: the application is proven, the others follow. */
void master_proven(struct master *m);

/* Does somebody else go on with our listeners?  Then children must not shut
 * them when they lose us. */
void master_tell_shared(struct master *m, bool shared);
bool master_shares_sockets(const struct master *m);

/* We are the server now: tell everybody. */
void master_announce(struct master *m);

/* The server cannot go on: say why and stop at once with this status. */
void master_fail(struct master *m, int status, const char *sentence);

#endif
