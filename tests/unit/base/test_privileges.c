/*
 * test_privileges.c - from root to a user, in processes of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/privileges.h"
#include "support/skip.h"

enum { GROUPS = 64 };

struct outcome {
	int rc, n_groups, dumpable, returned;
	uid_t uid;
	gid_t gid, groups[GROUPS];
	struct err err;
};

static struct outcome
drop(const char *user, const char *group)
{
	struct outcome o = {0};
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		gid_t stray[] = {0, 4};

		/* What a login shell of root may have left. */
		(void)!setgroups(2, stray);
		o.rc = privileges_drop(user, group, &o.err);
		o.uid = geteuid();
		o.gid = getegid();
		o.n_groups = getgroups(GROUPS, o.groups);
		o.dumpable = prctl(PR_GET_DUMPABLE);
		o.returned = setuid(0) == 0;
		_exit(write(pipes[1], &o, sizeof(o)) == sizeof(o) ? 0 : 1);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &o, sizeof(o)), sizeof(o));
	close(pipes[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return o;
}

static void
need_root(void)
{
	if (geteuid() != 0)
		SKIP("only root has privileges to drop");
	if (getpwnam("nobody") == NULL)
		SKIP("there is no user nobody on this machine");
}

static void
test_root_becomes_the_user_for_good(void **state)
{
	struct passwd *nobody = getpwnam("nobody");
	struct outcome o;

	(void)state;
	need_root();
	o = drop("nobody", NULL);
	assert_string_equal(o.err.text, "");
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.uid, nobody->pw_uid);
	assert_int_equal(o.gid, nobody->pw_gid);
	assert_int_equal(o.n_groups, 1);
	assert_int_equal(o.groups[0], nobody->pw_gid);
	assert_int_equal(o.dumpable, 0);
	assert_false(o.returned);
}

static void
test_numbers_and_another_group_are_taken(void **state)
{
	static const struct {
		const char *user, *group;
		uid_t uid;
		gid_t gid;
	} rows[] = {
		{"#12345", "#23456", 12345, 23456},
		{"nobody", "#23456", 65534, 23456},
		{"#65534", "#7", 65534, 7},
		{"#65534", "daemon", 65534, 1},
	};

	(void)state;
	need_root();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outcome o = drop(rows[i].user, rows[i].group);

		assert_string_equal(o.err.text, "");
		assert_int_equal(o.rc, 0);
		assert_int_equal(o.uid, rows[i].uid);
		assert_int_equal(o.gid, rows[i].gid);
		for (int j = 0; j < o.n_groups; j++)
			assert_true(o.groups[j] != 0 && o.groups[j] != 4);
		assert_false(o.returned);
	}
}

static void
test_what_cannot_be_is_a_sentence(void **state)
{
	static const struct {
		const char *user, *group, *said;
	} rows[] = {
		{"no-such-user", NULL, "no user no-such-user"},
		{"nobody", "no-such-group", "no group no-such-group"},
		{"#12345", NULL, "set Group"},
		{"#4294967295", NULL, "is not a user number"},
		{"#", NULL, "is not a user number"},
		{"#-1", NULL, "is not a user number"},
		{"12345", NULL, "a number is written #12345"},
		{"", NULL, "the user is empty"},
	};

	(void)state;
	need_root();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outcome o = drop(rows[i].user, rows[i].group);

		if (o.rc >= 0 || strstr(o.err.text, rows[i].said) == NULL)
			fail_msg("row %zu: %d %s", i, o.rc, o.err.text);
	}
}

static void
test_without_a_user_nothing_happens(void **state)
{
	struct outcome o = drop(NULL, NULL);

	(void)state;
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.uid, geteuid());
}

static void
test_without_root_nothing_happens(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	need_root();
	pid = fork();
	if (pid == 0) {
		if (setgid(12345) < 0 || setuid(12345) < 0)
			_exit(2);
		_exit(privileges_drop("nobody", NULL, NULL) == 0 &&
					geteuid() == 12345
				? 0
				: 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void
test_root_stays_root_when_that_is_asked_for(void **state)
{
	struct outcome o;

	(void)state;
	need_root();
	o = drop("root", NULL);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.uid, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_becomes_the_user_for_good),
		cmocka_unit_test(test_numbers_and_another_group_are_taken),
		cmocka_unit_test(test_what_cannot_be_is_a_sentence),
		cmocka_unit_test(test_without_a_user_nothing_happens),
		cmocka_unit_test(test_without_root_nothing_happens),
		cmocka_unit_test(test_root_stays_root_when_that_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
