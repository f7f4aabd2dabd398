/*
 * test_err.c - the one sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void
test_the_reason_is_appended(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, EACCES, "Listen %d", 80), -EACCES);
	assert_int_equal(err.code, EACCES);
	assert_string_equal(err.text, "Listen 80: Permission denied");
	err_set(&err, EMFILE, "output of a child");
	assert_string_equal(err.text,
		"output of a child: Too many open files (the limit is ulimit "
		"-n, in a systemd unit LimitNOFILE=)");
}

static void
test_the_plain_form_appends_nothing(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_setx(&err, EINVAL, "no such %s", "word"), -EINVAL);
	assert_int_equal(err.code, EINVAL);
	assert_string_equal(err.text, "no such word");
}

static void
test_nobody_needs_to_listen(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ENOENT, "%s", "x"), -ENOENT);
	assert_int_equal(err_setx(NULL, ENOENT, "%s", "x"), -ENOENT);
}

static void
test_a_long_sentence_is_cut(void **state)
{
	struct err err = {0};

	(void)state;
	err_set(&err, ENOENT, "%5000d", 1);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	err_set(&err, ENOENT, "%1020d", 1);
	assert_string_equal(err.text + 1019, "1: N");
}

static void
test_a_place_is_put_in_front(void **state)
{
	struct err err = {0};

	(void)state;
	err_setx(&err, EINVAL, "PidFile x: no");
	err_at(&err, "");
	assert_string_equal(err.text, "PidFile x: no");
	err_at(&err, "a.conf:7");
	assert_string_equal(err.text, "a.conf:7: PidFile x: no");
	assert_int_equal(err.code, EINVAL);
	err_at(NULL, "a.conf:7");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_reason_is_appended),
		cmocka_unit_test(test_the_plain_form_appends_nothing),
		cmocka_unit_test(test_nobody_needs_to_listen),
		cmocka_unit_test(test_a_long_sentence_is_cut),
		cmocka_unit_test(test_a_place_is_put_in_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
