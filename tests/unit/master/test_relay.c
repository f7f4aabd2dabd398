/*
 * test_relay.c - what a child writes arrives in whole lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "fixture.h"
#include "master/logs.h"
#include "master/relay.h"
#include "mpm/mpm.h"

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
	put(fd, "nt()\r\n" LOG_MARK "<4>[child] a warning\nTrace");
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
test_a_line_of_ours_is_one_wherever_it_begins(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	put(fd, "one, " LOG_MARK "<4>[child] a warning\n"
		"two, " LOG_MARK "\n"
		"<3>[app] three, <3>[app]\n"
		"four");
	run(f);
	put(fd, LOG_MARK "<3>[child] an error\n");
	run(f);
	assert_string_equal(logged(f),
		"[app:info] [pid 4711] one, \n"
		"[child:warn] [pid 4711] a warning\n"
		"[app:info] [pid 4711] two, \\x1e\n"
		"[app:error] [pid 4711] three, <3>[app]\n"
		"[app:info] [pid 4711] four\n"
		"[child:error] [pid 4711] an error\n");
	close(fd);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_stacks_of_threads_have_the_level_of_what_led_to_them(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	put(fd, "  indented\n"
		"\n"
		LOG_MARK "<3>[child] it is here:\n"
		"Thread 0x00007f446ba4f780 (most recent call first):\n"
		"  <no Python frame>\n"
		"\n"
		"Current thread 0x00007f446ba4f781 (most recent call first):\n"
		"  File \"a.py\", line 7 in b\n"
		LOG_MARK "<6>[child] something else\n"
		"  File \"a.py\", line 9 in c\n"
		"printed\n"
		"  indented\n"
		"Fatal Python error: Aborted\n"
		"\n"
		"Extension modules: x.y (total: 1)\n");
	run(f);
	assert_string_equal(logged(f),
		"[app:info] [pid 4711]   indented\n"
		"[app:info] [pid 4711] \n"
		"[child:error] [pid 4711] it is here:\n"
		"[app:error] [pid 4711] Thread 0x00007f446ba4f780 (most recent "
		"call first):\n"
		"[app:error] [pid 4711]   <no Python frame>\n"
		"[app:error] [pid 4711] \n"
		"[app:error] [pid 4711] Current thread 0x00007f446ba4f781 (most "
		"recent call first):\n"
		"[app:error] [pid 4711]   File \"a.py\", line 7 in b\n"
		"[child:info] [pid 4711] something else\n"
		"[app:error] [pid 4711]   File \"a.py\", line 9 in c\n"
		"[app:info] [pid 4711] printed\n"
		"[app:info] [pid 4711]   indented\n"
		"[app:error] [pid 4711] Fatal Python error: Aborted\n"
		"[app:error] [pid 4711] \n"
		"[app:error] [pid 4711] Extension modules: x.y (total: 1)\n");
	close(fd);
	run(f);
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
	memcpy(text, LOG_MARK "<3>[child] ", 12);
	put(fd, text);
	put(fd, "\nnext\n");
	run(f);
	for (const char *p = logged(f); *p != '\0'; p++) {
		/* 'x' occurs in "next" too */
		letters += *p == 'x';
		lines += *p == '\n';
	}
	assert_int_equal(letters, sizeof(text) - 1 - 12 + 1);
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

/* A log that nobody reads, and is full. */
static void
open_unread_log(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	log_keep_lines();
	log_open(ends[1], LOG_PLAIN);
	while (!log_waits())
		log_notice("master", "something to fill the pipe with");
}

static void
turn(struct fixture *f)
{
	bool rested;

	do {
		rested = relay_deadline(&f->m) != NEVER;
		f->m.now_ns += 2 * MS_NS;
		relay_turn(&f->m);
		logs_turn(&f->m);
	} while (fixture_event(f) || rested);
}

/* Read the log, while the master goes on, and look for texts in this order. */
static void
read_log(struct fixture *f, int fd, const char *const texts[], size_t n)
{
	static char got[8 * 1024 * 1024];
	const char *at = got;
	size_t len = 0;
	int more = 1;

	(void)fd_set_nonblock(fd, true);
	while (more > 0) {
		more = (int)read(fd, got + len, sizeof(got) - 1 - len);
		len += more > 0 ? (size_t)more : 0;
		turn(f);
	}
	got[len] = '\0';
	for (size_t i = 0; i < n; i++) {
		at = strstr(at, texts[i]);
		assert_non_null(at);
	}
}

static void
close_log(int ends[2])
{
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(ends[0]);
	close(ends[1]);
}

static void
test_a_child_waits_for_the_log(void **state)
{
	static const char *const expected[] = {
		"line 0000\n", "line 0001\n", "line 4711\n", "the last\n"};
	struct fixture *f = *state;
	int log[2], fd = open_pipe(f), n = 0;
	char line[32];

	open_unread_log(log);
	(void)fd_set_nonblock(fd, true);
	do {
		snprintf(line, sizeof(line), "line %04d\n", n++);
		turn(f);
	} while (write(fd, line, strlen(line)) > 0);
	/* No more than fits its pipe, of 64 KiB. */
	assert_in_range(n, 4712, 65536 / 10 + 1);
	(void)fd_set_nonblock(fd, false);
	read_log(f, log[0], expected, 3);
	put(fd, "the last\n");
	turn(f);
	read_log(f, log[0], expected + 3, 1);
	close(fd);
	turn(f);
	assert_null(f->m.relays);
	close_log(log);
}

static void
test_last_words_come_before_the_news_of_the_death(void **state)
{
	static const char *const expected[] = {
		"one\n", "two\n", "three\n", "it has died\n"};
	struct fixture *f = *state;
	int log[2], fd = open_pipe(f);

	open_unread_log(log);
	put(fd, "one\ntwo\nthree");
	close(fd);
	relay_drain(&f->m, PID);
	log_notice("master", "it has died");
	assert_null(f->m.relays);
	read_log(f, log[0], expected, 4);
	close_log(log);
}

static void
test_many_last_words_wait_for_the_log(void **state)
{
	static const char *const expected[] = {
		"line 0000\n", "line 2345\n", "the last\n"};
	struct fixture *f = *state;
	int log[2], fd = open_pipe(f);
	char line[32];

	open_unread_log(log);
	for (int i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "line %04d\n", i);
		put(fd, line);
	}
	put(fd, "the last");
	close(fd);
	relay_drain(&f->m, PID);
	turn(f);
	assert_non_null(f->m.relays);
	assert_true(log_waits());
	read_log(f, log[0], expected, 3);
	assert_null(f->m.relays);
	close_log(log);
}

static void
test_the_end_waits_no_longer_than_it_has_to(void **state)
{
	struct fixture *f = *state;
	int log[2], fd = open_pipe(f);

	put(fd, "one\n");
	open_unread_log(log);
	turn(f);
	logs_finish(&f->m);
	assert_true(log_waits());
	close(log[0]);
	log[0] = -1;
	logs_finish(&f->m);
	assert_false(log_waits());
	close(fd);
	close_log(log);
}

/* --- pipes at rest ----------------------------------------------------------- */

/* Two lines, one soon after the other: from now on its pipe rests. */
static void
put_two(struct fixture *f, int fd)
{
	put(fd, "one\n");
	run(f);
	assert_int_equal(relay_deadline(&f->m), NEVER);
	f->m.now_ns += MS_NS;
	put(fd, "two\n");
	run(f);
	assert_string_equal(logged(f), "[app:info] [pid 4711] one\n"
				       "[app:info] [pid 4711] two\n");
	assert_int_equal(relay_deadline(&f->m), f->m.now_ns + 2 * MS_NS);
}

static void
test_a_line_that_comes_alone_is_read_at_once(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	for (int i = 0; i < 3; i++) {
		put(fd, "one\n");
		run(f);
		assert_int_equal(strlen(logged(f)),
			(i + 1) * strlen("[app:info] [pid 4711] one\n"));
		assert_int_equal(relay_deadline(&f->m), NEVER);
		f->m.now_ns += 2 * MS_NS;
	}
	close(fd);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_lines_that_come_often_are_read_together(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	put_two(f, fd);
	f->m.now_ns += MS_NS;
	put(fd, "three\n");
	put(fd, "four\n");
	assert_false(fixture_event(f));
	relay_turn(&f->m);
	assert_null(strstr(logged(f), "three\n"));
	f->m.now_ns += MS_NS;
	relay_turn(&f->m);
	assert_non_null(strstr(logged(f), "three\n"
					  "[app:info] [pid 4711] four\n"));
	assert_int_equal(relay_deadline(&f->m), f->m.now_ns + 2 * MS_NS);
	/* Nothing has come any more: the next one is heard at once. */
	f->m.now_ns += 2 * MS_NS;
	relay_turn(&f->m);
	assert_int_equal(relay_deadline(&f->m), NEVER);
	put(fd, "five\n");
	assert_true(fixture_event(f));
	assert_non_null(strstr(logged(f), "five\n"));
	close(fd);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_a_full_pipe_is_read_on_at_once(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);
	static char line[65536];

	put_two(f, fd);
	memset(line, '\n', sizeof(line));
	assert_int_equal(fd_write_all(fd, line, sizeof(line)), 0);
	f->m.now_ns += 2 * MS_NS;
	relay_turn(&f->m);
	assert_int_equal(relay_deadline(&f->m), NEVER);
	put(fd, "three\n");
	assert_true(fixture_event(f));
	close(fd);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_the_end_of_a_pipe_at_rest_is_heard_at_once(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	put_two(f, fd);
	put(fd, "three");
	close(fd);
	run(f);
	assert_non_null(strstr(logged(f), "three\n"));
	assert_null(f->m.relays);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_last_words_in_a_pipe_at_rest_are_read_at_death(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);

	put_two(f, fd);
	put(fd, "three\n");
	relay_drain(&f->m, PID);
	assert_non_null(strstr(logged(f), "three\n"));
	/* Who has it from the child goes on. */
	put(fd, "four\n");
	f->m.now_ns += 2 * MS_NS;
	relay_turn(&f->m);
	assert_non_null(strstr(logged(f), "four\n"));
	/* And at our own end. */
	put(fd, "five\n");
	logs_finish(&f->m);
	assert_non_null(strstr(logged(f), "five\n"));
	close(fd);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_who_imports_has_no_rest(void **state)
{
	struct fixture *f = *state;
	int log = open_log(f), fd = open_pipe(f);
	struct child *c = fixture_child(f, 0, LIFECYCLE_STARTING);

	c->pid = PID;
	for (int i = 0; i < 3; i++) {
		put(fd, "one\n");
		assert_true(fixture_event(f));
		assert_int_equal(relay_deadline(&f->m), NEVER);
	}
	c->life = LIFECYCLE_READY;
	c->ready_ns = 1;
	put(fd, "one\n");
	assert_true(fixture_event(f));
	assert_int_not_equal(relay_deadline(&f->m), NEVER);
	close(fd);
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(log);
}

static void
test_a_pipe_at_rest_waits_for_the_log(void **state)
{
	static const char *const expected[] = {"three\n", "four\n"};
	struct fixture *f = *state;
	int file = open_log(f), fd = open_pipe(f), log[2];

	put_two(f, fd);
	open_unread_log(log);
	put(fd, "three\n");
	f->m.now_ns += 2 * MS_NS;
	relay_turn(&f->m);
	assert_int_equal(relay_deadline(&f->m), NEVER);
	put(fd, "four\n");
	assert_false(fixture_event(f));
	read_log(f, log[0], expected, 2);
	put(fd, "five\n");
	assert_true(fixture_event(f));
	close(fd);
	close_log(log);
	close(file);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines_are_written_when_they_are_whole),
		TEST(test_a_line_of_ours_is_one_wherever_it_begins),
		TEST(test_stacks_of_threads_have_the_level_of_what_led_to_them),
		TEST(test_a_line_without_end_comes_in_pieces),
		TEST(test_last_words_are_read_at_death),
		TEST(test_a_child_waits_for_the_log),
		TEST(test_last_words_come_before_the_news_of_the_death),
		TEST(test_many_last_words_wait_for_the_log),
		TEST(test_the_end_waits_no_longer_than_it_has_to),
		TEST(test_a_line_that_comes_alone_is_read_at_once),
		TEST(test_lines_that_come_often_are_read_together),
		TEST(test_a_full_pipe_is_read_on_at_once),
		TEST(test_the_end_of_a_pipe_at_rest_is_heard_at_once),
		TEST(test_last_words_in_a_pipe_at_rest_are_read_at_death),
		TEST(test_who_imports_has_no_rest),
		TEST(test_a_pipe_at_rest_waits_for_the_log),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
