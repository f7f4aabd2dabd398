/*
 * test_access_log.c - lines that are written when they can be, whole and in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "child/access_log.h"
#include "config/config.h"

/* What a line is made of here: its number, which is the status, and the path. */
static char format[] = "%s %U";

struct bench {
	struct access_log *log;
	int reader; /* of the pipe that the log writes to */
	int writer; /* ours, to fill it with */
};

static int
begin(void **state)
{
	static struct bench b;
	struct config_access_log one = {.format = format};
	struct config config = {.access_logs = &one, .n_access_logs = 1};
	struct err err = {0};
	int fds[2], rc;

	alarm(60); /* who waits for a full pipe waits for ever */
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 64 * 1024) > 0);
	b.reader = fds[0];
	b.writer = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
	rc = access_log_create(&b.log, &config, &fds[1], 1, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
	*state = &b;
	return 0;
}

static int
end(void **state)
{
	struct bench *b = *state;

	access_log_destroy(b->log);
	close(b->reader);
	close(b->writer);
	return 0;
}

static struct str
no_header(const void *subject, struct str name, size_t *from)
{
	(void)subject;
	(void)name;
	(void)from;
	return (struct str){0};
}

static void
add_line(struct bench *b, int number, const char *path)
{
	struct record record = {
		.path = str_of(path),
		.status = number,
		.request_header = no_header,
		.response_header = no_header,
	};

	access_log_write(b->log, &record);
}

static void
fill_pipe(struct bench *b)
{
	static const char rubbish[PIPE_BUF];

	assert_int_equal(fd_set_nonblock(b->writer, true), 0);
	while (write(b->writer, rubbish, sizeof(rubbish)) > 0)
		continue;
	assert_int_equal(fd_set_nonblock(b->writer, false), 0);
}

/* What is in the pipe. */
static size_t
empty_pipe(struct bench *b, char *to, size_t size)
{
	struct pollfd p = {.fd = b->reader, .events = POLLIN};
	size_t len = 0;
	ssize_t n;

	while (len < size && poll(&p, 1, 0) > 0) {
		n = read(b->reader, to + len, size - len);
		assert_true(n > 0);
		len += (size_t)n;
	}
	return len;
}

/* Else lines wait for their worker, as in a terminal. */
static void
skip_unless_pipes_know_nowait(void)
{
	struct iovec nothing = {"x", 1};
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	n = pwritev2(fds[1], &nothing, 1, -1, RWF_NOWAIT);
	close(fds[0]);
	close(fds[1]);
	if (n == 1)
		return;
	print_message("skipped: this kernel does not know RWF_NOWAIT of pipes\n");
	skip();
}

static void
test_what_can_be_written_is_written_at_once(void **state)
{
	struct bench *b = *state;
	char text[64];
	size_t len;

	skip_unless_pipes_know_nowait();
	access_log_flush_at_once(NULL);
	access_log_flush_at_once(b->log);
	add_line(b, 200, "/one");
	add_line(b, 404, "/two");
	access_log_flush_at_once(b->log);
	assert_true(access_log_is_empty(b->log));
	len = empty_pipe(b, text, sizeof(text));
	assert_int_equal(len, strlen("200 /one\n404 /two\n"));
	assert_memory_equal(text, "200 /one\n404 /two\n", len);
}

static void
test_nobody_waits_for_a_full_pipe_and_the_lines_come_later(void **state)
{
	struct bench *b = *state;
	static char rubbish[4 << 20];
	char text[64];
	size_t len;

	skip_unless_pipes_know_nowait();
	fill_pipe(b);
	add_line(b, 200, "/one");
	access_log_flush_at_once(b->log);
	assert_false(access_log_is_empty(b->log));
	add_line(b, 404, "/two");
	access_log_flush_at_once(b->log);
	(void)empty_pipe(b, rubbish, sizeof(rubbish));
	access_log_flush(b->log);
	assert_true(access_log_is_empty(b->log));
	len = empty_pipe(b, text, sizeof(text));
	assert_int_equal(len, strlen("200 /one\n404 /two\n"));
	assert_memory_equal(text, "200 /one\n404 /two\n", len);
}

/* Or another child's would come between its parts. */
static void
test_more_than_a_pipe_takes_in_one_goes_out_in_whole_lines(void **state)
{
	struct bench *b = *state;
	enum { LINES = 3000, LEN = 105 };
	static char text[LINES * LEN];
	char path[LEN - 4];
	size_t len;

	skip_unless_pipes_know_nowait();
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		add_line(b, 100 + i % 900, path);
	access_log_flush_at_once(b->log);
	assert_false(access_log_is_empty(b->log));
	len = empty_pipe(b, text, sizeof(text));
	assert_true(len > PIPE_BUF);
	assert_int_equal(text[len - 1], '\n');
	while (!access_log_is_empty(b->log)) {
		access_log_flush_at_once(b->log);
		len += empty_pipe(b, text + len, sizeof(text) - len);
	}
	assert_int_equal(len, sizeof(text));
	for (int i = 0; i < LINES; i++)
		assert_int_equal(atoi(text + i * LEN), 100 + i % 900);
}

/* Nobody can write a part of it and go on later. */
static void
test_a_line_longer_than_that_waits_for_its_worker(void **state)
{
	struct bench *b = *state;
	static char path[2 * PIPE_BUF], text[4 * PIPE_BUF];

	memset(path, 'x', sizeof(path) - 1);
	add_line(b, 200, path);
	access_log_flush_at_once(b->log);
	assert_int_equal(empty_pipe(b, text, sizeof(text)), 0);
	access_log_flush(b->log);
	assert_int_equal(empty_pipe(b, text, sizeof(text)), 4 + sizeof(path));
}

/* Nobody but a reader can tell how long a write to one takes. */
static void
test_a_terminal_is_left_to_the_workers(void **state)
{
	struct bench *b = *state;
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), other;
	char text[64];
	size_t len = 0;

	if (terminal < 0) {
		print_message("skipped: no pseudo-terminals here\n");
		skip();
	}
	assert_int_equal(grantpt(terminal), 0);
	assert_int_equal(unlockpt(terminal), 0);
	other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(other >= 0);
	access_log_replace(b->log, &other, 1);
	add_line(b, 200, "/one");
	access_log_flush_at_once(b->log);
	assert_false(access_log_is_empty(b->log));
	access_log_flush(b->log);
	assert_true(access_log_is_empty(b->log));
	while (len < strlen("200 /one\r\n")) {
		ssize_t n = read(terminal, text, sizeof(text));

		assert_true(n > 0);
		len += (size_t)n;
	}
	close(terminal);
}

static void
test_a_format_that_makes_no_sense_costs_no_descriptor(void **state)
{
	static char nonsense[] = "%{";
	struct config_access_log all[] = {{.format = format},
		{.format = nonsense}, {.format = format}};
	struct config config = {.access_logs = all, .n_access_logs = 3};
	struct access_log *log = NULL;
	struct err err = {0};
	int fds[3], zero = fcntl(0, F_DUPFD_CLOEXEC, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = open("/dev/null", O_WRONLY | O_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	/* A descriptor that nobody has thought of. */
	assert_int_equal(dup2(fds[0], 0), 0);

	assert_int_equal(
		access_log_create(&log, &config, fds, 3, &err), -EINVAL);
	assert_null(log);
	assert_int_not_equal(fcntl(0, F_GETFD), -1);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		assert_int_equal(close(fds[i]), 0);
	if (zero >= 0) {
		(void)dup2(zero, 0);
		close(zero);
	}
}

/* The pipe's number, which the log has, becomes a file of the application's. */
static void
test_no_line_goes_to_who_has_the_number_now(void **state)
{
	struct bench *b = *state;
	struct stat pipe_is, now;
	int fd = b->writer, theirs = memfd_create("theirs", MFD_CLOEXEC);
	char text[64];

	assert_int_equal(access_log_find_lost(b->log), -1);
	assert_int_equal(fstat(b->writer, &pipe_is), 0);
	do
		assert_true(--fd > 2);
	while (fstat(fd, &now) < 0 || now.st_ino != pipe_is.st_ino ||
		fd == b->reader);
	add_line(b, 1, "/before");
	access_log_flush(b->log);
	assert_int_equal(dup2(theirs, fd), fd);
	assert_int_equal(access_log_find_lost(b->log), fd);
	add_line(b, 2, "/lost");
	access_log_flush(b->log);
	assert_int_equal(access_log_find_lost(b->log), -1);
	assert_int_equal(lseek(theirs, 0, SEEK_END), 0);
	assert_int_equal(empty_pipe(b, text, sizeof(text)), 10);
	close(fd);
	close(theirs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_can_be_written_is_written_at_once, begin, end),
		cmocka_unit_test_setup_teardown(
			test_nobody_waits_for_a_full_pipe_and_the_lines_come_later,
			begin, end),
		cmocka_unit_test_setup_teardown(
			test_more_than_a_pipe_takes_in_one_goes_out_in_whole_lines,
			begin, end),
		cmocka_unit_test_setup_teardown(
			test_a_terminal_is_left_to_the_workers, begin, end),
		cmocka_unit_test_setup_teardown(
			test_no_line_goes_to_who_has_the_number_now, begin,
			end),
		cmocka_unit_test_setup_teardown(
			test_a_line_longer_than_that_waits_for_its_worker, begin,
			end),
		cmocka_unit_test(
			test_a_format_that_makes_no_sense_costs_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
