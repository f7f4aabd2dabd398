/*
 * test_enter.c - the way into an installation, into an environment, and what is
 * in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "pythons/enter.h"
#include "pythons/facts.h"

/* TOP/a is an installation, TOP/venv and TOP/gone are environments of it; in
 * the second the interpreter leads nowhere. */
static char top[] = "/tmp/test_enter.XXXXXX";
static char stdlib[PATH_MAX], executable[PATH_MAX], home[PATH_MAX];
static const struct facts facts = {
	.abi = "3.8", .executable = executable, .stdlib = stdlib};

static const char *
at(char to[PATH_MAX], const char *name)
{
	snprintf(to, PATH_MAX, "%s/%s", top, name);
	return to;
}

static void
write_program(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f = fopen(at(path, name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
}

static int
set_up(void **state)
{
	static const char *const directories[] = {"a", "a/bin", "a/lib",
		"a/lib/python3.8", "venv", "venv/bin", "both", "both/bin",
		"gone", "gone/bin"};
	char path[PATH_MAX], cfg[PATH_MAX + 16];

	(void)state;
	if (mkdtemp(top) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]);
		i++)
		assert_int_equal(mkdir(at(path, directories[i]), 0755), 0);
	at(stdlib, "a/lib/python3.8");
	at(executable, "a/bin/python3.8");
	snprintf(cfg, sizeof(cfg), "home = %s\n", at(path, "a/bin"));
	write_program("a/bin/python3.8", "");
	/* Of another version, beside ours. */
	write_program("a/bin/python", "");
	write_program("a/bin/python3", "");
	write_program("venv/bin/python3", "");
	write_program("both/bin/python", "");
	write_program("both/bin/python3", "");
	write_program("both/pyvenv.cfg", cfg);
	write_program("venv/pyvenv.cfg", cfg);
	write_program("gone/pyvenv.cfg", cfg);
	return symlink("nowhere", at(path, "gone/bin/python"));
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static void
test_the_interpreter_is_that_of_the_home_or_of_the_build(void **state)
{
	static const struct {
		const char *python, *home; /* in top, but for a version */
		const char *executable, *about;
	} table[] = {
		{NULL, NULL, "a/bin/python3.8", NULL},
		{"3.8", NULL, "a/bin/python3.8", NULL},
		{"a/bin/python3.8", NULL, "a/bin/python3.8", "Python"},
		{"venv/bin/python3", NULL, "venv/bin/python3", "Python"},
		{NULL, "venv", "venv/bin/python3", "WSGIPythonHome"},
		/* By the name that it says itself. */
		{NULL, "venv/", "venv/bin/python3", "WSGIPythonHome"},
		{NULL, "a/bin/../../venv/.", "venv/bin/python3",
			"WSGIPythonHome"},
		{"both//bin/python3", NULL, "both/bin/python3", "Python"},
		{"both/bin/python", NULL, "both/bin/python", "Python"},
		{NULL, "both", "both/bin/python", "WSGIPythonHome"},
		{NULL, "a", "a/bin/python3.8", "WSGIPythonHome"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *python = table[i].python;
		char path[PATH_MAX], expected[PATH_MAX];
		struct entrance e;
		struct err err = {0};

		if (python != NULL && strchr(python, '/') != NULL)
			python = at(path, python);
		if (enter_python(&e, python,
			    table[i].home != NULL ? at(home, table[i].home)
						  : NULL,
			    &facts, &err) < 0)
			fail_msg("%zu: %s", i, err.text);
		assert_string_equal(
			e.executable, at(expected, table[i].executable));
		assert_true((e.about == NULL) == (table[i].about == NULL));
		if (e.about != NULL)
			assert_string_equal(e.about, table[i].about);
		/* Of an environment the interpreter says it all. */
		assert_true((e.prefix != NULL) ==
			    (table[i].home != NULL &&
				    strcmp(table[i].home, "a") == 0));
	}
}

static void
test_what_is_in_the_way_is_said(void **state)
{
	struct facts moved = facts;
	struct entrance e;
	struct err err = {0};

	(void)state;
	assert_int_equal(enter_python(&e, NULL, at(home, "gone"), &facts, &err),
		-ENOENT);
	assert_non_null(strstr(err.text,
		"/gone: there is no bin/python that this user can run"));
	moved.stdlib = "/nonexistent/lib/python3.8";
	assert_int_equal(enter_python(&e, NULL, NULL, &moved, &err), -ENOENT);
	assert_null(e.about);
	assert_non_null(strstr(err.text,
		"/nonexistent/lib/python3.8, is not there any more: install "
		"this Python again, or run \"scons install\""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_interpreter_is_that_of_the_home_or_of_the_build),
		cmocka_unit_test(test_what_is_in_the_way_is_said),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
