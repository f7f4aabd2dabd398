/*
 * test_user.c - as whom children run, for root and for everybody else.
 *
 * What depends on who we are is tried in a process that has become it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"
#include "fixture.h"
#include "master/user.h"
#include "support/skip.h"

struct question {
	const char *text; /* of the configuration */
	const char *sudo_user;
	bool is_wrong;
	const char *user; /* afterwards; NULL: none */
	const char *part; /* of the sentence */
};

/* 0 when the answer is right; where it is not, the line. */
static int
ask(const struct question *q)
{
	struct config *c = config_create();
	const struct config_message *message;
	struct buf notices = {0};

	unsetenv("SUDO_USER");
	if (q->sudo_user != NULL)
		setenv("SUDO_USER", q->sudo_user, 1);
	if (config_read_text(c, "test", q->text, strlen(q->text)) < 0)
		return __LINE__;
	user_settle(c, &notices);
	message = config_message(c, 0);
	if ((message != NULL && message->fatal) != q->is_wrong)
		return __LINE__;
	if (q->part != NULL && strstr(message->text, q->part) == NULL)
		return __LINE__;
	if (!q->is_wrong && q->user == NULL && c->user != NULL)
		return __LINE__;
	if (!q->is_wrong && q->user != NULL &&
		(c->user == NULL || strcmp(c->user, q->user) != 0))
		return __LINE__;
	buf_fini(&notices);
	config_destroy(c);
	return 0;
}

static void
ask_all(const struct question *questions, size_t n, uid_t uid)
{
	for (size_t i = 0; i < n; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			if (uid != 0 && setuid(uid) < 0)
				_exit(254);
			_exit(ask(&questions[i]) & 0xff);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("case %zu: line %d (modulo 256)", i,
				WEXITSTATUS(status));
	}
}

static void
test_root_runs_no_application_as_root(void **state)
{
	static const struct question questions[] = {
		{"", "daemon", false, "daemon", NULL},
		{"User daemon\n", "games", false, "daemon", NULL},
		{"User root\n", NULL, true, NULL,
			"test:1: User: root: an application"},
		{"User #0\n", NULL, true, NULL, "AllowRoot On"},
		{"User root\nAllowRoot On\n", NULL, false, "root", NULL},
		{"AllowRoot On\n", "daemon", false, "root", NULL},
		{"User nosuchuser\n", NULL, true, NULL,
			"test:1: User: there is no user nosuchuser"},
		{"User #4242\n", NULL, true, NULL,
			"test:1: User: #4242 is listed nowhere and so has no "
			"group: set Group"},
		{"User #4242\nGroup daemon\n", NULL, false, "#4242", NULL},
		{"User daemon\nGroup nosuchgroup\n", NULL, true, NULL,
			"test:2: Group: there is no group nosuchgroup"},
	};

	(void)state;
	if (geteuid() != 0)
		SKIP("only root has a user to settle");
	ask_all(questions, ARRAY_LEN(questions), 0);
}

static void
test_the_default_user_is_never_root(void **state)
{
	const char *user = getpwnam("wsgid") != NULL      ? "wsgid"
			   : getpwnam("www-data") != NULL ? "www-data"
							  : "nobody";
	const struct question questions[] = {
		{"", NULL, false, user, NULL},
		{"", "root", false, user, NULL},
		{"", "nosuchuser", false, user, NULL},
	};

	(void)state;
	if (geteuid() != 0)
		SKIP("only root has a user to settle");
	ask_all(questions, ARRAY_LEN(questions), 0);
}

static void
test_only_root_can_choose(void **state)
{
	static const struct question questions[] = {
		{"", "daemon", false, NULL, NULL},
		{"User root\n", NULL, true, NULL, "only root can"},
		{"User #4242\n", NULL, false, "#4242", NULL},
		{"User #4243\n", NULL, true, NULL, "only root can"},
	};

	(void)state;
	if (geteuid() != 0)
		SKIP("only root has a user to settle");
	ask_all(questions, ARRAY_LEN(questions), 4242);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_runs_no_application_as_root),
		cmocka_unit_test(test_the_default_user_is_never_root),
		cmocka_unit_test(test_only_root_can_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
