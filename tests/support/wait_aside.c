/*
 * wait_aside.c - who waits for a ring lets other threads run, for LD_PRELOAD
 * under valgrind.
 *
 * Valgrind has one thread run at a time, which makes way for another one where
 * a system call may block.  To it io_uring_enter(2) is none of these (3.19): a
 * worker that waits there stops all threads of its child until something
 * completes, and so the one whose request it waits for.  Here that call never
 * blocks, and what is waited in is poll(2).  For an eventfd: a ring with
 * DEFER_TASKRUN does not become readable by what is still to be done for it.
 */
#define _GNU_SOURCE /* ppoll */

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { FOR_EVER = -1 };

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Until the kernel has something to do for the ring. */
static int
await(int bell, int64_t end_ns)
{
	struct pollfd p = {.fd = bell, .events = POLLIN};
	int64_t left_ns = end_ns == FOR_EVER ? 0 : end_ns - now_ns();
	struct timespec left = {left_ns / 1000000000, left_ns % 1000000000};
	uint64_t rung;
	int n;

	if (left_ns < 0)
		return -ETIME;
	n = ppoll(&p, 1, end_ns == FOR_EVER ? NULL : &left, NULL);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIME;
	return read(bell, &rung, sizeof(rung)) < 0 ? -errno : 0;
}

static int
submit_and_await(struct io_uring *ring, int bell, int64_t end_ns)
{
	int submitted = io_uring_submit_and_get_events(ring);
	int rc = submitted;

	while (rc >= 0 && io_uring_cq_ready(ring) == 0) {
		rc = await(bell, end_ns);
		if (rc == 0)
			rc = io_uring_get_events(ring);
	}
	return rc < 0 ? rc : submitted;
}

static int
wait_aside(struct io_uring *ring, int64_t end_ns)
{
	int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = bell < 0 ? -errno : io_uring_register_eventfd(ring, bell);

	if (rc == 0) {
		rc = submit_and_await(ring, bell, end_ns);
		io_uring_unregister_eventfd(ring);
	}
	if (bell >= 0)
		close(bell);
	return rc;
}

/* wait_nr is 1, and there is no mask, wherever wsgid calls these. */

int
io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
	(void)wait_nr;
	return wait_aside(ring, FOR_EVER);
}

int
io_uring_submit_and_wait_timeout(struct io_uring *ring,
	struct io_uring_cqe **cqe, unsigned wait_nr,
	struct __kernel_timespec *timeout, sigset_t *mask)
{
	int64_t ns = timeout->tv_sec * INT64_C(1000000000) + timeout->tv_nsec;

	(void)wait_nr;
	(void)mask;
	*cqe = NULL; /* wsgid looks for itself */
	return wait_aside(ring, now_ns() + ns);
}
