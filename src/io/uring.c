/*
 * uring.c - input and output by an io_uring ring.
 *
 * The ring belongs to one thread (SINGLE_ISSUER) and completes only while
 * that thread is inside the kernel for it (DEFER_TASKRUN): between two waits
 * it touches no socket, and the application's own system calls are not
 * interrupted on its behalf.  It is made disabled and becomes the thread's
 * that waits first, so a process may make the rings of its threads while it
 * still is privileged: the kernel charges a ring to who makes it.
 *
 * user_data is the owner's address with the kind in its low bits.  Nothing
 * is kept for an operation on our side, and nothing is allocated for one.
 *
 * Sockets are not registered with the ring: a bare loop with 64 connections took
 * 5.38, 5.21 and 5.41 us a request without and 5.33, 5.21 and 5.35 us with that,
 * and what is given to a sibling or sent by sendfile needs its descriptor anyway.
 *
 * What a submission points to need only live until it is submitted, which
 * is before the kernel gives the slot in the submission queue back
 * (IORING_FEAT_SUBMIT_STABLE); hence one message header for each slot.
 */
#include "io/io_priv.h"

#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/kernel.h"

enum {
	SUBMISSIONS = 1024, /* io_room: nobody else submits while we are away */
	COMPLETIONS = 2048, /* more wait in the kernel */
	BUFFER_GROUP = 0,
	KIND_MASK = 15,
	KIND_CANCEL = IO_KINDS, /* nobody's: a cancellation's own completion */
	NEVER_STARTED = 8,      /* beside the kind: cancelled before it began */
	SUBMIT_TRIES = 1000,    /* while the kernel is short of memory */
	FIRST_BUFFERS = 16,     /* for receiving, until more are needed */
};

/* It does not wait. */
#define SEND_FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT)

/* Everything without which the rest of this file would be wrong. */
#define FEATURES \
	(IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG)

struct uring {
	struct io io;
	struct io_uring ring;
	struct io_uring_buf_ring *free; /* the kernel takes from here */
	char *buffers;
	unsigned given;     /* of them, to the kernel */
	bool buffers_short; /* it had none for somebody */
	struct msghdr *messages; /* one for each slot of the submission queue */
	struct io_settings settings;
	bool adopted;
	int broken; /* a negative errno once the ring is of no more use */
	struct io_uring_sqe scratch; /* written to when it is broken */
};

static struct uring *
uring_of(struct io *io)
{
	return CONTAINER_OF(io, struct uring, io);
}

static const struct uring *
uring_of_const(const struct io *io)
{
	return CONTAINER_OF(io, const struct uring, io);
}

static size_t
free_len(const struct io_settings *settings)
{
	return settings->buffers * sizeof(struct io_uring_buf);
}

static size_t
buffers_len(const struct io_settings *settings)
{
	return (size_t)settings->buffers * settings->buffer_size;
}

static char *
buffer_at(const struct uring *u, uint16_t buffer)
{
	return u->buffers + (size_t)buffer * u->settings.buffer_size;
}

/* Is it a matter of time until the same call succeeds? */
static bool
is_transient(int rc)
{
	return rc == -EAGAIN || rc == -EBUSY || rc == -EINTR || rc == -ENOMEM;
}

/* ------------------------------------------------------------- creation */

static int
explain_refusal(int code, struct err *err)
{
	char knob[16];
	int value;

	(void)kernel_read(
		"/proc/sys/kernel/io_uring_disabled", knob, sizeof(knob));
	if (sscanf(knob, "%d", &value) == 1 && value != 0)
		return err_set(err, code,
			"io_uring is switched off on this machine "
			"(kernel.io_uring_disabled is %d)",
			value);
	return err_set(err, code,
		"io_uring is refused: the kernel has none, or a seccomp "
		"profile, as container engines have by default, forbids it");
}

static int
explain_age(int code, struct err *err)
{
	struct utsname kernel;

	if (uname(&kernel) < 0)
		strcpy(kernel.release, "unknown");
	return err_set(err, code,
		"io_uring: this kernel, %s, lacks what is needed of it; Linux "
		"6.1 and newer have it",
		kernel.release);
}

/* code is a positive errno. */
static int
explain(int code, struct err *err)
{
	switch (code) {
	case EPERM:
	case EACCES:
	case ENOSYS:
		explain_refusal(code, err);
		/* one answer for callers that ask "is it forbidden?" */
		return code == ENOSYS ? -ENOSYS : -EPERM;
	case EINVAL:
	case EOPNOTSUPP:
		explain_age(code, err);
		return -EINVAL;
	case ENOMEM:
		return err_set(err, code,
			"io_uring: no memory for a ring; the user's locked "
			"memory (ulimit -l, LimitMEMLOCK=) may be used up");
	default:
		return err_set(err, code, "io_uring: making a ring");
	}
}

static int
make_ring(struct uring *u)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		.cq_entries = COMPLETIONS,
	};
	int rc;

	rc = io_uring_queue_init_params(SUBMISSIONS, &u->ring, &params);
	if (rc < 0)
		return rc;
	if ((params.features & FEATURES) != FEATURES)
		rc = -EINVAL;
	if (rc == 0)
		rc = io_uring_ring_dontfork(&u->ring);
	if (rc == 0)
		rc = fd_set_cloexec(u->ring.ring_fd, true);
	if (rc < 0) {
		io_uring_queue_exit(&u->ring);
		return rc;
	}
	/* A profile may allow to make rings and forbid to enter them. */
	rc = io_uring_get_events(&u->ring);
	if (rc == -EBADFD || rc >= 0)
		return 0;
	io_uring_queue_exit(&u->ring);
	return rc;
}

static void
give_buffers(struct uring *u, unsigned n)
{
	int mask = io_uring_buf_ring_mask(u->settings.buffers);

	for (unsigned i = 0; i < n; i++, u->given++)
		io_uring_buf_ring_add(u->free,
			buffer_at(u, (uint16_t)u->given),
			u->settings.buffer_size, (uint16_t)u->given, mask,
			(int)i);
	io_uring_buf_ring_advance(u->free, (int)n);
}

/* The kernel takes them in turn, however few are in use at a time, so each one
 * that it has costs memory. */
static void
give_more_buffers(struct uring *u)
{
	unsigned left = u->settings.buffers - u->given;

	give_buffers(u, left < u->given ? left : u->given);
	u->buffers_short = false;
}

static int
register_buffers(struct uring *u)
{
	struct io_uring_buf_reg group = {
		.ring_addr = (uint64_t)(uintptr_t)u->free,
		.ring_entries = u->settings.buffers,
		.bgid = BUFFER_GROUP,
	};
	unsigned n = u->settings.buffers;
	int rc;

	rc = io_uring_register_buf_ring(&u->ring, &group, 0);
	if (rc < 0)
		return rc;
	io_uring_buf_ring_init(u->free);
	give_buffers(u, n < FIRST_BUFFERS ? n : FIRST_BUFFERS);
	return 0;
}

static void
unmap(struct uring *u)
{
	io_unmap(u->free, free_len(&u->settings));
	io_unmap(u->buffers, buffers_len(&u->settings));
	io_unmap(u->messages, SUBMISSIONS * sizeof(*u->messages));
}

static int
map(struct uring *u)
{
	u->free = io_map_own(free_len(&u->settings));
	u->buffers = io_map(buffers_len(&u->settings));
	u->messages = io_map_own(SUBMISSIONS * sizeof(*u->messages));
	if (u->free != NULL && u->buffers != NULL && u->messages != NULL)
		return 0;
	unmap(u);
	return -ENOMEM;
}

static int
uring_create(
	struct io **ret, const struct io_settings *settings, struct err *err)
{
	struct uring *u = calloc(1, sizeof(*u));
	int rc;

	if (u == NULL)
		return err_set(err, ENOMEM, "io_uring");
	u->io.engine = &io_engine_uring;
	u->settings = *settings;

	rc = map(u);
	if (rc < 0)
		goto fail_free;
	rc = make_ring(u);
	if (rc < 0)
		goto fail_unmap;
	rc = register_buffers(u);
	if (rc < 0)
		goto fail_exit;
	*ret = &u->io;
	return 0;

fail_exit:
	io_uring_queue_exit(&u->ring);
fail_unmap:
	unmap(u);
fail_free:
	free(u);
	return explain(-rc, err);
}

static void
uring_destroy(struct io *io)
{
	struct uring *u = uring_of(io);

	io_uring_queue_exit(&u->ring);
	unmap(u);
	free(u);
}

static int
uring_fd(const struct io *io)
{
	return uring_of_const(io)->ring.ring_fd;
}

/* Make the ring the calling thread's own.  By the system call itself:
 * liburing 2.3 declares io_uring_enable_rings but does not export it. */
static int
adopt(struct uring *u)
{
	if (syscall(SYS_io_uring_register, u->ring.ring_fd,
		    IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		return -errno;
	/* Saves the kernel a look-up at each entry, and lets the ring survive
	 * an application that closes all descriptors.  It does without. */
	io_uring_register_ring_fd(&u->ring);
	u->adopted = true;
	return 0;
}

/* ------------------------------------------------------------ operations */

/* The submission queue is full: submit it. */
static struct io_uring_sqe *
make_room(struct uring *u)
{
	struct io_uring_sqe *sqe = NULL;
	int rc = u->adopted ? 0 : adopt(u);
	int tries;

	for (tries = 0; sqe == NULL && tries < SUBMIT_TRIES; tries++) {
		if (rc >= 0)
			rc = io_uring_submit_and_get_events(&u->ring);
		if (rc < 0 && !is_transient(rc))
			break;
		rc = 0;
		sqe = io_uring_get_sqe(&u->ring);
	}
	if (sqe != NULL)
		return sqe;
	u->broken = rc < 0 ? rc : -EAGAIN;
	return &u->scratch;
}

static struct io_uring_sqe *
next_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	return LIKELY(sqe != NULL) ? sqe : make_room(u);
}

static uint64_t
tag(void *owner, enum io_kind kind)
{
	return (uint64_t)(uintptr_t)owner | (uint64_t)kind;
}

static void
uring_accept(struct io *io, void *owner, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(uring_of(io));

	io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	sqe->user_data = tag(owner, IO_ACCEPT);
}

static void
uring_poll(struct io *io, void *owner, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(uring_of(io));

	io_uring_prep_poll_add(sqe, fd, POLLIN | EPOLLEXCLUSIVE);
	sqe->user_data = tag(owner, IO_POLL);
}

/* The kernel wakes one of those that poll a set. */
static void
uring_poll_set(struct io *io, void *owner, int set, const int *fds, size_t n)
{
	(void)fds;
	(void)n;
	uring_poll(io, owner, set);
}

/* For the kernel each poll is one for POLLRDHUP as well, which it is at once, and
 * for ever, when the client has closed his half: a poll that goes on says so once. */
static void
uring_writable(struct io *io, void *owner, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(uring_of(io));

	io_uring_prep_poll_multishot(sqe, fd, POLLOUT);
	sqe->user_data = tag(owner, IO_WRITABLE);
}

static void
uring_readable(struct io *io, void *owner, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(uring_of(io));

	io_uring_prep_poll_add(sqe, fd, POLLIN);
	sqe->user_data = tag(owner, IO_READABLE);
}

static void
receive_into_ours(struct io_uring_sqe *sqe, void *owner)
{
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	sqe->user_data = tag(owner, IO_RECEIVE);
}

static void
uring_receive(struct io *io, void *owner, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(uring_of(io));

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	receive_into_ours(sqe, owner);
}

static void
uring_receive_once(struct io *io, void *owner, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(uring_of(io));

	io_uring_prep_recv(sqe, fd, NULL, 0, 0);
	receive_into_ours(sqe, owner);
}

static void
uring_release(struct io *io, uint16_t buffer)
{
	struct uring *u = uring_of(io);

	io_uring_buf_ring_add(u->free, buffer_at(u, buffer),
		u->settings.buffer_size, buffer,
		io_uring_buf_ring_mask(u->settings.buffers), 0);
	io_uring_buf_ring_advance(u->free, 1);
}

/* A send that waits would be carried out by a thread of the kernel's where the client
 * has closed his half, as the poll before it ends at once; and nobody would know
 * how much of it is out. */
static void
uring_send(struct io *io, void *owner, int fd, const struct iovec *parts,
	unsigned n_parts)
{
	struct uring *u = uring_of(io);
	struct io_uring_sqe *sqe = next_sqe(u);
	struct msghdr *message;

	if (n_parts == 1 && parts->iov_len <= INT_MAX) {
		io_uring_prep_send(sqe, fd, parts->iov_base, parts->iov_len,
			SEND_FLAGS);
	} else if (sqe != &u->scratch) {
		message = &u->messages[sqe - u->ring.sq.sqes];
		message->msg_iov = (struct iovec *)parts;
		message->msg_iovlen = n_parts;
		io_uring_prep_sendmsg(sqe, fd, message, SEND_FLAGS);
	}
	sqe->user_data = tag(owner, IO_SEND);
}

/* The operation of that tag that was asked for and not started, or NULL.
 * Whatever was submitted has been taken by the kernel before submitting
 * returned, so it is what liburing has not flushed. */
static struct io_uring_sqe *
find_unstarted(struct uring *u, uint64_t data)
{
	const struct io_uring_sq *sq = &u->ring.sq;

	for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];

		if (sqe->user_data == data)
			return sqe;
	}
	return NULL;
}

/* Turn an operation into none.  Since liburing 2.5 preparing one leaves alone
 * what getting an entry has cleared, and flags of a send are none of a NOP. */
static void
make_nothing(struct io_uring_sqe *sqe)
{
	memset(sqe, 0, sizeof(*sqe));
	io_uring_prep_nop(sqe);
}

static void
cancel_started(struct uring *u, uint64_t data)
{
	struct io_uring_sqe *sqe = next_sqe(u);

	io_uring_prep_cancel64(sqe, data, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = KIND_CANCEL;
}

/* Without the first case an operation would be started, do what it can at
 * once, and be cancelled afterwards: who cancels to have nothing more read
 * from a socket must be able to rely on it. */
static void
uring_cancel(struct io *io, void *owner, enum io_kind kind, int fd)
{
	struct uring *u = uring_of(io);
	struct io_uring_sqe *sqe = find_unstarted(u, tag(owner, kind));

	(void)fd;
	if (sqe != NULL) {
		make_nothing(sqe);
		sqe->user_data = tag(owner, kind) | NEVER_STARTED;
		return;
	}
	cancel_started(u, tag(owner, kind));
}

/* ---------------------------------------------------------------- waiting */

/* It has been waited for: with the end of the poll it completes. */
static bool
goes_on(struct uring *u, const struct io_uring_cqe *cqe)
{
	if ((cqe->flags & IORING_CQE_F_MORE) == 0)
		return false;
	if ((cqe->res & (POLLOUT | POLLERR | POLLHUP)) != 0)
		cancel_started(u, cqe->user_data);
	return true;
}

/* Fill in what a completion says.  False when it is nobody's. */
static bool
translate(
	struct uring *u, const struct io_uring_cqe *cqe, struct io_event *event)
{
	unsigned kind = (unsigned)(cqe->user_data & KIND_MASK);
	uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

	if (UNLIKELY(kind == KIND_CANCEL ||
		     (kind == IO_WRITABLE && goes_on(u, cqe))))
		return false;
	event->owner =
		(void *)(uintptr_t)(cqe->user_data & ~(uint64_t)KIND_MASK);
	event->kind = (enum io_kind)(kind & ~(unsigned)NEVER_STARTED);
	event->result = (kind & NEVER_STARTED) != 0 ? -ECANCELED : cqe->res;
	event->more = (cqe->flags & IORING_CQE_F_MORE) != 0;
	event->data = NULL;
	event->buffer = 0;
	if (UNLIKELY(cqe->res == -ENOBUFS && event->kind == IO_RECEIVE))
		u->buffers_short = true;
	if ((cqe->flags & IORING_CQE_F_BUFFER) == 0)
		return true;
	if (UNLIKELY(cqe->res <= 0)) { /* taken, and then not used */
		uring_release(&u->io, buffer);
		return true;
	}
	event->data = buffer_at(u, buffer);
	event->buffer = buffer;
	return true;
}

static unsigned
take(struct uring *u, struct io_event *events, unsigned max)
{
	const struct io_uring_cqe *cqe;
	unsigned head, seen = 0, n = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe)
	{
		if (n == max)
			break;
		seen++;
		if (translate(u, cqe, &events[n]))
			n++;
	}
	io_uring_cq_advance(&u->ring, seen);
	if (UNLIKELY(u->buffers_short))
		give_more_buffers(u);
	return n;
}

/* Has the kernel something for us that only entering it brings out? */
static bool
needs_entry(const struct uring *u)
{
	return (IO_URING_READ_ONCE(*u->ring.sq.kflags) &
		       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* Submit, and wait for one completion if there is none. */
static int
enter(struct uring *u, int64_t timeout_ns)
{
	struct __kernel_timespec timeout;
	struct io_uring_cqe *cqe;

	if (timeout_ns == 0 || io_uring_cq_ready(&u->ring) > 0) {
		if (io_uring_sq_ready(&u->ring) == 0 && !needs_entry(u))
			return 0;
		return io_uring_submit_and_get_events(&u->ring);
	}
	if (timeout_ns < 0)
		return io_uring_submit_and_wait(&u->ring, 1);
	timeout.tv_sec = timeout_ns / 1000000000;
	timeout.tv_nsec = timeout_ns % 1000000000;
	return io_uring_submit_and_wait_timeout(
		&u->ring, &cqe, 1, &timeout, NULL);
}

static int
uring_wait(struct io *io, struct io_event *events, unsigned max,
	int64_t timeout_ns)
{
	struct uring *u = uring_of(io);
	unsigned n;
	int rc;

	if (UNLIKELY(!u->adopted)) {
		rc = adopt(u);
		if (rc < 0)
			return rc;
	}
	if (UNLIKELY(u->broken < 0))
		return u->broken;
	do {
		rc = enter(u, timeout_ns);
		n = take(u, events, max);
		/* Nothing at all: it was a cancellation's own completion.
		 * What was submitted hides that a signal ended the wait. */
	} while (UNLIKELY(n == 0 && rc == 0 && timeout_ns < 0));
	if (n == 0 && rc < 0 && rc != -ETIME && !is_transient(rc))
		return rc;
	return (int)n;
}

/* What fails here does so again, and is seen, when it is waited for. */
static void
uring_start(struct io *io)
{
	struct uring *u = uring_of(io);

	if (u->adopted && u->broken == 0 && io_uring_sq_ready(&u->ring) > 0)
		(void)io_uring_submit(&u->ring);
}

static unsigned
uring_room(const struct io *io)
{
	const struct uring *u = uring_of_const(io);
	unsigned flags = IO_URING_READ_ONCE(*u->ring.sq.kflags);

	if (io_uring_cq_ready(&u->ring) > 0 ||
		(flags & IORING_SQ_CQ_OVERFLOW) != 0)
		return 0;
	return io_uring_sq_space_left(&u->ring);
}

/* What has been withdrawn stays in the queue as a NOP of the same tag, and is
 * none the next time. */
static void
uring_withdraw_sends(struct io *io,
	void (*withdrawn)(void *arg, void *owner), void *arg)
{
	struct uring *u = uring_of(io);
	struct io_uring_sq *sq = &u->ring.sq;

	for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];
		uint64_t data = sqe->user_data;

		if ((data & KIND_MASK) != IO_SEND ||
			sqe->opcode == IORING_OP_NOP)
			continue;
		make_nothing(sqe);
		sqe->user_data = data;
		withdrawn(arg,
			(void *)(uintptr_t)(data & ~(uint64_t)KIND_MASK));
	}
}

static bool
uring_pending(const struct io *io)
{
	const struct uring *u = uring_of_const(io);

	return io_uring_cq_ready(&u->ring) > 0 || needs_entry(u);
}

const struct io_engine io_engine_uring = {
	.name = "io_uring",
	.keeps_files = true,
	.create = uring_create,
	.destroy = uring_destroy,
	.fd = uring_fd,
	.accept = uring_accept,
	.poll = uring_poll,
	.poll_set = uring_poll_set,
	.writable = uring_writable,
	.readable = uring_readable,
	.receive = uring_receive,
	.receive_once = uring_receive_once,
	.release = uring_release,
	.send = uring_send,
	.cancel = uring_cancel,
	.start = uring_start,
	.wait = uring_wait,
	.room = uring_room,
	.withdraw_sends = uring_withdraw_sends,
	.pending = uring_pending,
};
