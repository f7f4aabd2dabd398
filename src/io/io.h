/*
 * io.h - input and output that is started now and completes later.
 *
 * One struct io belongs to one thread: an io_uring ring, or an epoll set
 * where the kernel refuses io_uring.  Both have the same shape: operations
 * are started with an owner, and io_wait returns what has completed.  An
 * operation that was started always completes exactly once as far as its
 * owner is concerned (receiving is the exception: it completes for each piece,
 * and the last completion lacks "more"), so an owner may be freed when none
 * of its operations is under way and not before.
 *
 * Nothing here knows HTTP, Python or any policy.
 */
#ifndef WSGID_IO_IO_H
#define WSGID_IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct err;
struct io;

enum io_kind {
	IO_ACCEPT,  /* result: the new socket, close-on-exec, or -errno */
	IO_RECEIVE, /* result: bytes in data, 0 at end of file, or -errno */
	IO_SEND,    /* result: bytes sent, all of them unless it failed */
	IO_POLL,    /* result: poll(2) bits, or -errno */
};

struct io_event {
	void *owner;
	enum io_kind kind;
	int result;      /* -ECANCELED when it was cancelled */
	bool more;       /* IO_RECEIVE: it is still under way */
	char *data;      /* IO_RECEIVE with result > 0: io's memory; it must be
	                  * given back with io_release */
	uint16_t buffer; /* for io_release */
};

struct io_settings {
	unsigned buffers;     /* receive buffers, a power of two */
	unsigned buffer_size; /* bytes of each */
};

/* Make an engine by name: "io_uring" or "epoll".  0 and *ret; or a negative
 * errno with a sentence in *err: -EPERM or -ENOSYS when the kernel or a
 * seccomp profile refuses io_uring, -ENOMEM when the user's locked memory is
 * used up (freed rings come back after a moment: worth trying again), -EINVAL
 * for a kernel that is too old for what is used (before 6.1). */
int io_create(struct io **ret, const char *name,
	const struct io_settings *settings, struct err *err);
void io_destroy(struct io *io);

/* "io_uring" or "epoll". */
const char *io_name(const struct io *io);

/* The engines compiled in, for "wsgid -V"; NULL after the last one. */
const char *io_engine_name(size_t i);

/* Accept one connection from a listening socket that is this process's alone
 * to wait on in this call: the wait is exclusive in the kernel, one waiter is
 * woken per connection, in the order they came. */
void io_accept(struct io *io, void *owner, int fd);

/* Wait once until fd is readable; exclusively, so that one of the processes
 * that wait on the same open file is woken, not all.  For the epoll set that
 * holds several listeners, and for control sockets. */
void io_poll(struct io *io, void *owner, int fd);

/* Receive into io's own buffers whenever something arrives, until end of
 * file, an error or io_cancel.  -ENOBUFS ends it when no buffer was free:
 * start it again once some have been released. */
void io_receive(struct io *io, void *owner, int fd);
void io_release(struct io *io, uint16_t buffer);

/* Send all of the parts, in order.  parts and what they point to stay
 * untouched until the completion.  At most 1024 parts. */
void io_send(struct io *io, void *owner, int fd, const struct iovec *parts,
	unsigned n_parts);

/* Ask that owner's operation of that kind end now.  Its completion comes as
 * always: with -ECANCELED, or with what it had done already (an accept may
 * hold a connection).  Nothing happens if it has completed. */
void io_cancel(struct io *io, void *owner, enum io_kind kind, int fd);

/* Start what was asked for and wait until something has completed or
 * timeout_ns have passed (0: do not wait; -1: for ever).  The number of events,
 * 0 after a timeout or signal, or a negative errno when the engine is broken. */
int io_wait(struct io *io, struct io_event *events, unsigned max,
	int64_t timeout_ns);

/* Do completions wait to be taken with io_wait(…, 0)? */
bool io_pending(const struct io *io);

#endif
