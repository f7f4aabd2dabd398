/*
 * inherit.h - what a child finds in its hands when it starts.
 *
 * A child is forked and exec'ed, so all it gets are descriptors and its
 * command line.  Descriptors have fixed numbers; the rest is one argument,
 * "slot=3 generation=1 listeners=2 logs=1 sets=1 template=0 warm_up=1".
 * Standard input is /dev/null, standard output and error are one pipe that the
 * master reads line by line.
 *
 * A template is no child of any slot: it imports the application and forks
 * children on the master's order.  It holds /dev/null where a child holds what
 * is its own; that comes with the order and is put in place after the fork,
 * so that a child finds the same in its hands whichever way it was made.
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
	INHERIT_SET = 6,     /* epoll set of the listeners, if sets=1; else
	                      * /dev/null */
	INHERIT_GIVE = 7,    /* the pool socket's ends: net/handoff.h */
	INHERIT_TAKE = 8,
	INHERIT_MUTEX = 9, /* accept_mutex_export; /dev/null: none is taken */
	INHERIT_SIBLINGS = 10, /* memory of all slots: child/balance.h */
	INHERIT_REST = 11,     /* the listeners, then the access logs, then the
	                     * sets if there are several */
};

/* The memory behind INHERIT_SIBLINGS: so many bytes for each slot, and as many
 * behind them for what the master has to say to all at any moment. */
enum { INHERIT_SIBLING = 64 };

struct inherit_news {
	uint32_t shared; /* somebody else goes on with the listeners */
};

struct inheritance {
	unsigned slot;
	unsigned generation;
	unsigned n_listeners;
	unsigned n_logs; /* as many as the configuration has CustomLogs */
	unsigned n_sets; /* 0: one listener; 1: one for all; else one for each
			  * bucket of them */
	unsigned is_template; /* slot is 0, and means nothing */
	unsigned warm_up;     /* enum inherit_warm_up */
};

/* WSGIWarmUp. */
enum inherit_warm_up {
	INHERIT_COLD,     /* it is left out */
	INHERIT_WARM,     /* a bad answer is a warning */
	INHERIT_WARM_ONLY /* with a bad answer it cannot serve */
};

/* What comes with the order to fork, for one slot. */
enum {
	INHERIT_FORK_CHANNEL,
	INHERIT_FORK_OUTPUT, /* standard output and error */
	INHERIT_FORK_PAGE,
	INHERIT_FORK_MUTEX,
	INHERIT_FORK_LOGS, /* n_logs of them */
};

enum { INHERIT_ARGUMENT = 128 };

/* Instead of the argument: only try the application, or tell about its Python
 * as well.  Nothing is inherited but INHERIT_CONFIG and, as INHERIT_CHANNEL, a
 * pipe for the result; standard output is somebody's to read. */
#define INHERIT_CHECK  "check"
#define INHERIT_DOCTOR "doctor"

/* Before the byte that is the result of either, in the pipe that is its channel:
 * what else the application may write there is none. */
#define INHERIT_VERDICT "wsgid verdict: "

/* The argument, and back.  -EINVAL for anything but what inherit_format
 * writes. */
void inherit_format(const struct inheritance *in, char to[INHERIT_ARGUMENT]);
int inherit_parse(
	struct inheritance *ret, const char *argument, struct err *err);

/* The set that the child of this slot waits on, or -1; and where what is
 * inherited ends. */
int inherit_set(const struct inheritance *in);
int inherit_end(const struct inheritance *in);

/* In the forked child before exec: put fds[i] at descriptor 3 + i, without
 * close-on-exec, whatever numbers they have now; everything else above is
 * closed by its close-on-exec flag.  0 or a negative errno. */
int inherit_arrange(int *fds, size_t n);

/* The text of an order to fork, and back: *slot. */
void inherit_format_slot(unsigned slot, char to[INHERIT_ARGUMENT]);
int inherit_parse_slot(unsigned *slot, const char *text);

/* In a process that a template has forked: put what came with the order in its
 * place, close-on-exec, and close fds.  0 or a negative errno: -EPROTO for
 * another number of descriptors than in asks for. */
int inherit_take_place(const struct inheritance *in, int *fds, size_t n);

#endif
