/*
 * entrance.c - may the children's user go where their Python is?
 *
 * The master is root and may go anywhere, so a process is asked that becomes
 * the user: the kernel alone knows about access lists and security modules.  It
 * is a fork that has no child of the server in it, looks at some files and is
 * gone, at "wsgid -t" as well as before the first child.
 */
#include "master/entrance.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/privileges.h"
#include "config/config.h"
#include "pythons/enter.h"

/* What the process leaves in the pipe: less than a write takes in one piece. */
struct answer {
	char about[32];
	struct err err;
};

static struct answer
enter(const struct config *c, const struct facts *facts)
{
	struct answer a = {0};
	struct entrance e;

	if (enter_python(&e, c->python, c->python_home, facts, &a.err) < 0 &&
		e.about != NULL)
		strcpy(a.about, e.about);
	return a;
}

/* Whom it cannot become is said by the first child, which has to. */
static void __attribute__((noreturn))
be_user(const struct config *c, const struct facts *facts, int to)
{
	struct answer a = {0};

	if (privileges_drop(c->user, c->group, NULL) == 0)
		a = enter(c, facts);
	(void)fd_write_all(to, &a, sizeof(a));
	_exit(0);
}

static int
ask(const struct config *c, const struct facts *facts, struct answer *ret)
{
	int ends[2], rc = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		be_user(c, facts, ends[1]);
	if (pid < 0)
		rc = -errno;
	fd_close(&ends[1]);
	while ((n = read(ends[0], ret, sizeof(*ret))) < 0 && errno == EINTR)
		;
	fd_close(&ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc < 0 || n == (ssize_t)sizeof(*ret) ? rc : -ECHILD;
}

void
entrance_check(struct config *c, const struct facts *facts)
{
	struct answer a = {0};

	/* Where no process can be had, this is not the time to say so. */
	if (geteuid() != 0)
		a = enter(c, facts);
	else if (ask(c, facts, &a) < 0)
		return;
	if (a.err.code == 0)
		return;
	if (a.about[0] == '\0')
		strcpy(a.about,
			c->python_home != NULL ? "WSGIPythonHome" : "Python");
	config_blame(c, a.about, a.err.text);
}
