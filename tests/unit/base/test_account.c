/*
 * test_account.c - users and groups as administrators write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "base/err.h"

static void
test_a_user_is_found_by_name_and_number(void **state)
{
	static const struct {
		const char *text, *name;
		uid_t uid;
		bool listed;
	} rows[] = {
		{"root", "root", 0, true},
		{"#0", "root", 0, true},
		{"#3999999999", "#3999999999", 3999999999u, false},
		{"#4294967294", "#4294967294", 4294967294u, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct account a;
		struct err err = {0};

		assert_int_equal(account_find_user(rows[i].text, &a, &err), 0);
		assert_int_equal(a.uid, rows[i].uid);
		assert_int_equal(a.listed, rows[i].listed);
		assert_string_equal(a.name, rows[i].name);
		assert_int_equal(a.gid, rows[i].listed ? 0 : (gid_t)-1);
	}
}

static void
test_a_group_is_found_by_name_and_number(void **state)
{
	gid_t gid = 77;

	(void)state;
	assert_int_equal(account_find_group("root", &gid, NULL), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(account_find_group("#12345", &gid, NULL), 0);
	assert_int_equal(gid, 12345);
}

static void
test_an_unknown_name_is_told(void **state)
{
	static const struct {
		const char *text, *said;
		int rc;
	} rows[] = {
		{"no-such-name", " no-such-name on this machine", -ENOENT},
		{"33333", "a number is written #33333", -ENOENT},
		{"", " is empty", -EINVAL},
		{"#", "write # and digits", -EINVAL},
		{"#x", "write # and digits", -EINVAL},
		{"#-1", "write # and digits", -EINVAL},
		{"#4294967295", "write # and digits", -EINVAL},
		{"#99999999999999999999999", "write # and digits", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct account a = {.uid = 77};
		gid_t gid = 77;
		struct err err = {0};

		assert_int_equal(
			account_find_user(rows[i].text, &a, &err), rows[i].rc);
		assert_non_null(strstr(err.text, rows[i].said));
		assert_non_null(strstr(err.text, "user"));
		assert_int_equal(a.uid, 77);
		assert_int_equal(account_find_group(rows[i].text, &gid, &err),
			rows[i].rc);
		assert_non_null(strstr(err.text, rows[i].said));
		assert_non_null(strstr(err.text, "group"));
		assert_int_equal(gid, 77);
	}
}

static void
test_a_number_without_a_name_is_shown_as_one(void **state)
{
	char name[ACCOUNT_NAME];

	(void)state;
	account_user_name(0, name);
	assert_string_equal(name, "root");
	account_user_name(3999999999u, name);
	assert_string_equal(name, "#3999999999");
	account_group_name(0, name);
	assert_string_equal(name, "root");
	account_group_name(3999999999u, name);
	assert_string_equal(name, "#3999999999");
}

static void
test_a_home_is_found_or_not(void **state)
{
	char *home = NULL;

	(void)state;
	assert_int_equal(account_find_home(3999999999u, &home), -ENOENT);
	assert_null(home);
	assert_int_equal(account_find_home(0, &home), 0);
	assert_string_equal(home, getpwuid(0)->pw_dir);
	free(home);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_user_is_found_by_name_and_number),
		cmocka_unit_test(test_a_group_is_found_by_name_and_number),
		cmocka_unit_test(test_an_unknown_name_is_told),
		cmocka_unit_test(test_a_number_without_a_name_is_shown_as_one),
		cmocka_unit_test(test_a_home_is_found_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
