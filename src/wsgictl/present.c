/*
 * present.c - the server that is there already when one is to be started.
 * See present.h.
 *
 * That the pid file is locked says no more than that a master lives.  What it
 * is about its scoreboard tells, which it makes after the lock is had and
 * removes before that goes.
 */
#include "wsgictl/present.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "config/config.h"
#include "scoreboard/scoreboard.h"
#include "wsgictl/ask.h"
#include "wsgictl/command.h"
#include "wsgictl/instance.h"
#include "wsgictl/progress.h"
#include "wsgictl/say.h"
#include "wsgictl/target.h"

enum { LOOK_MS = 50 };

enum stage {
	STAGE_NONE,
	STAGE_BETWEEN,  /* a master that has no scoreboard yet, or any more */
	STAGE_STARTING, /* no child has served yet */
	STAGE_ENDING,
	STAGE_RUNNING,
};

static const struct instance *
find_running(const struct instances *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].state == INSTANCE_RUNNING)
			return &all->list[i];
	return NULL;
}

/* Of one that shows nothing we know that it runs. */
static enum stage
stage_of(const struct instance *i)
{
	struct scoreboard_view *view;
	struct wsgid_board board;
	struct err err = {0};
	int rc;

	if (i->board == NULL)
		return STAGE_RUNNING;
	rc = scoreboard_open(&view, i->board, &err);
	if (rc == -ENOENT)
		return access(i->control, F_OK) < 0 ? STAGE_BETWEEN
						    : STAGE_RUNNING;
	if (rc < 0)
		return STAGE_RUNNING;
	scoreboard_read_board(view, &board);
	scoreboard_close(view);
	/* One left behind by a server that was killed. */
	if (board.master_pid != i->pid)
		return STAGE_BETWEEN;
	if (board.stopping_us > 0)
		return STAGE_ENDING;
	return board.python[0] == '\0' ? STAGE_STARTING : STAGE_RUNNING;
}

static const char *
words_of(enum stage stage)
{
	return stage == STAGE_ENDING ? "is ending" : "is being started";
}

static void
say_waiting(struct progress *p, const struct instance *i, enum stage stage)
{
	if (stage == STAGE_ENDING)
		progress_step(p, "%s (pid %d) is ending, which is waited for",
			i->name, (int)i->pid);
	else if (stage == STAGE_STARTING)
		progress_step(p,
			"%s (pid %d) is being started already: its first child "
			"is waited for",
			i->name, (int)i->pid);
}

/* Its end is heard at once, its first child seen a moment later. */
static void
wait_a_moment(const struct instance *i, int64_t end_ns)
{
	AUTO_CLOSE int pidfd = i->pid > 0 ? pidfd_open(i->pid, 0) : -1;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int64_t left = target_wait_left(end_ns);

	(void)poll(&p, pidfd >= 0 ? 1 : 0,
		left >= 0 && left < LOOK_MS ? (int)left : LOOK_MS);
}

static int
say_runs(const struct instance *i, bool waited)
{
	say("%s runs %s, pid %d\n", i->name, waited ? "by now" : "already",
		(int)i->pid);
	instance_say_change(i);
	return EXIT_DONE;
}

static int
late(const struct command *c, const struct instance *i, enum stage stage,
	struct err *err)
{
	if (c->wait_ms == 0 && stage != STAGE_ENDING) {
		say("%s is being started already, pid %d; whether it serves "
		    "is not waited for\n",
			i->name, (int)i->pid);
		return EXIT_DONE;
	}
	err_setx(err, ETIMEDOUT,
		"%s (pid %d) %s, and is not done within %g s; nothing else has "
		"been started",
		i->name, (int)i->pid, words_of(stage),
		(double)c->wait_ms / 1000);
	return EXIT_LATE;
}

static int
stopped(const struct instance *i, enum stage stage, struct err *err)
{
	err_setx(err, EBUSY,
		"%s (pid %d) %s, and its master is stopped by a signal; kill "
		"-CONT %d lets it go on",
		i->name, (int)i->pid, words_of(stage), (int)i->pid);
	return EXIT_LATE;
}

/* One walk of waiting. */
struct wait {
	const struct command *command;
	int64_t end_ns;
	int64_t between_ns; /* from then on one without a scoreboard runs */
	enum stage told;
	pid_t pid;         /* who has been waited for, or 0 */
	bool was_starting; /* it has been seen to */
	struct progress progress;
};

/* True when it is decided, and *status is how. */
static bool
decide(struct wait *w, const struct instance *i, int *status, struct err *err)
{
	enum stage stage = stage_of(i);

	if (stage == STAGE_BETWEEN && clock_monotonic_ns() >= w->between_ns)
		stage = STAGE_RUNNING;
	if (stage == STAGE_RUNNING) {
		progress_end(&w->progress);
		*status = say_runs(i, w->told != STAGE_NONE);
		return true;
	}
	if (i->stopped) {
		*status = stopped(i, stage, err);
		return true;
	}
	if (target_wait_left(w->end_ns) == 0) {
		*status = late(w->command, i, stage, err);
		return true;
	}
	if (stage != w->told)
		say_waiting(&w->progress, i, stage);
	if (stage != STAGE_BETWEEN)
		w->told = stage;
	w->pid = i->pid;
	w->was_starting |= stage == STAGE_STARTING;
	wait_a_moment(i, w->end_ns);
	return false;
}

static void
say_gone(const struct wait *w, const char *name, struct err *err)
{
	if (w->was_starting)
		err_setx(err, ESRCH,
			"%s (pid %d), which was being started, has ended "
			"without serving; its error log says why",
			name, (int)w->pid);
	else
		err_setx(err, ESRCH,
			"%s (pid %d), which was in the way, has ended by now: "
			"start again",
			name, (int)w->pid);
}

/* Its name is taken. */
static int
has_another_file(const struct instance *i, struct err *err)
{
	err_setx(err, EEXIST,
		"%s (pid %d) runs already, and was started with %s: two "
		"servers of one name need a RunDirectory each, or another name",
		i->name, (int)i->pid, i->other_file);
	return EXIT_FAILED;
}

/* One look.  True when it is decided. */
static bool
look(struct wait *w, const struct config *wanted, bool *there, int *status,
	struct err *err)
{
	const struct instance *i = NULL;
	struct instances all;
	bool decided = false;

	if (instances_find_configured(&all, wanted, NULL) == 0)
		i = find_running(&all);
	*there = i != NULL;
	if (i != NULL && i->other_file != NULL) {
		*status = has_another_file(i, err);
		decided = true;
	} else if (i != NULL) {
		decided = decide(w, i, status, err);
	}
	instances_fini(&all);
	return decided;
}

bool
present_wait(const struct command *c, const struct config *wanted,
	int64_t end_ns, int *status, struct err *err)
{
	struct wait w = {
		.command = c,
		.end_ns = end_ns,
		.between_ns = clock_monotonic_ns() + ASK_PATIENCE_MS * MS_NS,
	};
	bool decided = false, there = true;

	/* Port 0 is no name. */
	if (wanted->name == NULL || strcmp(wanted->name, "0") == 0)
		return false;
	progress_begin(&w.progress);
	while (there && !decided)
		decided = look(&w, wanted, &there, status, err);
	progress_end(&w.progress);
	if (!decided && w.pid > 0)
		say_gone(&w, wanted->name, err);
	return decided;
}
