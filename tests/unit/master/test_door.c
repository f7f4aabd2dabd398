/*
 * test_door.c - why files cannot be given to ControlGroup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/err.h"
#include "config/config.h"
#include "master/door.h"
#include "support/skip.h"

static void
explain(const char *group, struct err *err)
{
	struct config *c = config_create();

	assert_non_null(c);
	config_set(c, "ControlGroup", group, "the test");
	assert_int_equal(door_no_member(c, err), -EPERM);
	config_destroy(c);
}

static void
test_who_is_a_member_or_root_is_told_that_it_is_forbidden(void **state)
{
	char group[ACCOUNT_NAME];
	struct err err = {0};

	(void)state;
	account_group_name(getegid(), group);
	explain(group, &err);
	assert_non_null(strstr(err.text, "is forbidden here"));
}

static void
test_who_is_none_is_told_that(void **state)
{
	struct err err = {0};
	struct group *other = getgrnam("daemon");

	(void)state;
	if (geteuid() == 0 || other == NULL || group_member(other->gr_gid))
		SKIP("needs a user who is no member of group daemon");
	explain("daemon", &err);
	assert_non_null(strstr(err.text, "is no member of it"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_who_is_a_member_or_root_is_told_that_it_is_forbidden),
		cmocka_unit_test(test_who_is_none_is_told_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
