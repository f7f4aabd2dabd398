/*
 * test_workdir.c - a link that leads elsewhere, and names that are none.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/file.h"
#include "base/workdir.h"

static char top[] = "/tmp/wsgid-workdir-XXXXXX";

static int
begin(void **state)
{
	(void)state;
	if (mkdtemp(top) == NULL || chdir(top) < 0 || mkdir("one", 0755) < 0 ||
		mkdir("two", 0755) < 0 || symlink("one", "current") < 0)
		return -1;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	(void)!chdir(top);
	unlink("current");
	rmdir("one");
	rmdir("two");
	return rmdir(top);
}

/* The process is in one. */
static void
lead_to(const char *name)
{
	assert_int_equal(chdir(top), 0);
	assert_int_equal(unlink("current"), 0);
	assert_int_equal(symlink(name, "current"), 0);
	assert_int_equal(chdir("one"), 0);
}

/* Started in one, as pwd says; then the link leads to another. */
static void
start_in(const char *pwd, const char *then)
{
	lead_to("one");
	if (pwd != NULL)
		setenv("PWD", pwd, 1);
	else
		unsetenv("PWD");
	workdir_note();
	lead_to(then);
	workdir_follow();
}

static void
test_a_link_is_followed_anew(void **state)
{
	char current[PATH_MAX];

	(void)state;
	snprintf(current, sizeof(current), "%s/current", top);
	start_in(current, "two");
	assert_true(file_is_same(".", "../two"));
	start_in(current, "nowhere");
	assert_true(file_is_same(".", "../one"));
}

static void
test_what_names_another_directory_is_no_name(void **state)
{
	static const char *const names[] = {
		NULL, "", "../current", "/", "/tmp", "/nowhere"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		start_in(names[i], "two");
		assert_true(file_is_same(".", "../one"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_link_is_followed_anew),
		cmocka_unit_test(test_what_names_another_directory_is_no_name),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
