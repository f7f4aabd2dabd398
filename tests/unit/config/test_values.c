/*
 * test_values.c - words, texts, paths and lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "config/values.h"
#include "reading.h"

/* Parse up to four words for a directive, with "/base" for relative paths. */
static int
parse(const char *directive, const char *const words[4],
	union directive_value *value, struct arena *arena, struct err *err)
{
	const struct directive *row = directive_find(directive);
	struct directive_input in = {.row = row,
		.words = words,
		.base = "/base",
		.where = "here",
		.arena = arena};

	while (in.n < 4 && words[in.n] != NULL)
		in.n++;
	return row->type->parse(&in, value, err);
}

static void
test_a_flag_is_on_or_off(void **state)
{
	static const struct {
		const char *text;
		int value;
	} table[] = {
		{"On", 1},
		{"on", 1},
		{"ON", 1},
		{"Off", 0},
		{"off", 0},
		{"yes", -1},
		{"1", -1},
		{"true", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *words[4] = {table[i].text};
		union directive_value v = {0};
		struct err err = {0};
		int rc = parse("KeepAlive", words, &v, NULL, &err);

		assert_int_equal(rc < 0, table[i].value < 0);
		if (rc == 0)
			assert_int_equal(v.flag, table[i].value);
	}
}

static void
test_a_choice_lists_its_words(void **state)
{
	static const struct {
		const char *directive, *text;
		int value;
		const char *sentence;
	} table[] = {
		{"MPM", "prefork", CONFIG_MPM_PREFORK, NULL},
		{"MPM", "Worker", CONFIG_MPM_WORKER, NULL},
		{"MPM", "event", -1, "\"event\" is none of prefork and worker"},
		{"IoEngine", "io_uring", CONFIG_IO_URING, NULL},
		{"IoEngine", "epoll", CONFIG_IO_EPOLL, NULL},
		{"IoEngine", "select", -1,
			"\"select\" is none of auto, io_uring and epoll"},
		{"SignalStyle", "apache", CONFIG_SIGNALS_APACHE, NULL},
		{"LogLevel", "error", LOG_LEVEL_ERROR, NULL},
		{"LogLevel", "DEBUG", LOG_LEVEL_DEBUG, NULL},
		{"LogLevel", "crit", -1,
			"\"crit\" is none of error, warn, notice, info and "
			"debug; did you mean error?"},
		{"LogLevel", "Warning", -1,
			"\"Warning\" is none of error, warn, notice, info and "
			"debug; did you mean warn?"},
		{"LogLevel", "loud", -1,
			"\"loud\" is none of error, warn, notice, info and "
			"debug"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *words[4] = {table[i].text};
		union directive_value v = {0};
		struct err err = {0};
		int rc = parse(table[i].directive, words, &v, NULL, &err);

		if (table[i].sentence != NULL) {
			assert_true(rc < 0);
			assert_string_equal(err.text, table[i].sentence);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(v.word, table[i].value);
		}
	}
}

static void
test_texts_and_paths(void **state)
{
	static const struct {
		const char *directive, *text, *value; /* NULL = refused */
	} table[] = {
		{"User", "www-data", "www-data"},
		{"User", "#33", "#33"},
		{"User", "", NULL},
		{"User", "a\nb", NULL},
		{"User", "a\x7f", NULL},
		{"WSGIApplication", "site.wsgi:app", "site.wsgi:app"},
		{"RunDirectory", "/run/x", "/run/x"},
		{"RunDirectory", "run", "/base/run"},
		{"RunDirectory", "./run", "/base/run"},
		{"RunDirectory", ".//run", "/base/run"},
		{"RunDirectory", ".", "/base"},
		{"RunDirectory", "../run", "/base/../run"},
		{"RunDirectory", "a b", "/base/a b"},
		{"RunDirectory", "~/run", NULL},
		{"RunDirectory", "~", NULL},
		{"RunDirectory", "~x", "/base/~x"},
		{"PidFile", "x.pid", "/base/x.pid"},
		{"ChDir", "site", "/base/site"},
		{"WSGIPythonHome", "venv", "/base/venv"},
		{"ErrorLog", "-", "-"},
		{"ErrorLog", "e.log", "/base/e.log"},
		{"ErrorLog", "|/bin/cat", NULL},
		{"ErrorLog", "syslog:local1", NULL},
		{"WSGIPythonPath", "/a", "/a"},
		{"WSGIPythonPath", "/a:b:./c", "/a:/base/b:/base/c"},
		{"WSGIPythonPath", ":/a::b:", "/a:/base/b"},
		{"WSGIPythonPath", ":", NULL},
		{"WSGIPythonPath", "/a:~/b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *words[4] = {table[i].text};
		union directive_value v = {0};
		struct arena arena = {0};
		struct err err = {0};
		int rc = parse(table[i].directive, words, &v, &arena, &err);

		if (table[i].value == NULL) {
			assert_true(rc < 0);
			assert_true(err.text[0] != '\0');
		} else {
			assert_int_equal(rc, 0);
			assert_string_equal(v.text, table[i].value);
		}
		arena_fini(&arena);
	}
}

static void
test_a_value_has_its_bounds(void **state)
{
	AUTO_FREE char *text = malloc(VALUE_BYTES + 2);
	const char *words[4] = {text};
	union directive_value v;
	struct arena arena = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(text);
	memset(text, 'x', VALUE_BYTES + 1);
	text[VALUE_BYTES + 1] = '\0';
	assert_true(parse("User", words, &v, &arena, &err) < 0);
	assert_string_equal(err.text, "the value is longer than 8192 bytes");
	text[VALUE_BYTES] = '\0';
	assert_int_equal(parse("User", words, &v, &arena, &err), 0);
	/* The base counts too, or the dump could not be read again. */
	assert_true(parse("ChDir", words, &v, &arena, &err) < 0);
	memcpy(text, "unix:/", 6);
	assert_int_equal(parse("Listen", words, &v, &arena, &err), 0);
	memcpy(text, "unix:x", 6);
	assert_true(parse("Listen", words, &v, &arena, &err) < 0);
	arena_fini(&arena);
}

static void
test_too_many_words_and_a_comment_behind_a_value(void **state)
{
	static const struct {
		const char *directive, *words[4], *sentence;
	} table[] = {
		{"User", {"a", "b"},
			"one value is expected, as in \"User www-data\"; put "
			"one with spaces in quotes"},
		{"User", {NULL},
			"one value is expected, as in \"User www-data\""},
		{"User", {"a", "#", "b"},
			"\"#\" is not a value; a comment must be on a line of "
			"its own"},
		{"Timeout", {"30", "s"},
			"\"30 s\" is not a time; seconds, or a number with ms, "
			"s, min or h (a day is 24h), are expected, as in "
			"\"Timeout 60s\""},
		{"Timeout", {"30", "#x"},
			"\"#x\" is not a value; a comment must be on a line of "
			"its own"},
		{"Timeout", {NULL},
			"one value is expected, as in \"Timeout 60s\""},
		{"KeepAlive", {"On", "Off"},
			"one value is expected, as in \"KeepAlive On\"; put "
			"one with spaces in quotes"},
		{"Listen", {"80", "#", "b"},
			"\"#\" is not a value; a comment must be on a line of "
			"its own"},
		{"Listen", {NULL},
			"other words are expected, as in \"Listen "
			"127.0.0.1:8000\""},
		{"CustomLog", {"a", "b", "c"},
			"other words are expected, as in \"CustomLog "
			"/var/log/wsgid/access.log combined\""},
		{"LogFormat", {"%h"},
			"other words are expected, as in \"LogFormat \"%h %t "
			"\\\"%r\\\" %>s %D\" brief\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		union directive_value v;
		struct err err = {0};

		assert_true(parse(table[i].directive, table[i].words, &v, NULL,
				    &err) < 0);
		assert_string_equal(err.text, table[i].sentence);
	}
}

static void
test_a_log_is_no_program_and_an_access_log_no_journal(void **state)
{
	static const struct {
		const char *directive, *words[4];
	} table[] = {
		{"ErrorLog", {"|/bin/cat"}},
		{"CustomLog", {"syslog:user", "common"}},
		{"CustomLog", {"journald"}},
		{"CustomLog", {"Journald", "common"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		union directive_value v;
		struct arena arena = {0};
		struct err err = {0};

		assert_true(parse(table[i].directive, table[i].words, &v,
				    &arena, &err) < 0);
		assert_non_null(strstr(err.text,
			": wsgid writes logs to files, to \"-\" and, the error "
			"log, to journald; let the service manager pass \"-\" "
			"on"));
		arena_fini(&arena);
	}
}

static void
test_listen(void **state)
{
	static const struct {
		const char *words[4], *address, *owner, *group;
		int mode, protocol;
	} table[] = {
		{{"8000"}, "8000", NULL, NULL, -1, -1},
		{{"[::1]:80"}, "[::1]:80", NULL, NULL, -1, -1},
		{{"unix:/run/x"}, "unix:/run/x", NULL, NULL, -1, -1},
		{{"unix:x", "mode=0660"}, "unix:/base/x", NULL, NULL, 0660, -1},
		{{"unix:@x"}, "unix:@x", NULL, NULL, -1, -1},
		{{"unix:/a,b"}, "unix:/a,b", NULL, NULL, -1, -1},
		{{"fd:a,b"}, "fd:a,b", NULL, NULL, -1, -1},
		{{"unix:/x", "group=g", "mode=600", "owner=o"}, "unix:/x", "o",
			"g", 0600, -1},
		{{"unix:/x", "mode=600", "ProxyProtocol=Off"}, "unix:/x", NULL,
			NULL, 0600, CONFIG_PROXY_OFF},
		{{"8000", "ProxyProtocol=On"}, "8000", NULL, NULL, -1,
			CONFIG_PROXY_ON},
		{{"unix:@x", "proxyprotocol=optional"}, "unix:@x", NULL, NULL,
			-1, CONFIG_PROXY_OPTIONAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		union directive_value v;
		struct arena arena = {0};

		assert_int_equal(
			parse("Listen", table[i].words, &v, &arena, NULL), 0);
		assert_string_equal(v.listen.address, table[i].address);
		assert_int_equal(v.listen.mode, table[i].mode);
		assert_int_equal(v.listen.proxy_protocol, table[i].protocol);
		assert_false(v.listen.https);
		assert_string_equal(v.listen.where, "here");
		assert_int_equal(
			v.listen.owner != NULL, table[i].owner != NULL);
		if (table[i].owner != NULL)
			assert_string_equal(v.listen.owner, table[i].owner);
		assert_int_equal(
			v.listen.group != NULL, table[i].group != NULL);
		if (table[i].group != NULL)
			assert_string_equal(v.listen.group, table[i].group);
		arena_fini(&arena);
	}
}

static void
test_a_listener_may_be_for_those_that_came_with_https(void **state)
{
	static const struct {
		const char *words[4];
		bool https;
	} table[] = {
		{{"8000", "scheme=HTTPS"}, true},
		{{"8000", "Scheme=http"}, false},
		{{"8000", "ProxyProtocol=On", "Scheme=https"}, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		union directive_value v;
		struct arena arena = {0};

		assert_int_equal(
			parse("Listen", table[i].words, &v, &arena, NULL), 0);
		assert_int_equal(v.listen.https, table[i].https);
		arena_fini(&arena);
	}
}

static void
test_listen_refuses(void **state)
{
	static const struct {
		const char *words[4], *sentence;
	} table[] = {
		{{"unix:"}, "the path of the socket is missing"},
		{{"unix:/x", "mode=8"}, "mode=8: three octal digits"},
		{{"unix:/x", "mode=1777"}, "mode=1777: three octal digits"},
		{{"unix:/x", "mode=00660"}, "mode=00660: three octal digits"},
		{{"unix:/x", "mode="}, "mode=: three octal digits"},
		{{"unix:/x", "mode=-1"}, "mode=-1: three octal digits"},
		{{"unix:/x", "owner="}, "\"owner=\": a name is missing"},
		{{"unix:/x", "mod=0660"}, "\"mod=0660\" is none of mode=MODE"},
		{{"80", "https"}, "\"https\": a listener has no protocol"},
		{{"80", "mode=0660"}, "only a socket file (unix:PATH) has"},
		{{"unix:@x", "mode=0660"}, "an abstract socket is no file"},
		{{"80", "ProxyProtocol=maybe"},
			"ProxyProtocol=maybe: it is none of Off, On and "
			"Optional"},
		{{"80", "ProxyProtocol"}, "ProxyProtocol=On and Scheme="},
		{{"80", "Scheme=ftp"}, "Scheme=ftp: it is neither http"},
		{{"a,b"}, "\"a,b\" has a comma in it; each address needs a "
			  "Listen (-b) of its own"},
		{{"80", "81"}, "another address needs a Listen of its own"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		union directive_value v;
		struct arena arena = {0};
		struct err err = {0};

		assert_true(
			parse("Listen", table[i].words, &v, &arena, &err) < 0);
		if (strstr(err.text, table[i].sentence) == NULL)
			assert_string_equal(err.text, table[i].sentence);
		arena_fini(&arena);
	}
}

static void
test_log_formats_and_their_nicknames(void **state)
{
	static const struct {
		const char *words[4];
		bool fits;
	} table[] = {
		{{"%h", "short"}, true},
		{{"%h \"%r\"", "short"}, true},
		{{"short", "%h"}, false},
		{{"nothing", "short"}, false},
		{{"%h", "%h"}, false},
		{{"%h", ""}, false},
		{{"%h\n", "short"}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		union directive_value v;
		struct arena arena = {0};
		struct err err = {0};

		assert_int_equal(parse("LogFormat", table[i].words, &v, &arena,
					 &err) == 0,
			table[i].fits);
		arena_fini(&arena);
	}
}

static void
test_scripts_and_modules(void **state)
{
	static const struct {
		const char *text;
		bool script;
	} table[] = {
		{"package.module:callable", false},
		{"package.module", false},
		{"package.module:factory()", false},
		{"wsgi", false},
		{".wsgi", false},
		{"site.wsgi:application", true},
		{"site.wsgi", true},
		{"app.wsgi", true},
		{"app.py", true},
		{"app.wsgi:app", true},
		{"./app", true},
		{"/srv/site/app.wsgi", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (value_may_be_script(table[i].text) != table[i].script)
			fail_msg("%s", table[i].text);
}

static void
test_what_is_shown_is_one_short_line(void **state)
{
	char text[300];

	(void)state;
	assert_string_equal(value_show("plain").text, "plain");
	assert_string_equal(value_show("a\nb\x1b").text, "a\\x0ab\\x1b");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_true(strlen(value_show(text).text) < 100);
	assert_non_null(strstr(value_show(text).text, "xxx..."));
	/* Not cut within a character. */
	for (size_t shift = 0; shift < 3; shift++) {
		const char *shown;
		struct shown s;

		for (size_t i = 0; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		memset(text, 'x', shift);
		memmove(text + shift, text + 3, 200);
		s = value_show(text);
		shown = strstr(s.text, "...");
		assert_non_null(shown);
		assert_memory_equal(shown - 3, "\xe2\x82\xac", 3);
	}
	memset(text, '\n', sizeof(text) - 1);
	assert_true(strlen(value_show(text).text) < 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_flag_is_on_or_off),
		cmocka_unit_test(test_a_choice_lists_its_words),
		cmocka_unit_test(test_texts_and_paths),
		cmocka_unit_test(test_a_value_has_its_bounds),
		cmocka_unit_test(
			test_too_many_words_and_a_comment_behind_a_value),
		cmocka_unit_test(
			test_a_log_is_no_program_and_an_access_log_no_journal),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(
			test_a_listener_may_be_for_those_that_came_with_https),
		cmocka_unit_test(test_listen_refuses),
		cmocka_unit_test(test_log_formats_and_their_nicknames),
		cmocka_unit_test(test_scripts_and_modules),
		cmocka_unit_test(test_what_is_shown_is_one_short_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
