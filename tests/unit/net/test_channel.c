/*
 * test_channel.c - messages, and what a hostile process sends instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"
#include "net/channel.h"

struct ends {
	int master, child;
};

static int
open_ends(void **state)
{
	static struct ends e;

	*state = &e;
	return channel_pair(&e.master, &e.child);
}

static int
close_ends(void **state)
{
	struct ends *e = *state;

	fd_close(&e->master);
	fd_close(&e->child);
	return 0;
}

/* How many descriptors there are: a leak shows. */
static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
test_a_message_that_is_peeked_at_stays(void **state)
{
	struct ends *e = *state;
	struct channel_message m;

	assert_int_equal(channel_peek(e->child), 0);
	assert_int_equal(channel_send(e->master, CHANNEL_LOGS, 0, NULL,
				 (int[]){e->master}, 1),
		0);
	assert_int_equal(
		channel_send(e->master, CHANNEL_FINISH, 5, NULL, NULL, 0), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(channel_peek(e->child), CHANNEL_LOGS);
	assert_int_equal(channel_receive(e->child, &m), 1);
	assert_int_equal(m.n_fds, 1);
	close(m.fds[0]);
	assert_int_equal(channel_peek(e->child), CHANNEL_FINISH);
	assert_int_equal(channel_receive(e->child, &m), 1);
	assert_int_equal(m.kind, CHANNEL_FINISH);
	assert_int_equal(send(e->master, "junk", 4, 0), 4);
	assert_int_equal(channel_peek(e->child), 0);
	fd_close(&e->master);
	assert_int_equal(channel_receive(e->child, &m), -EPROTO);
	assert_int_equal(channel_peek(e->child), 0);
}

static void
test_a_message_arrives_as_it_was_sent(void **state)
{
	struct ends *e = *state;
	struct channel_message m;

	assert_int_equal(channel_send(e->child, CHANNEL_READY, 0,
				 "Python 3.11.2", NULL, 0),
		0);
	assert_int_equal(
		channel_send(e->master, CHANNEL_RETIRE, 30000, NULL, NULL, 0),
		0);

	assert_int_equal(channel_receive(e->master, &m), 1);
	assert_int_equal(m.kind, CHANNEL_READY);
	assert_string_equal(m.text, "Python 3.11.2");
	assert_int_equal(m.text_len, 13);
	assert_int_equal(m.n_fds, 0);

	assert_int_equal(channel_receive(e->child, &m), 1);
	assert_int_equal(m.kind, CHANNEL_RETIRE);
	assert_int_equal(m.deadline_ms, 30000);
	assert_string_equal(m.text, "");

	assert_int_equal(channel_receive(e->child, &m), -EAGAIN);
}

static void
test_descriptors_arrive_close_on_exec(void **state)
{
	struct ends *e = *state;
	struct channel_message m;
	int fds[CHANNEL_FDS], pipes[2], before;
	char byte;

	assert_int_equal(pipe(pipes), 0);
	for (size_t i = 0; i < CHANNEL_FDS; i++)
		fds[i] = pipes[1];
	before = count_fds();
	assert_int_equal(channel_send(e->master, CHANNEL_LOGS, 0, NULL, fds,
				 CHANNEL_FDS),
		0);
	assert_int_equal(channel_receive(e->child, &m), 1);
	assert_int_equal(m.n_fds, CHANNEL_FDS);
	assert_int_equal(count_fds(), before + CHANNEL_FDS);
	for (size_t i = 0; i < m.n_fds; i++) {
		assert_int_equal(fcntl(m.fds[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(write(m.fds[i], "x", 1), 1);
		assert_int_equal(read(pipes[0], &byte, 1), 1);
		close(m.fds[i]);
	}
	close(pipes[0]);
	close(pipes[1]);
}

static void
test_a_message_says_who_sent_it_to_who_wants_to_know(void **state)
{
	struct ends *e = *state;
	struct channel_message m;
	pid_t pid;

	assert_int_equal(
		channel_send(e->child, CHANNEL_READY, 0, NULL, NULL, 0), 0);
	assert_int_equal(channel_receive(e->master, &m), 1);
	assert_int_equal(m.pid, 0);

	assert_int_equal(channel_identify(e->master), 0);
	pid = fork();
	if (pid == 0)
		_exit(channel_send(e->child, CHANNEL_BORN, 0, NULL, NULL, 0) ==
					0
				? 0
				: 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(channel_receive(e->master, &m), 1);
	assert_int_equal(m.kind, CHANNEL_BORN);
	assert_int_equal(m.pid, pid);
}

static void
test_an_order_to_fork_brings_descriptors_and_a_name(void **state)
{
	struct ends *e = *state;
	int fds[CHANNEL_FDS] = {0}, before = count_fds();
	struct channel_message m;

	assert_int_equal(channel_identify(e->child), 0);
	assert_int_equal(channel_send(e->master, CHANNEL_FORK, 0, "slot=1", fds,
				 CHANNEL_FDS),
		0);
	assert_int_equal(channel_receive(e->child, &m), 1);
	assert_int_equal(m.kind, CHANNEL_FORK);
	assert_int_equal(m.n_fds, CHANNEL_FDS);
	assert_int_equal(m.pid, getpid());
	for (size_t i = 0; i < m.n_fds; i++)
		close(m.fds[i]);
	assert_int_equal(count_fds(), before);
}

static void
test_what_is_no_message_is_not_sent(void **state)
{
	struct ends *e = *state;
	int fds[CHANNEL_FDS + 1] = {0};
	struct channel_message m;

	assert_int_equal(channel_send(e->master, CHANNEL_LOGS, 0, NULL, fds,
				 CHANNEL_FDS + 1),
		-EINVAL);
	assert_int_equal(channel_send(e->master, CHANNEL_STOP, 0, NULL, fds, 1),
		-EINVAL);
	assert_int_equal(channel_send(e->master, (enum channel_kind)99, 0, NULL,
				 NULL, 0),
		-EINVAL);
	assert_int_equal(channel_receive(e->child, &m), -EAGAIN);
}

static void
test_a_long_text_is_cut_between_characters(void **state)
{
	struct ends *e = *state;
	char text[CHANNEL_TEXT + 100];
	struct channel_message m;

	memset(text, 'x', sizeof(text));
	text[CHANNEL_TEXT + 50] = '\0';
	/* Two bytes that begin with the last one there is room for. */
	memcpy(text + CHANNEL_TEXT - 1, "\xc3\xa9", 2);
	assert_int_equal(
		channel_send(e->child, CHANNEL_FAILED, 0, text, NULL, 0), 0);
	assert_int_equal(channel_receive(e->master, &m), 1);
	assert_int_equal(m.text_len, CHANNEL_TEXT - 1);
	assert_int_equal(strlen(m.text), CHANNEL_TEXT - 1);

	memset(text, 'x', CHANNEL_TEXT + 1);
	assert_int_equal(
		channel_send(e->child, CHANNEL_FAILED, 0, text, NULL, 0), 0);
	assert_int_equal(channel_receive(e->master, &m), 1);
	assert_int_equal(m.text_len, CHANNEL_TEXT);
}

static void
test_the_end_is_seen_after_the_last_words(void **state)
{
	struct ends *e = *state;
	struct channel_message m;

	assert_int_equal(
		channel_send(e->child, CHANNEL_FAILED, 0, "no module", NULL, 0),
		0);
	fd_close(&e->child);
	assert_int_equal(channel_receive(e->master, &m), 1);
	assert_string_equal(m.text, "no module");
	assert_int_equal(channel_receive(e->master, &m), 0);
	assert_int_equal(channel_receive(e->master, &m), 0);
	assert_int_equal(
		channel_send(e->master, CHANNEL_STOP, 0, NULL, NULL, 0),
		-EPIPE);
}

static void
test_last_words_survive_an_order_that_was_not_read(void **state)
{
	struct ends *e = *state;
	struct channel_message m;

	/* The kernel reports ECONNRESET first in this case. */
	assert_int_equal(
		channel_send(e->child, CHANNEL_FAILED, 0, "no module", NULL, 0),
		0);
	assert_int_equal(
		channel_send(e->master, CHANNEL_STOP, 0, NULL, NULL, 0), 0);
	fd_close(&e->child);
	assert_int_equal(channel_receive(e->master, &m), 1);
	assert_string_equal(m.text, "no module");
	assert_int_equal(channel_receive(e->master, &m), 0);
}

static void
test_a_side_that_does_not_read_does_not_block_the_other(void **state)
{
	struct ends *e = *state;
	struct channel_message m;
	int rc, sent = 0;

	while ((rc = channel_send(
			e->master, CHANNEL_RETIRE, 0, NULL, NULL, 0)) == 0)
		assert_true(++sent < 1000000);
	assert_int_equal(rc, -EAGAIN);
	while (sent-- > 0)
		assert_int_equal(channel_receive(e->child, &m), 1);
	assert_int_equal(channel_receive(e->child, &m), -EAGAIN);
	assert_int_equal(
		channel_send(e->master, CHANNEL_STOP, 0, NULL, NULL, 0), 0);
}

/* The head as it goes over the wire, for the tests that lie in it. */
struct lie {
	uint32_t magic, kind, deadline_ms, text_len, n_fds;
	char text[CHANNEL_TEXT + 2];
};

enum { MAGIC = 0x57534301, HEAD = 20 };

static void
send_raw(int fd, const void *data, size_t len, int passed, size_t n_passed)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

	if (n_passed > 0) {
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(n_passed * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_passed * sizeof(int));
		for (size_t i = 0; i < n_passed; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &passed,
				sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), len);
}

static void
test_what_is_not_well_formed_is_dropped_with_its_descriptors(void **state)
{
	static const struct {
		struct lie lie;
		size_t len, n_fds;
	} rows[] = {
		{{MAGIC, CHANNEL_READY, 0, 0, 0, ""}, 0, 0},
		{{MAGIC, CHANNEL_READY, 0, 0, 0, ""}, 0, 3},
		{{MAGIC, CHANNEL_READY, 0, 0, 0, ""}, 1, 0},
		{{MAGIC, CHANNEL_READY, 0, 0, 0, ""}, HEAD - 1, 0},
		{{MAGIC + 1, CHANNEL_READY, 0, 0, 0, ""}, HEAD, 0},
		{{MAGIC, 0, 0, 0, 0, ""}, HEAD, 0},
		{{MAGIC, 15, 0, 0, 0, ""}, HEAD, 0},
		{{MAGIC, UINT32_MAX, 0, 0, 0, ""}, HEAD, 0},
		{{MAGIC, CHANNEL_READY, 0, 1, 0, ""}, HEAD, 0},
		{{MAGIC, CHANNEL_READY, 0, 1, 0, "xy"}, HEAD + 2, 0},
		{{MAGIC, CHANNEL_READY, 0, UINT32_MAX, 0, "xy"}, HEAD + 2, 0},
		{{MAGIC, CHANNEL_READY, 0, 3, 0, "x\0y"}, HEAD + 3, 0},
		{{MAGIC, CHANNEL_READY, 0, CHANNEL_TEXT, 0, "x"},
			HEAD + CHANNEL_TEXT + 1, 0},
		{{MAGIC, CHANNEL_READY, 0, 0, 1, ""}, HEAD, 1},
		{{MAGIC, CHANNEL_READY, 0, 0, 0, ""}, HEAD, 1},
		{{MAGIC, CHANNEL_LOGS, 0, 0, 2, ""}, HEAD, 1},
		{{MAGIC, CHANNEL_LOGS, 0, 0, 1, ""}, HEAD, 0},
		{{MAGIC, CHANNEL_LOGS, 0, 0, CHANNEL_FDS, ""}, HEAD,
			CHANNEL_FDS + 1},
		{{MAGIC, CHANNEL_LOGS, 0, 0, 64, ""}, HEAD, 64},
	};
	struct ends *e = *state;
	int before = count_fds();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct channel_message m = {.kind = 77};

		send_raw(e->child, &rows[i].lie, rows[i].len, 0, rows[i].n_fds);
		assert_int_equal(channel_receive(e->master, &m), -EPROTO);
		assert_int_equal(m.kind, 77);
		assert_int_equal(count_fds(), before);
		/* And the next good one is understood. */
		assert_int_equal(
			channel_send(e->child, CHANNEL_READY, 0, "y", NULL, 0),
			0);
		assert_int_equal(channel_receive(e->master, &m), 1);
		assert_string_equal(m.text, "y");
	}
}

static void
test_both_ends_are_close_on_exec_and_do_not_block(void **state)
{
	struct ends *e = *state;

	assert_int_equal(fcntl(e->master, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(e->child, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(e->master, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(e->child, F_GETFL) & O_NONBLOCK);
}

static void
test_a_descriptor_that_is_no_channel_is_an_error(void **state)
{
	struct channel_message m;

	(void)state;
	assert_int_equal(channel_receive(-1, &m), -EBADF);
	assert_int_equal(
		channel_send(-1, CHANNEL_STOP, 0, NULL, NULL, 0), -EBADF);
}

#define WITH_ENDS(test) \
	cmocka_unit_test_setup_teardown(test, open_ends, close_ends)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ENDS(test_a_message_arrives_as_it_was_sent),
		WITH_ENDS(test_a_message_that_is_peeked_at_stays),
		WITH_ENDS(test_descriptors_arrive_close_on_exec),
		WITH_ENDS(test_a_message_says_who_sent_it_to_who_wants_to_know),
		WITH_ENDS(test_an_order_to_fork_brings_descriptors_and_a_name),
		WITH_ENDS(test_what_is_no_message_is_not_sent),
		WITH_ENDS(test_a_long_text_is_cut_between_characters),
		WITH_ENDS(test_the_end_is_seen_after_the_last_words),
		WITH_ENDS(test_last_words_survive_an_order_that_was_not_read),
		WITH_ENDS(
			test_a_side_that_does_not_read_does_not_block_the_other),
		WITH_ENDS(
			test_what_is_not_well_formed_is_dropped_with_its_descriptors),
		WITH_ENDS(test_both_ends_are_close_on_exec_and_do_not_block),
		cmocka_unit_test(
			test_a_descriptor_that_is_no_channel_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
