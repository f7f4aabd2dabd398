/*
 * listen.h - listening sockets: made by the master, inherited by children.
 */
#ifndef WSGID_NET_LISTEN_H
#define WSGID_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "net/address.h"

struct err;

struct listener {
	int fd;                 /* blocking, close-on-exec */
	struct address address; /* as bound: port 0 has become a number */
	bool unlink_path;       /* we made the socket file */
};

struct listen_options {
	int backlog;
	mode_t mode; /* unix: of the socket file */
	uid_t owner; /* unix: (uid_t)-1 = unchanged */
	gid_t group; /* unix: (gid_t)-1 = unchanged */
};

/* Bind and listen.  A unix: path that a killed server left behind is
 * recognised (nobody answers) and replaced; one that is in use, or no socket
 * at all, is not.  -EADDRINUSE names the program that holds the port where
 * /proc tells it. */
int listen_open(struct listener *ret, const struct address *address,
	const struct listen_options *options, struct err *err);

/* Close; remove the socket file when we made it and it still is ours. */
void listen_close(struct listener *l);

/* The sockets that systemd hands over (LISTEN_FDS, LISTEN_PID) are taken by
 * the master's notify.c, which knows sd-daemon; this makes a listener of
 * one: its family, address and that it listens are checked. */
int listen_adopt(struct listener *ret, int fd, struct err *err);

/* One epoll set holding all listeners, for children that wait on several at
 * once (spec: an exclusive one-shot poll on the set, then accept one).  The
 * descriptor, close-on-exec, or a negative errno. */
int listen_make_set(const struct listener *listeners, size_t n);

/* After the set was readable: accept one connection of those that wait, if
 * another process was not faster.  The socket (close-on-exec), -EAGAIN, or
 * another negative errno of accept4(2).  *from says which listener, as an
 * index. */
int listen_accept_from_set(int set, const int *fds, size_t n, size_t *from);

#endif
