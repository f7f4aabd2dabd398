/*
 * test_outlet.c - lines for a file that may take none for a while.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/outlet.h"

enum { LONG = 8000 };

static struct outlet o = OUTLET_INIT;

/* Number i; the first LONG ones differ in all of them. */
static const char *
line(int i, size_t len)
{
	static char text[LONG + 1];

	memset(text, 'a' + i % 26, len);
	snprintf(text, len, "%06d", i);
	text[6] = 'a' + (char)(i % 26);
	text[len - 1] = '\n';
	text[len] = '\0';
	return text;
}

/* Write lines from number first on until one is kept: the number behind it. */
static int
fill(int first, size_t len)
{
	while (!outlet_waits(&o))
		outlet_write(&o, line(first++, len), len);
	return first;
}

/* Lines first to last - 1, whole, and nothing else. */
static void
read_lines(int fd, int first, int last, size_t len)
{
	char got[LONG + 1];

	for (int i = first; i < last; i++) {
		for (size_t n = 0; n < len;) {
			ssize_t more = read(fd, got + n, len - n);

			assert_true(more > 0);
			n += (size_t)more;
			outlet_flush(&o);
		}
		assert_memory_equal(got, line(i, len), len);
	}
	assert_false(outlet_waits(&o));
	assert_int_equal(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0), 0);
}

static void
open_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}

/* One that takes half of a line of LONG. */
static void
open_small_pipe(int ends[2])
{
	open_pipe(ends);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BUF), PIPE_BUF);
}

/* As another user's pipe is, which cannot be opened anew. */
static void
open_shared_pipe(int ends[2])
{
	char path[32];

	open_pipe(ends);
	close(ends[0]);
	outlet_use(&o, ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
	ends[0] = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(ends[0] >= 0);
}

static void
close_ends(int ends[2])
{
	outlet_close(&o);
	(void)outlet_take_lost(&o);
	close(ends[0]);
	close(ends[1]);
}

static void
check_lines(int ends[2], size_t len)
{
	int last;

	last = fill(0, len);
	outlet_write(&o, line(last++, len), len);
	read_lines(ends[0], 0, last, len);
	assert_int_equal(outlet_take_lost(&o), 0);
	/* It is shared with others, who want to wait. */
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	close_ends(ends);
}

static void
test_lines_that_are_not_taken_are_kept(void **state)
{
	static const size_t lens[] = {100, PIPE_BUF, LONG};
	int ends[2];

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		open_pipe(ends);
		outlet_use(&o, ends[1]);
		check_lines(ends, lens[i]);
		open_shared_pipe(ends);
		check_lines(ends, lens[i]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		outlet_use(&o, ends[1]);
		check_lines(ends, lens[i]);
	}
}

static void
test_a_terminal_that_was_stopped_gets_them_later(void **state)
{
	int ends[2] = {posix_openpt(O_RDWR | O_NOCTTY), -1};
	struct pollfd room = {.events = POLLOUT};
	struct termios raw;

	(void)state;
	if (ends[0] < 0 || grantpt(ends[0]) < 0 || unlockpt(ends[0]) < 0)
		skip();
	ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
	assert_int_equal(tcgetattr(ends[1], &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(ends[1], TCSANOW, &raw), 0);
	outlet_use(&o, ends[1]);
	outlet_write(&o, line(0, 80), 80);
	assert_false(outlet_waits(&o));
	assert_int_equal(tcflow(ends[1], TCOOFF), 0);
	outlet_write(&o, line(1, 80), 80);
	assert_true(outlet_waits(&o));
	room.fd = outlet_fd(&o);
	assert_int_equal(poll(&room, 1, 0), 0);
	assert_int_equal(tcflow(ends[1], TCOON), 0);
	outlet_flush(&o);
	read_lines(ends[0], 0, 2, 80);
	close_ends(ends);
}

static void
test_poll_says_when_there_is_room(void **state)
{
	struct pollfd room = {.events = POLLOUT};
	char some[PIPE_BUF];
	int ends[2];

	(void)state;
	open_pipe(ends);
	outlet_use(&o, ends[1]);
	(void)fill(0, 100);
	room.fd = outlet_fd(&o);
	assert_int_equal(poll(&room, 1, 0), 0);
	assert_int_equal(read(ends[0], some, sizeof(some)), sizeof(some));
	assert_int_equal(poll(&room, 1, 0), 1);
	outlet_flush(&o);
	assert_false(outlet_waits(&o));
	close_ends(ends);
}

static void
test_what_is_too_much_is_lost_and_counted(void **state)
{
	int ends[2], last;

	(void)state;
	open_pipe(ends);
	outlet_use(&o, ends[1]);
	last = fill(0, 100);
	for (int i = 1; i < OUTLET_KEEPS / 100; i++)
		outlet_write(&o, line(last++, 100), 100);
	for (int i = 0; i < 7; i++)
		outlet_write(&o, line(0, 100), 100);
	/* There is no room to say so yet. */
	assert_int_equal(outlet_take_lost(&o), 0);
	read_lines(ends[0], 0, last, 100);
	/* Not behind a gap that nobody has told of. */
	outlet_write(&o, line(0, 100), 100);
	assert_int_equal(outlet_take_lost(&o), 8);
	assert_int_equal(outlet_take_lost(&o), 0);
	outlet_write(&o, line(0, 100), 100);
	read_lines(ends[0], 0, 1, 100);
	close_ends(ends);
}

static void
test_another_file_gets_whole_lines(void **state)
{
	int ends[2], others[2], last;

	(void)state;
	open_small_pipe(ends);
	open_pipe(others);
	outlet_use(&o, ends[1]);
	last = fill(0, LONG);
	assert_true(o.torn);
	outlet_write(&o, line(last, LONG), LONG);
	outlet_use(&o, others[1]);
	read_lines(others[0], last, last + 1, LONG);
	assert_int_equal(outlet_take_lost(&o), 1);
	close_ends(others);
	close(ends[0]);
	close(ends[1]);
}

static void
test_the_same_file_gets_the_rest_of_a_line(void **state)
{
	int ends[2], last;

	(void)state;
	open_small_pipe(ends);
	outlet_use(&o, ends[1]);
	last = fill(0, LONG);
	assert_true(o.torn);
	outlet_use(&o, ends[1]);
	read_lines(ends[0], 0, last, LONG);
	assert_int_equal(outlet_take_lost(&o), 0);
	close_ends(ends);
}

static void
test_without_a_reader_nothing_is_kept(void **state)
{
	int ends[2];

	(void)state;
	open_pipe(ends);
	outlet_use(&o, ends[1]);
	(void)fill(0, 100);
	close(ends[0]);
	outlet_flush(&o);
	assert_false(outlet_waits(&o));
	ends[0] = -1;
	close_ends(ends);
}

static void
test_a_regular_file_is_written_to(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	char got[8];

	(void)state;
	outlet_use(&o, fd);
	outlet_write(&o, "one\n", 4);
	outlet_write(&o, "two\n", 4);
	assert_int_equal(pread(fd, got, sizeof(got), 0), 8);
	assert_memory_equal(got, "one\ntwo\n", 8);
	assert_int_equal(o.own, -1);
	outlet_close(&o);
	close(fd);
}

/* How many writes it took, and all ended with a line. */
static int writes;

static ssize_t
count_and_write(int fd, const void *data, size_t len)
{
	ssize_t n = write(fd, data, len);

	if (n < 0)
		return -errno;
	assert_int_equal(n, len);
	assert_int_equal(((const char *)data)[len - 1], '\n');
	writes++;
	return n;
}

static void
test_lines_that_were_gathered_are_written_together(void **state)
{
	int ends[2];

	(void)state;
	open_pipe(ends);
	outlet_use(&o, ends[1]);
	o.write = count_and_write;
	writes = 0;
	outlet_gather(&o, true);
	for (int i = 0; i < 100; i++)
		outlet_write(&o, line(i, 100), 100);
	assert_int_equal(writes, 0);
	/* The file has not been asked. */
	assert_false(outlet_waits(&o));
	outlet_gather(&o, false);
	/* 40 of them fit PIPE_BUF. */
	assert_int_equal(writes, 3);
	read_lines(ends[0], 0, 100, 100);
	outlet_write(&o, line(100, 100), 100);
	assert_int_equal(writes, 4);
	read_lines(ends[0], 100, 101, 100);
	close_ends(ends);
}

static void
test_a_long_line_is_gathered_as_well(void **state)
{
	int ends[2];

	(void)state;
	open_pipe(ends);
	outlet_use(&o, ends[1]);
	o.write = count_and_write;
	writes = 0;
	outlet_gather(&o, true);
	for (int i = 0; i < 3; i++)
		outlet_write(&o, line(i, LONG), LONG);
	outlet_gather(&o, false);
	assert_int_equal(writes, 3);
	read_lines(ends[0], 0, 3, LONG);
	close_ends(ends);
}

static void
test_too_many_to_gather_are_written_before(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC), n = 0;

	(void)state;
	outlet_use(&o, fd);
	outlet_gather(&o, true);
	while (lseek(fd, 0, SEEK_CUR) == 0)
		outlet_write(&o, line(n++, 100), 100);
	assert_int_equal(n, OUTLET_GATHERS / 100 + 1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), n * 100);
	outlet_gather(&o, false);
	outlet_close(&o);
	close(fd);
}

static void
test_what_was_gathered_and_not_taken_is_kept(void **state)
{
	int ends[2], last;

	(void)state;
	open_pipe(ends);
	outlet_use(&o, ends[1]);
	outlet_gather(&o, true);
	last = fill(0, 100);
	outlet_write(&o, line(last++, 100), 100);
	outlet_gather(&o, false);
	assert_true(outlet_waits(&o));
	read_lines(ends[0], 0, last, 100);
	assert_int_equal(outlet_take_lost(&o), 0);
	close_ends(ends);
}

static void
test_what_is_kept_at_the_end_is_lost(void **state)
{
	int ends[2], last;

	(void)state;
	open_pipe(ends);
	outlet_use(&o, ends[1]);
	last = fill(0, 100);
	outlet_write(&o, line(last, 100), 100);
	outlet_close(&o);
	assert_false(outlet_waits(&o));
	assert_int_equal(outlet_take_lost(&o), 2);
	close_ends(ends);
}

static void
test_another_program_goes_on_with_what_is_kept(void **state)
{
	int ends[2], last, fd;
	unsigned long lost;

	(void)state;
	open_small_pipe(ends);
	outlet_use(&o, ends[1]);
	assert_int_equal(outlet_bequeath(&o, &lost), -1);
	last = fill(0, LONG);
	assert_true(o.torn);
	while (o.kept.len + LONG <= OUTLET_KEEPS)
		outlet_write(&o, line(last++, LONG), LONG);
	for (int i = 0; i < 7; i++)
		outlet_write(&o, line(0, LONG), LONG);
	fd = outlet_bequeath(&o, &lost);
	assert_true(fd >= 0);
	assert_int_equal(lost, 7);
	outlet_close(&o);
	o.lost = 0;
	outlet_use(&o, ends[1]);
	outlet_inherit(&o, fd, lost);
	assert_true(outlet_waits(&o));
	read_lines(ends[0], 0, last, LONG);
	assert_int_equal(outlet_take_lost(&o), 7);
	close_ends(ends);
}

static void
test_the_line_behind_one_that_a_full_disk_has_cut_is_whole(void **state)
{
	struct rlimit before, full = {.rlim_cur = 4};
	int fd = memfd_create("file", MFD_CLOEXEC);
	char got[64] = "";

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	full.rlim_max = before.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	outlet_use(&o, fd);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	outlet_write(&o, "a cut\n", 6);
	outlet_write(&o, "a lost\n", 7);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	outlet_write(&o, "whole\n", 6);
	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), 11);
	assert_string_equal(got, "a cu\nwhole\n");
	outlet_close(&o);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_that_are_not_taken_are_kept),
		cmocka_unit_test(
			test_the_line_behind_one_that_a_full_disk_has_cut_is_whole),
		cmocka_unit_test(
			test_a_terminal_that_was_stopped_gets_them_later),
		cmocka_unit_test(test_poll_says_when_there_is_room),
		cmocka_unit_test(test_what_is_too_much_is_lost_and_counted),
		cmocka_unit_test(test_another_file_gets_whole_lines),
		cmocka_unit_test(test_the_same_file_gets_the_rest_of_a_line),
		cmocka_unit_test(test_without_a_reader_nothing_is_kept),
		cmocka_unit_test(test_a_regular_file_is_written_to),
		cmocka_unit_test(
			test_lines_that_were_gathered_are_written_together),
		cmocka_unit_test(test_a_long_line_is_gathered_as_well),
		cmocka_unit_test(test_too_many_to_gather_are_written_before),
		cmocka_unit_test(test_what_was_gathered_and_not_taken_is_kept),
		cmocka_unit_test(test_what_is_kept_at_the_end_is_lost),
		cmocka_unit_test(
			test_another_program_goes_on_with_what_is_kept),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
