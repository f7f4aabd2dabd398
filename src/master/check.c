/*
 * check.c - an application tried by a process that serves nobody.
 *
 * It is the program that would serve, started with the configuration alone:
 * what it says goes where our own words go.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/exits.h"
#include "base/fd.h"
#include "base/signals.h"
#include "config/config.h"
#include "master/apart.h"
#include "master/child.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/python.h"
#include "master/say.h"
#include "master/spawn.h"
#include "master/state.h"
#include "net/inherit.h"
#include "pythons/loader.h"

/* How long an application may take to end after it was tried. */
enum { LEAVE_MS = 2000 };

struct check {
	const struct generation *g;
	bool told;
	pid_t pid;
	int pidfd, result; /* the process, and the pipe that it answers in */
	int64_t end_ns;    /* of StartupTimeout */
	bool late;
};

/* As main() says what goes wrong, when there is no way back to it. */
static void __attribute__((noreturn))
say_and_end(const struct check *t, const struct err *err)
{
	dprintf(t->told ? STDOUT_FILENO : STDERR_FILENO, "%s: %s\n",
		t->told ? "problem" : "wsgid", err->text);
	_exit(CHILD_EXIT_CONFIG);
}

static void __attribute__((noreturn))
give_up(const struct check *t, const char *what)
{
	struct err err = {0};

	err_set(&err, errno, "%s %s", t->g->python.program, what);
	say_and_end(t, &err);
}

static void __attribute__((noreturn))
become_checker(const struct check *t, int null, int result)
{
	const char *word = t->told ? INHERIT_DOCTOR : INHERIT_CHECK;
	char *argv[] = {(char *)(uintptr_t)t->g->python.program,
		(char *)(uintptr_t)word, NULL};
	int fds[] = {result, t->g->config_fd};
	struct err err = {0};

	spawn_reset_signals();
	if (dup2(null, STDIN_FILENO) < 0 ||
		inherit_arrange(fds, ARRAY_LEN(fds)) < 0)
		give_up(t, "cannot be given its descriptors");
	if (apart_go(t->g, &err) < 0)
		say_and_end(t, &err);
	execve(t->g->python.program, argv, t->g->environment);
	give_up(t, "cannot be executed");
}

/* Is there something, within ms, or ever: -1?  A signal ends nothing. */
static bool
wait_for(struct pollfd *fds, size_t n, int ms)
{
	int rc;

	do
		rc = poll(fds, n, ms);
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* The byte behind the words, or -1.  Of what is none as much is kept as may be
 * the beginning of a verdict. */
static int
find_verdict(struct buf *said)
{
	size_t len = strlen(INHERIT_VERDICT);
	const char *at = memmem(said->data, said->len, INHERIT_VERDICT, len);

	if (at != NULL && at + len < said->data + said->len)
		return (unsigned char)at[len];
	if (said->len > len)
		buf_consume(said, said->len - len);
	return -1;
}

/* How long one may still take, for poll(2); -1: it has no limit. */
static int
time_left(const struct check *t)
{
	int64_t ms = (t->end_ns - clock_monotonic_ns()) / MS_NS;

	if (t->end_ns == NEVER)
		return -1;
	return ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/* The result, as soon as there is one; -1 when the process has ended without,
 * or the time is over. */
static int
take_result(struct check *t)
{
	struct pollfd fds[] = {
		{.fd = t->result, .events = POLLIN},
		{.fd = t->pidfd, .events = POLLIN},
	};
	struct buf said = {0};
	int result = -1;

	while (result < 0) {
		char room[512];
		ssize_t n;

		t->late = !wait_for(fds, ARRAY_LEN(fds), time_left(t));
		if (t->late)
			break;
		/* Copies of it may hold the pipe open: then there is nothing to
		 * read, and no end. */
		n = read(t->result, room, sizeof(room));
		if (n <= 0 || buf_add(&said, room, (size_t)n) < 0)
			break;
		result = find_verdict(&said);
	}
	buf_fini(&said);
	return result;
}

/* Its wait status. */
static int
end(const struct check *t, bool hurry)
{
	struct pollfd fd = {.fd = t->pidfd, .events = POLLIN};
	int status;

	if (t->pidfd >= 0 && !wait_for(&fd, 1, hurry ? LEAVE_MS : -1)) {
		fprintf(stderr,
			"wsgid: warning: the application keeps its process "
			"from ending, with a thread that is no daemon or an "
			"atexit function: a child that is to stop would be "
			"killed after GracefulShutdownTimeout\n");
		(void)kill(t->pid, SIGKILL);
	}
	while (waitpid(t->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return status;
}

/* It writes where it is, and is no more. */
static void
end_late(const struct check *t)
{
	struct pollfd fd = {.fd = t->pidfd, .events = POLLIN};

	signal_ask_at_once(t->pid);
	if (t->pidfd >= 0)
		(void)wait_for(&fd, 1, STACKS_MS);
	(void)kill(t->pid, SIGKILL);
}

/* It has given no result. */
static int
explain_end(const struct check *t, int status, struct err *err)
{
	char reason[1024];

	if (t->late) {
		err_setx(err, ETIMEDOUT,
			"the application was not ready within StartupTimeout");
		return CHILD_EXIT_APPLICATION;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == LOADER_STATUS) {
		loader_explain(t->g->python.program, reason, sizeof(reason));
		err_setx(err, ENOEXEC, "%s", reason);
		return CHILD_EXIT_CONFIG;
	}
	/* give_up has said why. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_CONFIG)
		return CHILD_EXIT_CONFIG;
	say_death(status, reason, sizeof(reason));
	err_setx(err, ECHILD,
		"the process of the check ended before the application was "
		"imported, %s",
		reason);
	return CHILD_EXIT_APPLICATION;
}

static int
run(struct check *t, struct err *err)
{
	int result, status;

	t->pidfd = pidfd_open(t->pid, 0);
	result = take_result(t);
	if (t->late)
		end_late(t);
	status = end(t, result >= 0);
	fd_close(&t->pidfd);
	return result >= 0 ? result : explain_end(t, status, err);
}

static int
start(struct generation *g, bool told, struct err *err)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct check t = {.g = g, .told = told, .end_ns = NEVER};
	int ends[2], rc;

	if (null < 0)
		return err_set(err, errno, "/dev/null");
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, errno, "pipe to a check");
	if (g->config->startup_timeout > 0)
		t.end_ns = clock_monotonic_ns() +
			   g->config->startup_timeout * MS_NS;
	fflush(NULL);
	t.pid = fork();
	if (t.pid == 0)
		become_checker(&t, null, ends[1]);
	fd_close(&ends[1]);
	t.result = ends[0];
	rc = t.pid < 0 ? err_set(err, errno, "fork of a check") : run(&t, err);
	fd_close(&ends[0]);
	return rc;
}

int
master_check(struct config *c, bool told, struct err *err)
{
	struct generation g = {
		.config = c, .set = -1, .config_fd = -1, .error_log = -1};
	int rc = python_choose_alone(&g, err);

	if (rc < 0) {
		rc = CHILD_EXIT_CONFIG;
	} else {
		if (told)
			printf("program: %s\n", g.python.program);
		if (told && g.python.notice[0] != '\0')
			printf("notice: %s\n", g.python.notice);
		else if (g.python.notice[0] != '\0')
			fprintf(stderr, "wsgid: warning: %s\n",
				g.python.notice);
		rc = generation_write_config(&g, err);
		if (rc == 0)
			rc = start(&g, told, err);
		if (rc < 0)
			rc = CHILD_EXIT_APPLICATION;
	}
	fd_close(&g.config_fd);
	python_forget(&g);
	return rc;
}
