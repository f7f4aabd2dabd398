/*
 * application.c - the application of a configuration, in its Python.
 *
 * Which interpreter, which environment, which directory: everything that is
 * decided before the first line of the application runs, by the user that it
 * will run as.  And how long it takes to be over, of which nothing else tells.
 */
#include "child/application.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/access.h"
#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "built_with.h"
#include "child/sigterm.h"
#include "config/config.h"
#include "python/app.h"
#include "pythons/enter.h"
#include "pythons/facts.h"

/* The interpreter that the installation is found by: a virtual environment's
 * own, or the one of the build; never what PATH says. */
static int
find_python(struct entrance *ret, const struct config *config,
	const struct facts *facts, struct err *err)
{
	struct err why = {0};
	int rc = enter_python(
		ret, config->python, config->python_home, facts, &why);

	if (rc < 0)
		return err_setx(err, -rc, "%s%s%s",
			ret->about != NULL ? ret->about : "",
			ret->about != NULL ? " " : "", why.text);
	return 0;
}

/* Before Python starts, which takes it from there. */
static int
set_locale(const struct config *config, struct err *err)
{
	if (config->locale == NULL)
		return 0;
	if (setlocale(LC_ALL, config->locale) == NULL)
		return err_setx(err, EINVAL,
			"Locale %s: there is no such locale on this machine; "
			"\"locale -a\" lists them",
			config->locale);
	(void)setlocale(LC_ALL, "C");
	return setenv("LC_ALL", config->locale, 1) < 0
		       ? err_set(err, errno, "Locale %s", config->locale)
		       : 0;
}

static int
enter_directory(
	const struct config *config, char *to, size_t size, struct err *err)
{
	if (config->directory != NULL && chdir(config->directory) < 0) {
		int rc = err_set(err, errno, "ChDir %s", config->directory);

		if (rc == -EACCES)
			(void)access_explain(config->directory, err);
		return rc;
	}
	if (getcwd(to, size) != NULL)
		return 0;
	if (errno != ENOENT)
		return err_set(err, errno, "current directory");
	return err_setx(err, ENOENT,
		"the directory that wsgid was started in is gone: start it in "
		"another one, or name one with ChDir (--chdir)");
}

int
application_start(struct app **ret, const struct config *config,
	const struct facts *facts, const struct app_forks *forks,
	struct err *err)
{
	struct entrance entrance;
	char directory[4096];
	struct app_settings settings = {
		.application = config->application,
		.callable = config->callable_object,
		.path = config->python_path,
		.optimize = (int)config->python_optimize,
		.warnings = config->python_warnings,
		.dont_write_bytecode = config->python_dont_write_bytecode,
		.script_reloading = config->script_reloading,
		.shows_failures = config->reload,
		.is_interrupted = config->reload ? sigterm_interrupted : NULL,
		.hash_seed = config->python_hash_seed,
		.x_options = config->python_x_options,
		.executable = entrance.executable,
		.soabi = facts->soabi,
		.stdlib = facts->stdlib,
		.library = facts_is_shared(facts) ? facts->library : NULL,
		.places = facts->places,
		.version = facts->version,
		.directory = directory,
		.software = "wsgid/" WSGID_VERSION,
		.mount = config->mount_point,
		.multithread = config->threads_per_child > 1,
		.multiprocess = config_most_children(config) > 1,
		.forks = *forks,
	};
	int rc;

	rc = enter_directory(config, directory, sizeof(directory), err);
	if (rc == 0)
		rc = find_python(&entrance, config, facts, err);
	if (rc == 0)
		rc = set_locale(config, err);
	if (rc < 0)
		return rc;
	settings.home = entrance.prefix;
	return app_create(ret, &settings, err);
}

int
application_import(
	struct app *app, const struct config *config, struct err *err)
{
	const char *application = config->application;
	size_t len = app_script_length(application);
	AUTO_FREE char *script = strndup(application, len);
	int rc = 0;

	if (script == NULL)
		return err_set(err, ENOMEM, "application %s", application);
	if (len > 0)
		rc = access_explain(script, err);
	if (rc == 0)
		rc = app_import(app, err);
	if (rc < 0 && len == 0)
		(void)access_explain_module(application, err);
	return rc;
}

enum { LONG_MS = 1000 };

/* What this process has used of a processor, in ms. */
static int64_t
worked_ms(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) < 0)
		return 0;
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
	       (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/* Who waits for a stop wants to know for what: the objects of a large application
 * alone are a second of work. */
void
application_end(struct app *app)
{
	int64_t begin_ns = clock_monotonic_ns(), worked = worked_ms(), took;

	app_destroy(app);
	took = (clock_monotonic_ns() - begin_ns) / MS_NS;
	if (took >= LONG_MS)
		log_info("child",
			"Python took %.1f s to end, with %.1f s of processor "
			"time: it waited for threads that are not daemons, ran "
			"the functions of atexit, and took the application's "
			"objects apart",
			(double)took / 1000,
			(double)(worked_ms() - worked) / 1000);
}
