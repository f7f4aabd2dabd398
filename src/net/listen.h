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
	int fd; /* close-on-exec; blocking until children wait */
	struct address address; /* as bound: port 0 has become a number */
	bool unlink_path;       /* we made the socket file, ... */
	dev_t device;           /* ... which is this one */
	ino_t inode;
};

struct listen_options {
	int backlog; /* 0 = 4096; the kernel's somaxconn is the limit */
	/* TCP: seconds for which a connection is not to be accepted before its
	 * client has sent something; 0 = it is at once, -1 = as it was. */
	int defer;
	/* TCP: bytes of the buffers of the connections; 0 = the system's way,
	 * which lets them grow with the need. */
	int send_buffer;
	int receive_buffer;
	bool shares_port; /* TCP: with sockets that allow it, SO_REUSEPORT */
	mode_t mode;      /* unix: of the socket file, whatever the umask */
	uid_t owner;      /* unix: (uid_t)-1 = unchanged */
	gid_t group;      /* unix: (gid_t)-1 = unchanged */
};

/* Bind and listen.  A unix: path that a killed server left behind is
 * recognised (nobody answers) and replaced; one that is in use, or no socket
 * at all, is not.  -EADDRINUSE names the program that holds the port where
 * /proc tells it.  Accepted sockets inherit SO_KEEPALIVE and TCP_NODELAY.
 * For unix: the umask is changed for a moment: a process with threads must
 * not create files meanwhile. */
int listen_open(struct listener *ret, const struct address *address,
	const struct listen_options *options, struct err *err);

/* May we give a socket file to these, (uid_t)-1 and (gid_t)-1 being who has it
 * anyway?  0, or -EPERM and a sentence. */
int listen_check_gift(uid_t owner, gid_t group, struct err *err);

/* Another socket for the address of a TCP listener of ours, which listens as
 * that does: from now on the kernel gives each of them its share of the
 * connections (SO_REUSEPORT).  Whoever had the address before first has been
 * found out when that was opened. */
int listen_open_twin(struct listener *ret, const struct listener *first,
	const struct listen_options *options, struct err *err);

/* Give a socket that listens already this backlog, 0 = the one that it has, this
 * deferral, and these buffers, 0 = the system's again: they count for the
 * connections that come from now on.  0 or a negative errno. */
int listen_tune(const struct listener *l, const struct listen_options *options);

/* Give the socket file of a unix: listener, where it is one that we made and is still
 * there, to owner and group, and then this mode, (mode_t)-1 being the one that it has.
 * 0, or a negative errno and a sentence. */
int listen_give_file(const struct listener *l,
	const struct listen_options *options, struct err *err);

/* What the kernel gives to connections of this listener, in bytes as they were
 * asked for: less than asked where net.core.wmem_max or rmem_max is less.
 * 0 or a negative errno. */
int listen_buffers(const struct listener *l, int *send, int *receive);

/* From now on whoever connects can be accepted at once, though he has said nothing. */
void listen_defer_no_more(const struct listener *l);

/* Let nobody in any more, at once, whoever else holds the socket and however
 * busy he is: connecting is refused, accepting is -EINVAL.  Not for a socket
 * that somebody else goes on with, such as systemd.  To be closed after. */
void listen_shut(const struct listener *l);

/* Has somebody shut it, who holds it as well?  Then listen anew: the socket is
 * the same, so all who hold it go on.  1 when that was done, 0 when it was not
 * needed, -ESHUTDOWN for a unix: socket, which cannot, or another negative
 * errno. */
int listen_again(const struct listener *l, int backlog);

/* Has somebody who holds it as well made it deaf: no backlog, a filter, or a
 * distance that packets must not have?  Then take that back.  Whether there was
 * something. */
bool listen_restore(const struct listener *l, int backlog);

/* A unix: listener whose socket file we made, and which somebody has removed
 * since: it still listens, and nobody finds it. */
bool listen_is_lost(const struct listener *l);

/* Close; remove the socket file when we made it and it still is ours. */
void listen_close(struct listener *l);

/* The sockets that systemd hands over (LISTEN_FDS, LISTEN_PID) are taken by
 * the master's notify.c, which knows sd-daemon; this makes a listener of
 * one: its family, address and that it listens are checked. */
int listen_adopt(struct listener *ret, int fd, struct err *err);

/* One that another master has made, with its flags as they are: its children
 * use it still. */
int listen_inherit(struct listener *ret, int fd, struct err *err);

/* One epoll set holding all listeners, for children that wait on several at
 * once: an exclusive one-shot poll on the set, then accept one.  Every
 * generation has its own: what is in a set is in it for all who hold it.
 *
 * Makes the listeners non-blocking, for good: another child may have been
 * faster, and accept4(2) has no flag for not waiting.  A single listener
 * that once was in a set is therefore best left in a set of one.  The
 * descriptor, close-on-exec, or a negative errno. */
int listen_make_set(const struct listener *listeners, size_t n);

/* Put a listener into such a set while it is in use, as number index, and take
 * it out again.  0 or a negative errno. */
int listen_set_add(int set, const struct listener *l, size_t index);
int listen_set_remove(int set, const struct listener *l);

/* Has another holder of the set changed what is in it?  Then it is as it was
 * again: in[i] says whether listeners[i] belongs into it.  0 when nothing was
 * wrong, 1 when it was mended; -EUCLEAN when something strange is in it, that we
 * cannot take out; or another negative errno, where /proc is not to be had. */
int listen_set_mend(
	int set, const struct listener *listeners, const bool *in, size_t n);

/* After the set was readable: accept one connection of those that wait, if
 * another process was not faster; the listeners take turns.  The socket
 * (close-on-exec), -EAGAIN, or another negative errno of accept4(2).  *from
 * says which listener, as an index into what listen_make_set was given and
 * fds, which are the same listeners, repeats. */
int listen_accept_from_set(int set, const int *fds, size_t n, size_t *from);

/* Accept one connection of whichever listener has one; they are non-blocking.
 * The socket (close-on-exec) and *from, -EAGAIN, or another negative errno. */
int listen_accept_any(const int *fds, size_t n, size_t *from);

#endif
