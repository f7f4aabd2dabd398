/*
 * target.c - the running server that a verb is about.  See target.h.
 */
#include "wsgictl/target.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "wsgictl/command.h"

static int
has_another_file(
	const struct instance *i, const struct command *c, struct err *err)
{
	err_setx(err, ENOENT,
		"no server runs with %s: %s (pid %d) was started with %s; "
		"--name %s is that one, and two of one name need a "
		"RunDirectory each",
		c->config_file, i->name, (int)i->pid, i->other_file, i->name);
	return EXIT_NOT_RUNNING;
}

int
target_find(struct target *ret, const struct command *c, struct err *err)
{
	int rc;

	*ret = (struct target){0};
	rc = instances_find(&ret->all, c, err);
	if (rc < 0)
		return rc == -EACCES ? EXIT_DENIED : EXIT_CONFIG;
	ret->one = instances_choose(&ret->all, err);
	if (ret->one != NULL && ret->one->other_file != NULL)
		return has_another_file(ret->one, c, err);
	if (ret->one != NULL) {
		instance_say_change(ret->one);
		return EXIT_DONE;
	}
	switch (err->code) {
	case E2BIG:
		return EXIT_USAGE;
	case EACCES:
		return EXIT_DENIED;
	default:
		return EXIT_NOT_RUNNING;
	}
}

static int
not_running(const struct instance *i, struct err *err)
{
	err_setx(err, ESRCH,
		"%s does not run: what is in %s was left behind by a server "
		"that was killed",
		i->name, i->directory != NULL ? i->directory : i->pid_file);
	return EXIT_NOT_RUNNING;
}

/* Its files may not be read; the socket's owner can be seen. */
static int
may_not_look(const struct instance *i, struct err *err)
{
	if (i->unread != EACCES) {
		err_set(err, i->unread,
			"whether %s runs cannot be told by its pid file %s",
			i->name, i->pid_file);
		return EXIT_FAILED;
	}
	if (i->control != NULL && access(i->control, F_OK) == 0)
		ask_denied(i, err);
	else
		err_setx(err, EACCES,
			"whether %s runs cannot be told: you may not read %s; "
			"try sudo",
			i->name, i->pid_file);
	return EXIT_DENIED;
}

int
target_find_running(
	struct target *ret, const struct command *c, struct err *err)
{
	int status = target_find(ret, c, err);
	const struct instance *i = ret->one;

	if (status != EXIT_DONE)
		return status;
	if (i->state == INSTANCE_UNKNOWN)
		return may_not_look(i, err);
	if (i->state != INSTANCE_RUNNING)
		return not_running(i, err);
	if (i->stopped) {
		err_setx(err, EBUSY,
			"the master of %s (pid %d) is stopped by a signal and "
			"hears nothing; kill -CONT %d lets it go on",
			i->name, (int)i->pid, (int)i->pid);
		return EXIT_LATE;
	}
	return EXIT_DONE;
}

void
target_fini(struct target *t)
{
	instances_fini(&t->all);
	t->one = NULL;
}

int64_t
target_soon_ms(const struct command *c)
{
	return ask_soon_ms(c->wait_ms);
}

int
target_ask(const struct target *t, const char *const *words, int64_t effect_ms,
	struct ask *ret, struct err *err)
{
	int rc = ask_open(ret, t->one, words, effect_ms, err);

	switch (rc) {
	case 0:
		return EXIT_DONE;
	case -EAGAIN:
		return EXIT_LATE;
	case -EACCES:
		return EXIT_DENIED;
	default:
		return EXIT_FAILED;
	}
}

static int
late(const struct target *t, const struct ask *a, struct err *err)
{
	if (a->lines == 0)
		err_setx(err, ETIMEDOUT,
			"the master of %s (pid %d) has not answered within "
			"%d s; it is stopped, or very busy",
			t->one->name, (int)a->master, ASK_PATIENCE_MS / 1000);
	else
		err_setx(err, ETIMEDOUT,
			"the master of %s (pid %d) has said %zu lines within "
			"%g s, and is not done%s",
			t->one->name, (int)a->master, a->lines,
			(double)a->effect_ms / 1000,
			a->effect_ms < ASK_PATIENCE_MS ? ""
						       : "; is that a wsgid?");
	return EXIT_LATE;
}

int
target_no_answer(
	const struct target *t, const struct ask *a, int why, struct err *err)
{
	int pid = (int)t->one->pid;

	switch (why) {
	case 0:
	case -ETIMEDOUT:
		return late(t, a, err);
	case -EUSERS:
		err_setx(err, EAGAIN,
			"the master of %s (pid %d) takes no more callers, and "
			"has been told nothing: " CONTROL_FULL,
			t->one->name, pid);
		return EXIT_LATE;
	case -EMSGSIZE:
		if (a->log_bytes > ASK_LOG_BYTES) {
			err_setx(err, EMSGSIZE,
				"the application of %s says more than %d MB "
				"while it is imported, which is not listened "
				"to any longer; \"wsgictl status\" shows how it "
				"ends",
				t->one->name, ASK_LOG_BYTES >> 20);
			return EXIT_LATE;
		}
		err_setx(err, EMSGSIZE,
			"the master of %s (pid %d) has said %zu lines and does "
			"not come to an end; is that a wsgid?",
			t->one->name, (int)a->master, a->lines);
		break;
	case -EPIPE:
	case -ECONNRESET:
		err_setx(err, EPIPE,
			"the master of %s (pid %d) has closed the connection "
			"without an answer: it has ended, or does not let you "
			"in",
			t->one->name, pid);
		break;
	case -EBADMSG:
		err_setx(err, EBADMSG,
			"the master of %s (pid %d) does not answer as this "
			"wsgictl expects; use the one that came with it",
			t->one->name, pid);
		break;
	default:
		err_set(err, -why, "control socket of %s", t->one->name);
	}
	return EXIT_FAILED;
}

int64_t
target_wait_end(const struct command *c)
{
	return c->wait_ms < 0 ? -1 : clock_monotonic_ns() + c->wait_ms * MS_NS;
}

int64_t
target_wait_left(int64_t end_ns)
{
	int64_t left;

	if (end_ns < 0)
		return -1;
	left = (end_ns - clock_monotonic_ns() + MS_NS - 1) / MS_NS;
	return left > 0 ? left : 0;
}
