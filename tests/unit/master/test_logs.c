/*
 * test_logs.c - the files of the logs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "fixture.h"
#include "master/logs.h"

static int
open_log(struct fixture *f)
{
	struct err err = {0};
	int fd = logs_open(
		"ErrorLog", fixture_path(f, "log"), STDERR_FILENO, &err);

	assert_true(fd >= 0);
	log_open(fd, LOG_PLAIN);
	return fd;
}

static void
test_a_log_is_appended_to_and_not_for_everybody(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};
	struct stat st;
	int fd;

	for (int i = 0; i < 2; i++) {
		fd = open_log(f);
		assert_int_equal(fd_write_all(fd, "x\n", 2), 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		log_open(STDERR_FILENO, LOG_PLAIN);
		close(fd);
	}
	assert_string_equal(fixture_read(f, "log"), "x\nx\n");
	assert_int_equal(stat(fixture_path(f, "log"), &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
	assert_int_equal(
		logs_open("CustomLog", "/nonexistent/x", 1, &err), -ENOENT);
	assert_string_equal(err.text,
		"CustomLog /nonexistent/x: No such file or directory");
	fd = logs_open("CustomLog", "-", STDOUT_FILENO, &err);
	assert_true(fd > STDERR_FILENO);
	close(fd);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_log_is_appended_to_and_not_for_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
