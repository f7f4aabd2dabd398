/*
 * test_inside.c - which interpreter takes a child, and where the child's library is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pythons/elf.h"
#include "pythons/facts.h"
#include "pythons/inside.h"

struct place {
	char directory[32], interpreter[64];
	char identity[ELF_IDENTITY];
	struct facts facts; /* of what is there at the build */
};

static void
copy_to(const char *from, const char *to)
{
	char command[3 * PATH_MAX];

	snprintf(command, sizeof(command), "cp '%s' %s && chmod 0755 %s", from, to,
		to);
	assert_int_equal(system(command), 0);
}

static int
make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	char self[PATH_MAX];

	assert_non_null(p);
	assert_non_null(realpath("/proc/self/exe", self));
	strcpy(p->directory, "/tmp/test_inside.XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->interpreter, sizeof(p->interpreter), "%s/python",
		p->directory);
	copy_to(self, p->interpreter);
	assert_int_equal(elf_identity(p->interpreter, p->identity), 0);
	p->facts.executable = p->interpreter;
	p->facts.files[0] = (struct facts_file){p->identity, p->interpreter};
	p->facts.n_files = 1;
	*state = p;
	return 0;
}

static int
remove_place(void **state)
{
	struct place *p = *state;
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -r %s", p->directory);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

static void
test_the_interpreter_of_the_build_takes_a_child(void **state)
{
	struct place *p = *state;

	assert_null(inside_refusal(&p->facts));
}

static void
test_what_takes_none_is_seen_from_its_file(void **state)
{
	struct place *p = *state;

	copy_to("/bin/true", p->interpreter);
	assert_string_equal(inside_refusal(&p->facts),
		"another one, which does not have all of Python in it");
	copy_to("/etc/passwd", p->interpreter);
	assert_string_equal(inside_refusal(&p->facts),
		"another one, which does not have all of Python in it");
	assert_int_equal(chmod(p->interpreter, 0644), 0);
	assert_string_equal(inside_refusal(&p->facts), "not executable");
	assert_int_equal(unlink(p->interpreter), 0);
	assert_string_equal(inside_refusal(&p->facts), "gone");
}

static void
test_one_with_rights_of_its_own_takes_none_although_it_is_the_same(void **state)
{
	struct place *p = *state;

	for (mode_t bit = S_ISGID; bit <= S_ISUID; bit <<= 1) {
		assert_int_equal(chmod(p->interpreter, 0755 | bit), 0);
		assert_non_null(strstr(inside_refusal(&p->facts),
			"rights of its own (set-id or capabilities)"));
	}
	assert_int_equal(chmod(p->interpreter, 0755), 0);
	assert_null(inside_refusal(&p->facts));
}

/* Which file that was nobody has noted. */
static void
test_one_that_is_not_known_must_have_python_in_it(void **state)
{
	struct place *p = *state;

	p->facts.n_files = 0;
	assert_string_equal(inside_refusal(&p->facts),
		"another one, which does not have all of Python in it");
}

static void
test_the_library_is_beside_the_program_that_links_lead_to(void **state)
{
	struct place *p = *state;
	char link[128], expected[128], library[PATH_MAX];

	snprintf(link, sizeof(link), "%s/link", p->directory);
	snprintf(expected, sizeof(expected), "%s.so", p->interpreter);
	assert_int_equal(symlink("python", link), 0);
	assert_int_equal(inside_library(link, library), 0);
	assert_string_equal(library, expected);
	assert_int_equal(unlink(p->interpreter), 0);
	assert_int_equal(inside_library(link, library), -ENOENT);
	assert_int_equal(inside_library("/dev/null/x", library), -ENOTDIR);
}

/* A path that is as long as the kernel takes has no room for ".so". */
static void
test_a_path_may_be_too_long_for_a_library(void **state)
{
	struct place *p = *state;
	char library[PATH_MAX], path[PATH_MAX], name[] = "/................";
	size_t len;

	memset(name + 1, 'd', sizeof(name) - 2);
	strcpy(path, p->directory);
	assert_int_equal(chdir(path), 0);
	for (len = strlen(path); len + 2 * sizeof(name) < PATH_MAX;
		len += sizeof(name) - 1) {
		assert_int_equal(mkdir(name + 1, 0755), 0);
		assert_int_equal(chdir(name + 1), 0);
		strcat(path, name);
	}
	memset(path + len, 'f', PATH_MAX - 2 - len);
	path[len] = '/';
	path[PATH_MAX - 2] = '\0';
	assert_int_equal(close(creat(path + len + 1, 0755)), 0);
	assert_int_equal(inside_library(path, library), -ENAMETOOLONG);
	assert_int_equal(chdir("/"), 0);
}

#define WITH_PLACE(test) \
	cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(test_the_interpreter_of_the_build_takes_a_child),
		WITH_PLACE(test_what_takes_none_is_seen_from_its_file),
		WITH_PLACE(
			test_one_with_rights_of_its_own_takes_none_although_it_is_the_same),
		WITH_PLACE(test_one_that_is_not_known_must_have_python_in_it),
		WITH_PLACE(
			test_the_library_is_beside_the_program_that_links_lead_to),
		WITH_PLACE(test_a_path_may_be_too_long_for_a_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
