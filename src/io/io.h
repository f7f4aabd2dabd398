/*
 * io.h - input and output that is started now and completes later.
 *
 * One struct io belongs to one thread, the one that first waits with it: an
 * io_uring ring, or an epoll set where the kernel refuses io_uring.  Both
 * have the same shape: operations are started with an owner, and io_wait
 * returns what has completed.  An operation that was started always completes
 * exactly once as far as its owner is concerned (receiving is the exception:
 * it completes for each piece, and the last completion lacks "more"), so an
 * owner may be freed when none of its operations is under way and not before;
 * and so may its descriptor be closed.
 *
 * An owner is an address that is a multiple of 16, as malloc's are.  It has at
 * most one operation of each kind under way at a time, and so has a
 * descriptor.
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
	IO_ACCEPT,   /* result: the new socket, close-on-exec, or -errno */
	IO_RECEIVE,  /* result: bytes in data, 0 at end of file, or -errno */
	IO_SEND,     /* result: bytes sent, for which there was room; or
	             * -errno, and then none: -EAGAIN where there was none */
	IO_POLL,     /* result: poll(2) bits, or -errno */
	IO_WRITABLE, /* result: negative where it could not be waited for */
	IO_READABLE, /* likewise */
};

struct io_event {
	void *owner;
	enum io_kind kind;
	int result;      /* -ECANCELED when it was cancelled */
	bool more;       /* IO_RECEIVE: it is still under way; should it end
	                  * with a piece it may simply be started again */
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

/* To be called by the thread that waited with it.  Operations under way end
 * without a completion.  NULL is allowed. */
void io_destroy(struct io *io);

/* The engine's own descriptor, for a forked process to close: it must not use
 * the io, whose memory it does not have. */
int io_fd(const struct io *io);

/* Does what it waits for hold the file, also when the descriptor is closed or
 * replaced meanwhile?  epoll goes by the number and takes the new one's news for
 * the old one's. */
bool io_keeps_files(const struct io *io);

/* "io_uring" or "epoll". */
const char *io_name(const struct io *io);

/* Accept one connection from a listening socket.  The wait is exclusive in
 * the kernel: one waiter is woken per connection, in the order they came.
 * (The epoll engine makes the socket O_NONBLOCK, for everybody who has it.) */
void io_accept(struct io *io, void *owner, int fd);

/* Wait once until fd is readable; exclusively, so that one of the processes
 * that wait on the same open file is woken, not all.  For the epoll set that
 * holds several listeners, and for control sockets.  It is a hint: what woke
 * this one may be gone.  (An epoll engine that waits for an epoll set is woken
 * with all the others: the kernel has no exclusive wait for that.) */
void io_poll(struct io *io, void *owner, int fd);

/* The same for an epoll set that holds these and nothing else: an engine that
 * cannot wait alone for a set waits for each of them instead.  fds stay
 * untouched until the completion.  It is cancelled as IO_POLL on the set. */
void io_poll_set(struct io *io, void *owner, int set, const int *fds, size_t n);

/* Wait once until fd has room for more, or is broken; not until its peer has
 * closed his half of it, who wants the answer all the same. */
void io_writable(struct io *io, void *owner, int fd);

/* Wait once until there is something to read from fd, its end or an error: for who
 * reads it himself.  Not beside a receive. */
void io_readable(struct io *io, void *owner, int fd);

/* Receive into io's own buffers whenever something arrives, until end of
 * file, an error or io_cancel.  -ENOBUFS ends it when no buffer was free, which
 * older kernels find out before there is anything to receive: start it again
 * once some have been released. */
void io_receive(struct io *io, void *owner, int fd);

/* The same for who may want one piece and no more, as a connection is made for one
 * request often: with that it ends by itself, where to cancel it costs more than to
 * start it again.  And for who must hear of a reset, which some kernels lose when it
 * comes while they hand out the pieces of io_receive.  (The epoll engine loses none,
 * and goes on as io_receive where it had to wait.) */
void io_receive_once(struct io *io, void *owner, int fd);

/* Give a piece's memory back. */
void io_release(struct io *io, uint16_t buffer);

/* Send the parts, in order, as far as there is room, when io_wait or io_start
 * starts it: it does not wait, so before that none of it is out, and after that
 * its completion is there.  parts and what they point to stay untouched until
 * then.  At most 1024 parts. */
void io_send(struct io *io, void *owner, int fd, const struct iovec *parts,
	unsigned n_parts);

/* Ask that owner's operation of that kind on fd end now.  Its completion comes
 * as always: with -ECANCELED, or with what it had done already (an accept may
 * hold a connection).  Nothing happens if it has
 * completed.  An operation that io_wait has not started yet never starts.
 *
 * An exclusive wait that ends with -ECANCELED may have used up a wake-up that
 * no other process gets any more: ask poll(2) once, and if there is something
 * take it, or wake somebody else. */
void io_cancel(struct io *io, void *owner, enum io_kind kind, int fd);

/* Start what was asked for, and wait for nothing: for who is about to do
 * something else that may take long. */
void io_start(struct io *io);

/* Start what was asked for and wait until something has completed or
 * timeout_ns have passed (0: do not wait; -1: for ever), which the epoll engine
 * rounds up to milliseconds.  The number of events; 0 after a timeout, after a
 * signal, or now and then for no reason that concerns the caller; or a negative
 * errno when the engine is broken, and nothing will complete any more. */
int io_wait(struct io *io, struct io_event *events, unsigned max,
	int64_t timeout_ns);

/* For a thread that looks after another one's io while that one is away, and
 * cannot come back meanwhile: how many operations can be asked for before the
 * next io_wait, which only the owner may call.  0 while a completion that was
 * not taken may hold bytes of a socket, which must stay, or say that some are
 * out. */
unsigned io_room(const struct io *io);

/* For the same thread: every send that was asked for and has not been started completes with
 * 0, and never starts.  Each owner is told to withdrawn, once; it may then be sent
 * by other means. */
void io_withdraw_sends(struct io *io,
	void (*withdrawn)(void *arg, void *owner), void *arg);

/* Do completions wait to be taken with io_wait(…, 0)? */
bool io_pending(const struct io *io);

#endif
