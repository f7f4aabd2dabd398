/*
 * test_command.c - command lines, as people and apachectl's users type them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/defs.h"
#include "base/err.h"
#include "wsgictl/command.h"

enum { WORDS = 12 };

static int
parse(struct command *c, const char *const *words, struct err *err)
{
	char *argv[WORDS + 2] = {"wsgictl"};
	int argc = 1;

	while (words[argc - 1] != NULL) {
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
		argc++;
	}
	*err = (struct err){0};
	return command_parse(c, argc, argv, err);
}

static void
test_verbs_and_their_other_names(void **state)
{
	static const struct {
		const char *words[WORDS];
		enum verb verb;
	} cases[] = {
		{{NULL}, VERB_NONE},
		{{"start"}, VERB_START},
		{{"reload"}, VERB_RELOAD},
		{{"graceful"}, VERB_RELOAD},
		{{"-k", "graceful"}, VERB_RELOAD},
		{{"upgrade"}, VERB_UPGRADE},
		{{"scale", "4"}, VERB_SCALE},
		{{"-n", "shop", "-k", "stop"}, VERB_STOP},
		{{"-k", "graceful-stop"}, VERB_GRACEFUL_STOP},
		{{"status", "-h"}, VERB_HELP},
		{{"help"}, VERB_HELP},
		{{"-v"}, VERB_VERSION},
		{{"--", "restart"}, VERB_RESTART},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct command c;
		struct err err;

		assert_int_equal(parse(&c, cases[i].words, &err), 0);
		assert_int_equal(c.verb, cases[i].verb);
		command_fini(&c);
	}
}

static void
test_options_may_stand_anywhere(void **state)
{
	static const char *const lines[][WORDS] = {
		{"-c", "a.conf", "-n", "shop", "--pid-file=p", "--wait", "1.5",
			"--run-directory", "r", "stop"},
		{"stop", "--config=a.conf", "--name=shop", "--pid-file", "p",
			"--wait=1.5s", "--run-directory=r"},
		{"--name", "shop", "stop", "-f", "a.conf", "--pid-file=p",
			"--wait", "1.5", "--run-directory", "r"},
		{"-kstop", "-ca.conf", "-nshop", "--pid-file=p", "--wait=1.5",
			"--run-directory=r"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct command c;
		struct err err;

		assert_int_equal(parse(&c, lines[i], &err), 0);
		assert_int_equal(c.verb, VERB_STOP);
		assert_string_equal(c.config_file, "a.conf");
		assert_string_equal(c.name, "shop");
		assert_string_equal(c.pid_file, "p");
		assert_string_equal(c.run_directory, "r");
		assert_int_equal(c.wait_ms, 1500);
		assert_int_equal(c.n_rest, 0);
		command_fini(&c);
	}
}

static void
test_what_wsgid_is_given(void **state)
{
	static const struct {
		const char *words[WORDS], *rest[WORDS];
	} cases[] = {
		{{"start", "shop:app"}, {"shop:app"}},
		{{"start", "-w", "4", "-D", "X", "a:b"},
			{"-w", "4", "-D", "X", "a:b"}},
		/* Ours that wsgid needs too, in the order of the line. */
		{{"start", "-c", "a.conf", "-w", "4"},
			{"-c", "a.conf", "-w", "4"}},
		{{"start", "--config=a.conf"}, {"--config=a.conf"}},
		{{"start", "-ca.conf", "-w4"}, {"-ca.conf", "-w4"}},
		{{"-ca.conf", "start"}, {"--config", "a.conf"}},
		{{"-c", "a.conf", "--run-directory", "r", "start", "a:b"},
			{"--config", "a.conf", "--run-directory", "r", "a:b"}},
		{{"configtest", "--pid-file", "p", "a:b"},
			{"--pid-file", "p", "a:b"}},
		/* Ours alone. */
		{{"start", "-n", "shop", "--wait", "3"}, {NULL}},
		/* A value that looks like a verb, or like an option. */
		{{"start", "--chdir", "stop"}, {"--chdir", "stop"}},
		{{"start", "--", "-c", "x"}, {"--", "-c", "x"}},
		/* For the case that it does not run. */
		{{"restart", "-c", "a.conf"}, {"--config", "a.conf"}},
		{{"-k", "start", "-c", "a.conf"}, {"-c", "a.conf"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct command c;
		struct err err;
		size_t n = 0;

		assert_int_equal(parse(&c, cases[i].words, &err), 0);
		for (; cases[i].rest[n] != NULL; n++)
			assert_string_equal(c.rest[n], cases[i].rest[n]);
		assert_int_equal(c.n_rest, n);
		assert_null(c.rest[n]);
		command_fini(&c);
	}
}

static void
test_a_level_belongs_to_log_level(void **state)
{
	static const char *const words[] = {"log-level", "debug", NULL};
	static const char *const none[] = {"log-level", NULL};
	struct command c;
	struct err err;

	(void)state;
	assert_int_equal(parse(&c, words, &err), 0);
	assert_string_equal(c.log_level, "debug");
	command_fini(&c);
	assert_int_equal(parse(&c, none, &err), 0);
	assert_null(c.log_level);
	command_fini(&c);
}

static void
test_mistakes_are_named(void **state)
{
	static const struct {
		const char *words[WORDS], *part;
	} cases[] = {
		{{"dance"}, "unknown verb \"dance\"; there are start, stop,"},
		{{"dance"}, "log-level, stacks and version"},
		{{"quit"}, "unknown verb \"quit\"; did you mean stop? There "
			   "are start, stop,"},
		{{"force-reload"}, "did you mean reload?"},
		{{"list"}, "did you mean status?"},
		{{"relaod"}, "did you mean reload?"},
		{{"stop", "stop"}, "\"stop\" is one word too many"},
		{{"stop", "now"}, "one word too many; did you mean --now?"},
		{{"stop", "wait=5"}, "did you mean --wait 5?"},
		{{"stop", "run-directory=/a/long/path/that/has/its/end"},
			"did you mean --run-directory /a/long/path/that/has/"
			"its/end?"},
		{{"stop", "wait", "5"}, "did you mean --wait?"},
		{{"status", "json=yes"}, "did you mean --json?"},
		{{"reload", "shop"},
			"reload: \"shop\" is one word too many; \"-n shop\" "
			"means the server of that name"},
		{{"status", "/etc/a.conf"},
			"\"-c /etc/a.conf\" means the server of that "
			"configuration"},
		{{"-k", "stop", "-k", "start"},
			"one verb at a time: there are stop and start"},
		{{"-k"}, "-k needs a value"},
		{{"stop", "--wait"}, "--wait needs a value"},
		{{"stop", "--wait="}, "--wait needs a value"},
		{{"stop", "--wait", "soon"}, "--wait soon: give seconds"},
		{{"stop", "--wait", "1e99"}, "give seconds"},
		{{"stop", "--wait", "-0.1"}, "give seconds"},
		{{"stop", "--wait", "nan"}, "give seconds"},
		{{"stop", "--now=1"}, "--now takes no value"},
		{{"reload", "--now"}, "--now is for stop"},
		{{"stop", "--json"},
			"--json is for status, fullstatus and doctor"},
		{{"status", "-x"}, "unknown option -x"},
		{{"status", "-vx"}, "unknown option -vx"},
		{{"stop", "-now"}, "unknown option -now"},
		{{"status", "-name=x"}, "unknown option -name=x"},
		{{"status", "-n", "/etc/x"}, "a name has no \"/\""},
		{{"log-level", "loud"}, "log-level loud"},
		{{"log-level", "info", "warn"}, "one word too many"},
		{{"stacks", "all"}, "the pid of a child is expected"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct command c;
		struct err err;

		assert_true(parse(&c, cases[i].words, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].part));
		command_fini(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs_and_their_other_names),
		cmocka_unit_test(test_options_may_stand_anywhere),
		cmocka_unit_test(test_what_wsgid_is_given),
		cmocka_unit_test(test_a_level_belongs_to_log_level),
		cmocka_unit_test(test_mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
