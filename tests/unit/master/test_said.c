/*
 * test_said.c - what is kept of what was said while something new was tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "fixture.h"
#include "master/board.h"
#include "master/said.h"
#include "scoreboard/scoreboard.h"

static void
fail_reload(struct master *m)
{
	board_show_reload(m, WSGID_RELOAD_FAILED, "no module");
}

static void
test_a_failed_reload_leaves_its_lines_in_the_scoreboard(void **state)
{
	struct fixture *f = *state;
	const char *log = scoreboard_board(f->m.scoreboard)->reload_log;

	said_begin(&f->m);
	said_line(&f->m, "log", "Traceback:");
	said_line(&f->m, "log", "\tValueError: \033[31m\xc3\xa9");
	fail_reload(&f->m);
	assert_string_equal(log, "Traceback:\n\tValueError: ?[31m\xc3\xa9\n");

	/* The next one has its own, and one that is done has none. */
	said_begin(&f->m);
	said_line(&f->m, "log", "once more");
	fail_reload(&f->m);
	assert_string_equal(log, "once more\n");
	board_show_reload(&f->m, WSGID_RELOAD_DONE, "");
	assert_string_equal(log, "");
}

static void
test_the_last_lines_are_kept_where_there_are_many(void **state)
{
	struct fixture *f = *state;
	const char *log = scoreboard_board(f->m.scoreboard)->reload_log;
	char line[64];

	said_begin(&f->m);
	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "line %d of many", i);
		said_line(&f->m, "log", line);
	}
	fail_reload(&f->m);
	assert_int_equal(strncmp(log, "line ", 5), 0);
	assert_non_null(strstr(log, "\nline 2999 of many\n"));
	assert_null(strstr(log, "line 7 of"));
	assert_true(strlen(log) > 4000);
}

static struct master *reader;

static void
pass_on(const struct master *m, struct str lines)
{
	(void)m;
	assert_true(lines.len <= 1365);
	said_lines(reader, lines);
}

static void
test_another_master_hears_the_same_lines(void **state)
{
	struct fixture *f = *state;
	struct master other = {0};
	char line[200];

	said_begin(&f->m);
	for (int i = 0; i < 40; i++) {
		memset(line, 'a' + i % 26, sizeof(line) - 1);
		line[i * 3] = '\0';
		said_line(&f->m, "log", line);
	}
	reader = &other;
	said_each(&f->m, pass_on);
	assert_string_equal(buf_text(&other.said), buf_text(&f->m.said));
	buf_fini(&other.said);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_failed_reload_leaves_its_lines_in_the_scoreboard),
		TEST(test_the_last_lines_are_kept_where_there_are_many),
		TEST(test_another_master_hears_the_same_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
