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

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "fixture.h"
#include "lock/accept_mutex.h"
#include "master/mutex.h"
#include "master/say.h"
#include "net/listen.h"

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

static void
test_the_start_says_which_mutex_is_taken_or_that_none_is_needed(void **state)
{
	static const struct {
		size_t listeners;
		const char *text;
	} cases[] = {
		{1, ", accept mutex fcntl, not needed with one listener\n"},
		{2, ", accept mutex fcntl\n"},
	};
	const struct accept_mutex_settings settings = {
		.mechanism = "fcntl", .user = (uid_t)-1, .group = (gid_t)-1};
	struct listener listeners[2] = {0};
	int buckets[2] = {0};
	struct fixture *f = *state;
	struct err err = {0};

	assert_int_equal(accept_mutex_create(&f->m.mutex, &settings, &err), 0);
	f->generation.listeners = listeners;
	f->generation.buckets = buckets;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		f->generation.n_listeners = cases[i].listeners;
		assert_non_null(strstr(said_at_start(f), cases[i].text));
	}
	mutex_close(&f->m);
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
		cmocka_unit_test_setup_teardown(
			test_the_start_says_which_mutex_is_taken_or_that_none_is_needed,
			fixture_make, fixture_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
