/*
 * test_spool.c - a file that is written at one end and read at the other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "child/spool.h"

static void
test_what_is_added_is_read_in_order_and_once(void **state)
{
	struct spool s = SPOOL_NONE;
	char bytes[16];

	(void)state;
	assert_int_equal(spool_left(&s), 0);
	assert_int_equal(spool_peek(&s, bytes, sizeof(bytes)), 0);
	assert_int_equal(spool_open(&s), 0);
	assert_int_equal(spool_add(&s, "abc", 3), 0);
	assert_int_equal(spool_peek(&s, bytes, 2), 2);
	assert_memory_equal(bytes, "ab", 2);
	spool_pass(&s, 1);
	assert_int_equal(spool_add(&s, "de", 2), 0);
	assert_int_equal(spool_left(&s), 4);
	assert_int_equal(spool_peek(&s, bytes, sizeof(bytes)), 4);
	assert_memory_equal(bytes, "bcde", 4);
	spool_pass(&s, 4);
	assert_int_equal(spool_peek(&s, bytes, sizeof(bytes)), 0);
	spool_close(&s);
	assert_int_equal(s.fd, -1);
}

static void
test_the_file_has_no_name_and_is_where_temporary_files_are(void **state)
{
	char directory[] = "/tmp/wsgid-spool-XXXXXX";
	struct spool s = SPOOL_NONE;
	struct stat st, there;

	(void)state;
	assert_non_null(mkdtemp(directory));
	setenv("TMPDIR", directory, 1);
	assert_int_equal(spool_open(&s), 0);
	assert_int_equal(fstat(s.fd, &st), 0);
	assert_int_equal(stat(directory, &there), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_dev, there.st_dev);
	assert_int_equal(rmdir(directory), 0); /* it is empty */
	spool_close(&s);
	/* One that is not there any more is passed over. */
	assert_int_equal(spool_open(&s), 0);
	spool_close(&s);
	unsetenv("TMPDIR");
}

static void
test_a_file_that_was_cut_is_an_error_and_no_end(void **state)
{
	struct spool s = SPOOL_NONE;
	char byte;

	(void)state;
	assert_int_equal(spool_open(&s), 0);
	assert_int_equal(spool_add(&s, "abc", 3), 0);
	assert_int_equal(ftruncate(s.fd, 0), 0);
	assert_int_equal(spool_peek(&s, &byte, 1), -EIO);
	spool_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_added_is_read_in_order_and_once),
		cmocka_unit_test(
			test_the_file_has_no_name_and_is_where_temporary_files_are),
		cmocka_unit_test(
			test_a_file_that_was_cut_is_an_error_and_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
