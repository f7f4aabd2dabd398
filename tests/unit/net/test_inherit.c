/*
 * test_inherit.c - the argument and the descriptors of a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "net/inherit.h"

static void
test_an_argument_is_read_as_it_was_written(void **state)
{
	static const struct inheritance rows[] = {
		{0, 0, 0, 0, 0, 0, 0},
		{3, 1, 2, 1, 1, 0, 1},
		{0, 7, 1, 0, 0, 1, 0},
		{5, 1, 4, 2, 4, 0, 0},
		{4000, UINT_MAX, 100000, 100000, 0, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inheritance in = {0};
		char text[INHERIT_ARGUMENT];
		struct err err = {0};

		inherit_format(&rows[i], text);
		assert_int_equal(inherit_parse(&in, text, &err), 0);
		assert_memory_equal(&in, &rows[i], sizeof(in));
	}
}

static void
test_a_child_waits_on_the_set_of_its_bucket(void **state)
{
	static const struct {
		struct inheritance in;
		int set, end;
	} rows[] = {
		{{.n_listeners = 1, .n_logs = 2}, -1, INHERIT_REST + 3},
		{{.n_listeners = 2, .n_logs = 1, .n_sets = 1}, INHERIT_SET,
			INHERIT_REST + 3},
		{{.n_listeners = 4, .n_logs = 1, .n_sets = 2}, INHERIT_REST + 5,
			INHERIT_REST + 7},
		{{.slot = 1, .n_listeners = 4, .n_logs = 1, .n_sets = 2},
			INHERIT_REST + 6, INHERIT_REST + 7},
		{{.slot = 5, .n_listeners = 3, .n_sets = 3}, INHERIT_REST + 5,
			INHERIT_REST + 6},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(inherit_set(&rows[i].in), rows[i].set);
		assert_int_equal(inherit_end(&rows[i].in), rows[i].end);
	}
}

static void
test_anything_else_is_no_argument(void **state)
{
	static const char *const rows[] = {
		"",
		"--help",
		"slot=3 generation=1 listeners=2 logs=1 template=0 warm_up=0",
		"slot=3 generation=1 listeners=2 logs=1 sets=x template=0 "
		"warm_up=0",
		"slot=3 generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=0 ",
		" slot=3 generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=0",
		"slot=3  generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=0",
		"slot=03 generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=0",
		"slot=-3 generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=0",
		"slot=+3 generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=0",
		"slot=4294967299 generation=1 listeners=2 logs=1 sets=1 "
		"template=0 warm_up=0",
		"slot=3 generation=1 listeners=100001 logs=1 sets=1 template=0 "
		"warm_up=0",
		"slot=3 generation=1 listeners=2 logs=4294967295 sets=1 "
		"template=0 warm_up=0",
		"slot=3 generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=0 "
		"sets=1",
		"slot=3 generation=1 listeners=2 logs=1 sets=1",
		"slot=0 generation=1 listeners=2 logs=1 sets=1 template=2 "
		"warm_up=0",
		"slot=0 generation=1 listeners=2 logs=1 sets=1 template=0 "
		"warm_up=3",
		"slot=0 generation=1 listeners=2 logs=1 sets=1 template=0",
	};
	static char endless[10000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inheritance in = {.slot = 77};
		struct err err = {0};

		assert_int_equal(inherit_parse(&in, rows[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "started by wsgid"));
		assert_int_equal(in.slot, 77);
	}
	memset(endless, '1', sizeof(endless) - 1);
	memcpy(endless, "slot=", 5);
	assert_int_equal(inherit_parse(&(struct inheritance){0}, endless, NULL),
		-EINVAL);
}

/* A memory file that says who it is, at descriptor number. */
static void
place(char name, int number)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &name, 1) != 1 ||
		(fd != number && dup3(fd, number, O_CLOEXEC) < 0))
		_exit(10);
	if (fd != number)
		close(fd);
}

static bool
is_at(char name, int number)
{
	char here = 0;

	return pread(number, &here, 1, 0) == 1 && here == name &&
	       fcntl(number, F_GETFD) == 0;
}

enum { MOST = 6 };

static int
arrange(const int *numbers, size_t n)
{
	int fds[MOST];

	for (size_t i = 0; i < n; i++)
		fds[i] = numbers[i];
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	/* From the top, so that no place is taken before its turn. */
	for (int number = 40; number > 2; number--)
		for (size_t i = 0; i < n; i++)
			if (numbers[i] == number) {
				place((char)('a' + i), number);
				break;
			}
	if (inherit_arrange(fds, n) < 0)
		return 11;
	for (size_t i = 0; i < n; i++) {
		size_t same = 0;

		while (numbers[same] != numbers[i])
			same++;
		if (!is_at((char)('a' + same), 3 + (int)i))
			return 12;
	}
	for (int fd = 3 + (int)n; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && flags != FD_CLOEXEC)
			return 13;
	}
	return 0;
}

static void
test_descriptors_come_to_their_places_from_anywhere(void **state)
{
	static const struct {
		int numbers[MOST];
		size_t n;
	} rows[] = {
		{{0}, 0}, {{3, 4, 5, 6}, 4}, /* all there already */
		{{6, 5, 4, 3}, 4},           /* each in another's place */
		{{4, 5, 6, 3}, 4},           /* round */
		{{20, 21, 22, 23}, 4},       /* all far away */
		{{5, 20, 3, 30, 9, 4}, 6},   /* mixed */
		{{7, 8, 9, 10, 11, 3}, 6},   /* just behind */
		{{9, 9, 9}, 3},              /* one several times */
		{{3, 3, 4}, 3},              /* likewise, in the range */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(arrange(rows[i].numbers, rows[i].n));
		waitpid(pid, &status, 0);
		if (status != 0)
			fail_msg("row %zu: exit status %d", i,
				WEXITSTATUS(status));
	}
}

static int
arrange_badly(int *fds, size_t n, int wanted)
{
	return inherit_arrange(fds, n) == wanted ? 0 : 1;
}

static void
test_what_cannot_be_arranged_is_an_error(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		int closed[] = {-1};

		_exit(arrange_badly(closed, 1, -EBADF));
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);

	pid = fork();
	if (pid == 0) {
		struct rlimit limit = {8, 8};
		int fds[] = {0, 0, 0, 0, 0, 0};

		setrlimit(RLIMIT_NOFILE, &limit);
		/* F_DUPFD beyond the limit is EINVAL. */
		_exit(arrange_badly(fds, 6, -EINVAL));
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void
test_an_order_names_its_slot_and_nothing_else(void **state)
{
	static const char *const rows[] = {"", "slot=", "slot=-1", "slot=01",
		"slot=4294967296", "slot=1 ", " slot=1", "slot=1 slot=2",
		"generation=1"};
	char text[INHERIT_ARGUMENT];
	unsigned slot = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(inherit_parse_slot(&slot, rows[i]), -EPROTO);
	assert_int_equal(slot, 77);
	inherit_format_slot(UINT_MAX, text);
	assert_int_equal(inherit_parse_slot(&slot, text), 0);
	assert_int_equal(slot, UINT_MAX);
}

/* One listener and one log: their places are 11 and 12. */
static int
take_place(const int *numbers, size_t n)
{
	static const int places[] = {INHERIT_CHANNEL, STDOUT_FILENO,
		INHERIT_PAGE, INHERIT_MUTEX, INHERIT_REST + 1};
	const struct inheritance in = {.n_listeners = 1, .n_logs = 1};
	int fds[MOST];

	for (int fd = 3; fd < 64; fd++)
		close(fd);
	for (size_t i = 0; i < n; i++) {
		place((char)('a' + i), numbers[i]);
		fds[i] = numbers[i];
	}
	if (inherit_take_place(&in, fds, n) < 0)
		return 11;
	for (size_t i = 0; i < n; i++) {
		char here = 0;
		bool output = i == INHERIT_FORK_OUTPUT;

		if (pread(places[i], &here, 1, 0) != 1 ||
			here != (char)('a' + i) ||
			fcntl(places[i], F_GETFD) != (output ? 0 : FD_CLOEXEC))
			return 12;
	}
	for (int fd = INHERIT_REST + 2; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 13;
	return 0;
}

static void
test_what_comes_with_an_order_goes_to_its_place(void **state)
{
	static const int rows[][5] = {
		{13, 14, 15, 16, 17},
		{17, 16, 15, 14, 13},
		{5, 9, 3, 12, 20}, /* each in another's place */
		{9, 3, 12, 5, 11},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(take_place(rows[i], 5));
		waitpid(pid, &status, 0);
		if (status != 0)
			fail_msg("row %zu: exit status %d", i,
				WEXITSTATUS(status));
	}
}

static void
test_an_order_with_too_few_or_too_many_is_none(void **state)
{
	const struct inheritance in = {.n_listeners = 1, .n_logs = 2};
	int fds[8] = {0};

	(void)state;
	assert_int_equal(inherit_take_place(&in, fds, 5), -EPROTO);
	assert_int_equal(inherit_take_place(&in, fds, 7), -EPROTO);
	assert_int_equal(inherit_take_place(&in, fds, 0), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_argument_is_read_as_it_was_written),
		cmocka_unit_test(test_a_child_waits_on_the_set_of_its_bucket),
		cmocka_unit_test(test_anything_else_is_no_argument),
		cmocka_unit_test(
			test_descriptors_come_to_their_places_from_anywhere),
		cmocka_unit_test(test_what_cannot_be_arranged_is_an_error),
		cmocka_unit_test(test_an_order_names_its_slot_and_nothing_else),
		cmocka_unit_test(
			test_what_comes_with_an_order_goes_to_its_place),
		cmocka_unit_test(
			test_an_order_with_too_few_or_too_many_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
