/*
 * test_options.c - the command line, taken apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/workdir.h"
#include "config/config.h"
#include "wsgid/options.h"

enum { WORDS = 8 };

static int
parse(struct options *o, const char *const *words, struct err *err)
{
	char *argv[WORDS + 2] = {(char *)(uintptr_t) "wsgid"};
	int argc = 1;

	while (argc <= WORDS && words[argc - 1] != NULL) {
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
		argc++;
	}
	*err = (struct err){0};
	return options_parse(o, argc, argv, err);
}

static void
test_each_action_has_its_options(void **state)
{
	static const struct {
		const char *words[WORDS];
		enum action action;
	} cases[] = {
		{{"x:y"}, ACTION_SERVE},
		{{NULL}, ACTION_SERVE},
		{{"-t", "x:y"}, ACTION_TEST},
		{{"x:y", "--test"}, ACTION_TEST},
		{{"-L"}, ACTION_LIST},
		{{"--list"}, ACTION_LIST},
		{{"-V"}, ACTION_FACTS},
		{{"-v"}, ACTION_VERSION},
		{{"--version"}, ACTION_VERSION},
		{{"-h"}, ACTION_HELP},
		{{"--help"}, ACTION_HELP},
	};
	struct options o;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(&o, cases[i].words, &err), 0);
		assert_int_equal(o.action, cases[i].action);
		options_fini(&o);
	}
}

static void
test_mistakes_are_named(void **state)
{
	static const struct {
		const char *words[WORDS];
		const char *part;
	} cases[] = {
		{{"--procesess", "3", "x:y"},
			"unknown option --procesess; did you mean "
			"--processes?"},
		{{"--deamon", "x:y"}, "did you mean --daemon?"},
		{{"--confg=x"}, "did you mean --config?"},
		{{"-Z"}, "unknown option -Z"},
		{{"-tL"}, "unknown option -tL"},
		{{""}, "the application is an empty word"},
		{{"-c"}, "-c needs a value"},
		{{"-c", "-t"}, "-c needs a value; what follows is the next "
			       "option, -t"},
		{{"-D", "--test"}, "-D needs a value; what follows is the "
				   "next option, --test"},
		{{"--config="}, "--config= needs a value"},
		{{"--daemon=yes"}, "--daemon takes no value"},
		{{"--hosts", "1.2.3.4", "x:y"}, "unknown option --hosts; \""},
		{{"-k", "graceful"}, "-k: \"wsgictl reload\" does that"},
		{{"-k", "gevent", "x:y"}, "-k: there are two kinds"},
		{{"-k"}, "-k: there are two kinds"},
		{{"start", "x:y"},
			"there are two words, start and x:y, and start is no "
			"verb of wsgid's: \"wsgictl start\" does that"},
		{{"x:y", "stop"}, "stop is no verb of wsgid's"},
		{{"a:b", "c:d"}, "only one application"},
		{{"a:b", "--", "c:d"}, "only one application"},
	};
	struct options o;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(parse(&o, cases[i].words, &err) < 0);
		if (strstr(err.text, cases[i].part) == NULL)
			fail_msg("\"%s\" has no \"%s\"", err.text,
				cases[i].part);
		options_fini(&o);
	}
}

static void
test_all_mistakes_are_kept(void **state)
{
	static const char *const words[] = {"--frobnicate", "3", "-t",
		"--procesess=4", "--max-requests", "many", "x:y", NULL};
	struct options o;
	struct err err;

	(void)state;
	assert_true(parse(&o, words, &err) < 0);
	assert_non_null(strstr(err.text, "unknown option --frobnicate;"));
	assert_string_equal(buf_text(&o.mistakes),
		"unknown option --frobnicate; \"wsgid --help\" shows the usual "
		"ones, \"wsgid -L\" all\n"
		"unknown option --procesess=4; did you mean --processes?\n"
		"--max-requests: MaxRequests: \"many\" is not a number; digits "
		"alone are expected, as in \"MaxRequests 10000\"\n");
	options_fini(&o);
}

static void
test_a_short_option_may_have_its_value_attached(void **state)
{
	static const char *const words[] = {
		"-c/a.conf", "-DPORT=8080", "-w3", "x:y", NULL};
	struct options o;
	struct err err;

	(void)state;
	assert_int_equal(parse(&o, words, &err), 0);
	assert_string_equal(o.config_file, "/a.conf");
	assert_string_equal(o.application, "x:y");
	options_fini(&o);
}

static void
test_values_of_options_are_no_application(void **state)
{
	static const char *const words[] = {
		"-w", "3", "--chdir", "/tmp", "-c", "/a.conf", "x:y", NULL};
	struct options o;
	struct err err;

	(void)state;
	assert_int_equal(parse(&o, words, &err), 0);
	assert_string_equal(o.application, "x:y");
	assert_string_equal(o.config_file, "/a.conf");
	assert_false(o.daemon);
	options_fini(&o);
}

static void
test_behind_two_dashes_there_are_only_words(void **state)
{
	static const char *const words[] = {"--daemon", "--", "-t", NULL};
	struct options o;
	struct err err;

	(void)state;
	assert_int_equal(parse(&o, words, &err), 0);
	assert_string_equal(o.application, "-t");
	assert_true(o.daemon);
	assert_int_equal(o.action, ACTION_SERVE);
	options_fini(&o);
}

static void
test_the_command_line_is_stronger_than_the_file(void **state)
{
	char path[] = "/tmp/test_options.XXXXXX";
	const char *words[] = {
		"-c", path, "-D", "MANY", "--threads", "1", "x:y", NULL};
	int fd = mkstemp(path);
	struct options o;
	struct config *c;
	struct err err;

	(void)state;
	assert_true(dprintf(fd, "WSGIApplication file:app\n"
				"<IfDefine MANY>\nServerLimit 300\n"
				"</IfDefine>\nListenBacklog 7\n") > 0);
	close(fd);
	assert_int_equal(parse(&o, words, &err), 0);
	/* Twice, as a reload does. */
	for (int i = 0; i < 2; i++) {
		c = options_read_config(&o, &err);
		assert_non_null(c);
		assert_int_equal(
			config_settle(c, &(struct config_machine){.cpus = 2}),
			0);
		assert_string_equal(c->application, "x:y");
		assert_int_equal(c->server_limit, 300);
		assert_int_equal(c->listen_backlog, 7);
		assert_true(options_has_application(c, &err));
		config_destroy(c);
	}
	options_fini(&o);
	unlink(path);
}

/* As the one that starts it knows it: what the link leads to changes. */
static void
test_a_file_that_was_come_to_by_a_link_is_known_by_it(void **state)
{
	static const char *const words[] = {"-c", "a.conf", NULL};
	char top[] = "/tmp/test_options.XXXXXX", link[64], path[96];
	struct options o;
	struct config *c;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(link, sizeof(link), "%s/current", top);
	snprintf(path, sizeof(path), "%s/one", top);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(symlink("one", link), 0);
	assert_int_equal(chdir(link), 0);
	close(open("a.conf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	setenv("PWD", link, 1);
	workdir_note();
	assert_int_equal(parse(&o, words, &err), 0);
	c = options_read_config(&o, &err);
	assert_non_null(c);
	snprintf(path, sizeof(path), "%s/a.conf", link);
	assert_string_equal(c->file, path);
	snprintf(path, sizeof(path), "%s/one", top);
	assert_string_equal(c->directory, path);
	config_destroy(c);
	options_fini(&o);
	unlink("a.conf");
	unlink(link);
	rmdir(path);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(top), 0);
	setenv("PWD", "/", 1);
	workdir_note();
}

static void
test_a_name_that_cannot_be_defined_is_refused(void **state)
{
	static const char *const words[] = {"-D", "a b", "x:y", NULL};
	struct options o;
	struct err err;

	(void)state;
	assert_true(parse(&o, words, &err) < 0);
	assert_non_null(strstr(err.text, "-D: \"a b\" is no name"));
	options_fini(&o);
}

static void
test_nothing_to_serve_is_said(void **state)
{
	static const char *const words[] = {"-c", "/dev/null", NULL};
	struct options o;
	struct config *c;
	struct err err;

	(void)state;
	unsetenv("WSGI_APP");
	assert_int_equal(parse(&o, words, &err), 0);
	c = options_read_config(&o, &err);
	assert_non_null(c);
	assert_false(options_has_application(c, &err));
	assert_non_null(strstr(err.text, "nothing to serve"));
	config_destroy(c);
	options_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_action_has_its_options),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_all_mistakes_are_kept),
		cmocka_unit_test(
			test_a_short_option_may_have_its_value_attached),
		cmocka_unit_test(test_values_of_options_are_no_application),
		cmocka_unit_test(test_behind_two_dashes_there_are_only_words),
		cmocka_unit_test(
			test_the_command_line_is_stronger_than_the_file),
		cmocka_unit_test(
			test_a_file_that_was_come_to_by_a_link_is_known_by_it),
		cmocka_unit_test(test_a_name_that_cannot_be_defined_is_refused),
		cmocka_unit_test(test_nothing_to_serve_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
