/*
 * channel.h - what the master and one child say to each other.
 *
 * A SOCK_SEQPACKET pair for each child: one message, one datagram.  End of
 * file means that the other side is gone, which for a child means to finish
 * and leave.  The master believes a child only about itself, and only what
 * is well-formed.
 */
#ifndef WSGID_NET_CHANNEL_H
#define WSGID_NET_CHANNEL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum channel_kind {
	/* The child's. */
	CHANNEL_READY = 1,        /* serves; text: "Python 3.11.2, epoll" */
	CHANNEL_FAILED = 2,       /* will exit; text: the reason, a sentence */
	CHANNEL_WANTS_RETIRE = 3, /* has done its share; text: why */
	CHANNEL_BUSY = 4,         /* is in a request for longer than a moment */
	CHANNEL_BORN = 5,         /* the first words of a child that a template
	                           * has forked; says who it is: pid */
	CHANNEL_MUTEX_BROKEN = 6, /* the accept mutex answers with an error, so
	                           * it wants to be replaced; text: the sentence */
	CHANNEL_NEEDS_SHARED =
		8,             /* a module has brought Python's shared library
				   * beside the one that is linked in; text:
				   * its file */
	CHANNEL_CHANGED = 9,   /* a module's file has; text: its path */
	CHANNEL_HAS_LOGS = 10, /* has taken those of a CHANNEL_LOGS */
	CHANNEL_CUT = 11,      /* has left requests unfinished, its time being
	                        * over; text: how many */
	CHANNEL_LEAVES = 12,   /* finishes and ends, though not told to */
	CHANNEL_TOO_LARGE = 13, /* as CHANNEL_WANTS_RETIRE, for its memory */
	/* The master's. */
	CHANNEL_RETIRE = 16,    /* accept no more, give idle connections to
	                         * the siblings, finish, leave; deadline_ms
	                         * from now, 0 = none */
	CHANNEL_STOP = 17,      /* leave now */
	CHANNEL_LOGS = 18,      /* with descriptors: new access logs */
	CHANNEL_FINISH = 19,    /* the server stops: accept no more, finish,
	                         * close, leave; deadline_ms as above */
	CHANNEL_LOG_LEVEL = 20, /* text: "info", as LogLevel has it */
	CHANNEL_FORK = 21,      /* to a template, with the descriptors of
	                         * net/inherit.h: fork the child of a slot;
	                         * text: inherit_format_slot's */
	CHANNEL_SHOW_FAILURE = 22, /* a newer generation cannot serve: let a
	                            * page say so; text: why */
};

enum { CHANNEL_TEXT = 480, CHANNEL_FDS = 20 };

struct channel_message {
	uint32_t kind; /* enum channel_kind */
	uint32_t deadline_ms;
	uint32_t text_len;
	/* Who sent it, as the kernel saw; 0 where channel_identify was not
	 * called, and for a process of another pid namespace. */
	pid_t pid;
	char text[CHANNEL_TEXT + 1]; /* NUL-terminated after receiving */
	int fds[CHANNEL_FDS]; /* close-on-exec; the receiver's to close */
	size_t n_fds;
};

/* The two ends, close-on-exec, non-blocking.  0 or a negative errno. */
int channel_pair(int *master, int *child);

/* From now on messages that are received at this end say who sent them.  To be
 * called before the other end is given away.  0 or a negative errno. */
int channel_identify(int fd);

/* Send.  0, -EAGAIN when the other side does not read, or another negative
 * errno.  text may be NULL and is cut to CHANNEL_TEXT. */
int channel_send(int fd, enum channel_kind kind, uint32_t deadline_ms,
	const char *text, const int *fds, size_t n_fds);

/* The kind of the next message, which stays where it is; 0: there is none, or
 * nothing that makes sense. */
int channel_peek(int fd);

/* Receive.  1 with a message, 0 at end of file, -EAGAIN when there is none,
 * -EPROTO for one that is not well-formed (it is dropped, its descriptors
 * closed), or another negative errno. */
int channel_receive(int fd, struct channel_message *ret);

#endif
