/*
 * test_log.c - the error log's lines, written, relayed and taken apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/log.h"

/* What has been written to fd since it was last asked, without the last
 * line's end. */
static const char *
written(int fd)
{
	static char text[20000];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	if (n > 0)
		assert_int_equal(text[--n], '\n');
	text[n] = '\0';
	return text;
}

static int
open_log(enum log_shape shape)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	log_open(fd, shape);
	log_set_level(LOG_LEVEL_NOTICE);
	return fd;
}

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match %s", text, pattern);
	regfree(&regex);
}

static void
test_a_plain_line_is_apaches(void **state)
{
	int fd = open_log(LOG_PLAIN);
	const char *text;
	char tail[128];

	(void)state;
	log_notice("master", "ready, %d children", 4);
	text = written(fd);
	assert_matches(text, "^\\[[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} "
			     "[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6} "
			     "[0-9]{4}\\] \\[master:notice\\] ");
	snprintf(tail, sizeof(tail), "[pid %d] ready, 4 children",
		(int)getpid());
	assert_string_equal(strstr(text, "[pid"), tail);
	close(fd);
}

static void
test_errno_is_named_and_kept(void **state)
{
	int fd = open_log(LOG_RELAY);

	(void)state;
	errno = EACCES;
	log_error("net", "bind %s", "80");
	assert_int_equal(errno, EACCES);
	assert_string_equal(written(fd), LOG_MARK "<3>[net] bind 80: Permission denied");
	log_warnx("net", "bind %s", "80");
	assert_int_equal(errno, EACCES);
	assert_string_equal(written(fd), LOG_MARK "<4>[net] bind 80");
	close(fd);
}

static void
test_less_important_lines_are_dropped(void **state)
{
	int fd = open_log(LOG_RELAY);

	(void)state;
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		log_set_level((enum log_level)level);
		log_errorx("t", "3");
		log_warnx("t", "4");
		log_notice("t", "5");
		log_info("t", "6");
		log_debug("t", "7");
		/* each line has 10 bytes, the last one's end is cut */
		assert_int_equal(strlen(written(fd)), (level - 2) * 10 - 1);
		assert_true(log_wants(LOG_LEVEL_ERROR));
		assert_int_equal(
			log_wants(LOG_LEVEL_DEBUG), level == LOG_LEVEL_DEBUG);
	}
	close(fd);
}

static void
test_levels_have_names(void **state)
{
	(void)state;
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
		assert_int_equal(
			log_level_of(log_level_name((enum log_level)level)),
			level);
	assert_int_equal(log_level_of("Notice"), LOG_LEVEL_NOTICE);
	assert_int_equal(log_level_of("crit"), -1);
	assert_int_equal(log_level_of(""), -1);
}

static void
test_a_message_cannot_forge_a_line(void **state)
{
	int fd = open_log(LOG_RELAY);

	(void)state;
	log_notice("t", "%s",
		"a\nb\r\x1b[2J\x7f\t\x01"
		"caf\xc3\xa9 \\");
	assert_string_equal(written(fd),
		LOG_MARK "<5>[t] a\\x0ab\\x0d\\x1b[2J\\x7f\t\\x01caf\xc3\xa9 \\");
	log_notice("t", "%s", "");
	assert_string_equal(written(fd), LOG_MARK "<5>[t] ");
	close(fd);
}

/* Between bytes that must not be shown the others are copied in one go. */
static void
test_what_may_be_shown_stays_as_it_is(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{"plain", "plain"},
		{" \t~", " \t~"},
		{"\x01plain\x1f", "\\x01plain\\x1f"},
		{"a\x7f"
		 "b",
			"a\\x7f"
			"b"},
		{"caf\xc3\xa9 noir", "caf\xc3\xa9 noir"},
		{"half \xc3", "half \\xc3"},
		{"\xe2\x80\xae turned", "\\xe2\\x80\\xae turned"},
		{"a\xc2\x85"
		 "b",
			"a\\xc2\\x85"
			"b"},
	};
	int fd = open_log(LOG_RELAY);
	char line[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		log_notice("t", "%s", rows[i].text);
		snprintf(line, sizeof(line), LOG_MARK "<5>[t] %s", rows[i].shown);
		assert_string_equal(written(fd), line);
	}
	close(fd);
}

static void
test_a_line_says_when_it_was_written(void **state)
{
	int fd = open_log(LOG_PLAIN);

	(void)state;
	/* In two seconds at least. */
	for (int i = 0; i < 2; i++) {
		int64_t before = clock_real_us() / 1000000;
		struct tm tm = {.tm_isdst = -1};
		const char *rest;

		log_notice("t", "line");
		rest = strptime(written(fd), "[%a %b %d %H:%M:%S.", &tm);
		assert_non_null(rest);
		rest = strptime(rest + 6, " %Y] ", &tm);
		assert_non_null(rest);
		assert_in_range(
			mktime(&tm), before, clock_real_us() / 1000000);
		while (i == 0 && clock_real_us() / 1000000 == before)
			continue;
	}
	close(fd);
}

static void
test_a_long_message_is_cut_to_one_line(void **state)
{
	static char much[20000];
	int fd = open_log(LOG_PLAIN);
	const char *text;

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	log_notice("t", "%s", much);
	text = written(fd);
	assert_in_range(strlen(text), 8000, 8192);
	assert_null(strchr(text, '\n'));
	memset(much, '\x01', sizeof(much) - 1); /* four times as long */
	log_notice("t", "%s", much);
	text = written(fd);
	assert_in_range(strlen(text), 8000, 8192);
	close(fd);
}

static void
test_relayed_lines_are_taken_apart(void **state)
{
	static const struct {
		const char *line;
		enum log_level level;
		const char *token, *text;
	} rows[] = {
		{LOG_MARK "<5>[child] text", LOG_LEVEL_NOTICE, "child", "text"},
		{LOG_MARK "<3>[child]text", LOG_LEVEL_ERROR, "child", "text"},
		{"<3>[app] t", LOG_LEVEL_ERROR, "app", "t"},
		{LOG_MARK "<7>[app]  two", LOG_LEVEL_DEBUG, "app", " two"},
		{LOG_MARK "<6>[launch]", LOG_LEVEL_INFO, "launch", ""},
		/* not ours: the application's, all of it */
		{"", LOG_LEVEL_INFO, "app", ""},
		{"Traceback", LOG_LEVEL_INFO, "app", "Traceback"},
		{"<5>", LOG_LEVEL_INFO, "app", "<5>"},
		{"<5>[child] t", LOG_LEVEL_INFO, "app", "<5>[child] t"},
		{LOG_MARK "<5>[a", LOG_LEVEL_INFO, "app",
			LOG_MARK "<5>[a"},
		{"<2>[app] t", LOG_LEVEL_ERROR, "app", "t"},
		{"<0>[app] t", LOG_LEVEL_ERROR, "app", "t"},
		{LOG_MARK "</>[app] t", LOG_LEVEL_INFO, "app",
			LOG_MARK "</>[app] t"},
		{LOG_MARK "<8>[app] t", LOG_LEVEL_INFO, "app",
			LOG_MARK "<8>[app] t"},
		{LOG_MARK "<5> [app] t", LOG_LEVEL_INFO, "app",
			LOG_MARK "<5> [app] t"},
		{LOG_MARK "<3>[master] t", LOG_LEVEL_INFO, "app",
			LOG_MARK "<3>[master] t"},
		{LOG_MARK "<3>[] t", LOG_LEVEL_INFO, "app",
			LOG_MARK "<3>[] t"},
		{LOG_MARK "<3>[ap] t", LOG_LEVEL_INFO, "app",
			LOG_MARK "<3>[ap] t"},
		{"<5>[\x1b[2J] t", LOG_LEVEL_INFO, "app", "<5>[\x1b[2J] t"},
		{"<5>[a b] t", LOG_LEVEL_INFO, "app", "<5>[a b] t"},
		{"<5>[\xc3\xa9] t", LOG_LEVEL_INFO, "app", "<5>[\xc3\xa9] t"},
		{"<5>[0123456789012345678901234567890123456789] t",
			LOG_LEVEL_INFO, "app",
			"<5>[0123456789012345678901234567890123456789] t"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum log_level level;
		struct str token, text;

		log_parse_relayed(str_of(rows[i].line), &level, &token, &text);
		assert_int_equal(level, rows[i].level);
		assert_true(str_equal(token, str_of(rows[i].token)));
		assert_true(str_equal(text, str_of(rows[i].text)));
	}
}

static void
test_what_a_child_says_comes_out_as_it_was_said(void **state)
{
	static const char *const texts[] = {"ready", "", "  indented",
		"[brackets] <5>[x] in it", "tab\tand \xc3\xa9"};
	int fd = open_log(LOG_RELAY);
	int master = memfd_create("master", MFD_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		enum log_level level;
		struct str token, text;
		char tail[256];

		log_open(fd, LOG_RELAY);
		log_warnx("child", "%s", texts[i]);
		log_parse_relayed(str_of(written(fd)), &level, &token, &text);
		assert_int_equal(level, LOG_LEVEL_WARN);
		assert_true(str_equal(token, STR("child")));
		assert_true(str_equal(text, str_of(texts[i])));

		log_open(master, LOG_PLAIN);
		log_relayed(4711, level, token, text);
		snprintf(tail, sizeof(tail), "[child:warn] [pid 4711] %s",
			texts[i]);
		assert_string_equal(strstr(written(master), "[child"), tail);
	}
	close(fd);
	close(master);
}

static void
test_the_journal_gets_the_priority_instead_of_the_time(void **state)
{
	int fd = open_log(LOG_JOURNAL);

	(void)state;
	log_warnx("net", "text");
	assert_matches(
		written(fd), "^<4>\\[net:warn\\] \\[pid [0-9]+\\] text$");
	close(fd);
}

static void
test_the_journal_is_known_by_its_file(void **state)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);
	char stream[64];
	struct stat st;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	assert_false(log_is_journal(fd));
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu",
		(unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	assert_true(log_is_journal(fd));
	setenv("JOURNAL_STREAM", "1:1", 1);
	assert_false(log_is_journal(fd));
	setenv("JOURNAL_STREAM", "nonsense", 1);
	assert_false(log_is_journal(fd));
	assert_false(log_is_journal(-1));
	close(fd);
}

static struct {
	pid_t pid;
	enum log_level level;
	char token[40], text[64];
} recorded;

static void
record(pid_t pid, enum log_level level, struct str token, struct str text)
{
	recorded.pid = pid;
	recorded.level = level;
	snprintf(recorded.token, sizeof(recorded.token), "%.*s", (int)token.len,
		token.p);
	snprintf(recorded.text, sizeof(recorded.text), "%.*s", (int)text.len,
		text.p);
}

static void
test_records_are_given_away_in_parts(void **state)
{
	int fd = open_log(LOG_PLAIN);

	(void)state;
	log_open_records(record);
	log_warnx("net", "two\nlines");
	assert_int_equal(recorded.pid, getpid());
	assert_int_equal(recorded.level, LOG_LEVEL_WARN);
	assert_string_equal(recorded.token, "net");
	assert_string_equal(recorded.text, "two\\x0alines");
	log_relayed(4711, LOG_LEVEL_INFO, STR("app"), STR("said"));
	assert_int_equal(recorded.pid, 4711);
	assert_string_equal(recorded.text, "said");
	assert_string_equal(written(fd), "");
	log_open(fd, LOG_PLAIN);
	log_warnx("net", "a line again");
	assert_string_not_equal(written(fd), "");
	close(fd);
}

static void
test_a_long_token_is_cut(void **state)
{
	int fd = open_log(LOG_RELAY);

	(void)state;
	log_notice("01234567890123456789012345678901XXXX", "text");
	assert_string_equal(
		written(fd), LOG_MARK "<5>[01234567890123456789012345678901] text");
	close(fd);
}

/* The next line of a pipe, without its level. */
static const char *
next_line(FILE *from)
{
	static char line[256];

	assert_non_null(fgets(line, sizeof(line), from));
	line[strlen(line) - 1] = '\0';
	return strstr(line, "[");
}

/* The last test: there is no way back. */
static void
test_lines_that_nobody_reads_are_kept_or_counted(void **state)
{
	FILE *reader;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	reader = fdopen(ends[0], "r");
	log_keep_lines();
	log_open(ends[1], LOG_RELAY);
	for (int i = 0; i < 20000; i++)
		log_notice("t", "line %05d, that is followed by others", i);
	assert_true(log_waits());
	for (int i = 0;; i++) {
		char expected[128];
		const char *line = next_line(reader);

		log_flush();
		snprintf(expected, sizeof(expected),
			"[t] line %05d, that is followed by others", i);
		if (strcmp(line, expected) == 0)
			continue;
		snprintf(expected, sizeof(expected),
			"[master] %d lines of the error log were lost, as "
			"nobody read it",
			20000 - i);
		assert_string_equal(line, expected);
		break;
	}
	assert_false(log_waits());
	log_notice("t", "again");
	assert_string_equal(next_line(reader), "[t] again");
	log_open(STDERR_FILENO, LOG_PLAIN);
	fclose(reader);
	close(ends[1]);
}

static void
test_a_line_begins_with_its_level_where_it_is_taken_apart(void **state)
{
	static const struct {
		enum log_shape shape;
		const char *begins;
	} rows[] = {{LOG_RELAY, LOG_MARK "<3>[app] "}, {LOG_PLAIN, ""},
		{LOG_JOURNAL, ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char to[48] = "";

		close(open_log(rows[i].shape));
		assert_int_equal(log_begin_line(to, sizeof(to),
					 LOG_LEVEL_ERROR, "app"),
			strlen(rows[i].begins));
		assert_string_equal(to, rows[i].begins);
	}
}

/* The last test, as it stays so. */
static void
test_who_does_not_know_the_secret_does_not_speak_as_we_do(void **state)
{
	static const char ours[] = LOG_MARK "ff<3>[child] text";
	static const char theirs[] = LOG_MARK "<3>[child] text";
	enum log_level level;
	struct str token, text;
	int fd;

	(void)state;
	setenv(LOG_SECRET, "255", 1);
	fd = open_log(LOG_RELAY);
	log_errorx("child", "text");
	assert_string_equal(written(fd), ours);
	log_parse_relayed(str_of(ours), &level, &token, &text);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_true(str_equal(token, STR("child")));
	assert_true(str_equal(text, STR("text")));
	log_parse_relayed(str_of(theirs), &level, &token, &text);
	assert_int_equal(level, LOG_LEVEL_INFO);
	assert_true(str_equal(token, STR("app")));
	assert_true(str_equal(text, str_of(theirs)));
	assert_int_equal(
		log_measure_relayed(STR("a " LOG_MARK "<3>[child] t")), 15);
	assert_int_equal(
		log_measure_relayed(STR("a " LOG_MARK "ff<3>[child] t")), 2);
	close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plain_line_is_apaches),
		cmocka_unit_test(test_errno_is_named_and_kept),
		cmocka_unit_test(test_less_important_lines_are_dropped),
		cmocka_unit_test(test_levels_have_names),
		cmocka_unit_test(test_a_message_cannot_forge_a_line),
		cmocka_unit_test(test_what_may_be_shown_stays_as_it_is),
		cmocka_unit_test(test_a_line_says_when_it_was_written),
		cmocka_unit_test(test_a_long_message_is_cut_to_one_line),
		cmocka_unit_test(test_relayed_lines_are_taken_apart),
		cmocka_unit_test(
			test_what_a_child_says_comes_out_as_it_was_said),
		cmocka_unit_test(
			test_the_journal_gets_the_priority_instead_of_the_time),
		cmocka_unit_test(test_the_journal_is_known_by_its_file),
		cmocka_unit_test(test_records_are_given_away_in_parts),
		cmocka_unit_test(test_a_long_token_is_cut),
		cmocka_unit_test(
			test_lines_that_nobody_reads_are_kept_or_counted),
		cmocka_unit_test(
			test_a_line_begins_with_its_level_where_it_is_taken_apart),
		cmocka_unit_test(
			test_who_does_not_know_the_secret_does_not_speak_as_we_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
