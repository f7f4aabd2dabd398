/*
 * inherit.h - what a child finds in its hands when it starts.
 *
 * A child is forked and exec'ed, so all it gets are descriptors and its
 * command line.  Descriptors have fixed numbers; the rest is one argument,
 * "slot=3 generation=1 listeners=2 logs=1 set=1".  Standard input is
 * /dev/null, standard output and error are one pipe that the master reads
 * line by line.
 */
#ifndef WSGID_NET_INHERIT_H
#define WSGID_NET_INHERIT_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum {
	INHERIT_CHANNEL = 3, /* to the master: net/channel.h */
	INHERIT_CONFIG = 4,  /* sealed memfd: text for config_read_text */
	INHERIT_PAGE = 5,    /* the slot's scoreboard page, writable */
	INHERIT_SET = 6,     /* epoll set of the listeners, if set=1; else
	                      * /dev/null */
	INHERIT_GIVE = 7,    /* the pool socket's ends: net/handoff.h */
	INHERIT_TAKE = 8,
	INHERIT_MUTEX = 9,  /* accept_mutex_export; else /dev/null */
	INHERIT_PEERS = 10, /* memory of all slots: child/balance.h */
	INHERIT_REST = 11,  /* the listeners, then the access logs */
};

/* The memory behind INHERIT_PEERS: so many bytes for each slot, and as many
 * behind them for what the master has to say to all at any moment. */
enum { INHERIT_PEER = 64 };

struct inherit_news {
	uint32_t shared; /* somebody else goes on with the listeners */
};

struct inheritance {
	unsigned slot;
	unsigned generation;
	unsigned n_listeners;
	unsigned n_logs; /* as many as the configuration has CustomLogs */
	unsigned has_set;
};

enum { INHERIT_ARGUMENT = 128 };

/* The argument, and back.  -EINVAL for anything but what inherit_format
 * writes. */
void inherit_format(const struct inheritance *in, char to[INHERIT_ARGUMENT]);
int inherit_parse(
	struct inheritance *ret, const char *argument, struct err *err);

/* In the forked child before exec: put fds[i] at descriptor 3 + i, without
 * close-on-exec, whatever numbers they have now; everything else above is
 * closed by its close-on-exec flag.  0 or a negative errno. */
int inherit_arrange(int *fds, size_t n);

#endif
