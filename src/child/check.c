/*
 * check.c - an application tried, and its Python described, without a server.
 *
 * The same steps as in the life of a child, as the same user, so that what is
 * found out is what a child would find.
 */
#include "child/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/account.h"
#include "base/err.h"
#include "base/exits.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/privileges.h"
#include "child/application.h"
#include "child/received.h"
#include "child/warm_up.h"
#include "config/config.h"
#include "io/io.h"
#include "net/inherit.h"
#include "python/app.h"
#include "pythons/elf.h"
#include "pythons/facts.h"

struct check {
	const struct facts *facts;
	struct config *config;
	struct app *app;
	FILE *findings; /* NULL: nobody wants to know them */
};

static void
say(void *arg, const char *key, const char *value)
{
	FILE *to = ((const struct check *)arg)->findings;

	if (to == NULL)
		return;
	fprintf(to, "%s: ", key);
	for (; *value != '\0'; value++)
		fputc(*value == '\n' ? ' ' : *value, to);
	fputc('\n', to);
}

/* What the application prints is not to be taken for what was found: its
 * standard output is from now on where errors go. */
static int
open_findings(struct check *t, struct err *err)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, INHERIT_REST);

	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return err_set(err, errno, "standard output");
	t->findings = fdopen(fd, "w");
	if (t->findings == NULL)
		return err_set(err, errno, "standard output");
	setvbuf(t->findings, NULL, _IOLBF, 0);
	return 0;
}

/* --- what is found before Python starts -------------------------------------- */

static void
say_limit(struct check *t, const char *key, int resource)
{
	char text[64] = "unlimited";
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return;
	if (limit.rlim_cur != RLIM_INFINITY)
		snprintf(text, sizeof(text), "%llu",
			(unsigned long long)limit.rlim_cur);
	say(t, key, text);
}

static void
say_machine(struct check *t)
{
	const struct facts *facts = t->facts;
	const struct io_settings settings = {.buffers = 8, .buffer_size = 4096};
	struct err err = {0};
	struct io *io;

	say(t, "executable_of_the_build", facts->executable);
	say(t, "compiled_for", facts->version);
	say(t, "bits", sizeof(void *) == 8 ? "64" : "32");
	say(t, "linkage", facts->linkage);
	say(t, "library_of_the_build", facts->library);
	if (facts->places != NULL && !facts_is_inside(facts))
		say(t, "looked_for_in", facts->places);
	if (io_create(&io, "io_uring", &settings, &err) == 0) {
		say(t, "io_uring", "yes");
		io_destroy(io);
	} else {
		say(t, "io_uring", err.text);
	}
	say_limit(t, "limit_open_files", RLIMIT_NOFILE);
	say_limit(t, "limit_processes", RLIMIT_NPROC);
	say_limit(t, "limit_core", RLIMIT_CORE);
}

static void
say_user(struct check *t)
{
	char name[ACCOUNT_NAME];

	account_user_name(geteuid(), name);
	say(t, "user", name);
}

/* --- and afterwards ----------------------------------------------------------- */

static void
say_number(struct check *t, const char *key, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	say(t, key, text);
}

static void
say_memory(struct check *t)
{
	struct memory m;

	if (memory_read(getpid(), &m) < 0)
		return;
	say(t, "memory_of", "a process of its own, which serves nobody");
	say_number(t, "memory_private_kib", m.private_kib);
	say_number(t, "memory_shared_kib", m.shared_kib);
}

static void
say_python(struct check *t)
{
	say(t, "running", app_python_version());
	app_describe(t->app, say, t);
}

/* What a server would find out with its first child. */
static void
say_beside(struct check *t, const char *library)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"%s was loaded beside the children's own Python: with LibPython "
		"auto, and where there is one, further children have the shared "
		"library",
		library);
	say(t, "notice", text);
}

/* A server would start, and answer each request with a 500. */
static int
check_doubts(struct check *t, struct err *err)
{
	char doubts[512];

	return app_doubts(t->app, doubts, sizeof(doubts))
		       ? err_setx(err, EINVAL, "%s", doubts)
		       : 0;
}

/* The copy of a module that forks comes back from the import as well, and that
 * of a view from the warm-up. */
static int
try_application(struct check *t, struct err *err)
{
	char library[512];
	pid_t self = getpid();
	int rc = application_import(t->app, t->config, err);

	if (rc == 0)
		rc = check_doubts(t, err);
	if (rc == 0 && getpid() == self)
		rc = warm_up(t->app, t->config, true, err);
	if (getpid() != self)
		_exit(0);
	if (rc < 0)
		return CHILD_EXIT_APPLICATION;
	if (fcntl(INHERIT_CHANNEL, F_GETFD) < 0) {
		err_setx(err, EBADF,
			"application %s: its module closes descriptors that "
			"are not its own, as os.closerange does, and no child "
			"can serve without them",
			t->config->application);
		return CHILD_EXIT_APPLICATION;
	}
	rc = app_check_libraries(
		!facts_is_shared(t->facts), library, sizeof(library), err);
	if (rc > 0)
		say_beside(t, library);
	return rc < 0 ? CHILD_EXIT_CONFIG : CHILD_EXIT_OK;
}

/* Nobody is there to be told any more: an import that hangs would go on for ever.
 * After the change of users, which makes the kernel forget it. */
static void
end_with_parent(void)
{
	struct pollfd told = {.fd = INHERIT_CHANNEL};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
	/* It may be gone already. */
	if (poll(&told, 1, 0) > 0 && (told.revents & POLLERR) != 0)
		_exit(CHILD_EXIT_FATAL);
}

static int
try_all(struct check *t, struct err *err)
{
	const struct config *config = t->config;
	const struct app_forks forks = {0};
	int status = CHILD_EXIT_OK;

	if (t->findings != NULL)
		say_machine(t);
	if (privileges_drop(config->user, config->group, err) < 0)
		return CHILD_EXIT_CONFIG;
	end_with_parent();
	say_user(t);
	if (application_start(&t->app, config, t->facts, &forks, err) < 0)
		return CHILD_EXIT_CONFIG;
	say_python(t);
	if (config->application != NULL)
		status = try_application(t, err);
	say(t, "gil", app_has_gil() ? "on" : "off");
	say_memory(t);
	return status;
}

/* The environment, or the interpreter. */
static const char *
which_python(const struct check *t)
{
	const struct config *c = t->config;

	if (c->python_home != NULL)
		return c->python_home;
	return c->python != NULL && c->python[0] == '/' ? c->python
							: t->facts->executable;
}

static void
say_result(struct check *t, int status, const struct err *err)
{
	if (status != CHILD_EXIT_OK && t->findings != NULL)
		say(t, "problem", err->text);
	else if (status != CHILD_EXIT_OK)
		fprintf(stderr, "wsgid: %s\n", err->text);
	else if (t->findings == NULL)
		printf("wsgid: %s can be served, with Python %s (%s)\n",
			t->config->application, app_python_version(),
			which_python(t));
	else if (t->config->application != NULL)
		say(t, "application", t->config->application);
	fflush(stdout);
}

/* Before the interpreter ends, which the application may keep from that. */
static void
give_verdict(int status)
{
	char verdict[] = INHERIT_VERDICT;

	verdict[sizeof(verdict) - 1] = (char)status;
	(void)!write(INHERIT_CHANNEL, verdict, sizeof(verdict));
	close(INHERIT_CHANNEL);
}

int
check_run(const struct facts *facts, bool told)
{
	struct check t = {.facts = facts};
	struct err err = {0};
	int status = CHILD_EXIT_CONFIG, rc;

	log_open(STDERR_FILENO, LOG_PLAIN); /* a person reads it */
	(void)fd_set_cloexec(INHERIT_CHANNEL, true);
	rc = received_config(&t.config, &err);
	(void)fd_set_cloexec(INHERIT_CONFIG, true);
	if (rc == 0 && (!told || open_findings(&t, &err) == 0))
		status = try_all(&t, &err);
	say_result(&t, status, &err);
	give_verdict(status);
	if (t.app != NULL)
		app_destroy(t.app);
	config_destroy(t.config);
	if (t.findings != NULL)
		fclose(t.findings);
	return status;
}
