/*
 * reload.c - reload, restart and upgrade.
 *
 * The master tells how it goes, line by line, and ends with the result.  What
 * its new children and its configuration had to say is kept until then, for
 * it matters only when they fail.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "wsgictl/command.h"
#include "wsgictl/progress.h"
#include "wsgictl/say.h"
#include "wsgictl/snapshot.h"
#include "wsgictl/target.h"
#include "wsgictl/verbs.h"
#include "wsgictl/wanted.h"
#include "wsgictl/words.h"

enum {
	KEPT = 256 * 1024, /* bytes of what is said meanwhile: the last ones */
	LOOK_MS = 500,
};

struct turn {
	const struct command *command;
	const struct target *target;
	struct progress progress;
	int64_t begin_ns;
	unsigned replaced;
	bool overtaken;   /* by an upgrade: its master is to be asked */
	struct buf words; /* of new children, and mistakes */
	bool more;        /* before them */
};

static void
keep(struct turn *t, const char *text)
{
	const char *end;

	buf_printf(&t->words, "%s\n", text);
	if (t->words.len < 2 * KEPT)
		return;
	end = memchr(t->words.data + KEPT, '\n', t->words.len - KEPT);
	buf_consume(&t->words, (size_t)(end + 1 - t->words.data));
	t->more = true;
}

static void
hear(struct turn *t, const struct ask_answer *l)
{
	const char *what = l->words[1];

	if (strcmp(what, "warning") == 0) {
		progress_say(&t->progress, "warning: %s", l->words[2]);
	} else if (strcmp(what, "mistake") == 0 || strcmp(what, "log") == 0) {
		keep(t, l->words[2]);
	} else if (strcmp(what, "ready") == 0) {
		progress_step(&t->progress,
			"generation %s is ready: its first child serves",
			l->words[2]);
	} else if (strcmp(what, "replaced") == 0) {
		t->replaced++;
		progress_step(&t->progress,
			"child %s is replaced by %s, %s left", l->words[2],
			l->words[3], l->words[4]);
	} else if (strcmp(what, "retired") == 0) {
		t->replaced++;
		progress_step(&t->progress,
			"child %s has given way to one of the new master, %s "
			"left",
			l->words[2], l->words[3]);
	}
}

/* What the scoreboard has at the end: the generation, how the reload ended,
 * how many old children are finishing. */
static bool
look(const struct turn *t, struct wsgid_board *board, unsigned *finishing)
{
	const struct instance *i = t->target->one;
	struct snapshot s;
	struct err err = {0};

	if (i->board == NULL ||
		snapshot_take(&s, i->board, true, clock_real_us(), &err) < 0)
		return false;
	*board = s.board;
	*finishing = 0;
	for (size_t n = 0; n < s.n_workers; n++)
		*finishing += s.workers[n].worker == 0 &&
			      s.workers[n].lifecycle > WSGID_PROCESS_READY;
	snapshot_fini(&s);
	return true;
}

static void
say_done(struct turn *t, const char *verb)
{
	struct wsgid_board board;
	struct buf text = {0};
	unsigned finishing;

	buf_printf(&text, "%s done in ", verb);
	words_duration(&text, (clock_monotonic_ns() - t->begin_ns) / 1000);
	if (look(t, &board, &finishing)) {
		buf_printf(&text, ": generation %u serves", board.generation);
		if (finishing > 0) {
			buf_add_text(&text, "; ");
			words_count(&text, finishing, "old child is",
				"old children are");
			buf_add_text(&text, " finishing");
		}
	}
	progress_say(&t->progress, "%s", buf_text(&text));
	buf_fini(&text);
}

static int
say_failed(
	struct turn *t, const char *verb, const char *reason, struct err *err)
{
	struct wsgid_board board;
	unsigned finishing;

	progress_end(&t->progress);
	if (t->more)
		say_to(stderr, "(what was said before is in the error log)\n");
	if (t->words.len > 0)
		say_buf(stderr, &t->words);
	/* Where the server ends, nobody goes on. */
	if (strcmp(reason, CONTROL_STOPPING) == 0 ||
		!look(t, &board, &finishing))
		err_setx(err, ECANCELED, "%s failed: %s", verb, reason);
	else if (strcmp(verb, "upgrade") == 0)
		err_setx(err, ECANCELED,
			"upgrade failed: %s\n"
			"the old master (pid %d) goes on",
			reason, (int)board.master_pid);
	else if (board.reload_result == WSGID_RELOAD_FAILED &&
		 board.restart_us < board.reload_begin_us)
		err_setx(err, ECANCELED,
			"%s failed: %s\n"
			"the old generation (%u) goes on",
			verb, reason, board.generation);
	else if (strcmp(verb, "restart") == 0)
		err_setx(err, ECANCELED,
			"restart failed: %s\n"
			"the old children are gone and no new one serves; "
			"the master goes on trying",
			reason);
	else
		err_setx(err, ECANCELED, "%s failed: %s", verb, reason);
	return EXIT_FAILED;
}

static int
late(const struct turn *t, const char *verb, struct err *err)
{
	err_setx(err, ETIMEDOUT,
		"the %s is not done within %g s; it goes on, and \"wsgictl "
		"status\" shows how it ends",
		verb, (double)t->command->wait_ms / 1000);
	return EXIT_LATE;
}

static void
show_waiting(struct turn *t)
{
	struct buf since = {0};

	words_duration(&since, (clock_monotonic_ns() - t->begin_ns) / 1000);
	if (t->replaced == 0)
		progress_wait(&t->progress, "waiting for the first child, %s",
			buf_text(&since));
	buf_fini(&since);
}

/* Until the result, or the end of the waiting. */
static int
follow(struct turn *t, struct ask *a, const char *verb, struct err *err)
{
	for (;;) {
		struct ask_answer answer;
		int rc = ask_line(a, LOOK_MS, &answer);

		if (rc == -ETIMEDOUT && a->lines > 0)
			return t->command->wait_ms > 0 ? late(t, verb, err)
						       : EXIT_DONE;
		if (rc < 0)
			return target_no_answer(t->target, a, rc, err);
		if (rc == 0) {
			show_waiting(t);
			continue;
		}
		if (strcmp(answer.words[0], "ok") == 0) {
			say_done(t, verb);
			return EXIT_DONE;
		}
		if (strcmp(answer.words[0], "error") == 0) {
			t->overtaken = strcmp(answer.words[1],
					       CONTROL_SUCCEEDED) == 0;
			return say_failed(t, verb, answer.words[1], err);
		}
		hear(t, &answer);
	}
}

static int
turn_once(const struct command *c, const struct target *target,
	const char *verb, const char *doing, bool *overtaken, struct err *err)
{
	const char *const words[] = {verb, NULL};
	struct turn t = {
		.command = c,
		.target = target,
		.begin_ns = clock_monotonic_ns(),
	};
	struct ask a = {.fd = -1};
	int status = target_ask(target, words, c->wait_ms, &a, err);

	progress_begin(&t.progress);
	if (status == EXIT_DONE) {
		progress_step(&t.progress, "%s %s (pid %d)", doing,
			target->one->name, (int)target->one->pid);
		status = follow(&t, &a, verb, err);
	}
	progress_end(&t.progress);
	buf_fini(&t.words);
	ask_close(&a);
	*overtaken = t.overtaken;
	return status;
}

static int
turn(const struct command *c, const struct target *target, const char *verb,
	const char *doing, struct err *err)
{
	bool overtaken;
	int status = turn_once(c, target, verb, doing, &overtaken, err);

	while (overtaken) {
		struct target next;

		overtaken = false;
		*err = (struct err){0};
		status = target_find_running(&next, c, err);
		if (status == EXIT_DONE)
			status = turn_once(
				c, &next, verb, doing, &overtaken, err);
		target_fini(&next);
	}
	return status;
}

int
verb_reload(const struct command *c, struct err *err)
{
	struct target t;
	int status = target_find_running(&t, c, err);

	if (status == EXIT_DONE)
		status = turn(c, &t, "reload", "reloading", err);
	target_fini(&t);
	return status;
}

int
verb_upgrade(const struct command *c, struct err *err)
{
	struct target t;
	int status = target_find_running(&t, c, err);

	if (status == EXIT_DONE)
		status = turn(c, &t, "upgrade", "upgrading", err);
	target_fini(&t);
	return status;
}

static void
say_how_to_start(const struct instance *dead, struct err *err)
{
	AUTO_FREE char *file = instance_config_file(dead);

	if (file != NULL)
		err_setx(err, ESRCH, "%s is dead: restart it with -c %s",
			dead->name, file);
	else
		err_setx(err, ESRCH,
			"%s is dead: restart it with -c FILE, or start it with "
			"the options that it had",
			dead->name);
}

/* Would start begin this one again?  Who has named none gets the default
 * configuration, and that may be another server's. */
static bool
would_start(
	const struct command *c, const struct instance *dead, struct err *err)
{
	struct config *wanted;
	bool same;

	if (c->name != NULL || c->config_file != NULL)
		return true;
	wanted = wanted_config(c->rest, c->n_rest, err);
	if (wanted == NULL)
		return false;
	same = wanted->name != NULL && strcmp(wanted->name, dead->name) == 0;
	config_destroy(wanted);
	if (!same)
		say_how_to_start(dead, err);
	return same;
}

/* Nothing is there, or what start would begin: not beside another of its name. */
static bool
may_start(const struct command *c, const struct target *t, struct err *err)
{
	if (t->one != NULL)
		return t->one->other_file == NULL &&
		       would_start(c, t->one, err);
	return err->code == ENOENT;
}

int
verb_restart(const struct command *c, struct err *err)
{
	struct target t;
	int status = target_find_running(&t, c, err);
	bool starts = false;

	if (status == EXIT_DONE)
		status = turn(c, &t, "restart", "restarting", err);
	else if (status == EXIT_NOT_RUNNING)
		starts = may_start(c, &t, err);
	target_fini(&t);
	if (!starts)
		return status;
	say("it does not run, so it is started\n");
	fflush(stdout);
	*err = (struct err){0};
	return verb_start(c, err);
}
