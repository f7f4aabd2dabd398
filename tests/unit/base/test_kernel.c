/*
 * test_kernel.c - a small file, as those of the kernel are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/kernel.h"

static char path[] = "/tmp/wsgid-kernel-XXXXXX";

static int
begin(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || write(fd, "one 1\ntwo 2\n", 12) != 12)
		return -1;
	return close(fd);
}

static int
end(void **state)
{
	(void)state;
	return unlink(path);
}

static void
test_all_of_it_or_the_first_line(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(kernel_read(path, text, sizeof(text)), 12);
	assert_string_equal(text, "one 1\ntwo 2\n");
	assert_int_equal(kernel_read_line(path, text, sizeof(text)), 5);
	assert_string_equal(text, "one 1");
}

static void
test_no_more_than_there_is_room_for(void **state)
{
	char text[4];

	(void)state;
	assert_int_equal(kernel_read(path, text, sizeof(text)), 3);
	assert_string_equal(text, "one");
	assert_int_equal(kernel_read_line(path, text, sizeof(text)), 3);
	assert_string_equal(text, "one");
}

static void
test_what_is_not_there_is_empty(void **state)
{
	char text[4] = "x";

	(void)state;
	assert_int_equal(
		kernel_read("/proc/none", text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "");
	text[0] = 'x';
	assert_int_equal(
		kernel_read_line("/proc", text, sizeof(text)), -EISDIR);
	assert_string_equal(text, "");
	assert_int_equal(kernel_read("/dev/null", text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_or_the_first_line),
		cmocka_unit_test(test_no_more_than_there_is_room_for),
		cmocka_unit_test(test_what_is_not_there_is_empty),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
