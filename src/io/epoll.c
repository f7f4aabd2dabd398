/*
 * epoll.c - input and output by an epoll set, in the shape of io_uring.
 *
 * Serves where io_uring is refused.  What epoll reports is readiness, so the
 * operation itself is done here: at the beginning of the next wait where that is
 * likely to succeed (a send, an accept, and what a client says first), otherwise
 * when the set says so.  What has completed waits in a queue for io_wait.
 *
 * An epoll set knows a descriptor once, while several operations may be
 * under way on it: a watch gathers them, one of each kind.  An operation
 * leaves its watch when it is done or cancelled, not when its completion is
 * taken: by then the number may already mean another file.
 *
 * Waiting for connections is exclusive and ends with the first one: the
 * kernel wakes the waiter that has waited longest, and who takes part again
 * joins the queue at its end.  Left in the set, the first process would
 * get every connection (measured: 200 of 200).
 */
#include "io/io_priv.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "io/operation_priv.h"

enum {
	BATCH = 256,         /* what one epoll_wait may report */
	SLAB = 128,          /* operations allocated together */
	WATCHES_FIRST = 256, /* and then twice as many */
};

struct watch {
	struct operation *operations[IO_KINDS]; /* under way; or NULL */
	uint32_t events; /* what the set reports for us; 0: not in the set */
};

struct slab {
	struct slab *next;
	struct operation operations[SLAB];
};

struct epoll {
	struct io io;
	int set;
	int broken;            /* a negative errno once memory has run out */
	struct watch *watches; /* by descriptor */
	unsigned n_watches;
	struct slab *slabs;
	struct operation *unused;
	struct operation_list queue;   /* completions, the oldest first */
	unsigned n_news;               /* of them: see is_news */
	struct operation_list unsent;  /* what the next wait begins with: */
	struct operation_list untried; /* sends, and then all others */
	bool queue_first; /* the last wait asked only the queue */
	struct io_settings settings;
	char *buffers;
	uint16_t *free; /* a stack: the buffer used last is the warmest */
	unsigned n_free;
	struct epoll_event ready[BATCH];
};

static struct epoll *
epoll_of(struct io *io)
{
	return CONTAINER_OF(io, struct epoll, io);
}

static char *
buffer_at(const struct epoll *e, uint16_t buffer)
{
	return e->buffers + (size_t)buffer * e->settings.buffer_size;
}

/* ------------------------------------------------------------- creation */

static size_t
buffers_len(const struct io_settings *settings)
{
	return (size_t)settings->buffers * settings->buffer_size;
}

static int
make_buffers(struct epoll *e)
{
	unsigned i;

	e->free = calloc(e->settings.buffers, sizeof(*e->free));
	if (e->free == NULL)
		return -ENOMEM;
	e->buffers = io_map(buffers_len(&e->settings));
	if (e->buffers == NULL) {
		free(e->free);
		return -ENOMEM;
	}
	for (i = 0; i < e->settings.buffers; i++)
		e->free[i] = (uint16_t)i;
	e->n_free = e->settings.buffers;
	return 0;
}

static void
free_buffers(struct epoll *e)
{
	io_unmap(e->buffers, buffers_len(&e->settings));
	free(e->free);
}

static int
epoll_create_io(
	struct io **ret, const struct io_settings *settings, struct err *err)
{
	struct epoll *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return err_set(err, ENOMEM, "epoll");
	e->io.engine = &io_engine_epoll;
	e->settings = *settings;
	operations_clear(&e->queue);
	operations_clear(&e->unsent);
	operations_clear(&e->untried);

	rc = make_buffers(e);
	if (rc < 0) {
		free(e);
		return err_set(err, -rc, "epoll: %u receive buffers of %u",
			settings->buffers, settings->buffer_size);
	}
	e->set = epoll_create1(EPOLL_CLOEXEC);
	if (e->set < 0) {
		rc = err_set(err, errno, "epoll_create1");
		free_buffers(e);
		free(e);
		return rc;
	}
	*ret = &e->io;
	return 0;
}

static void
epoll_destroy(struct io *io)
{
	struct epoll *e = epoll_of(io);
	struct slab *slab;

	while ((slab = e->slabs) != NULL) {
		e->slabs = slab->next;
		free(slab);
	}
	close(e->set);
	free(e->watches);
	free_buffers(e);
	free(e);
}

static int
epoll_fd(const struct io *io)
{
	return CONTAINER_OF(io, const struct epoll, io)->set;
}

/* ----------------------------------------------- operations and the queue */

static void
put_back(struct epoll *e, struct operation *op)
{
	op->next = e->unused;
	e->unused = op;
}

/* Have an operation to hand out, and a watch for fd. */
static int
make_room(struct epoll *e, int fd)
{
	unsigned i, n = e->n_watches > 0 ? e->n_watches : WATCHES_FIRST;
	struct watch *watches;
	struct slab *slab;

	if (e->unused == NULL) {
		slab = calloc(1, sizeof(*slab));
		if (slab == NULL)
			return -ENOMEM;
		slab->next = e->slabs;
		e->slabs = slab;
		for (i = 0; i < SLAB; i++)
			put_back(e, &slab->operations[i]);
	}
	if ((unsigned)fd < e->n_watches)
		return 0;
	while (n <= (unsigned)fd)
		n *= 2;
	watches = reallocarray(e->watches, n, sizeof(*watches));
	if (watches == NULL)
		return -ENOMEM;
	memset(watches + e->n_watches, 0,
		(n - e->n_watches) * sizeof(*watches));
	e->watches = watches;
	e->n_watches = n;
	return 0;
}

/* NULL when memory has run out; then the engine is broken, as io_wait will
 * say. */
static struct operation *
start(struct epoll *e, void *owner, enum io_kind kind, int fd)
{
	struct operation *op;
	int rc;

	assert(fd >= 0);
	if (UNLIKELY(e->unused == NULL || (unsigned)fd >= e->n_watches)) {
		rc = make_room(e, fd);
		if (rc < 0) {
			e->broken = rc;
			return NULL;
		}
	}
	op = e->unused;
	e->unused = op->next;
	memset(op, 0, sizeof(*op));
	op->owner = owner;
	op->kind = kind;
	op->fd = fd;
	assert(e->watches[fd].operations[kind] == NULL);
	e->watches[fd].operations[kind] = op;
	return op;
}

/* What the owner would do otherwise if it knew of it: bytes are here, or out. */
static bool
is_news(const struct operation *op)
{
	return op->received || (op->kind == IO_SEND && op->result > 0);
}

static void
enqueue(struct epoll *e, struct operation *op)
{
	e->n_news += is_news(op);
	op->queued = true;
	operations_add(&e->queue, op);
}

/* Not a set whose members are. */
static bool
is_polled(const struct watch *watch, int fd)
{
	const struct operation *op = watch->operations[IO_POLL];

	return op != NULL && (op->n_members == 0 || op->fd != fd);
}

static uint32_t
events_for(const struct watch *watch, int fd)
{
	uint32_t events = 0;

	if (watch->operations[IO_RECEIVE] != NULL ||
		watch->operations[IO_READABLE] != NULL)
		events |= EPOLLIN;
	if (watch->operations[IO_ACCEPT] != NULL || is_polled(watch, fd))
		events |= EPOLLIN | EPOLLEXCLUSIVE;
	if (watch->operations[IO_WRITABLE] != NULL)
		events |= EPOLLOUT;
	return events;
}

static int
control(struct epoll *e, int how, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(e->set, how, fd, &event) < 0 ? -errno : 0;
}

/* The kernel makes no wait on another epoll set exclusive (EINVAL). */
static int
add(struct epoll *e, int fd, uint32_t events)
{
	int rc = control(e, EPOLL_CTL_ADD, fd, events);

	if (rc == -EINVAL && (events & EPOLLEXCLUSIVE) != 0)
		rc = control(e, EPOLL_CTL_ADD, fd,
			events & ~(uint32_t)EPOLLEXCLUSIVE);
	return rc;
}

/* Have the set report what fd's operations wait for; what is exclusive, or
 * shall be, cannot be modified. */
static int
update(struct epoll *e, int fd)
{
	struct watch *watch = &e->watches[fd];
	uint32_t before = watch->events, after = events_for(watch, fd);
	int rc = 0;

	if (before == after)
		return 0;
	watch->events = after;
	if (before != 0 && after != 0 &&
		((before | after) & EPOLLEXCLUSIVE) == 0) {
		rc = control(e, EPOLL_CTL_MOD, fd, after);
	} else {
		if (before != 0)
			control(e, EPOLL_CTL_DEL, fd, 0);
		if (after != 0)
			rc = add(e, fd, after);
	}
	if (rc < 0)
		watch->events = 0;
	return rc;
}

/* Have fd's watch know, or not know any more, an operation. */
static int
attach(struct epoll *e, int fd, enum io_kind kind, struct operation *op)
{
	e->watches[fd].operations[kind] = op;
	return update(e, fd);
}

/* The operation is over: its completion waits to be taken. */
static void
finish(struct epoll *e, struct operation *op, int result)
{
	attach(e, op->fd, op->kind, NULL);
	for (size_t i = 0; i < op->n_members; i++)
		attach(e, op->members[i], op->kind, NULL);
	op->result = result;
	op->more = false;
	enqueue(e, op);
}

/* Wait in the set for what the operation needs. */
static void
watch_for(struct epoll *e, struct operation *op)
{
	int rc = update(e, op->fd);

	if (rc < 0)
		finish(e, op, rc);
}

/* ------------------------------------------------------------ operations */

static void
try_accept(struct epoll *e, struct operation *op)
{
	int fd = accept4(op->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && (errno == EAGAIN || errno == EINTR))
		watch_for(e, op);
	else
		finish(e, op, fd < 0 ? -errno : fd);
}

/* Who accepts has seen that somebody is there. */
static void
epoll_accept(struct io *io, void *owner, int fd)
{
	struct epoll *e = epoll_of(io);
	struct operation *op = start(e, owner, IO_ACCEPT, fd);
	int rc;

	if (op == NULL)
		return;
	/* A sibling may be faster, and then accept would wait. */
	rc = fd_set_nonblock(fd, true);
	if (rc < 0)
		finish(e, op, rc);
	else
		operations_add(&e->untried, op);
}

static void
epoll_poll(struct io *io, void *owner, int fd)
{
	struct epoll *e = epoll_of(io);
	struct operation *op = start(e, owner, IO_POLL, fd);

	if (op != NULL)
		watch_for(e, op);
}

/* One that has a connection ends the wait for all of them: who left it at the
 * others would be the first in their queues next time, too. */
static void
epoll_poll_set(struct io *io, void *owner, int set, const int *fds, size_t n)
{
	struct epoll *e = epoll_of(io);
	struct operation *op = start(e, owner, IO_POLL, set);
	int rc = 0;

	if (op == NULL)
		return;
	op->members = fds;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = make_room(e, fds[i]);
		if (rc < 0)
			break;
		op->n_members++;
		rc = attach(e, fds[i], IO_POLL, op);
	}
	if (rc < 0)
		finish(e, op, rc);
}

static void
await_once(struct io *io, void *owner, enum io_kind kind, int fd)
{
	struct epoll *e = epoll_of(io);
	struct operation *op = start(e, owner, kind, fd);

	if (op != NULL)
		watch_for(e, op);
}

static void
epoll_writable(struct io *io, void *owner, int fd)
{
	await_once(io, owner, IO_WRITABLE, fd);
}

static void
epoll_readable(struct io *io, void *owner, int fd)
{
	await_once(io, owner, IO_READABLE, fd);
}

static void
try_receive(struct epoll *e, struct operation *op)
{
	uint16_t buffer;
	ssize_t len;

	if (op->queued) /* one piece at a time */
		return;
	if (e->n_free == 0) {
		finish(e, op, -ENOBUFS);
		return;
	}
	buffer = e->free[e->n_free - 1];
	len = recv(op->fd, buffer_at(e, buffer), e->settings.buffer_size,
		MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
		/* To be in the set and to leave it costs more than to stay. */
		op->first = false;
		watch_for(e, op);
		return;
	}
	if (len <= 0) {
		finish(e, op, len < 0 ? -errno : 0);
		return;
	}
	e->n_free--;
	op->buffer = buffer;
	op->received = true;
	if (op->first) {
		finish(e, op, (int)len);
		return;
	}
	op->result = (int)len;
	op->more = true;
	enqueue(e, op);
}

static void
epoll_receive(struct io *io, void *owner, int fd)
{
	struct epoll *e = epoll_of(io);
	struct operation *op = start(e, owner, IO_RECEIVE, fd);

	if (op != NULL)
		watch_for(e, op);
}

/* Who connects has often sent his request as well. */
static void
epoll_receive_once(struct io *io, void *owner, int fd)
{
	struct epoll *e = epoll_of(io);
	struct operation *op = start(e, owner, IO_RECEIVE, fd);

	if (op == NULL)
		return;
	op->first = true;
	operations_add(&e->untried, op);
}

static void
epoll_release(struct io *io, uint16_t buffer)
{
	struct epoll *e = epoll_of(io);

	assert(e->n_free < e->settings.buffers);
	e->free[e->n_free++] = buffer;
}

static void
try_send(struct epoll *e, struct operation *op)
{
	const struct msghdr message = {
		.msg_iov = (struct iovec *)op->parts,
		.msg_iovlen = op->n_parts,
	};
	ssize_t len;

	do
		len = sendmsg(op->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	finish(e, op, len < 0 ? -errno : (int)len);
}

static void
epoll_send(struct io *io, void *owner, int fd, const struct iovec *parts,
	unsigned n_parts)
{
	struct epoll *e = epoll_of(io);
	struct operation *op = start(e, owner, IO_SEND, fd);

	if (op == NULL)
		return;
	op->parts = parts;
	op->n_parts = n_parts;
	operations_add(&e->unsent, op);
}

static void
epoll_cancel(struct io *io, void *owner, enum io_kind kind, int fd)
{
	struct epoll *e = epoll_of(io);
	struct operation *op;

	if (fd < 0 || (unsigned)fd >= e->n_watches)
		return;
	op = e->watches[fd].operations[kind];
	if (op == NULL || op->owner != owner)
		return;
	if (op->queued) { /* a piece that was received goes first */
		attach(e, fd, kind, NULL);
		op->cancelled = true;
		return;
	}
	operations_remove(kind == IO_SEND ? &e->unsent : &e->untried, op);
	finish(e, op, -ECANCELED);
}

/* ---------------------------------------------------------------- waiting */

/* The descriptor is ready for something: do what was waiting for it. */
static void
serve(struct epoll *e, const struct epoll_event *ready)
{
	struct operation **operations = e->watches[ready->data.fd].operations;
	uint32_t bad = ready->events & (EPOLLERR | EPOLLHUP);

	if (operations[IO_WRITABLE] != NULL &&
		(ready->events & EPOLLOUT || bad))
		finish(e, operations[IO_WRITABLE],
			(int)(ready->events & ~(uint32_t)EPOLLIN));
	if ((ready->events & EPOLLIN) == 0 && bad == 0)
		return;
	if (operations[IO_RECEIVE] != NULL)
		try_receive(e, operations[IO_RECEIVE]);
	if (operations[IO_READABLE] != NULL)
		finish(e, operations[IO_READABLE], (int)ready->events);
	if (operations[IO_ACCEPT] != NULL)
		try_accept(e, operations[IO_ACCEPT]);
	if (operations[IO_POLL] != NULL)
		finish(e, operations[IO_POLL],
			(int)(ready->events & ~(uint32_t)EPOLLOUT));
}

/* All together: the first of them wakes the client's processor, and for the
 * others it is awake. */
static void
send_unsent(struct epoll *e)
{
	struct operation *op, *next = operations_take(&e->unsent);

	while ((op = next) != NULL) {
		next = op->next;
		try_send(e, op);
	}
}

static void
try_untried(struct epoll *e)
{
	struct operation *op, *next = operations_take(&e->untried);

	while ((op = next) != NULL) {
		next = op->next;
		if (op->kind == IO_ACCEPT)
			try_accept(e, op);
		else
			try_receive(e, op);
	}
}

static void
describe(const struct epoll *e, const struct operation *op,
	struct io_event *event)
{
	event->owner = op->owner;
	event->kind = op->kind;
	event->result = op->result;
	event->more = op->more;
	event->data = op->received ? buffer_at(e, op->buffer) : NULL;
	event->buffer = op->buffer;
}

static unsigned
take(struct epoll *e, struct io_event *events, unsigned max)
{
	struct operation *op;
	unsigned n;

	for (n = 0; n < max && e->queue.first != NULL; n++) {
		op = e->queue.first;
		e->queue.first = op->next;
		if (op->next == NULL)
			operations_clear(&e->queue);
		op->queued = false;
		describe(e, op, &events[n]);
		e->n_news -= is_news(op);
		op->received = false;
		if (op->cancelled && op->more) {
			op->result = -ECANCELED;
			op->more = false;
			enqueue(e, op);
		} else if (op->more) {
			op->result = 0;
		} else {
			put_back(e, op);
		}
	}
	return n;
}

/* Whole milliseconds, rounded up so that nobody wakes too early. */
static int
milliseconds(int64_t timeout_ns)
{
	int64_t ms;

	if (timeout_ns < 0)
		return -1;
	ms = timeout_ns / 1000000 + (timeout_ns % 1000000 > 0);
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Ask the kernel.  0 or a negative errno. */
static int
collect(struct epoll *e, int64_t timeout_ns)
{
	int i, n;

	n = epoll_wait(e->set, e->ready, BATCH, milliseconds(timeout_ns));
	if (n < 0)
		return -errno;
	for (i = 0; i < n; i++)
		serve(e, &e->ready[i]);
	return 0;
}

/* What lies in the queue is handed out without asking the kernel, but not
 * twice in a row: who sends on and on must not starve the others. */
static int
epoll_wait_io(struct io *io, struct io_event *events, unsigned max,
	int64_t timeout_ns)
{
	struct epoll *e = epoll_of(io);
	unsigned n;
	int rc;

	send_unsent(e);
	try_untried(e);
	n = take(e, events, max);
	if (UNLIKELY(e->broken < 0))
		return e->broken;
	if (n > 0 && !e->queue_first) {
		e->queue_first = true;
		return (int)n;
	}
	e->queue_first = false;
	do {
		rc = collect(e, n > 0 ? 0 : timeout_ns);
		n += take(e, events + n, max - n);
	} while (n == 0 && rc == 0 && timeout_ns < 0);
	return n > 0 || rc == -EINTR ? (int)n : rc;
}

/* What is received or accepted would have to be taken. */
static void
epoll_start(struct io *io)
{
	send_unsent(epoll_of(io));
}

static bool
epoll_pending(const struct io *io)
{
	return CONTAINER_OF(io, const struct epoll, io)->queue.first != NULL;
}

static unsigned
epoll_room(const struct io *io)
{
	const struct epoll *e = CONTAINER_OF(io, const struct epoll, io);

	return e->n_news == 0 ? UINT_MAX : 0;
}

static void
epoll_withdraw_sends(struct io *io, void (*withdrawn)(void *arg, void *owner),
	void *arg)
{
	struct epoll *e = epoll_of(io);
	struct operation *op, *next = operations_take(&e->unsent);

	while ((op = next) != NULL) {
		next = op->next;
		finish(e, op, 0);
		withdrawn(arg, op->owner);
	}
}

const struct io_engine io_engine_epoll = {
	.name = "epoll",
	.create = epoll_create_io,
	.destroy = epoll_destroy,
	.fd = epoll_fd,
	.accept = epoll_accept,
	.poll = epoll_poll,
	.poll_set = epoll_poll_set,
	.writable = epoll_writable,
	.readable = epoll_readable,
	.receive = epoll_receive,
	.receive_once = epoll_receive_once,
	.release = epoll_release,
	.send = epoll_send,
	.cancel = epoll_cancel,
	.start = epoll_start,
	.wait = epoll_wait_io,
	.room = epoll_room,
	.withdraw_sends = epoll_withdraw_sends,
	.pending = epoll_pending,
};
