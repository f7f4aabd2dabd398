/*
 * test_standard.c - what was closed of 0 to 2 is open again, and nobody else's.
 * Each test closes those of a process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "child/standard.h"

/* What the log gets, and whose end is read. */
static int output[2];

static bool
is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int
open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* The statuses tell which line has failed. */
#define EXPECT(x)                                                              \
	do {                                                                   \
		if (!(x))                                                      \
			_exit(__LINE__ % 255 + 1);          \
	} while (0)

static void
all_come_back(struct standard *s)
{
	int null, fd;

	for (int i = 0; i <= 2; i++)
		close(i);
	fd = open_null();
	EXPECT(fd == 0);
	fd = standard_avoid(s, fd);
	EXPECT(fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	null = open_null();
	EXPECT(is_same(0, null) && is_same(1, output[1]) &&
		is_same(2, output[1]));
	EXPECT(fcntl(2, F_GETFD) == 0);
}

static void
what_the_application_put_there_stays(struct standard *s)
{
	int null = open_null();

	EXPECT(dup2(null, 2) == 2);
	close(1);
	standard_mend(s);
	EXPECT(is_same(2, null) && is_same(1, output[1]));
}

static void
a_lost_copy_is_not_put_there(struct standard *s)
{
	int null = open_null();

	EXPECT(dup2(null, s->log) == s->log);
	close(2);
	standard_mend(s);
	EXPECT(is_same(2, null));
	standard_forget(s);
	EXPECT(s->log == -1);
}

static void
others_stay_where_they_are(struct standard *s)
{
	int fd = open_null();

	close(2);
	EXPECT(standard_avoid(s, fd) == fd);
	EXPECT(fcntl(2, F_GETFD) < 0);
	EXPECT(standard_avoid(s, open_null()) > 2);
	EXPECT(standard_avoid(NULL, fd) == fd);
}

static void
run(void (*test)(struct standard *s))
{
	int status;
	pid_t pid;

	assert_int_equal(pipe(output), 0);
	pid = fork();
	if (pid == 0) {
		struct standard s = {.log = -1};

		(void)dup2(output[1], 1);
		(void)dup2(output[1], 2);
		standard_keep(&s);
		log_open(2, LOG_RELAY);
		test(&s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(output[1]);
	assert_int_equal(status, 0);
}

static void
test_all_that_are_closed_come_back_and_are_said(void **state)
{
	char text[1024];
	ssize_t n;

	(void)state;
	run(all_come_back);
	n = read(output[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "its standard input, descriptor 0"));
	assert_non_null(strstr(text, "its standard output, descriptor 1"));
	assert_non_null(strstr(text, "its standard error, descriptor 2"));
	close(output[0]);
}

static void
test_each_by_itself(void **state)
{
	static void (*const tests[])(struct standard *) = {
		what_the_application_put_there_stays,
		a_lost_copy_is_not_put_there,
		others_stay_where_they_are,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		run(tests[i]);
		close(output[0]);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_all_that_are_closed_come_back_and_are_said),
		cmocka_unit_test(test_each_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
