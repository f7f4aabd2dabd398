/*
 * test_choose.c - which program serves, among such that are none: files with
 * facts in the right section, made of a copy of this test.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "pythons/choose.h"
#include "pythons/elf.h"
#include "pythons/home.h"

/* 1 KiB to be written over in the copies. */
FACTS_IN_PROGRAM const char facts_of_program[1024] = "wsgid facts of a test";

static char top[] = "/tmp/test_choose.XXXXXX";

static void
path_of(char to[PATH_MAX], const char *name)
{
	snprintf(to, PATH_MAX, "%s/%s", top, name);
}

static void
write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	path_of(path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
}

static void
make_directory(const char *name)
{
	char path[PATH_MAX];

	path_of(path, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

/* A program of a Python whose interpreter is top/prefix/bin/pythonABI. */
static void
make_program(const char *name, const char *prefix, const char *abi,
	const char *linkage, const char *identity)
{
	char text[1024] = "", path[PATH_MAX], own[PATH_MAX];
	FILE *from = fopen("/proc/self/exe", "r"), *to;
	struct elf e;
	struct str section;
	size_t n, at;

	snprintf(text, sizeof(text),
		"version %s.7\nabi %s\nsoabi x\nexecutable %s/%s/bin/python%s\n"
		"base_prefix %s/%s\nstdlib x\nlinkage %s\nlibrary x\n"
		"file %s %s/%s/bin/python%s\n",
		abi, abi, top, prefix, abi, top, prefix, linkage, identity, top,
		prefix, abi);
	assert_int_equal(elf_open(&e, "/proc/self/exe", NULL), 0);
	section = elf_section(&e, FACTS_SECTION);
	assert_int_equal(section.len, sizeof(text));
	at = (size_t)((const unsigned char *)section.p - e.data);
	path_of(path, name);
	to = fopen(path, "w");
	assert_non_null(from);
	assert_non_null(to);
	while ((n = fread(own, 1, sizeof(own), from)) > 0)
		assert_int_equal(fwrite(own, 1, n, to), n);
	assert_int_equal(fseek(to, (long)at, SEEK_SET), 0);
	assert_int_equal(fwrite(text, 1, sizeof(text), to), sizeof(text));
	fclose(from);
	fclose(to);
	assert_int_equal(chmod(path, 0755), 0);
	elf_close(&e);
}

static void
make_installation(const char *prefix, const char *abi)
{
	char name[256];

	make_directory(prefix);
	snprintf(name, sizeof(name), "%s/bin", prefix);
	make_directory(name);
	snprintf(name, sizeof(name), "%s/lib", prefix);
	make_directory(name);
	snprintf(name, sizeof(name), "%s/lib/python%s", prefix, abi);
	make_directory(name);
	snprintf(name, sizeof(name), "%s/lib/python%s/os.py", prefix, abi);
	write_file(name, "");
	snprintf(name, sizeof(name), "%s/bin/python%s", prefix, abi);
	write_file(name, prefix);
}

static void
make_venv(const char *name, const char *prefix, const char *version)
{
	char cfg[256], text[PATH_MAX];

	make_directory(name);
	snprintf(cfg, sizeof(cfg), "%s/pyvenv.cfg", name);
	snprintf(text, sizeof(text),
		"Home = %s/%s/bin\r\nversion_info = %s.final.0\n", top, prefix,
		version);
	write_file(cfg, text);
}

/* A directory with this text, or something else where NULL, as its
 * pyvenv.cfg. */
static void
make_odd_venv(const char *name, const char *text)
{
	char cfg[256], path[PATH_MAX];

	make_directory(name);
	snprintf(cfg, sizeof(cfg), "%s/pyvenv.cfg", name);
	path_of(path, cfg);
	if (text != NULL)
		write_file(cfg, text);
	else
		assert_int_equal(mkfifo(path, 0600), 0);
}

/* pyvenv.cfg of no version, as Python itself takes it. */
static void
make_plain_venv(const char *name, const char *prefix)
{
	char cfg[256], text[PATH_MAX];

	make_directory(name);
	snprintf(cfg, sizeof(cfg), "%s/pyvenv.cfg", name);
	snprintf(text, sizeof(text), "home = %s/%s/bin\n", top, prefix);
	write_file(cfg, text);
}

static int
set_up(void **state)
{
	char identity[ELF_IDENTITY], path[PATH_MAX];

	(void)state;
	if (mkdtemp(top) == NULL)
		return -1;
	make_directory("p");
	make_installation("a", "3.9");
	make_installation("b", "3.12t");
	make_installation("c", "3.9");
	make_installation("d", "3.13");
	make_installation("old", "2.7");
	make_venv("of_a", "a", "3.9.1");
	make_venv("of_b", "b", "3.12.0");
	make_directory("of_b/lib");
	make_directory("of_b/lib/python3.12t");
	make_venv("of_c", "c", "3.9.1");
	make_plain_venv("plain", "a");
	make_venv("of_d", "d", "3.13.1");
	make_venv("of_old", "old", "2.7.18");
	make_venv("of_upgraded", "a", "3.10.4");
	make_venv("of_moved", "away", "3.10.4");
	write_file("shim-python", "#!/bin/sh\nexec python3 \"$@\"\n");
	make_directory("of_a/bin");
	write_file("of_a/bin/python3", "");
	write_file("of_a/bin/tool", "");
	make_odd_venv("relative", "home = bin\nversion = 3.9.1\n");
	make_odd_venv("empty", "");
	make_odd_venv("escape", "home = /z\033[31m\nversion = 3.9.1\n");
	make_odd_venv("pipe", NULL);
	path_of(path, "a/bin/python3.9");
	if (elf_identity(path, identity) < 0)
		return -1;
	make_program("p/wsgid-python3.9", "a", "3.9", "static", identity);
	make_program("p/wsgid-python3.9-shared", "a", "3.9", "shared", "x");
	make_program("p/wsgid-python3.12t", "b", "3.12t", "static", "x");
	write_file("p/wsgid-python-notes", "nothing\n");
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

/* The name of the program, or the sentence. */
static const char *
choose(const char *python, const char *home, enum choice_library library)
{
	static char text[2 * PATH_MAX];
	char places[PATH_MAX], python_path[PATH_MAX], home_path[PATH_MAX];
	const char *place = places, *about;
	struct choice_wanted wanted = {
		.library = library,
		.standard = "wsgid-python3.9",
		.places = &place,
		.n_places = 1,
	};
	struct python_choice choice;
	struct err err = {0};

	path_of(places, "p");
	path_of(python_path, python != NULL ? python : "");
	path_of(home_path, home != NULL ? home : "");
	if (python != NULL)
		wanted.python =
			strchr(python, '/') != NULL ? python_path : python;
	if (home != NULL)
		wanted.home = home_path;
	if (choice_make(&choice, &wanted, &about, &err) < 0)
		return strcpy(text, err.text);
	snprintf(text, sizeof(text), "%s%s%s", strrchr(choice.program, '/') + 1,
		choice.notice[0] != '\0' ? " " : "", choice.notice);
	choice_fini(&choice);
	return text;
}

static void
test_what_is_asked_for_is_found(void **state)
{
	static const struct {
		const char *python, *home;
		enum choice_library library;
		const char *found;
	} table[] = {
		{NULL, NULL, CHOICE_AUTO, "wsgid-python3.9"},
		{NULL, NULL, CHOICE_SHARED, "wsgid-python3.9-shared"},
		{"3.9", NULL, CHOICE_AUTO, "wsgid-python3.9"},
		{"3.9.7", NULL, CHOICE_AUTO, "wsgid-python3.9"},
		{"a/bin/python3.9", NULL, CHOICE_AUTO, "wsgid-python3.9"},
		{NULL, "a", CHOICE_AUTO, "wsgid-python3.9"},
		{NULL, "of_a", CHOICE_AUTO, "wsgid-python3.9"},
		{NULL, "plain", CHOICE_AUTO, "wsgid-python3.9"},
		{"of_a/bin/python3", NULL, CHOICE_AUTO, "wsgid-python3.9"},
		{"3.9", "of_a", CHOICE_STATIC, "wsgid-python3.9"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(choose(table[i].python, table[i].home,
					    table[i].library),
			table[i].found);
}

static void
test_what_does_not_fit_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *python, *home;
		enum choice_library library;
		const char *part;
	} table[] = {
		{"3.11", NULL, CHOICE_AUTO, "3.11: wsgid was built for Python "},
		{"3.9.6", NULL, CHOICE_AUTO, "for another one run"},
		{"3", NULL, CHOICE_AUTO,
			"3 is not the whole of a version: write 3."},
		{"2", NULL, CHOICE_AUTO, "; wsgid needs 3.9 or newer"},
		{"c/bin/python3.9", NULL, CHOICE_AUTO, "for this one run"},
		{NULL, "of_c", CHOICE_AUTO, "and wsgid was built for the one"},
		{NULL, "c", CHOICE_AUTO, "and wsgid was built for the one"},
		{NULL, "of_d", CHOICE_AUTO, "an environment of Python 3.13"},
		{NULL, "of_old", CHOICE_AUTO,
			"; wsgid needs 3.9 or newer: make the environment"},
		{NULL, "of_moved", CHOICE_AUTO,
			"/away/bin, which is not there any more: make the"},
		{NULL, "old", CHOICE_AUTO,
			"/old is an installation of Python 2.7, and wsgid was"},
		{"2.7", NULL, CHOICE_AUTO, "; wsgid needs 3.9 or newer"},
		{"old/bin/python2.7", NULL, CHOICE_AUTO,
			" is Python 2.7, and wsgid needs 3.9 or newer"},
		{"old/", NULL, CHOICE_AUTO, "is a directory, and Python names"},
		{"of_d/../pipe/pyvenv.cfg", NULL, CHOICE_AUTO,
			"is a pipe, a socket or a device"},
		{"d/../shim-python", NULL, CHOICE_AUTO,
			"is a script that starts an interpreter"},
		{NULL, "p", CHOICE_AUTO, "has neither a pyvenv.cfg"},
		{NULL, "z", CHOICE_AUTO, "No such file"},
		{"of_a/bin/python9", NULL, CHOICE_AUTO, "No such file"},
		{"of_a/bin/tool", NULL, CHOICE_AUTO,
			"it is not called python, as an interpreter is"},
		{NULL, "escape", CHOICE_AUTO,
			"made of the Python 3.9 in /z?[31m, which is"},
		{NULL, "relative", CHOICE_AUTO, "says \"home = bin\""},
		{NULL, "empty", CHOICE_AUTO, "has no \"home = ...\""},
		{NULL, "pipe", CHOICE_AUTO, "cfg is not a regular file"},
		{"3.12t", "of_a", CHOICE_AUTO,
			"is of Python 3.9, and Python says 3.12t: leave one"},
		{"3.12t", "a", CHOICE_AUTO,
			"is of Python 3.9, and Python says 3.12t: leave one"},
		{"3.12t", NULL, CHOICE_SHARED, "no program of this kind"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *said = choose(
			table[i].python, table[i].home, table[i].library);

		if (strstr(said, table[i].part) == NULL)
			fail_msg("%zu: %s", i, said);
	}
}

/* "3.12t" would come before "3.9". */
static void
test_the_build_s_own_stays_the_first_in_the_line_for_the_next_build(
	void **state)
{
	const char *line =
		strstr(choose(NULL, "of_d", CHOICE_AUTO), "scons python=");
	char expected[PATH_MAX], place[PATH_MAX];
	const char *list = place;
	struct buf programs = {0};

	(void)state;
	snprintf(expected, sizeof(expected),
		"scons python=%s/a/bin/python3.9,%s/b/bin/python3.12t,"
		"%s/d/bin/python3.13 install\", or make the environment anew",
		top, top, top);
	assert_non_null(line);
	assert_memory_equal(line, expected, strlen(expected));
	path_of(place, "p");
	choice_list(&programs, &list, 1, "wsgid-python3.9");
	assert_true(strncmp(buf_text(&programs), "3.9.7 (", 7) == 0);
	buf_fini(&programs);
}

/* Also where it is another installation of the first's version. */
static void
test_another_installation_takes_the_place_of_its_version_in_that_line(
	void **state)
{
	const char *line = strstr(choose(NULL, "of_c", CHOICE_AUTO), "run \"");
	char expected[PATH_MAX];

	(void)state;
	snprintf(expected, sizeof(expected),
		"run \"scons python=%s/c/bin/python3.9,%s/b/bin/python3.12t "
		"install\"",
		top, top);
	assert_non_null(line);
	assert_memory_equal(line, expected, strlen(expected));
}

/* As Debian has it from one release to the next. */
static void
test_an_environment_whose_python_was_upgraded_is_to_be_made_anew(void **state)
{
	const char *said = choose(NULL, "of_upgraded", CHOICE_AUTO);
	char expected[4 * PATH_MAX];

	(void)state;
	snprintf(expected, sizeof(expected),
		"%s/of_upgraded was made of the Python 3.10 in %s/a/bin, which "
		"has been upgraded since (there is Python 3.9 now): make the "
		"environment anew with \"%s/a/bin/python3.9 -m venv --clear "
		"%s/of_upgraded\", and install its packages again",
		top, top, top, top);
	assert_string_equal(said, expected);
}

/* No build can take what is not there, or is too old. */
static void
test_no_build_is_offered_that_cannot_be_made(void **state)
{
	static const struct {
		const char *python, *home;
	} table[] = {
		{NULL, "of_upgraded"},
		{NULL, "of_moved"},
		{NULL, "of_old"},
		{NULL, "old"},
		{"2.7", NULL},
		{"old/bin/python2.7", NULL},
		{"d/../shim-python", NULL},
		{"old/", NULL},
	};

	(void)state;
	assert_non_null(
		strstr(choose(NULL, "d", CHOICE_AUTO), "for this one run"));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *said =
			choose(table[i].python, table[i].home, CHOICE_AUTO);

		if (strstr(said, "scons") != NULL)
			fail_msg("%zu: %s", i, said);
	}
}

static void
test_a_python_without_gil_is_a_version_of_its_own(void **state)
{
	(void)state;
	assert_non_null(strstr(
		choose("3.12t", "of_b", CHOICE_STATIC), "wsgid-python3.12t"));
	assert_non_null(
		strstr(choose("3.12", NULL, CHOICE_AUTO), "wsgid was built"));
}

static void
test_an_upgraded_python_takes_the_shared_library_or_none(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_non_null(strstr(choose("3.12t", NULL, CHOICE_AUTO),
		"there is none with the shared library"));
	write_file("a/bin/python3.9", "upgraded");
	assert_non_null(strstr(choose(NULL, NULL, CHOICE_AUTO),
		"wsgid-python3.9-shared Python 3.9 was upgraded"));
	assert_non_null(strstr(choose(NULL, NULL, CHOICE_STATIC),
		"LibPython static goes on with the old one"));
	path_of(path, "a/bin/python3.9");
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(choose(NULL, NULL, CHOICE_AUTO),
		"Python 3.9 was removed or moved since wsgid was built"));
}

/* As somebody whom modes keep out, which root is not. */
static const char *
choose_as_nobody(const char *python, const char *home)
{
	static char text[2 * PATH_MAX];
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		const char *said;

		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		said = choose(python, home, CHOICE_AUTO);
		n = (ssize_t)strlen(said);
		_exit(write(ends[1], said, (size_t)n) == n ? 0 : 1);
	}
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return text;
}

static void
test_who_is_short_of_descriptors_is_told_so(void **state)
{
	struct rlimit before, none;
	const char *said;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	said = choose(NULL, NULL, CHOICE_AUTO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(said, "Too many open files (the limit is"));
}

/* It is neither gone nor another one. */
static void
test_what_may_not_be_seen_is_said_to_be_closed(void **state)
{
	static const struct {
		const char *python, *home, *part;
	} table[] = {
		{NULL, NULL, "-shared whether Python 3.9 is still that of"},
		{"a/bin/python3.9", NULL, "python3.9 cannot be read by user"},
		{NULL, "of_a", "/a/bin, which cannot be looked at: "},
		{NULL, "a/bin", "a/bin cannot be read by user"},
		{NULL, "old", "is an installation of Python 2.7, and"},
	};
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(chmod(top, 0755), 0);
	path_of(path, "a");
	assert_int_equal(chmod(path, 0), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *said =
			choose_as_nobody(table[i].python, table[i].home);

		if (strstr(said, table[i].part) == NULL)
			fail_msg("%zu: %s", i, said);
	}
	assert_int_equal(chmod(path, 0755), 0);
}

static void
test_the_interpreter_of_an_environment_is_known_by_its_place(void **state)
{
	char python[PATH_MAX], home[PATH_MAX], expected[PATH_MAX];

	(void)state;
	path_of(python, "of_a/bin/python");
	path_of(expected, "of_a");
	assert_true(home_of_interpreter(python, home));
	assert_string_equal(home, expected);
	path_of(python, "a/bin/python3.9");
	assert_false(home_of_interpreter(python, home));
	assert_false(home_of_interpreter("/python", home));
	assert_false(home_of_interpreter("python", home));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_asked_for_is_found),
		cmocka_unit_test(
			test_what_does_not_fit_is_refused_with_the_reason),
		cmocka_unit_test(
			test_another_installation_takes_the_place_of_its_version_in_that_line),
		cmocka_unit_test(
			test_the_build_s_own_stays_the_first_in_the_line_for_the_next_build),
		cmocka_unit_test(
			test_an_environment_whose_python_was_upgraded_is_to_be_made_anew),
		cmocka_unit_test(test_no_build_is_offered_that_cannot_be_made),
		cmocka_unit_test(
			test_a_python_without_gil_is_a_version_of_its_own),
		cmocka_unit_test(test_who_is_short_of_descriptors_is_told_so),
		cmocka_unit_test(
			test_what_may_not_be_seen_is_said_to_be_closed),
		cmocka_unit_test(
			test_an_upgraded_python_takes_the_shared_library_or_none),
		cmocka_unit_test(
			test_the_interpreter_of_an_environment_is_known_by_its_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
