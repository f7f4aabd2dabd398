/*
 * scale.c - another number of processes, until the next reload.
 *
 * The master answers when so many serve.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "wsgictl/command.h"
#include "wsgictl/say.h"
#include "wsgictl/target.h"
#include "wsgictl/verbs.h"

enum { LOOK_MS = 1000 };

static int
late(const struct command *c, struct err *err)
{
	err_setx(err, ETIMEDOUT,
		"there are not yet %s processes after %g s; it goes on, and "
		"\"wsgictl status\" shows how it ends",
		c->processes, (double)c->wait_ms / 1000);
	return EXIT_LATE;
}

static void
say_done(const struct target *t, const struct command *c, const char *before)
{
	bool one = strcmp(c->processes, "1") == 0;

	say("%s has %s process%s, where %s served before; that lasts until "
	    "the next reload, Processes in the configuration for good\n",
		t->one->name, c->processes, one ? "" : "es", before);
}

static int
follow(const struct command *c, const struct target *t, struct ask *a,
	struct err *err)
{
	char before[16] = "";

	for (;;) {
		struct ask_answer answer;
		int rc = ask_line(a, LOOK_MS, &answer);

		if (rc == 0)
			continue;
		if (rc == -ETIMEDOUT && before[0] != '\0')
			return c->wait_ms > 0 ? late(c, err) : EXIT_DONE;
		if (rc != 1)
			return target_no_answer(t, a, rc, err);
		if (strcmp(answer.words[0], "error") == 0) {
			err_setx(err, EPROTO, "scale: %s", answer.words[1]);
			return EXIT_FAILED;
		}
		if (strcmp(answer.words[0], "ok") == 0) {
			say_done(t, c, before);
			return EXIT_DONE;
		}
		if (strcmp(answer.words[1], "before") == 0 && before[0] == '\0')
			snprintf(before, sizeof(before), "%s", answer.words[2]);
	}
}

int
verb_scale(const struct command *c, struct err *err)
{
	const char *const words[] = {"scale", c->processes, NULL};
	struct ask a = {.fd = -1};
	struct target t;
	int status = target_find_running(&t, c, err);

	if (status == EXIT_DONE)
		status = target_ask(&t, words, c->wait_ms, &a, err);
	if (status == EXIT_DONE)
		status = follow(c, &t, &a, err);
	ask_close(&a);
	target_fini(&t);
	return status;
}
