/*
 * test_workdir.c - a link that is a name, and names that are none.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
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

/* In one, as pwd says: is there a name? */
static bool
noted(const char *pwd)
{
	assert_int_equal(chdir(top), 0);
	assert_int_equal(chdir("one"), 0);
	if (pwd != NULL)
		setenv("PWD", pwd, 1);
	else
		unsetenv("PWD");
	workdir_note();
	return workdir_name() != NULL;
}

static void
lead_to(const char *where)
{
	assert_int_equal(unlink("../current"), 0);
	assert_int_equal(symlink(where, "../current"), 0);
}

static void
assert_leads_to(const char *name)
{
	AUTO_FREE char *now = workdir_now();
	char expected[PATH_MAX];

	snprintf(expected, sizeof(expected), "%s/%s", top, name);
	assert_string_equal(now, expected);
}

static void
test_a_link_is_a_name(void **state)
{
	char current[PATH_MAX];

	(void)state;
	snprintf(current, sizeof(current), "%s/current", top);
	assert_true(noted(current));
	assert_leads_to("one");
	lead_to("two");
	assert_leads_to("two");
	assert_string_equal(workdir_name(), current);
	lead_to("nowhere"); /* to where the process is */
	assert_leads_to("one");
	lead_to("one");
}

static void
test_what_names_another_directory_is_none(void **state)
{
	static const char *const names[] = {
		NULL, "", "../current", "/", "/tmp", "/nowhere"};
	char own[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_false(noted(names[i]));
	snprintf(own, sizeof(own), "%s/one", top);
	assert_false(noted(own));
}

static void
test_the_next_program_has_it_wherever_it_leads_by_then(void **state)
{
	char current[PATH_MAX];

	(void)state;
	snprintf(current, sizeof(current), "%s/current", top);
	assert_true(noted(current));
	assert_int_equal(workdir_bequeath(), 0);
	assert_true(noted("/tmp"));
	assert_false(noted("/tmp"));
	assert_int_equal(workdir_bequeath(), 0);
	assert_false(noted(NULL));
}

static void
test_a_program_that_could_not_be_executed_leaves_nothing_in_the_environment(
	void **state)
{
	char current[PATH_MAX];

	(void)state;
	snprintf(current, sizeof(current), "%s/current", top);
	assert_true(noted(current));
	assert_int_equal(workdir_bequeath(), 0);
	workdir_keep();
	assert_null(getenv("WSGID_WORKDIR"));
	assert_leads_to("one");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_link_is_a_name),
		cmocka_unit_test(test_what_names_another_directory_is_none),
		cmocka_unit_test(
			test_the_next_program_has_it_wherever_it_leads_by_then),
		cmocka_unit_test(
			test_a_program_that_could_not_be_executed_leaves_nothing_in_the_environment),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
