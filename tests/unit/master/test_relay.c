/*
 * test_relay.c - what a child writes arrives in whole lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "fixture.h"

enum { PID = 4711 };

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

/* The end of a pipe that a child would have. */
static int
open_pipe(struct fixture *f)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(relay_open(&f->m, ends[0], PID), 0);
	return ends[1];
}

static void
put(int fd, const char *text)
{
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* The log's lines without their times. */
static const char *
logged(struct fixture *f)
{
	static char lines[262144];
	const char *p = fixture_read(f, "log");
	char *to = lines;

	while (*p != '\0') {
		const char *start = strstr(p, "] [") + 2;
		const char *end = strchr(p, '\n') + 1;

		memcpy(to, start, (size_t)(end - start));
		to += end - start;
		p = end;
	}
	*to = '\0';
	return lines;
}

static void
run(struct fixture *f)
{
	while (fixture_event(f))
		continue;
}

static void
test_lines_are_written_when_they_are_whole(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	put(fd, "hello from pri");
	run(f);
	assert_string_equal(logged(f), "");
	put(fd, "nt()\r\n<4>[child] a warning\nTrace");
	run(f);
	assert_string_equal(logged(f),
		"[app:info] [pid 4711] hello from print()\n"
		"[child:warn] [pid 4711] a warning\n");
	close(fd);
	run(f);
	assert_non_null(strstr(logged(f), "[app:info] [pid 4711] Trace\n"));
	assert_null(f->m.relays);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_a_line_without_end_comes_in_pieces(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);
	static char text[30000];
	size_t letters = 0, lines = 0;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "<3>[child] ", 11);
	put(fd, text);
	put(fd, "\nnext\n");
	run(f);
	for (const char *p = logged(f); *p != '\0'; p++) {
		/* 'x' occurs in "next" too */
		letters += *p == 'x';
		lines += *p == '\n';
	}
	assert_int_equal(letters, sizeof(text) - 1 - 11 + 1);
	assert_int_equal(lines, 5);
	assert_non_null(strstr(logged(f), "[app:info] [pid 4711] next\n"));
	/* A piece belongs to the line that it continues. */
	assert_null(strstr(logged(f), "[app:info] [pid 4711] x"));
	close(fd);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_last_words_are_read_at_death(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	put(fd, "one\ntwo\nthree");
	relay_drain(&f->m, PID);
	assert_string_equal(logged(f), "[app:info] [pid 4711] one\n"
				       "[app:info] [pid 4711] two\n");
	relay_drain(&f->m, PID + 1);
	close(fd);
	relay_drain(&f->m, PID);
	assert_null(f->m.relays);
	assert_non_null(strstr(logged(f), "three\n"));
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines_are_written_when_they_are_whole),
		TEST(test_a_line_without_end_comes_in_pieces),
		TEST(test_last_words_are_read_at_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
