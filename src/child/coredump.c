/*
 * coredump.c - CoreDumpDirectory: where a crash leaves its coredump.
 *
 * The kernel writes "core" into the working directory, which belongs to the
 * application.  So, as in Apache, the directory is changed at the last moment,
 * by a handler of the fatal signals that then lets the signal do what it does.
 * Python's faulthandler is installed later and so is called first: it writes
 * its traceback, puts back what it has found, which is this handler, and
 * raises the signal again.
 *
 * A fault that the process itself has committed is not raised again here: the
 * instruction is repeated after the return, and the coredump shows it with
 * its own registers and reason.
 *
 * Two more things are needed that are the application's business otherwise.
 * The limit of a coredump's size is raised as far as it may be, and the
 * process may be dumped although it has changed its user.  That lets other
 * processes of this user attach to it, see privileges.c, so it is done for
 * those alone who ask for coredumps.
 */
#include "child/coredump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"

/* Apache's. */
static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};

/* A handler has no other way to know. */
static char directory[PATH_MAX];

static void
crashed(int signal_number, siginfo_t *info, void *context)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};

	(void)context;
	(void)!chdir(directory);
	(void)sigaction(signal_number, &standard, NULL);
	/* Held back until this returns. */
	if (info->si_code <= 0)
		(void)raise(signal_number);
}

static int
raise_limit(struct err *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return err_set(err, errno, "the limit of coredumps");
	if (limit.rlim_max == 0)
		return err_setx(err, EPERM,
			"coredumps are forbidden to wsgid: raise the hard "
			"limit (ulimit -Hc, LimitCORE=)");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		return err_set(err, errno, "the limit of coredumps");
	return 0;
}

int
coredump_enable(const char *dir, struct err *err)
{
	struct sigaction action = {
		.sa_sigaction = crashed,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	int rc;

	if (strlen(dir) >= sizeof(directory))
		return err_set(err, ENAMETOOLONG, "CoreDumpDirectory %s", dir);
	if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0)
		return err_set(err, errno,
			"CoreDumpDirectory %s, for the user of the children",
			dir);
	rc = raise_limit(err);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return err_set(err, errno, "PR_SET_DUMPABLE");
	strcpy(directory, dir);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		if (sigaction(fatal[i], &action, NULL) < 0)
			return err_set(err, errno, "handler of a fatal signal");
	return 0;
}
