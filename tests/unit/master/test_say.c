/*
 * test_say.c - how a death is told, and a start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

static void
test_deaths_are_told_as_apache_does(void **state)
{
	static const struct {
		int status;
		const char *text;
	} cases[] = {
		{SIGSEGV, "exit signal Segmentation fault (11)"},
		{SIGSEGV | 0x80, "exit signal Segmentation fault (11)"},
		{SIGKILL, "exit signal Killed (9)"},
		{SIGTERM, "exit signal Terminated (15)"},
		{64, "exit signal unknown (64)"},
		{0, "exit status 0"},
		{78 << 8, "exit status 78"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];

		say_death(cases[i].status, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static const char *
said_at_start(struct fixture *f)
{
	int fd = open(fixture_path(f, "log"),
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	log_open(fd, LOG_PLAIN);
	say_start(&f->m);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(fd);
	return fixture_read(f, "log");
}

static void
test_the_start_says_how_many_children_of_how_many_threads(void **state)
{
	static const struct {
		long start, threads, spare, most;
		const char *text;
	} cases[] = {
		{2, 3, 6, 12,
			", worker with 2 to 4 children of 3 threads, accept "
			"mutex none\n"},
		{2, 8, 25, 16,
			", worker with 2 children of 8 threads, accept mutex "
			"none\n"},
		{1, 8, 17, 8,
			", worker with 1 child of 8 threads, accept mutex "
			"none\n"},
		{4, 1, 9, 4,
			", worker with 4 children of 1 thread, accept mutex "
			"none\n"},
	};
	struct fixture *f = *state;
	struct config *c = f->generation.config;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		c->start_servers = cases[i].start;
		c->threads_per_child = cases[i].threads;
		c->max_spare_threads = cases[i].spare;
		c->max_request_workers = cases[i].most;
		assert_non_null(strstr(said_at_start(f), cases[i].text));
	}
}

static void
test_the_start_says_how_many_children(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(said_at_start(f),
		", prefork with 2 to 4 children, accept mutex none\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deaths_are_told_as_apache_does),
		cmocka_unit_test_setup_teardown(
			test_the_start_says_how_many_children, fixture_make,
			fixture_remove),
		cmocka_unit_test_setup_teardown(
			test_the_start_says_how_many_children_of_how_many_threads,
			fixture_make_worker, fixture_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
