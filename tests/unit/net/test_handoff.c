/*
 * test_handoff.c - connections pass through the pool whole, and nothing else
 * does.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "net/handoff.h"

static int give, take;
static struct handoff_room room;

static int
set_up(void **state)
{
	(void)state;
	return handoff_pair(&give, &take);
}

static int
tear_down(void **state)
{
	(void)state;
	close(give);
	close(take);
	return 0;
}

static int
open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
test_a_connection_arrives_with_its_bytes(void **state)
{
	static const size_t sizes[] = {
		0, 1, 500, HANDOFF_INLINE, HANDOFF_INLINE + 1, 1000000};
	int before = open_descriptors();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *bytes = malloc(sizes[i] + 1);
		struct handoff h = {.requests = 7,
			.deadline_ns = 1234567,
			.since_ns = 7654321,
			.part = 2,
			.began_ns = 4711,
			.part_bytes = 815,
			.peer = {.awaits = 2,
				.known = 1,
				.tls = 1,
				.remote_port = 80,
				.local_port = 81}};
		struct handoff got = {0};
		int pair[2];
		char c;

		assert_non_null(bytes);
		memset(bytes, 'a' + (int)i, sizes[i]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		h.fd = pair[0];
		h.bytes = (struct str){bytes, sizes[i]};
		assert_int_equal(handoff_send(give, &h), 0);
		close(pair[0]);
		assert_int_equal(
			handoff_receive(take, &got, &room), HANDOFF_CONNECTION);
		assert_int_equal(got.requests, 7);
		assert_int_equal(got.deadline_ns, 1234567);
		assert_int_equal(got.since_ns, 7654321);
		assert_int_equal(got.part, 2);
		assert_int_equal(got.began_ns, 4711);
		assert_int_equal(got.part_bytes, 815);
		assert_memory_equal(&got.peer, &h.peer, sizeof(h.peer));
		assert_int_equal(got.bytes.len, sizes[i]);
		assert_memory_equal(got.bytes.p, bytes, sizes[i]);
		assert_int_equal(got.spool, -1);
		assert_int_equal(fcntl(got.fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(write(got.fd, "x", 1), 1);
		assert_int_equal(read(pair[1], &c, 1), 1);
		close(got.fd);
		close(pair[1]);
		handoff_room_fini(&room);
		free(bytes);
	}
	assert_int_equal(open_descriptors(), before);
}

static void
test_a_body_in_a_file_goes_with_its_connection(void **state)
{
	static const size_t sizes[] = {10, HANDOFF_INLINE + 1};
	int before = open_descriptors(), pair[2];
	struct handoff wrong;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		static char head[HANDOFF_INLINE + 1];
		FILE *file = tmpfile();
		struct handoff got = {0}, h = {
						  .spool_len = 3,
						  .bytes = {head, sizes[i]},
					  };
		char bytes[3];

		assert_non_null(file);
		h.spool = fileno(file);
		assert_int_equal(pwrite(h.spool, "abc", 3, 0), 3);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		h.fd = pair[0];
		assert_int_equal(handoff_send(give, &h), 0);
		fclose(file);
		assert_int_equal(
			handoff_receive(take, &got, &room), HANDOFF_CONNECTION);
		assert_int_equal(got.spool_len, 3);
		assert_int_equal(got.bytes.len, sizes[i]);
		assert_int_equal(pread(got.spool, bytes, 3, 0), 3);
		assert_memory_equal(bytes, "abc", 3);
		close(got.spool);
		close(got.fd);
		close(pair[0]);
		close(pair[1]);
		handoff_room_fini(&room);
	}
	/* What is no file is none. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	wrong = (struct handoff){
		.fd = pair[0], .spool = pair[1], .spool_len = 3};
	assert_int_equal(handoff_send(give, &wrong), 0);
	assert_int_equal(handoff_receive(take, &wrong, &room), -EPROTO);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(open_descriptors(), before);
}

/* As long as we have none: it is the siblings', and ours later. */
static void
test_without_a_descriptor_a_connection_stays_in_the_pool(void **state)
{
	struct rlimit before, none;
	struct handoff got;
	int pair[2], lowest;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(
		handoff_send(give, &(struct handoff){.fd = pair[0]}), 0);
	lowest = dup(take);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(handoff_receive(take, &got, &room), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(
		handoff_receive(take, &got, &room), HANDOFF_CONNECTION);
	close(got.fd);
	close(pair[0]);
	close(pair[1]);
	handoff_room_fini(&room);
}

/* One for the connection alone would be lost on the rest, and the connection
 * with it. */
static void
test_without_descriptors_for_all_of_it_it_stays_there_too(void **state)
{
	static char head[HANDOFF_INLINE + 1];
	struct handoff got, h = {.spool_len = 3, .bytes = {head, sizeof(head)}};
	FILE *file = tmpfile();
	struct rlimit before, few;
	int pair[2], lowest;

	(void)state;
	assert_non_null(file);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	h.fd = pair[0];
	h.spool = fileno(file);
	assert_int_equal(handoff_send(give, &h), 0);
	h.spool_len = 0;
	h.bytes.len = 1;
	assert_int_equal(handoff_send(give, &h), 0);
	lowest = dup(take);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	for (int room_for = 0; room_for < 3; room_for++) {
		few.rlim_cur = (rlim_t)(lowest + room_for);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		assert_int_equal(handoff_receive(take, &got, &room), -EMFILE);
	}
	few.rlim_cur = (rlim_t)(lowest + 3);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(
		handoff_receive(take, &got, &room), HANDOFF_CONNECTION);
	assert_int_equal(got.spool_len, 3);
	close(got.spool);
	close(got.fd);
	handoff_room_fini(&room);
	few.rlim_cur = (rlim_t)(lowest + 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(
		handoff_receive(take, &got, &room), HANDOFF_CONNECTION);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(got.fd);
	close(pair[0]);
	close(pair[1]);
	fclose(file);
	handoff_room_fini(&room);
}

static void
test_nothing_and_a_nudge_are_told_apart(void **state)
{
	struct handoff got;

	(void)state;
	assert_int_equal(handoff_receive(take, &got, &room), -EAGAIN);
	assert_int_equal(handoff_nudge(give), 0);
	assert_int_equal(handoff_receive(take, &got, &room), HANDOFF_NUDGE);
	assert_int_equal(handoff_receive(take, &got, &room), -EAGAIN);
}

/* Whichever end it was; what is in it still comes out. */
static void
test_a_socket_that_has_been_shut_is_no_empty_message(void **state)
{
	struct handoff got;
	int ends[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(handoff_pair(&ends[0], &ends[1]), 0);
		assert_int_equal(send(ends[0], "", 0, 0), 0);
		assert_int_equal(
			handoff_receive(ends[1], &got, &room), -EPROTO);
		assert_int_equal(handoff_nudge(ends[0]), 0);
		assert_int_equal(
			shutdown(ends[i], i == 0 ? SHUT_WR : SHUT_RD), 0);
		assert_int_equal(
			handoff_receive(ends[1], &got, &room), HANDOFF_NUDGE);
		assert_int_equal(handoff_receive(ends[1], &got, &room), -EPIPE);
		assert_int_equal(handoff_nudge(ends[0]), -EPIPE);
		close(ends[0]);
		close(ends[1]);
	}
}

static void
test_a_thousand_connections_wait_in_order_and_then_it_is_full(void **state)
{
	struct handoff h = {0}, got;
	int pair[2], sent = 0, rc;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	h.fd = pair[0];
	while ((rc = handoff_send(give, &h)) == 0 && sent < 100000)
		h.requests = (unsigned)++sent;
	assert_int_equal(rc, -EAGAIN);
	assert_true(sent > 100);
	for (int i = 0; i < sent; i++) {
		assert_int_equal(
			handoff_receive(take, &got, &room), HANDOFF_CONNECTION);
		assert_int_equal(got.requests, i);
		close(got.fd);
	}
	assert_int_equal(handoff_send(give, &h), 0);
	close(pair[0]);
	close(pair[1]);
}

static void
send_raw(const void *data, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)data, len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (n_fds > 0) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	assert_true(sendmsg(give, &message, 0) >= 0);
}

/* What a process that runs foreign code may put into the pool. */
static void
test_what_is_no_connection_is_dropped_and_closed(void **state)
{
	static const char zeros[64];
	struct handoff h = {0}, got;
	int before, stream[2], packet[2], listener, file;
	int many[5];

	(void)state;
	file = open("/dev/null", O_RDONLY);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packet), 0);
	assert_int_equal(listen(listener, 1), -1);
	before = open_descriptors();

	send_raw(zeros, sizeof(zeros), NULL, 0);
	assert_int_equal(handoff_receive(take, &got, &room), -EPROTO);
	send_raw(zeros, 1, stream, 1);
	assert_int_equal(handoff_receive(take, &got, &room), -EPROTO);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = stream[0];
	send_raw(zeros, sizeof(zeros), many, ARRAY_LEN(many));
	assert_int_equal(handoff_receive(take, &got, &room), -EPROTO);

	h.fd = file;
	assert_int_equal(handoff_send(give, &h), 0);
	assert_int_equal(handoff_receive(take, &got, &room), -EPROTO);
	h.fd = packet[0];
	assert_int_equal(handoff_send(give, &h), 0);
	assert_int_equal(handoff_receive(take, &got, &room), -EPROTO);

	assert_int_equal(open_descriptors(), before);
	close(file);
	close(listener);
	for (int i = 0; i < 2; i++) {
		close(stream[i]);
		close(packet[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_connection_arrives_with_its_bytes, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_body_in_a_file_goes_with_its_connection, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_without_a_descriptor_a_connection_stays_in_the_pool,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_without_descriptors_for_all_of_it_it_stays_there_too,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_nothing_and_a_nudge_are_told_apart, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_socket_that_has_been_shut_is_no_empty_message,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_thousand_connections_wait_in_order_and_then_it_is_full,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_no_connection_is_dropped_and_closed,
			set_up, tear_down),
	};

	/* How many there is room for is counted. */
	(void)close_range(3, ~0U, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
