/*
 * test_fd.c - small things done to descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/fd.h"

static void
test_a_closed_descriptor_is_minus_one(void **state)
{
	int fd = dup(STDERR_FILENO), was = fd;

	(void)state;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(was, F_GETFD), -1);
	fd_close(&fd);
	assert_int_equal(fd, -1);
}

static void
test_flags_go_on_and_off(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_set_cloexec(ends[0], true), 0);
	assert_int_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(ends[0], false), 0);
	assert_int_equal(fcntl(ends[0], F_GETFD), 0);
	assert_int_equal(fd_set_nonblock(ends[0], true), 0);
	assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(ends[0], false), 0);
	assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(fd_set_cloexec(ends[0], true), -EBADF);
	assert_int_equal(fd_set_nonblock(ends[0], true), -EBADF);
}

static void
test_all_of_it_is_written(void **state)
{
	enum { MUCH = 1 << 20 };
	AUTO_FREE char *data = calloc(1, MUCH);
	int ends[2], status = -1;
	pid_t reader;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	reader = fork();
	if (reader == 0) {
		char some[777];
		size_t len = 0;
		ssize_t n;

		close(ends[0]);
		while ((n = read(ends[1], some, sizeof(some))) > 0)
			len += (size_t)n;
		_exit(len != MUCH);
	}
	close(ends[1]);
	assert_int_equal(fd_write_all(ends[0], data, MUCH), 0);
	close(ends[0]);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	assert_int_equal(fd_write_all(ends[0], "x", 1), -EBADF);
	assert_int_equal(fd_write_all(ends[0], "", 0), 0);
}

static void
test_a_whole_file_is_read_up_to_the_limit(void **state)
{
	static const struct {
		size_t size, limit;
		int rc;
	} rows[] = {
		{0, 0, 0},
		{0, 10, 0},
		{10, 10, 0},
		{11, 10, -EFBIG},
		{4095, 4096, 0},
		{4096, 4096, 0},
		{4097, 4096, -EFBIG},
		{100000, 100000, 0},
		{100000, 99999, -EFBIG},
		{300000, 10, -EFBIG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
		AUTO_FREE char *data = NULL;
		size_t len = 0;

		for (size_t k = 0; k < rows[i].size; k += 10)
			assert_true(
				write(fd, "0123456789",
					rows[i].size - k < 10 ? rows[i].size - k
							      : 10) > 0);
		assert_int_equal(fd_read_whole(fd, rows[i].limit, &data, &len),
			rows[i].rc);
		if (rows[i].rc < 0) {
			assert_null(data);
			continue;
		}
		assert_int_equal(len, rows[i].size);
		assert_int_equal(strlen(data), rows[i].size);
	}
}

static void
test_what_cannot_be_read_is_an_error(void **state)
{
	int ends[2];
	char *data = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_read_whole(ends[0], 10, &data, &len), -ESPIPE);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(fd_read_whole(ends[0], 10, &data, &len), -EBADF);
	assert_null(data);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_closed_descriptor_is_minus_one),
		cmocka_unit_test(test_flags_go_on_and_off),
		cmocka_unit_test(test_all_of_it_is_written),
		cmocka_unit_test(test_a_whole_file_is_read_up_to_the_limit),
		cmocka_unit_test(test_what_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
