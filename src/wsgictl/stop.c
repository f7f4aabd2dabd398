/*
 * stop.c - stop and graceful-stop.
 *
 * The server has stopped when its process has ended, and that is what is
 * waited for; the pid is held by a pidfd from before it is asked, so that
 * it cannot become another process meanwhile.  Which process that is, the
 * other end of the socket knows best: a pid file tells a pid of the server's
 * own namespace.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "control/control.h"
#include "wsgictl/command.h"
#include "wsgictl/progress.h"
#include "wsgictl/snapshot.h"
#include "wsgictl/target.h"
#include "wsgictl/verbs.h"
#include "wsgictl/words.h"

enum { LOOK_MS = 200 };

/* Whose end is waited for. */
struct process_held {
	pid_t pid;
	int pidfd; /* -1 where there is none */
};

/* What the master says about the stop. */
struct terms {
	long long finishing; /* requests; -1: at once */
	long long within_ms; /* 0: as long as they take */
	bool overtaken; /* another one is the server by now, and to be asked */
};

static long long
number_of(const char *text)
{
	long long n = strtoll(text, NULL, 10);

	return n > 0 ? n : 0;
}

static int
hear_terms(struct ask *a, const struct target *t, struct terms *ret,
	struct err *err)
{
	struct ask_answer answer;

	for (;;) {
		int rc = ask_line(a, ASK_PATIENCE_MS, &answer);

		if (rc != 1)
			return target_no_answer(t, a, rc, err);
		if (strcmp(answer.words[0], "ok") == 0)
			return EXIT_DONE;
		if (strcmp(answer.words[0], "error") == 0) {
			ret->overtaken =
				strcmp(answer.words[1], CONTROL_SUCCEEDED) == 0;
			err_setx(err, EPROTO, "stop: %s", answer.words[1]);
			return EXIT_FAILED;
		}
		if (strcmp(answer.words[1], "finishing") == 0)
			ret->finishing = number_of(answer.words[2]);
		else if (strcmp(answer.words[1], "within-ms") == 0)
			ret->within_ms = number_of(answer.words[2]);
	}
}

static void
add_deadline(struct buf *to, long long within_ms)
{
	int64_t end_us = clock_real_us() + within_ms * 1000;
	struct buf text = {0};

	if (within_ms == 0) {
		buf_add_text(to, ", however long that takes");
		return;
	}
	words_time(&text, end_us);
	/* The day is today. */
	buf_printf(to, ", by %s at the latest (",
		text.len > 11 ? buf_text(&text) + 11 : "");
	words_duration(to, within_ms * 1000);
	buf_add_char(to, ')');
	buf_fini(&text);
}

static void
say_terms(struct progress *p, const struct target *t, pid_t pid,
	const struct terms *terms)
{
	struct buf text = {0};

	buf_printf(&text, "stopping %s (pid %d)", t->one->name, (int)pid);
	if (terms->finishing < 0) {
		buf_add_text(&text, " at once");
	} else if (terms->finishing == 0) {
		buf_add_text(&text, ": no request is running");
	} else {
		buf_add_text(&text, ": ");
		words_count(&text, (uint64_t)terms->finishing, "request is",
			"requests are");
		buf_add_text(&text, " being finished");
		add_deadline(&text, terms->within_ms);
	}
	progress_say(p, "%s", buf_text(&text));
	buf_fini(&text);
}

/* Who asks for the outcome hears it when the server ends.  One that is gone by
 * now, or knows no such question, says nothing. */
static void
await_outcome(struct ask *a, const struct target *t)
{
	static const char *const words[] = {"await-stop", NULL};
	struct ask_answer answer;

	if (target_ask(t, words, -1, a, NULL) != EXIT_DONE ||
		ask_line(a, ASK_PATIENCE_MS, &answer) != 1 ||
		strcmp(answer.words[0], "+") != 0)
		ask_close(a);
}

/* It has ended: all that it said is there. */
static void
add_outcome(struct buf *to, struct ask *a)
{
	struct ask_answer answer;
	long long cut = 0;

	while (a->fd >= 0 && ask_line(a, LOOK_MS, &answer) == 1 &&
		strcmp(answer.words[0], "+") == 0) {
		if (strcmp(answer.words[1], "cut-off") != 0)
			continue;
		cut = number_of(answer.words[2]);
		if (strcmp(answer.words[2], "unknown") == 0)
			buf_add_text(to, "; requests were cut off");
	}
	if (cut == 0)
		return;
	buf_add_text(to, "; ");
	words_count(to, (uint64_t)cut, "request was", "requests were");
	buf_add_text(to, " cut off");
}

/* 1 when it has ended, 0 when not within ms. */
static int
wait_for_end(const struct process_held *master, int ms)
{
	struct pollfd p = {.fd = master->pidfd, .events = POLLIN};

	if (poll(&p, master->pidfd >= 0 ? 1 : 0, ms) > 0)
		return 1;
	return master->pidfd < 0 && kill(master->pid, 0) < 0 && errno == ESRCH;
}

/* How many requests are left, for who looks at it. */
static void
show_rest(struct progress *p, const struct target *t, int64_t begin_ns)
{
	struct snapshot s;
	struct err err = {0};
	struct buf text = {0};
	unsigned busy = 0;

	if (!p->terminal || t->one->board == NULL ||
		snapshot_take(&s, t->one->board, true, clock_real_us(), &err) <
			0)
		return;
	for (size_t i = 0; i < s.n_workers; i++)
		busy += s.workers[i].record.begin_us >
			s.workers[i].record.end_us;
	words_count(&text, busy, "request, ", "requests, ");
	words_count(&text, s.children, "child", "children");
	buf_add_text(&text, " left after ");
	words_duration(&text, (clock_monotonic_ns() - begin_ns) / 1000);
	progress_wait(p, "%s", buf_text(&text));
	buf_fini(&text);
	snapshot_fini(&s);
}

static int
wait_and_say(const struct command *c, const struct target *t,
	const struct process_held *master, struct progress *p,
	struct ask *outcome, struct err *err)
{
	int64_t begin = clock_monotonic_ns(), end = target_wait_end(c);
	struct buf took = {0};

	for (;;) {
		int64_t left = target_wait_left(end);
		int ms = left >= 0 && left < LOOK_MS ? (int)left : LOOK_MS;

		if (wait_for_end(master, ms) == 1)
			break;
		if (left == 0) {
			err_setx(err, ETIMEDOUT,
				"%s (pid %d) has not ended within %g s; it "
				"goes on stopping",
				t->one->name, (int)master->pid,
				(double)c->wait_ms / 1000);
			return EXIT_LATE;
		}
		show_rest(p, t, begin);
	}
	words_duration(&took, (clock_monotonic_ns() - begin) / 1000);
	buf_add_char(&took, ')');
	add_outcome(&took, outcome);
	progress_say(p, "%s has stopped (%s", t->one->name, buf_text(&took));
	buf_fini(&took);
	return EXIT_DONE;
}

static void
hold(struct process_held *master, pid_t pid)
{
	if (pid <= 0 || pid == master->pid)
		return;
	fd_close(&master->pidfd);
	master->pid = pid;
	master->pidfd = pidfd_open(pid, 0);
}

static int
ask_to_stop(const struct command *c, const char *const *words, struct target *t,
	struct process_held *master, struct terms *ret, struct err *err)
{
	struct ask a = {.fd = -1};
	int status = target_find_running(t, c, err);

	*ret = (struct terms){.finishing = -1};
	if (status == EXIT_DONE) {
		hold(master, t->one->pid);
		status = target_ask(t, words, target_soon_ms(c), &a, err);
	}
	if (status == EXIT_DONE) {
		hold(master, a.master);
		status = hear_terms(&a, t, ret, err);
	}
	ask_close(&a);
	return status;
}

static int
stop(const struct command *c, const char *const *words, struct err *err)
{
	struct process_held master = {.pidfd = -1};
	struct progress p;
	struct target t;
	struct terms terms;
	struct ask a = {.fd = -1};
	int status = ask_to_stop(c, words, &t, &master, &terms, err);

	while (terms.overtaken) {
		target_fini(&t);
		*err = (struct err){0};
		status = ask_to_stop(c, words, &t, &master, &terms, err);
	}
	progress_begin(&p);
	if (status == EXIT_DONE)
		say_terms(&p, &t, master.pid, &terms);
	if (status == EXIT_DONE && c->wait_ms != 0) {
		if (terms.finishing > 0)
			await_outcome(&a, &t);
		status = wait_and_say(c, &t, &master, &p, &a, err);
		ask_close(&a);
	}
	fd_close(&master.pidfd);
	progress_end(&p);
	target_fini(&t);
	return status;
}

int
verb_stop(const struct command *c, struct err *err)
{
	const char *const words[] = {"stop", c->now ? "now" : NULL, NULL};

	return stop(c, words, err);
}

int
verb_graceful_stop(const struct command *c, struct err *err)
{
	static const char *const words[] = {"graceful-stop", NULL};

	return stop(c, words, err);
}
