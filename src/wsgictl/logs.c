/*
 * logs.c - reopen-logs, log-level and stacks.
 *
 * Short requests: the master does them before it answers, and waits a moment
 * for its children.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "wsgictl/command.h"
#include "wsgictl/say.h"
#include "wsgictl/target.h"
#include "wsgictl/verbs.h"

/* Called for each "+" line. */
typedef void heard(const struct ask_answer *l);

static int
ask_all(const struct command *c, const struct target *t,
	const char *const *words, heard *tell, struct err *err)
{
	struct ask_answer answer;
	struct ask a = {.fd = -1};
	int status = target_ask(t, words, target_soon_ms(c), &a, err);

	while (status == EXIT_DONE) {
		int rc = ask_line(&a, ASK_PATIENCE_MS, &answer);

		if (rc != 1) {
			status = target_no_answer(t, &a, rc, err);
		} else if (strcmp(answer.words[0], "error") == 0) {
			err_setx(err, EPROTO, "%s: %s", words[0],
				answer.words[1]);
			status = EXIT_FAILED;
		} else if (strcmp(answer.words[0], "ok") == 0) {
			break;
		} else {
			tell(&answer);
		}
	}
	ask_close(&a);
	return status;
}

static int
do_request(const struct command *c, const char *const *words, heard *tell,
	struct err *err)
{
	struct target t;
	int status = target_find_running(&t, c, err);

	if (status == EXIT_DONE)
		status = ask_all(c, &t, words, tell, err);
	target_fini(&t);
	return status;
}

/* How long a child has the logs of before. */
static const char *
until(const char *life)
{
	if (strcmp(life, "stopped") == 0)
		return "is stopped by a signal, and has the old access logs "
		       "until SIGCONT";
	if (strcmp(life, "ready") == 0)
		return "is in a request, and has the old access logs until "
		       "that ends";
	if (strcmp(life, "starting") == 0)
		return "is starting, and has the old access logs until it is "
		       "ready";
	return "is finishing, and has the old access logs until it ends";
}

static const char *
error_log_of(const struct ask_answer *l)
{
	return strcmp(l->words[2], "-") == 0 ? NULL : l->words[2];
}

static void
tell_logs(const struct ask_answer *l)
{
	if (strcmp(l->words[1], "error-log") == 0)
		say("error log reopened: %s\n",
			error_log_of(l) != NULL ? error_log_of(l)
						: "standard error, which stays");
	else if (strcmp(l->words[1], "access-logs") == 0)
		say("access logs reopened: %s\n", l->words[2]);
	else if (strcmp(l->words[1], "behind") == 0)
		say("child %s %s\n", l->words[2], until(l->words[3]));
}

int
verb_reopen_logs(const struct command *c, struct err *err)
{
	static const char *const words[] = {"reopen-logs", NULL};

	return do_request(c, words, tell_logs, err);
}

static void
tell_level(const struct ask_answer *l)
{
	say("LogLevel %s\n", l->words[2]);
}

int
verb_log_level(const struct command *c, struct err *err)
{
	const char *const words[] = {"log-level", c->log_level, NULL};

	return do_request(c, words, tell_level, err);
}

static void
tell_stacks(const struct ask_answer *l)
{
	if (strcmp(l->words[1], "error-log") == 0)
		say("stacks are written to the error log, %s:\n",
			error_log_of(l) != NULL
				? error_log_of(l)
				: "which is the server's standard error");
	else
		say("child %s\n", l->words[2]);
}

int
verb_stacks(const struct command *c, struct err *err)
{
	const char *const words[] = {"stacks", c->child, NULL};

	return do_request(c, words, tell_stacks, err);
}
