/*
 * test_io.c - every engine does what io.h says.
 *
 * Each test runs once with each engine; where the kernel refuses one its
 * tests are skipped, with the reason.
 */
#include "io/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "support/skip.h"

#define SECOND      INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)

enum { BUFFERS = 8, BUFFER_SIZE = 4096, MANY = 64 };

static const struct io_settings settings = {
	.buffers = BUFFERS,
	.buffer_size = BUFFER_SIZE,
};

/* What a test has: an engine, and two ends of a connection. */
struct bench {
	const char *engine;
	struct io *io;
	int near, far;
};

struct owner {
	_Alignas(16) int number;
};

/* ------------------------------------------------------------------ help */

static struct io *
make_io(const char *engine)
{
	struct io *io = NULL;
	struct err err = {0};

	if (io_create(&io, engine, &settings, &err) < 0) {
		print_message("%s: %s\n", engine, err.text);
		return NULL;
	}
	return io;
}

static int
set_up(void **state)
{
	const char *engine = *state;
	struct bench *b = calloc(1, sizeof(*b));
	int ends[2];

	if (b == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -1;
	b->engine = engine;
	b->near = ends[0];
	b->far = ends[1];
	b->io = make_io(engine);
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;

	io_destroy(b->io);
	if (b->near >= 0)
		close(b->near);
	if (b->far >= 0)
		close(b->far);
	free(b);
	return 0;
}

static struct bench *
bench_of(void **state)
{
	struct bench *b = *state;

	if (b->io == NULL)
		SKIP("%s is not to be had here", b->engine);
	return b;
}

/* The next event, which must come. */
static struct io_event
next(struct io *io)
{
	struct io_event event = {0};
	int64_t deadline = clock_monotonic_ns() + 10 * SECOND;
	int n = 0;

	while (n == 0 && clock_monotonic_ns() < deadline)
		n = io_wait(io, &event, 1, SECOND);
	assert_int_equal(n, 1);
	return event;
}

static void
expect_nothing(struct io *io)
{
	struct io_event event;

	assert_int_equal(io_wait(io, &event, 1, 0), 0);
}

static void
expect(struct io *io, void *owner, enum io_kind kind, int result)
{
	struct io_event event = next(io);

	assert_ptr_equal(event.owner, owner);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.result, result);
	assert_false(event.more);
	assert_null(event.data);
}

/* Of a wait for room, which has no result. */
static void
expect_room(struct io *io, void *owner)
{
	struct io_event event = next(io);

	assert_ptr_equal(event.owner, owner);
	assert_int_equal(event.kind, IO_WRITABLE);
	assert_false(event.more);
}

static void
expect_piece(struct io *io, void *owner, const char *text)
{
	struct io_event event = next(io);

	assert_ptr_equal(event.owner, owner);
	assert_int_equal(event.kind, IO_RECEIVE);
	assert_int_equal(event.result, strlen(text));
	assert_true(event.more);
	assert_memory_equal(event.data, text, strlen(text));
	io_release(io, event.buffer);
}

static void
put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void
send_text(struct io *io, void *owner, int fd, struct iovec *part,
	const char *text)
{
	part->iov_base = (char *)text;
	part->iov_len = strlen(text);
	io_send(io, owner, fd, part, 1);
}

static int
listen_anywhere(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(
		bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

static int
connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)address, sizeof(*address)),
		0);
	return fd;
}

/* ------------------------------------------------------------- receiving */

static void
test_what_is_received_can_be_sent_back(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;
	struct iovec part;
	char text[16];

	io_receive(b->io, &owner, b->near);
	put(b->far, "hello");
	event = next(b->io);
	assert_int_equal(event.kind, IO_RECEIVE);
	assert_int_equal(event.result, 5);
	part.iov_base = event.data;
	part.iov_len = 5;
	io_send(b->io, &owner, b->near, &part, 1);
	expect(b->io, &owner, IO_SEND, 5);
	io_release(b->io, event.buffer);
	assert_int_equal(read(b->far, text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
}

static void
test_receiving_goes_on_until_end_of_file(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	char text[32];
	int i;

	io_receive(b->io, &owner, b->near);
	expect_nothing(b->io);
	for (i = 0; i < 5 * BUFFERS; i++) {
		snprintf(text, sizeof(text), "piece %d", i);
		put(b->far, text);
		expect_piece(b->io, &owner, text);
	}
	shutdown(b->far, SHUT_WR);
	expect(b->io, &owner, IO_RECEIVE, 0);
	expect_nothing(b->io);
}

/* Whether receiving goes on then is the engine's choice. */
static void
test_who_wants_the_first_piece_may_want_more(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;

	io_receive_once(b->io, &owner, b->near);
	expect_nothing(b->io);
	put(b->far, "first");
	event = next(b->io);
	assert_ptr_equal(event.owner, &owner);
	assert_int_equal(event.kind, IO_RECEIVE);
	assert_int_equal(event.result, 5);
	assert_memory_equal(event.data, "first", 5);
	io_release(b->io, event.buffer);
	put(b->far, "second");
	if (!event.more)
		io_receive(b->io, &owner, b->near);
	expect_piece(b->io, &owner, "second");
	put(b->far, "third");
	expect_piece(b->io, &owner, "third");
}

static void
test_receiving_the_first_piece_can_be_cancelled(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};

	io_receive_once(b->io, &owner, b->near);
	expect_nothing(b->io);
	io_cancel(b->io, &owner, IO_RECEIVE, b->near);
	expect(b->io, &owner, IO_RECEIVE, -ECANCELED);
	io_receive_once(b->io, &owner, b->near);
	shutdown(b->far, SHUT_WR);
	expect(b->io, &owner, IO_RECEIVE, 0);
	expect_nothing(b->io);
}

static void
test_more_than_a_buffer_holds_comes_in_pieces(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;
	char *text = malloc(3 * BUFFER_SIZE);
	size_t i, seen = 0;

	for (i = 0; i < 3 * BUFFER_SIZE; i++)
		text[i] = (char)(i % 251);
	assert_int_equal(write(b->far, text, 3 * BUFFER_SIZE), 3 * BUFFER_SIZE);
	io_receive(b->io, &owner, b->near);
	while (seen < 3 * BUFFER_SIZE) {
		event = next(b->io);
		assert_true(event.result > 0);
		assert_true(event.result <= BUFFER_SIZE);
		assert_memory_equal(
			event.data, text + seen, (size_t)event.result);
		seen += (size_t)event.result;
		io_release(b->io, event.buffer);
		if (!event.more)
			io_receive(b->io, &owner, b->near);
	}
	expect_nothing(b->io);
	free(text);
}

static void
test_without_buffers_receiving_ends_and_can_resume(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event held[BUFFERS], event;
	int i, j;

	io_receive(b->io, &owner, b->near);
	for (i = 0; i < BUFFERS; i++) {
		put(b->far, "x");
		held[i] = next(b->io);
		assert_int_equal(held[i].result, 1);
		assert_true(held[i].more);
		for (j = 0; j < i; j++)
			assert_ptr_not_equal(held[i].data, held[j].data);
	}
	put(b->far, "late");
	expect(b->io, &owner, IO_RECEIVE, -ENOBUFS);
	io_receive(b->io, &owner, b->near);
	expect(b->io, &owner, IO_RECEIVE, -ENOBUFS);
	io_release(b->io, held[3].buffer);
	io_receive(b->io, &owner, b->near);
	expect_piece(b->io, &owner, "late");
	put(b->far, "again");
	event = next(b->io);
	if (event.result == -ENOBUFS) { /* Linux 6.1: looked too early */
		assert_false(event.more);
		io_receive(b->io, &owner, b->near);
		event = next(b->io);
	}
	assert_int_equal(event.result, 5);
	assert_true(event.more);
	assert_memory_equal(event.data, "again", 5);
}

/* However few an engine begins with. */
static void
test_as_many_buffers_are_there_as_were_asked_for(void **state)
{
	enum { HELD = 64 };
	static const struct io_settings many = {
		.buffers = HELD, .buffer_size = BUFFER_SIZE};
	struct bench *b = bench_of(state);
	struct owner owners[HELD] = {0};
	struct err err = {0};
	struct io *io = NULL;
	char *held[HELD];
	int ends[HELD][2], n = 0;

	assert_int_equal(io_create(&io, b->engine, &many, &err), 0);
	for (int i = 0; i < HELD; i++) {
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
		put(ends[i][1], "x");
		io_receive(io, &owners[i], ends[i][0]);
	}
	while (n < HELD) {
		struct io_event event = next(io);
		struct owner *owner = event.owner;

		if (event.result == -ENOBUFS) {
			io_receive(io, owner, ends[owner - owners][0]);
			continue;
		}
		assert_int_equal(event.result, 1);
		for (int i = 0; i < n; i++)
			assert_ptr_not_equal(event.data, held[i]);
		held[n++] = event.data;
	}
	io_receive(io, &owners[0], b->near);
	put(b->far, "late");
	expect(io, &owners[0], IO_RECEIVE, -ENOBUFS);
	io_destroy(io);
	for (int i = 0; i < HELD; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void
test_a_reset_connection_says_so(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct linger at_once = {.l_onoff = 1};
	struct sockaddr_in address;
	int listener = listen_anywhere(&address);
	int far = connect_to(&address), near = accept(listener, NULL, NULL);

	io_receive(b->io, &owner, near);
	expect_nothing(b->io);
	setsockopt(far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(far);
	expect(b->io, &owner, IO_RECEIVE, -ECONNRESET);
	close(near);
	close(listener);
}

static void
test_what_is_not_a_socket_is_refused(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec part;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	put(pipes[1], "x");
	io_receive(b->io, &owner, pipes[0]);
	expect(b->io, &owner, IO_RECEIVE, -ENOTSOCK);
	send_text(b->io, &owner, pipes[1], &part, "y");
	expect(b->io, &owner, IO_SEND, -ENOTSOCK);
	close(pipes[0]);
	close(pipes[1]);
	io_receive(b->io, &owner, pipes[0]);
	expect(b->io, &owner, IO_RECEIVE, -EBADF);
}

static void
test_receiving_can_be_cancelled(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};

	io_receive(b->io, &owner, b->near);
	expect_nothing(b->io);
	io_cancel(b->io, &owner, IO_RECEIVE, b->near);
	expect(b->io, &owner, IO_RECEIVE, -ECANCELED);
	io_cancel(b->io, &owner, IO_RECEIVE, b->near);
	expect_nothing(b->io);
	/* and nothing of what comes then is lost */
	put(b->far, "later");
	expect_nothing(b->io);
	io_receive(b->io, &owner, b->near);
	expect_piece(b->io, &owner, "later");
}

/* Who gives a socket away while another thread owns the io relies on this. */
static void
test_what_is_cancelled_before_it_starts_never_starts(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	char text[8];

	put(b->far, "data");
	io_receive(b->io, &owner, b->near);
	io_cancel(b->io, &owner, IO_RECEIVE, b->near);
	expect(b->io, &owner, IO_RECEIVE, -ECANCELED);
	io_receive_once(b->io, &owner, b->near);
	io_cancel(b->io, &owner, IO_RECEIVE, b->near);
	expect(b->io, &owner, IO_RECEIVE, -ECANCELED);
	assert_int_equal(recv(b->near, text, sizeof(text), MSG_DONTWAIT), 4);
	expect_nothing(b->io);
}

/* What its client has said is known to nobody but the one who waits next. */
static void
test_there_is_no_room_while_a_piece_waits_to_be_taken(void **state)
{
	struct bench *b = bench_of(state);
	struct owner one = {0}, two = {0};
	struct io_event event;

	put(b->near, "near");
	put(b->far, "far");
	io_receive_once(b->io, &one, b->near);
	io_receive_once(b->io, &two, b->far);
	assert_true(io_room(b->io) > 0);
	event = next(b->io);
	assert_int_equal(event.result, 3);
	io_release(b->io, event.buffer);
	assert_int_equal(io_room(b->io), 0);
	event = next(b->io);
	assert_int_equal(event.result, 4);
	io_release(b->io, event.buffer);
	assert_true(io_room(b->io) > 0);
}

static void
count_withdrawn(void *arg, void *owner)
{
	(void)owner;
	(*(int *)arg)++;
}

static void
test_sends_that_nobody_knows_of_are_withdrawn_once(void **state)
{
	struct bench *b = bench_of(state);
	struct owner one = {0}, two = {0};
	struct iovec part;
	char text[16];
	int withdrawn = 0;

	send_text(b->io, &one, b->near, &part, "x");
	io_poll(b->io, &two, b->near);
	io_withdraw_sends(b->io, count_withdrawn, &withdrawn);
	io_withdraw_sends(b->io, count_withdrawn, &withdrawn);
	assert_int_equal(withdrawn, 1);
	expect(b->io, &one, IO_SEND, 0);
	assert_int_equal(recv(b->far, text, sizeof(text), MSG_DONTWAIT), -1);
	assert_true(io_room(b->io) > 0);
}

/* Or what is out already would be sent by other means once more. */
static void
test_there_is_no_room_while_nobody_knows_that_something_is_out(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec part;
	int withdrawn = 0;

	expect_nothing(b->io); /* from now on io is this thread's */
	send_text(b->io, &owner, b->near, &part, "xyz");
	assert_true(io_room(b->io) > 0);
	io_start(b->io);
	assert_int_equal(io_room(b->io), 0);
	io_withdraw_sends(b->io, count_withdrawn, &withdrawn);
	assert_int_equal(withdrawn, 0);
	expect(b->io, &owner, IO_SEND, 3);
	assert_true(io_room(b->io) > 0);
}

/* Data that has arrived when receiving is cancelled comes first, or stays in
 * the socket; the end comes exactly once either way. */
static void
test_a_cancellation_loses_no_data(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;
	char text[16];
	int i;

	for (i = 0; i < 200; i++) {
		io_receive(b->io, &owner, b->near);
		if (i % 2 == 0)
			expect_nothing(b->io);
		put(b->far, "x");
		io_cancel(b->io, &owner, IO_RECEIVE, b->near);
		event = next(b->io);
		if (event.result > 0) {
			assert_int_equal(event.result, 1);
			io_release(b->io, event.buffer);
			if (event.more)
				event = next(b->io);
		} else {
			assert_int_equal(read(b->near, text, 16), 1);
		}
		assert_false(event.more);
		expect_nothing(b->io);
	}
}

static void
test_a_piece_that_was_not_taken_survives_a_cancellation(void **state)
{
	struct bench *b = bench_of(state);
	struct owner one = {1}, two = {2};
	struct io_event event;
	int i, pieces = 0;

	/* Two operations complete in one turn; one event is taken. */
	io_receive(b->io, &one, b->near);
	io_receive(b->io, &two, b->far);
	expect_nothing(b->io);
	put(b->far, "a");
	put(b->near, "b");
	event = next(b->io);
	assert_int_equal(event.result, 1);
	io_release(b->io, event.buffer);
	io_cancel(b->io, &one, IO_RECEIVE, b->near);
	io_cancel(b->io, &two, IO_RECEIVE, b->far);
	for (i = 0; i < 3; i++) {
		event = next(b->io);
		if (event.result > 0) {
			pieces++;
			io_release(b->io, event.buffer);
		} else {
			assert_int_equal(event.result, -ECANCELED);
		}
	}
	assert_int_equal(pieces, 1);
	expect_nothing(b->io);
}

static void
test_a_shut_down_socket_ends_receiving(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};

	io_receive(b->io, &owner, b->near);
	expect_nothing(b->io);
	shutdown(b->near, SHUT_RDWR);
	expect(b->io, &owner, IO_RECEIVE, 0);
}

/* --------------------------------------------------------------- sending */

static void
test_parts_are_sent_in_order(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec parts[200];
	char text[600], expected[600];
	size_t len = 0;
	int i;

	for (i = 0; i < 200; i++) {
		parts[i].iov_base = expected + len;
		parts[i].iov_len = (size_t)(i % 3);
		len += (size_t)(i % 3);
	}
	for (i = 0; i < (int)len; i++)
		expected[i] = (char)i;
	io_send(b->io, &owner, b->near, parts, 200);
	expect(b->io, &owner, IO_SEND, (int)len);
	assert_int_equal(read(b->far, text, sizeof(text)), len);
	assert_memory_equal(text, expected, len);
}

static void
test_nothing_can_be_sent(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec parts[2] = {{"", 0}, {"", 0}};
	unsigned n;

	for (n = 0; n <= 2; n++) {
		io_send(b->io, &owner, b->near, parts, n);
		expect(b->io, &owner, IO_SEND, 0);
	}
}

struct reader {
	int fd;
	size_t len;
	bool right;
};

static void *
read_slowly(void *argument)
{
	struct reader *r = argument;
	char text[10007];
	ssize_t i, n;

	r->right = true;
	while ((n = read(r->fd, text, sizeof(text))) > 0) {
		for (i = 0; i < n; i++)
			if (text[i] != (char)((r->len + (size_t)i) % 251))
				r->right = false;
		r->len += (size_t)n;
		sched_yield();
	}
	return NULL;
}

/* What is left of the parts, behind len bytes of them, and how many that are. */
static unsigned
step_over(struct iovec **parts, unsigned n, size_t len)
{
	for (; n > 0 && len >= (*parts)->iov_len; n--)
		len -= (*parts)++->iov_len;
	if (n > 0) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + len;
		(*parts)->iov_len -= len;
	}
	return n;
}

/* As who sends much does: each completion is a part of it, or there is no room. */
static void
send_on(struct bench *b, struct owner *owner, struct iovec *parts, unsigned n)
{
	while (n > 0) {
		struct io_event event = next(b->io);

		assert_ptr_equal(event.owner, owner);
		assert_int_equal(event.kind, IO_SEND);
		if (event.result == -EAGAIN) {
			io_writable(b->io, owner, b->near);
			expect_room(b->io, owner);
		} else {
			assert_true(event.result > 0);
			n = step_over(&parts, n, (size_t)event.result);
		}
		if (n > 0)
			io_send(b->io, owner, b->near, parts, n);
	}
}

static void
send_much(struct bench *b, unsigned n_parts)
{
	enum { SIZE = 8 << 20 };
	struct reader reader = {.fd = b->far};
	struct owner owner = {0};
	struct iovec *parts = calloc(n_parts, sizeof(*parts));
	char *text = malloc(SIZE);
	pthread_t thread;
	unsigned i;

	for (i = 0; i < SIZE; i++)
		text[i] = (char)(i % 251);
	for (i = 0; i < n_parts; i++) {
		parts[i].iov_base = text + (size_t)SIZE / n_parts * i;
		parts[i].iov_len = SIZE / n_parts;
	}
	io_send(b->io, &owner, b->near, parts, n_parts);
	pthread_create(&thread, NULL, read_slowly, &reader);
	send_on(b, &owner, parts, n_parts);
	shutdown(b->near, SHUT_WR);
	pthread_join(thread, NULL);
	assert_int_equal(reader.len, SIZE);
	assert_true(reader.right);
	free(text);
	free(parts);
}

static void
test_a_slow_reader_gets_all_of_it(void **state)
{
	static const unsigned parts[] = {1, 2, 1024};
	struct bench *b = bench_of(state);
	size_t i;
	int ends[2];

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		send_much(b, parts[i]);
		close(b->near);
		close(b->far);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		b->near = ends[0];
		b->far = ends[1];
	}
}

static void
test_sending_to_nobody_fails_without_a_signal(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec part;
	struct io_event event;

	signal(SIGPIPE, SIG_DFL);
	close(b->far);
	b->far = -1;
	send_text(b->io, &owner, b->near, &part, "hello");
	event = next(b->io);
	assert_int_equal(event.kind, IO_SEND);
	assert_true(event.result == -EPIPE || event.result == -ECONNRESET);
}

/* Until there is room for not one byte more. */
static void
fill(struct bench *b)
{
	static char bytes[65536];

	while (send(b->near, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	while (send(b->near, bytes, 1, MSG_DONTWAIT) > 0)
		continue;
}

static size_t
drain(struct bench *b)
{
	static char bytes[65536];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(b->far, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	return len;
}

static void
test_what_has_room_is_sent_and_the_rest_comes_back(void **state)
{
	enum { SIZE = 8 << 20 };
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec part = {calloc(1, SIZE), SIZE};
	struct io_event event;

	io_send(b->io, &owner, b->near, &part, 1);
	event = next(b->io);
	assert_int_equal(event.kind, IO_SEND);
	assert_in_range(event.result, 1, SIZE - 1);
	expect_nothing(b->io);
	assert_int_equal(drain(b), event.result);
	expect_nothing(b->io);
	free(part.iov_base);
}

/* Another thread may send it then.  Who has closed his half waits for the answer as
 * everybody does: the kernel is not to send it behind our back. */
static void
test_a_send_without_room_comes_back(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec part = {"word", 4};

	for (int half = 0; half < 2; half++) {
		if (half)
			shutdown(b->far, SHUT_WR);
		fill(b);
		io_send(b->io, &owner, b->near, &part, 1);
		expect(b->io, &owner, IO_SEND, -EAGAIN);
		drain(b);
		expect_nothing(b->io);
		assert_int_equal(drain(b), 0);
		io_send(b->io, &owner, b->near, &part, 1);
		expect(b->io, &owner, IO_SEND, 4);
		assert_int_equal(drain(b), 4);
	}
}

static void
test_a_peer_that_leaves_ends_a_wait_for_room(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec part = {"word", 4};
	struct io_event event;

	fill(b);
	io_writable(b->io, &owner, b->near);
	expect_nothing(b->io);
	close(b->far);
	b->far = -1;
	expect_room(b->io, &owner);
	io_send(b->io, &owner, b->near, &part, 1);
	event = next(b->io);
	assert_int_equal(event.kind, IO_SEND);
	assert_true(event.result == -EPIPE || event.result == -ECONNRESET);
	expect_nothing(b->io);
}

/* It is no room that he has closed his half. */
static void
test_room_is_waited_for_with_a_peer_that_says_no_more(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};

	for (int i = 0; i < 2; i++) { /* while it is waited for, and before */
		fill(b);
		io_writable(b->io, &owner, b->near);
		expect_nothing(b->io);
		if (i == 0)
			shutdown(b->far, SHUT_WR);
		expect_nothing(b->io);
		expect_nothing(b->io);
		drain(b);
		expect_room(b->io, &owner);
		expect_nothing(b->io);
	}
	fill(b);
	io_writable(b->io, &owner, b->near);
	expect_nothing(b->io);
	io_cancel(b->io, &owner, IO_WRITABLE, b->near);
	expect_room(b->io, &owner);
	drain(b);
	expect_nothing(b->io);
}

/* Once: bytes, which stay, or the end. */
static void
test_who_reads_himself_is_told_when_there_is_something(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;
	char bytes[8];

	io_readable(b->io, &owner, b->near);
	expect_nothing(b->io);
	put(b->far, "word");
	event = next(b->io);
	assert_ptr_equal(event.owner, &owner);
	assert_int_equal(event.kind, IO_READABLE);
	assert_true(event.result > 0);
	expect_nothing(b->io);
	assert_int_equal(recv(b->near, bytes, sizeof(bytes), 0), 4);
	io_readable(b->io, &owner, b->near);
	expect_nothing(b->io);
	io_cancel(b->io, &owner, IO_READABLE, b->near);
	expect(b->io, &owner, IO_READABLE, -ECANCELED);
	put(b->far, "more");
	expect_nothing(b->io);
	assert_int_equal(recv(b->near, bytes, sizeof(bytes), 0), 4);
	shutdown(b->far, SHUT_WR);
	io_readable(b->io, &owner, b->near);
	event = next(b->io);
	assert_int_equal(event.kind, IO_READABLE);
	assert_int_equal(recv(b->near, bytes, sizeof(bytes), 0), 0);
}

static void
test_sending_and_receiving_do_not_wait_for_each_other(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct iovec part = {"word", 4};

	fill(b);
	io_receive(b->io, &owner, b->near);
	io_writable(b->io, &owner, b->near);
	expect_nothing(b->io);
	put(b->far, "while you speak");
	expect_piece(b->io, &owner, "while you speak");
	drain(b);
	expect_room(b->io, &owner);
	io_send(b->io, &owner, b->near, &part, 1);
	expect(b->io, &owner, IO_SEND, 4);
	assert_int_equal(drain(b), 4);
	put(b->far, "and after");
	expect_piece(b->io, &owner, "and after");
}

static void
test_hundreds_can_be_started_at_once(void **state)
{
	enum { PAIRS = 400, OPERATIONS = 3 * PAIRS };
	struct bench *b = bench_of(state);
	struct owner *owners = aligned_alloc(16, PAIRS * sizeof(*owners));
	struct iovec *parts = calloc(PAIRS * 2, sizeof(*parts));
	struct io_event events[MANY];
	int(*ends)[2] = calloc(PAIRS, sizeof(*ends));
	int i, n, sent = 0, received = 0, cancelled = 0;

	for (i = 0; i < PAIRS; i++) {
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
		owners[i].number = 0;
		parts[2 * i].iov_base = parts[2 * i + 1].iov_base = &i;
		parts[2 * i].iov_len = parts[2 * i + 1].iov_len = 2;
	}
	for (i = 0; i < PAIRS; i++) {
		io_poll(b->io, &owners[i], ends[i][0]);
		io_send(b->io, &owners[i], ends[i][0], &parts[2 * i], 2);
		io_receive(b->io, &owners[i], ends[i][1]);
	}
	while (sent < PAIRS || received < PAIRS || cancelled < PAIRS) {
		n = io_wait(b->io, events, MANY, 10 * SECOND);
		assert_true(n > 0);
		for (i = 0; i < n; i++) {
			struct owner *owner = events[i].owner;
			long at = owner - owners;

			if (events[i].kind == IO_SEND) {
				assert_int_equal(events[i].result, 4);
				sent++;
			} else if (events[i].result == -ENOBUFS) {
				io_receive(b->io, owner, ends[at][1]);
			} else if (events[i].kind == IO_POLL) {
				assert_int_equal(events[i].result, -ECANCELED);
				cancelled++;
			} else {
				assert_int_equal(events[i].result, 4);
				io_release(b->io, events[i].buffer);
				received++;
				io_cancel(b->io, owner, IO_POLL, ends[at][0]);
			}
		}
	}
	for (i = 0; i < PAIRS; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	free(ends);
	free(parts);
	free(owners);
}

static void
test_more_completions_than_a_ring_holds_are_kept(void **state)
{
	enum { SENDS = 6000 };
	struct bench *b = bench_of(state);
	struct owner *owners = aligned_alloc(16, SENDS * sizeof(*owners));
	struct io_event events[MANY];
	int i, n, seen = 0;

	for (i = 0; i < SENDS; i++) {
		owners[i].number = 0;
		io_send(b->io, &owners[i], b->near, NULL, 0);
		io_start(b->io); /* one at a time on a socket */
	}
	while (seen < SENDS) {
		n = io_wait(b->io, events, MANY, 10 * SECOND);
		assert_true(n > 0);
		for (i = 0; i < n; i++) {
			struct owner *owner = events[i].owner;

			assert_int_equal(events[i].result, 0);
			assert_int_equal(owner->number++, 0);
		}
		seen += n;
	}
	expect_nothing(b->io);
	assert_false(io_pending(b->io));
	free(owners);
}

/* ------------------------------------------------------------- accepting */

static void
test_a_connection_is_accepted(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct sockaddr_in address;
	struct io_event event;
	int listener = listen_anywhere(&address);
	int i, client;

	for (i = 0; i < 3; i++) { /* before and after it is asked for */
		if (i == 1)
			client = connect_to(&address);
		io_accept(b->io, &owner, listener);
		if (i != 1) {
			expect_nothing(b->io);
			client = connect_to(&address);
		}
		event = next(b->io);
		assert_ptr_equal(event.owner, &owner);
		assert_int_equal(event.kind, IO_ACCEPT);
		assert_true(event.result >= 0);
		assert_false(event.more);
		assert_int_equal(
			fcntl(event.result, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_int_equal(fcntl(event.result, F_GETFL) & O_NONBLOCK, 0);
		close(event.result);
		close(client);
	}
	close(listener);
}

static void
test_one_accept_takes_one_connection(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct sockaddr_in address;
	struct io_event event;
	int listener = listen_anywhere(&address);
	int first = connect_to(&address), second = connect_to(&address);

	io_accept(b->io, &owner, listener);
	event = next(b->io);
	assert_true(event.result >= 0);
	close(event.result);
	expect_nothing(b->io);
	io_accept(b->io, &owner, listener);
	event = next(b->io);
	assert_true(event.result >= 0);
	close(event.result);
	close(first);
	close(second);
	close(listener);
}

/* As it is when another process of the pool uses epoll. */
static void
test_a_listener_that_does_not_block_is_waited_for(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct sockaddr_in address;
	struct io_event event;
	int listener = listen_anywhere(&address), client;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	io_accept(b->io, &owner, listener);
	expect_nothing(b->io);
	client = connect_to(&address);
	event = next(b->io);
	assert_true(event.result >= 0);
	close(event.result);
	close(client);
	close(listener);
}

static void
test_a_cancelled_accept_takes_no_connection(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct sockaddr_in address;
	int listener = listen_anywhere(&address);
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	int client;

	io_accept(b->io, &owner, listener);
	expect_nothing(b->io);
	io_cancel(b->io, &owner, IO_ACCEPT, listener);
	expect(b->io, &owner, IO_ACCEPT, -ECANCELED);
	client = connect_to(&address);
	expect_nothing(b->io);
	assert_int_equal(poll(&ready, 1, 0), 1);
	close(client);
	close(listener);
}

/* Whatever the order: one completion, and the connection is in it or in the
 * backlog. */
static void
test_an_accept_cancelled_in_the_last_moment_loses_nothing(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct sockaddr_in address;
	struct io_event event;
	int listener = listen_anywhere(&address);
	int i, client, fd;

	for (i = 0; i < 100; i++) {
		io_accept(b->io, &owner, listener);
		if (i % 2 == 0)
			expect_nothing(b->io);
		client = connect_to(&address);
		io_cancel(b->io, &owner, IO_ACCEPT, listener);
		event = next(b->io);
		fd = event.result;
		if (fd < 0) {
			assert_int_equal(fd, -ECANCELED);
			fd = accept(listener, NULL, NULL);
		}
		assert_true(fd >= 0);
		expect_nothing(b->io);
		close(fd);
		close(client);
	}
	close(listener);
}

/* Who has asked for an accept asks for it no longer than one turn, and in each he
 * has something to send. */
static void
test_an_accept_has_its_turn_however_much_is_sent(void **state)
{
	struct bench *b = bench_of(state);
	struct owner one = {0}, two = {0};
	struct sockaddr_in address;
	struct io_event event, of_send;
	struct iovec part;
	int listener = listen_anywhere(&address);
	int client = connect_to(&address);

	io_poll(b->io, &one, listener);
	expect(b->io, &one, IO_POLL, POLLIN);
	send_text(b->io, &two, b->near, &part, "x");
	io_accept(b->io, &one, listener);
	of_send = next(b->io);
	io_cancel(b->io, &one, IO_ACCEPT, listener);
	event = next(b->io);
	if (event.kind == IO_SEND) {
		struct io_event first = of_send;

		of_send = event;
		event = first;
	}
	assert_int_equal(of_send.kind, IO_SEND);
	assert_int_equal(event.kind, IO_ACCEPT);
	assert_true(event.result >= 0);
	close(event.result);
	close(client);
	close(listener);
}

static void
test_a_socket_that_does_not_listen_is_refused(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};

	shutdown(b->near, SHUT_RDWR);
	io_accept(b->io, &owner, b->near);
	expect(b->io, &owner, IO_ACCEPT, -EINVAL);
}

/* --------------------------------------------------------------- polling */

static void
test_room_for_more_can_be_waited_for(void **state)
{
	static char bytes[65536];
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;

	io_writable(b->io, &owner, b->near);
	expect_room(b->io, &owner);
	while (send(b->near, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	io_writable(b->io, &owner, b->near);
	assert_int_equal(io_wait(b->io, &event, 1, 0), 0);
	while (recv(b->far, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	expect_room(b->io, &owner);

	while (send(b->near, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	io_writable(b->io, &owner, b->near);
	assert_int_equal(io_wait(b->io, &event, 1, 0), 0);
	io_cancel(b->io, &owner, IO_WRITABLE, b->near);
	expect_room(b->io, &owner);
}

static void
test_an_epoll_set_can_be_polled(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct epoll_event event = {.events = EPOLLIN};
	int set = epoll_create1(EPOLL_CLOEXEC);
	char byte;
	int i;

	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, b->near, &event), 0);
	for (i = 0; i < 3; i++) {
		io_poll(b->io, &owner, set);
		expect_nothing(b->io);
		put(b->far, "x");
		expect(b->io, &owner, IO_POLL, POLLIN);
		expect_nothing(b->io); /* once */
		io_poll(b->io, &owner, set);
		expect(b->io, &owner, IO_POLL, POLLIN);
		assert_int_equal(read(b->near, &byte, 1), 1);
	}
	io_poll(b->io, &owner, set);
	expect_nothing(b->io);
	io_cancel(b->io, &owner, IO_POLL, set);
	expect(b->io, &owner, IO_POLL, -ECANCELED);
	put(b->far, "x");
	expect_nothing(b->io);
	close(set);
}

static void
test_a_wait_for_several_ends_with_the_first_and_can_be_cancelled(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0}, other = {0};
	int set = epoll_create1(EPOLL_CLOEXEC), ends[2][2], near[2];
	char byte;

	for (int i = 0; i < 2; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
		near[i] = ends[i][0];
		assert_int_equal(
			epoll_ctl(set, EPOLL_CTL_ADD, near[i], &event), 0);
	}
	for (int i = 0; i < 2; i++) {
		io_poll_set(b->io, &owner, set, near, 2);
		expect_nothing(b->io);
		put(ends[i][1], "x");
		expect(b->io, &owner, IO_POLL, POLLIN);
		put(ends[1 - i][1], "x");
		expect_nothing(b->io); /* once */
		io_poll_set(b->io, &owner, set, near, 2);
		expect(b->io, &owner, IO_POLL, POLLIN);
		for (int k = 0; k < 2; k++)
			assert_int_equal(read(near[k], &byte, 1), 1);
	}
	io_poll_set(b->io, &owner, set, near, 2);
	expect_nothing(b->io);
	io_cancel(b->io, &owner, IO_POLL, set);
	expect(b->io, &owner, IO_POLL, -ECANCELED);
	put(ends[1][1], "x");
	expect_nothing(b->io);
	io_poll(b->io, &other, near[1]); /* nobody has it any more */
	expect(b->io, &other, IO_POLL, POLLIN);
	for (int i = 0; i < 2; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close(set);
}

static void
test_a_closed_peer_is_readable(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;

	io_poll(b->io, &owner, b->near);
	expect_nothing(b->io);
	close(b->far);
	b->far = -1;
	event = next(b->io);
	assert_int_equal(event.kind, IO_POLL);
	assert_true(event.result > 0);
	assert_int_equal(event.result & POLLHUP, POLLHUP);
}

/* --------------------------------------------------- several processes */

/* Until the process sleeps, in the wait that is the only place for it. */
static void
await_sleep(pid_t pid)
{
	char path[64], text[512], *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (;;) {
		file = fopen(path, "re");
		assert_non_null(file);
		assert_non_null(fgets(text, sizeof(text), file));
		fclose(file);
		state = strrchr(text, ')');
		assert_non_null(state);
		assert_true(state[2] != 'Z');
		if (state[2] == 'S')
			return;
		sched_yield();
	}
}

/* A child that waits for fd to become readable, or for the set that holds it.
 * It exits with 1 if it was woken, with 0 if told to stop: that is, when stop
 * has no more writers. */
static pid_t
fork_waiter(const char *engine, int set, int fd, int stop)
{
	struct owner readable = {1}, told = {2};
	struct io_event event = {0};
	struct io *io;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	alarm(60);
	io = make_io(engine);
	if (io == NULL)
		_exit(2);
	io_receive(io, &told, stop);
	if (set >= 0)
		io_poll_set(io, &readable, set, &fd, 1);
	else
		io_poll(io, &readable, fd);
	if (io_wait(io, &event, 1, -1) != 1)
		_exit(3);
	_exit(event.owner == &readable);
}

static int
count_woken(struct bench *b, int set, int fd, int writer)
{
	enum { CHILDREN = 4 };
	pid_t pids[CHILDREN];
	int i, status, stop[2], woken = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stop), 0);
	for (i = 0; i < CHILDREN; i++) {
		pids[i] = fork_waiter(b->engine, set, fd, stop[0]);
		await_sleep(pids[i]);
	}
	put(writer, "x");
	assert_true(waitpid(-1, &status, 0) > 0);
	woken += WEXITSTATUS(status);
	shutdown(stop[1], SHUT_WR);
	for (i = 1; i < CHILDREN; i++) {
		assert_true(waitpid(-1, &status, 0) > 0);
		assert_true(WIFEXITED(status));
		woken += WEXITSTATUS(status);
	}
	close(stop[0]);
	close(stop[1]);
	return woken;
}

static void
test_one_of_several_processes_is_woken(void **state)
{
	struct bench *b = bench_of(state);

	assert_int_equal(count_woken(b, -1, b->near, b->far), 1);
}

static void
test_one_of_several_that_wait_for_an_epoll_set_is_woken(void **state)
{
	struct bench *b = bench_of(state);
	struct epoll_event event = {.events = EPOLLIN};
	int set = epoll_create1(EPOLL_CLOEXEC);

	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, b->near, &event), 0);
	assert_int_equal(count_woken(b, set, b->near, b->far), 1);
	close(set);
}

enum { DOORS = 3 };

/* What acceptors wait for: one listener, or a set of several. */
struct doors {
	int set; /* or -1 */
	int listeners[DOORS];
	struct sockaddr_in addresses[DOORS];
	size_t n;
};

static void
open_doors(struct doors *d, size_t n)
{
	d->n = n;
	d->set = n > 1 ? epoll_create1(EPOLL_CLOEXEC) : -1;
	for (size_t i = 0; i < n; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		d->listeners[i] = listen_anywhere(&d->addresses[i]);
		if (d->set < 0)
			continue;
		fcntl(d->listeners[i], F_SETFL, O_NONBLOCK);
		assert_int_equal(epoll_ctl(d->set, EPOLL_CTL_ADD,
					 d->listeners[i], &event),
			0);
	}
}

static void
close_doors(struct doors *d)
{
	for (size_t i = 0; i < d->n; i++)
		close(d->listeners[i]);
	if (d->set >= 0)
		close(d->set);
}

static void
wait_at(struct io *io, void *owner, const struct doors *d)
{
	if (d->set >= 0)
		io_poll_set(io, owner, d->set, d->listeners, d->n);
	else
		io_accept(io, owner, d->listeners[0]);
}

/* A connection, or a negative errno. */
static int
take_from(const struct doors *d, const struct io_event *event)
{
	int fd = -1;

	if (d->set < 0 || event->result < 0)
		return event->result;
	for (size_t i = 0; fd < 0 && i < d->n; i++)
		fd = accept(d->listeners[i], NULL, NULL);
	return fd < 0 ? -errno : fd;
}

/* A child that takes connections, one at a time, and counts them. */
static pid_t
fork_acceptor(const char *engine, const struct doors *doors,
	volatile int *count, int stop)
{
	struct owner accepting = {1}, told = {2};
	struct io_event event = {0};
	struct io *io;
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	alarm(60);
	io = make_io(engine);
	if (io == NULL)
		_exit(2);
	io_receive(io, &told, stop);
	for (;;) {
		wait_at(io, &accepting, doors);
		while (io_wait(io, &event, 1, -1) == 0)
			;
		if (event.owner == &told)
			_exit(0);
		fd = take_from(doors, &event);
		if (fd < 0)
			_exit(3);
		++*count;
		close(fd);
	}
}

static void
spread(struct bench *b, struct doors *doors)
{
	enum { CHILDREN = 4, CONNECTIONS = 200, FAIR = 45 };
	volatile int *counts = mmap(NULL, CHILDREN * sizeof(*counts),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i, j, client, status;
	char byte;
	pid_t pids[CHILDREN];

	for (i = 0; i < CHILDREN; i++) {
		pids[i] = fork_acceptor(b->engine, doors, &counts[i], b->near);
		await_sleep(pids[i]);
	}
	for (i = 0; i < CONNECTIONS; i++) {
		for (j = 0; j < CHILDREN; j++)
			await_sleep(pids[j]);
		client = connect_to(&doors->addresses[(size_t)i % doors->n]);
		assert_int_equal(read(client, &byte, 1), 0);
		close(client);
	}
	shutdown(b->far, SHUT_WR);
	for (i = 0; i < CHILDREN; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	print_message("%s: %d/%d/%d/%d\n", b->engine, counts[0], counts[1],
		counts[2], counts[3]);
	assert_int_equal(
		counts[0] + counts[1] + counts[2] + counts[3], CONNECTIONS);
	for (i = 0; i < CHILDREN; i++)
		assert_true(counts[i] >= FAIR);
	munmap((void *)counts, CHILDREN * sizeof(*counts));
}

static void
test_connections_spread_over_idle_processes(void **state)
{
	struct bench *b = bench_of(state);
	struct doors doors;

	open_doors(&doors, 1);
	spread(b, &doors);
	close_doors(&doors);
}

static void
test_connections_of_several_listeners_spread_as_well(void **state)
{
	struct bench *b = bench_of(state);
	struct doors doors;

	open_doors(&doors, DOORS);
	spread(b, &doors);
	close_doors(&doors);
}

static void
test_a_forked_process_has_what_was_received(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;
	int status;
	pid_t pid;

	assert_int_equal(fcntl(io_fd(b->io), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	io_receive(b->io, &owner, b->near);
	put(b->far, "mine");
	event = next(b->io);
	pid = fork();
	if (pid == 0)
		_exit(memcmp(event.data, "mine", 4) == 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	io_release(b->io, event.buffer);
	put(b->far, "still");
	expect_piece(b->io, &owner, "still");
}

/* --------------------------------------------------------------- waiting */

static void
test_a_wait_ends_in_time(void **state)
{
	static const int64_t timeouts[] = {0, 1, 50000, 20 * MILLISECOND};
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;
	int64_t before, passed;
	size_t i;
	int tries;

	io_receive(b->io, &owner, b->near);
	for (i = 0; i < ARRAY_LEN(timeouts); i++) {
		/* A ring that goes away interrupts its thread once or twice
		 * more, so a wait may end early, but not again and again. */
		tries = 0;
		do {
			before = clock_monotonic_ns();
			assert_int_equal(
				io_wait(b->io, &event, 1, timeouts[i]), 0);
			passed = clock_monotonic_ns() - before;
		} while (passed < timeouts[i] && ++tries < 10);
		assert_true(passed >= timeouts[i]);
		assert_true(passed < 5 * SECOND);
	}
}

static void *
write_later(void *argument)
{
	int *fd = argument;
	struct pollfd nothing = {.fd = -1};

	poll(&nothing, 1, 20);
	return write(*fd, "x", 1) == 1 ? NULL : argument;
}

/* Wait until so much time has passed or there is an event; what there was. */
static int
wait_for(struct bench *b, int64_t timeout_ns)
{
	int64_t until_ns = clock_monotonic_ns() + timeout_ns, left = timeout_ns;
	struct io_event event;
	int n = 0;

	for (; n == 0 && left > 0; left = until_ns - clock_monotonic_ns())
		n = io_wait(b->io, &event, 1, left);
	return n;
}

/* One that ends before its time leaves nothing that a later one would miss, be
 * that due sooner or later. */
static void
test_waits_of_all_lengths_follow_each_other(void **state)
{
	static const int64_t timeouts[] = {100 * SECOND, 200 * MILLISECOND,
		5 * SECOND, 20 * MILLISECOND, 150 * MILLISECOND, 100 * SECOND,
		300 * MILLISECOND};
	struct bench *b = bench_of(state);
	struct owner owner;

	for (size_t i = 0; i < ARRAY_LEN(timeouts); i++) {
		int64_t begin = clock_monotonic_ns();

		assert_int_equal(write(b->far, "x", 1), 1);
		io_poll(b->io, &owner, b->near);
		assert_int_equal(wait_for(b, timeouts[i]), 1);
		assert_in_range(clock_monotonic_ns() - begin, 0, 4 * SECOND);
		if (timeouts[i] >= SECOND)
			continue;
		begin = clock_monotonic_ns();
		assert_int_equal(wait_for(b, timeouts[i]), 0);
		assert_in_range(clock_monotonic_ns() - begin, timeouts[i],
			4 * SECOND);
	}
}

static void
test_a_wait_without_timeout_ends_with_an_event(void **state)
{
	struct bench *b = bench_of(state);
	struct owner owner = {0};
	struct io_event event;
	pthread_t thread;
	int n;

	io_receive(b->io, &owner, b->near);
	pthread_create(&thread, NULL, write_later, &b->far);
	while ((n = io_wait(b->io, &event, 1, -1)) == 0)
		;
	pthread_join(thread, NULL);
	assert_int_equal(n, 1);
	assert_int_equal(event.result, 1);
}

static volatile sig_atomic_t rang;

static void
on_alarm(int number)
{
	(void)number;
	rang = 1;
}

static void
test_a_signal_ends_a_wait(void **state)
{
	struct bench *b = bench_of(state);
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval soon = {.it_value = {0, 20000}};
	struct owner owner = {0};
	struct io_event event;

	io_receive(b->io, &owner, b->near);
	rang = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (!rang)
		assert_int_equal(io_wait(b->io, &event, 1, -1), 0);
	signal(SIGALRM, SIG_DFL);
	put(b->far, "x");
	expect_piece(b->io, &owner, "x");
}

static void
test_events_that_do_not_fit_stay(void **state)
{
	struct bench *b = bench_of(state);
	struct owner one = {1}, two = {2};
	struct iovec parts[2];

	assert_false(io_pending(b->io));
	send_text(b->io, &one, b->near, &parts[0], "a");
	send_text(b->io, &two, b->far, &parts[1], "bc");
	expect(b->io, &one, IO_SEND, 1);
	assert_true(io_pending(b->io));
	expect(b->io, &two, IO_SEND, 2);
	assert_false(io_pending(b->io));
}

/* Somebody who sends on and on does not keep the others waiting. */
static void
test_nobody_is_starved(void **state)
{
	struct bench *b = bench_of(state);
	struct owner one = {1}, two = {2};
	struct io_event event;
	struct iovec part;
	int ends[2], turns;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	io_receive(b->io, &two, ends[0]);
	put(ends[1], "x");
	for (turns = 0; turns < 100; turns++) {
		send_text(b->io, &one, b->near, &part, "y");
		event = next(b->io);
		if (event.owner == &two)
			break;
		assert_int_equal(read(b->far, &byte, 1), 1);
	}
	assert_true(turns < 100);
	close(ends[0]);
	close(ends[1]);
}

static void
test_a_descriptor_may_come_again(void **state)
{
	struct bench *b = bench_of(state);
	struct owner one = {1}, two = {2};
	int ends[2], number = b->near;

	io_receive(b->io, &one, b->near);
	expect_nothing(b->io);
	io_cancel(b->io, &one, IO_RECEIVE, b->near);
	expect(b->io, &one, IO_RECEIVE, -ECANCELED);
	close(b->near);
	close(b->far);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	b->near = ends[0];
	b->far = ends[1];
	assert_int_equal(b->near, number);
	io_receive(b->io, &two, b->near);
	io_cancel(b->io, &one, IO_RECEIVE, b->near); /* not this one */
	put(b->far, "new");
	expect_piece(b->io, &two, "new");
}

static void *
serve_once(void *argument)
{
	struct bench *b = argument;
	struct owner owner = {0};
	struct io_event event;
	int rc;

	io_receive(b->io, &owner, b->near);
	rc = io_wait(b->io, &event, 1, 10 * SECOND);
	io_destroy(b->io);
	b->io = NULL;
	return rc == 1 && event.result == 1 ? argument : NULL;
}

static void
test_another_thread_than_the_maker_may_use_it(void **state)
{
	struct bench *b = bench_of(state);
	pthread_t thread;
	void *ret;

	put(b->far, "x");
	pthread_create(&thread, NULL, serve_once, b);
	pthread_join(thread, &ret);
	assert_ptr_equal(ret, b);
}

/* ------------------------------------------------------------- creation */

static void
test_names(void **state)
{
	static const char *const names[] = {"io_uring", "epoll"};
	struct io *io = NULL;
	struct err err = {0};
	int rc;

	(void)state;
	assert_int_equal(io_create(&io, "nonsense", &settings, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nonsense"));
	assert_non_null(strstr(err.text, "epoll"));
	assert_null(io);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		rc = io_create(&io, names[i], &settings, &err);
		if (rc < 0) {
			assert_int_equal(err.code, -rc);
			print_message("%d: %s\n", rc, err.text);
			assert_true(rc == -EPERM || rc == -ENOSYS ||
				    rc == -ENOMEM || rc == -EINVAL);
			continue;
		}
		assert_string_equal(io_name(io), names[i]);
		io_destroy(io);
	}
	io_destroy(NULL);
}

static void
test_settings_that_make_no_sense_are_refused(void **state)
{
	static const struct io_settings wrong[] = {
		{0, 4096},
		{3, 4096},
		{65536, 16},
		{8, 0},
		{8, 1u << 30},
	};
	struct io *io = NULL;
	struct err err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(
			io_create(&io, "epoll", &wrong[i], &err), -EINVAL);
	assert_null(io);
}

#define TEST(f)                                                       \
	{#f " (io_uring)", f, set_up, tear_down, (void *)"io_uring"}, \
	{                                                             \
#f " (epoll)", f, set_up, tear_down, (void *)"epoll"  \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_settings_that_make_no_sense_are_refused),
		TEST(test_what_is_received_can_be_sent_back),
		TEST(test_receiving_goes_on_until_end_of_file),
		TEST(test_who_wants_the_first_piece_may_want_more),
		TEST(test_receiving_the_first_piece_can_be_cancelled),
		TEST(test_more_than_a_buffer_holds_comes_in_pieces),
		TEST(test_without_buffers_receiving_ends_and_can_resume),
		TEST(test_as_many_buffers_are_there_as_were_asked_for),
		TEST(test_a_reset_connection_says_so),
		TEST(test_what_is_not_a_socket_is_refused),
		TEST(test_receiving_can_be_cancelled),
		TEST(test_what_is_cancelled_before_it_starts_never_starts),
		TEST(test_there_is_no_room_while_a_piece_waits_to_be_taken),
		TEST(test_sends_that_nobody_knows_of_are_withdrawn_once),
		TEST(test_there_is_no_room_while_nobody_knows_that_something_is_out),
		TEST(test_a_cancellation_loses_no_data),
		TEST(test_a_piece_that_was_not_taken_survives_a_cancellation),
		TEST(test_a_shut_down_socket_ends_receiving),
		TEST(test_parts_are_sent_in_order),
		TEST(test_nothing_can_be_sent),
		TEST(test_room_for_more_can_be_waited_for),
		TEST(test_a_slow_reader_gets_all_of_it),
		TEST(test_what_has_room_is_sent_and_the_rest_comes_back),
		TEST(test_a_send_without_room_comes_back),
		TEST(test_sending_to_nobody_fails_without_a_signal),
		TEST(test_a_peer_that_leaves_ends_a_wait_for_room),
		TEST(test_room_is_waited_for_with_a_peer_that_says_no_more),
		TEST(test_who_reads_himself_is_told_when_there_is_something),
		TEST(test_sending_and_receiving_do_not_wait_for_each_other),
		TEST(test_hundreds_can_be_started_at_once),
		TEST(test_more_completions_than_a_ring_holds_are_kept),
		TEST(test_a_connection_is_accepted),
		TEST(test_one_accept_takes_one_connection),
		TEST(test_a_listener_that_does_not_block_is_waited_for),
		TEST(test_a_cancelled_accept_takes_no_connection),
		TEST(test_an_accept_cancelled_in_the_last_moment_loses_nothing),
		TEST(test_an_accept_has_its_turn_however_much_is_sent),
		TEST(test_a_socket_that_does_not_listen_is_refused),
		TEST(test_an_epoll_set_can_be_polled),
		TEST(test_a_wait_for_several_ends_with_the_first_and_can_be_cancelled),
		TEST(test_a_closed_peer_is_readable),
		TEST(test_one_of_several_processes_is_woken),
		TEST(test_one_of_several_that_wait_for_an_epoll_set_is_woken),
		TEST(test_connections_spread_over_idle_processes),
		TEST(test_connections_of_several_listeners_spread_as_well),
		TEST(test_a_forked_process_has_what_was_received),
		TEST(test_a_wait_ends_in_time),
		TEST(test_waits_of_all_lengths_follow_each_other),
		TEST(test_a_wait_without_timeout_ends_with_an_event),
		TEST(test_a_signal_ends_a_wait),
		TEST(test_events_that_do_not_fit_stay),
		TEST(test_nobody_is_starved),
		TEST(test_a_descriptor_may_come_again),
		TEST(test_another_thread_than_the_maker_may_use_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
