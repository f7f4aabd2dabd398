/*
 * trial.c - an application tried by a process that serves nobody.
 *
 * It is the program that would serve, started with the configuration alone:
 * what it says goes where our own words go.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/exits.h"
#include "master/children.h"
#include "master/state.h"
#include "net/inherit.h"
#include "pythons/loader.h"

static void __attribute__((noreturn))
become_trial(const struct generation *g, int null, const char *word)
{
	char *argv[] = {(char *)(uintptr_t)g->python.program,
		(char *)(uintptr_t)word, NULL};
	int fds[] = {null, g->config_fd};

	spawn_reset_signals();
	if (dup2(null, STDIN_FILENO) >= 0 &&
		inherit_arrange(fds, ARRAY_LEN(fds)) == 0)
		execve(g->python.program, argv, g->environment);
	_exit(CHILD_EXIT_SICK);
}

static int
wait_for(pid_t pid, const struct generation *g, struct err *err)
{
	char reason[1024];
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, errno, "wait for a trial");
	if (WIFSIGNALED(status)) {
		say_death(status, reason, sizeof(reason));
		err_setx(err, ECHILD, "the trial of the application: %s",
			reason);
		return CHILD_EXIT_APPLICATION;
	}
	if (WEXITSTATUS(status) == LOADER_STATUS) {
		loader_explain(g->python.program, reason, sizeof(reason));
		err_setx(err, ENOEXEC, "%s", reason);
		return CHILD_EXIT_CONFIG;
	}
	return WEXITSTATUS(status);
}

static int
start(struct generation *g, const char *word, struct err *err)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (null < 0)
		return err_set(err, errno, "/dev/null");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become_trial(g, null, word);
	if (pid < 0)
		return err_set(err, errno, "fork of a trial");
	return wait_for(pid, g, err);
}

int
master_try(struct config *c, bool told, struct err *err)
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
		rc = generation_tell_name(&g, err);
		if (rc == 0)
			rc = start(
				&g, told ? INHERIT_DOCTOR : INHERIT_CHECK, err);
		if (rc < 0)
			rc = CHILD_EXIT_APPLICATION;
	}
	fd_close(&g.config_fd);
	python_forget(&g);
	return rc;
}
