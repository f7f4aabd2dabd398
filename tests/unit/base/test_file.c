/*
 * test_file.c - are two names of the same file?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

/* A folder with "one", "other", and "link", which leads to "one". */
static int
enter_folder(void **state)
{
	char folder[] = "/tmp/wsgid-test-file-XXXXXX";
	int one, other;

	(void)state;
	if (mkdtemp(folder) == NULL || chdir(folder) < 0)
		return -1;
	one = open("one", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	other = open("other", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (one < 0 || other < 0 || symlink("one", "link") < 0)
		return -1;
	close(one);
	close(other);
	return 0;
}

static int
remove_folder(void **state)
{
	char folder[4096];

	(void)state;
	unlink("one");
	unlink("other");
	unlink("link");
	if (getcwd(folder, sizeof(folder)) == NULL || chdir("/") < 0)
		return -1;
	return rmdir(folder);
}

static void
test_a_link_is_what_it_leads_to(void **state)
{
	(void)state;
	assert_true(file_is_same("one", "one"));
	assert_true(file_is_same("one", "./link"));
	assert_false(file_is_same("one", "other"));
}

static void
test_what_is_not_there_is_the_same_as_nothing(void **state)
{
	(void)state;
	assert_false(file_is_same("missing", "one"));
	assert_false(file_is_same("one", "missing"));
	assert_false(file_is_same("missing", "missing"));
}

static void
test_a_file_that_was_replaced_is_at_its_name_no_more(void **state)
{
	int fd = open("one", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_true(file_is_at("one", fd));
	assert_true(file_is_at("link", fd));
	assert_false(file_is_at("other", fd));
	assert_int_equal(rename("other", "one"), 0);
	assert_false(file_is_at("one", fd));
	assert_int_equal(unlink("one"), 0);
	assert_false(file_is_at("one", fd));
	close(fd);
	assert_false(file_is_at("one", -1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_link_is_what_it_leads_to),
		cmocka_unit_test(test_what_is_not_there_is_the_same_as_nothing),
		cmocka_unit_test(
			test_a_file_that_was_replaced_is_at_its_name_no_more),
	};

	return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
