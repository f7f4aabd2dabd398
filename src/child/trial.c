/*
 * trial.c - an application tried, and its Python described, without a server.
 *
 * The same steps as in the life of a child, as the same user, so that what is
 * found out is what a child would find.
 */
#include "child/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/account.h"
#include "base/err.h"
#include "base/exits.h"
#include "base/fd.h"
#include "base/memory.h"
#include "child/application.h"
#include "base/privileges.h"
#include "config/config.h"
#include "io/io.h"
#include "net/inherit.h"
#include "python/app.h"
#include "pythons/elf.h"
#include "pythons/facts.h"

enum { CONFIG_MAX = 16 * 1024 * 1024 };

static void
say(void *arg, const char *key, const char *value)
{
	(void)arg;
	printf("%s: ", key);
	for (; *value != '\0'; value++)
		putchar(*value == '\n' ? ' ' : *value);
	putchar('\n');
}

static int
fail(int status, const struct err *err)
{
	fflush(stdout);
	fprintf(stderr, "wsgid: %s\n", err->text);
	return status;
}

static int
fail_told(int status, const struct err *err)
{
	say(NULL, "problem", err->text);
	return status;
}

static struct config *
receive_config(struct err *err)
{
	const struct config_machine machine = {.cpus = 1};
	struct config *c = config_create();
	AUTO_FREE char *text = NULL;
	size_t len;
	int rc = fd_read_whole(INHERIT_CONFIG, CONFIG_MAX, &text, &len);

	(void)fd_set_cloexec(INHERIT_CONFIG, true);
	if (rc == 0 && c != NULL)
		rc = config_read_text(c, "(from the master)", text, len);
	if (rc == 0 && c != NULL && config_settle(c, &machine) == 0)
		return c;
	config_destroy(c);
	err_setx(err, EINVAL, "configuration: not readable");
	return NULL;
}

/* --- what is found before Python starts -------------------------------------- */

static void
say_limit(const char *key, int resource)
{
	char text[64] = "unlimited";
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return;
	if (limit.rlim_cur != RLIM_INFINITY)
		snprintf(text, sizeof(text), "%llu",
			(unsigned long long)limit.rlim_cur);
	say(NULL, key, text);
}

static void
say_machine(const struct facts *facts)
{
	const struct io_settings settings = {.buffers = 8, .buffer_size = 4096};
	struct err err = {0};
	struct io *io;

	say(NULL, "executable_of_the_build", facts->executable);
	say(NULL, "compiled_for", facts->version);
	say(NULL, "bits", sizeof(void *) == 8 ? "64" : "32");
	say(NULL, "linkage", facts->linkage);
	say(NULL, "library_of_the_build", facts->library);
	if (facts->places != NULL)
		say(NULL, "looked_for_in", facts->places);
	if (io_create(&io, "io_uring", &settings, &err) == 0) {
		say(NULL, "io_uring", "yes");
		io_destroy(io);
	} else {
		say(NULL, "io_uring", err.text);
	}
	say_limit("limit_open_files", RLIMIT_NOFILE);
	say_limit("limit_processes", RLIMIT_NPROC);
	say_limit("limit_core", RLIMIT_CORE);
}

static void
say_user(void)
{
	char name[ACCOUNT_NAME];

	account_user_name(geteuid(), name);
	say(NULL, "user", name);
}

/* --- and afterwards ----------------------------------------------------------- */

static void
say_number(const char *key, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	say(NULL, key, text);
}

static void
say_memory(void)
{
	struct memory m;

	if (memory_read(getpid(), &m) < 0)
		return;
	say(NULL, "memory_of", "a process of its own, which serves nobody");
	say_number("memory_private_kib", m.private_kib);
	say_number("memory_shared_kib", m.shared_kib);
}

static void
say_python(struct app *app)
{
	say(NULL, "running", app_python_version());
	app_describe(app, say, NULL);
}

static int
try_application(struct app *app, const struct config *config,
	const struct facts *facts, struct err *err)
{
	char library[512];
	int rc;

	if (application_import(app, config, err) < 0)
		return CHILD_EXIT_APPLICATION;
	rc = app_check_libraries(
		facts_is_static(facts), library, sizeof(library), err);
	return rc < 0 ? CHILD_EXIT_CONFIG : CHILD_EXIT_OK;
}

static int
try_all(const struct facts *facts, bool told, struct config *config,
	struct app **app, struct err *err)
{
	const struct app_forks forks = {0};
	int status = CHILD_EXIT_OK;

	if (told)
		say_machine(facts);
	if (privileges_drop(config->user, config->group, err) < 0)
		return CHILD_EXIT_CONFIG;
	if (told)
		say_user();
	if (application_start(app, config, facts, &forks, err) < 0)
		return CHILD_EXIT_CONFIG;
	if (told)
		say_python(*app);
	if (config->application != NULL)
		status = try_application(*app, config, facts, err);
	if (told) {
		say(NULL, "gil", app_has_gil() ? "on" : "off");
		say_memory();
	}
	return status;
}

/* The environment, or the interpreter. */
static const char *
which_python(const struct config *c, const struct facts *facts)
{
	if (c->python_home != NULL)
		return c->python_home;
	return c->python != NULL && c->python[0] == '/' ? c->python
							: facts->executable;
}

int
trial_run(const struct facts *facts, bool told)
{
	struct err err = {0};
	struct app *app = NULL;
	struct config *config = receive_config(&err);
	int status = config != NULL ? try_all(facts, told, config, &app, &err)
				    : CHILD_EXIT_CONFIG;

	if (told && status == CHILD_EXIT_OK && config->application != NULL)
		say(NULL, "application", config->application);
	else if (status == CHILD_EXIT_OK)
		printf("wsgid: %s can be served, with Python %s (%s)\n",
			config->application, app_python_version(),
			which_python(config, facts));
	else
		status = told ? fail_told(status, &err) : fail(status, &err);
	fflush(stdout);
	if (app != NULL)
		app_destroy(app);
	config_destroy(config);
	return status;
}
