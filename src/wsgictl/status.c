/*
 * status.c - status, fullstatus and version.
 *
 * They read the scoreboard and change nothing; the master is asked for what the kernel
 * tells it alone, who waits to be accepted, and not waited for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "built_with.h"
#include "wsgictl/command.h"
#include "wsgictl/report.h"
#include "wsgictl/say.h"
#include "wsgictl/snapshot.h"
#include "wsgictl/target.h"
#include "wsgictl/verbs.h"

enum { BUSY_MS = 1000 };

/* Of who may ask.  False where the master is busy; to others it never looks so. */
static bool
ask_for_queues(const struct instance *i, struct queues *queues)
{
	static const char *const words[] = {"listen-queues", NULL};
	struct ask_answer answer;
	struct ask a = {.fd = -1};
	struct err err = {0};
	int rc;

	if (i->state != INSTANCE_RUNNING || i->stopped || i->control == NULL)
		return true;
	rc = ask_open_at_once(&a, i, words, BUSY_MS, &err);
	if (rc == 0)
		while ((rc = ask_line(&a, BUSY_MS, &answer)) > 0 &&
			strcmp(answer.words[0], "+") == 0)
			queues_hear(queues, &answer);
	queues->known = rc > 0 && strcmp(answer.words[0], "ok") == 0;
	if (!queues->known)
		queues_fini(queues);
	ask_close(&a);
	return rc != 0 && rc != -EAGAIN && rc != -ETIMEDOUT;
}

static int
code_of(const struct command *c, const struct report *r, struct err *err)
{
	const struct instance *i = r->instance;

	switch (i->state) {
	case INSTANCE_RUNNING:
		if (!c->ready || report_is_ready(r))
			return STATUS_RUNNING;
		if (r->snapshot == NULL) {
			err_setx(err, EAGAIN,
				"%s runs, but whether a child serves is not "
				"known",
				i->name);
			return STATUS_UNKNOWN;
		}
		err_setx(err, EAGAIN, "%s runs, but no child serves", i->name);
		return STATUS_UNREADY;
	case INSTANCE_DEAD:
		return i->has_pid_file ? STATUS_DEAD : STATUS_STOPPED;
	case INSTANCE_UNKNOWN:
		return STATUS_UNKNOWN;
	case INSTANCE_ABSENT:
		break;
	}
	return STATUS_STOPPED;
}

static const char *
why_unread(const struct instance *i, struct err *err)
{
	if (i->board == NULL)
		return "its run directory is not known; name it with "
		       "--run-directory";
	if (err->code == EACCES)
		err_setx(err, EACCES,
			"you may not read its scoreboard %s; try sudo",
			i->board);
	return err->text;
}

static int
print(const struct command *c, const struct report *r)
{
	bool full = c->verb == VERB_FULLSTATUS;
	struct buf text = {0};
	int rc = 0;

	if (c->json) {
		rc = report_json(&text, r, full);
	} else {
		report_status(&text, r);
		if (full) {
			report_reload_log(&text, r);
			report_workers(&text, r);
		}
	}
	if (rc == 0 && !buf_failed(&text))
		say_buf(stdout, &text);
	else
		rc = -ENOMEM;
	buf_fini(&text);
	return rc;
}

static int
show(const struct command *c, const struct instance *i, struct err *err)
{
	bool alive = i->state == INSTANCE_RUNNING;
	struct report r = {.instance = i, .query = c->query};
	struct snapshot s = {0};
	struct err unread = {0};
	int status;

	r.busy = !ask_for_queues(i, &r.queues);
	if (i->board != NULL && snapshot_take(&s, i->board, alive,
					clock_real_us(), &unread) == 0)
		r.snapshot = &s;
	else
		r.reason = why_unread(i, &unread);
	status = code_of(c, &r, err);
	if (print(c, &r) < 0) {
		err_set(err, ENOMEM, "status");
		status = STATUS_UNKNOWN;
	}
	snapshot_fini(&s);
	queues_fini(&r.queues);
	return status;
}

int
verb_status(const struct command *c, struct err *err)
{
	struct target t;
	int status = target_find(&t, c, err);

	switch (status) {
	case EXIT_DONE:
		status = show(c, t.one, err);
		break;
	case EXIT_NOT_RUNNING:
		/* Nothing, or several that are dead. */
		status = err->code == ENOENT ? STATUS_STOPPED : STATUS_UNKNOWN;
		break;
	default:
		status = STATUS_UNKNOWN;
	}
	target_fini(&t);
	return status;
}

int
verb_fullstatus(const struct command *c, struct err *err)
{
	return verb_status(c, err);
}

/* Of wsgictl itself, and of the server where there is one to be seen. */
int
verb_version(const struct command *c, struct err *err)
{
	struct snapshot s = {0};
	struct err ignored = {0};
	struct target t;

	(void)err;
	say("wsgictl/" WSGID_VERSION "\n");
	if (target_find(&t, c, &ignored) == EXIT_DONE && t.one->board != NULL &&
		snapshot_take(&s, t.one->board, false, 0, &ignored) == 0)
		say("%s [%s]%s\n", s.board.version, t.one->name,
			t.one->state == INSTANCE_RUNNING ? ""
							 : ", which is dead");
	snapshot_fini(&s);
	target_fini(&t);
	return EXIT_DONE;
}
