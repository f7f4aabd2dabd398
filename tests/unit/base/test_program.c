/*
 * test_program.c - a program knows where it can be started anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/program.h"
#include "support/tree.h"

static char self[PATH_MAX];

struct place {
	char directory[64];
	char link[80];
};

static int
make_link(void **state)
{
	static struct place p;

	strcpy(p.directory, "/tmp/test_program.XXXXXX");
	if (mkdtemp(p.directory) == NULL)
		return -1;
	snprintf(p.link, sizeof(p.link), "%s/current", p.directory);
	*state = &p;
	return symlink(self, p.link);
}

static int
remove_link(void **state)
{
	tree_remove(((struct place *)*state)->directory);
	return 0;
}

/* What it says when it is executed so: by a path, in a directory; or, with
 * a directory of NULL, by a descriptor. */
static const char *
said_by(const char *path, const char *directory)
{
	char *const words[] = {"anything", "say", NULL};
	static char text[PATH_MAX];
	int ends[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		if (directory == NULL)
			fexecve(open(path, O_RDONLY), words, environ);
		else if (chdir(directory) == 0)
			execv(path, words);
		_exit(1);
	}
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return text;
}

static void
test_a_symbolic_link_stays_one(void **state)
{
	const struct place *p = *state;

	assert_string_equal(said_by(p->link, "/"), p->link);
}

static void
test_a_relative_path_becomes_absolute(void **state)
{
	const struct place *p = *state;
	char wanted[96];

	snprintf(wanted, sizeof(wanted), "%s/./current", p->directory);
	assert_string_equal(said_by("./current", p->directory), wanted);
}

static void
test_a_descriptor_is_no_path(void **state)
{
	(void)state;
	assert_string_equal(said_by(self, NULL), self);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_symbolic_link_stays_one, make_link, remove_link),
		cmocka_unit_test_setup_teardown(
			test_a_relative_path_becomes_absolute, make_link,
			remove_link),
		cmocka_unit_test(test_a_descriptor_is_no_path),
	};

	if (argc > 1 && strcmp(argv[1], "say") == 0) {
		fputs(program_path(), stdout);
		return 0;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
