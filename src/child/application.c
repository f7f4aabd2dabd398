/*
 * application.c - the application of a configuration, in its Python.
 *
 * Which interpreter, which environment, which directory: everything that is
 * decided before the first line of the application runs, by the user that it
 * will run as.
 */
#include "child/application.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "built_with.h"
#include "child/access.h"
#include "config/config.h"
#include "python/app.h"
#include "pythons/facts.h"
#include "pythons/home.h"

/* The configuration has decided: a script's path is absolute, and a module's
 * name has no slash. */
static bool
is_script(const char *application)
{
	return strchr(application, '/') != NULL;
}

/* Where Python is: WSGIPythonHome or, where Python names the interpreter of an
 * environment, that.  NULL where neither is said. */
static const char *
find_home(const struct config *config, char to[PATH_MAX])
{
	if (config->python_home != NULL)
		return config->python_home;
	return config->python != NULL && home_of_interpreter(config->python, to)
		       ? to
		       : NULL;
}

/* The master has seen what it is; as this user we may see less. */
static int
enter_home(const char *home, const struct facts *facts,
	struct app_settings *settings, char executable[PATH_MAX],
	struct err *err)
{
	struct err why = {0};
	struct home h;
	int rc = access_explain(home, &why);

	if (rc == 0)
		rc = home_read(&h, home, &why);
	if (rc < 0)
		return err_setx(err, -rc, "WSGIPythonHome %s", why.text);
	rc = home_interpreter(home, facts->abi, executable);
	if (rc == 0)
		rc = access_explain(executable, &why);
	if (!h.is_venv) {
		settings->home = home;
		if (rc < 0) /* an installation need not have one */
			snprintf(executable, PATH_MAX, "%s", facts->executable);
		return 0;
	}
	if (rc < 0)
		return err_setx(err, -rc,
			"WSGIPythonHome %s: there is no bin/python that this "
			"user can run%s%s; make the environment anew",
			home, why.text[0] != '\0' ? ": " : "", why.text);
	return 0;
}

/* Python itself would only say that it does not start.  What is not there at
 * all is said by those who look for it. */
static int
check_stdlib(const struct facts *facts, struct err *err)
{
	struct err why = {0};

	if (access_explain(facts->stdlib, &why) != -EACCES)
		return 0;
	return err_setx(err, EACCES,
		"the standard library of Python %s (%s): %s", facts->abi,
		facts->executable, why.text);
}

/* The interpreter that the installation is found by: a virtual environment's
 * own, or the one of the build; never what PATH says. */
static int
find_python(const struct config *config, const struct facts *facts,
	struct app_settings *settings, char executable[PATH_MAX],
	char home[PATH_MAX], struct err *err)
{
	const char *found = find_home(config, home);
	const char *named = config->python;
	int rc = check_stdlib(facts, err);

	if (rc < 0)
		return rc;
	settings->executable = executable;
	settings->soabi = facts->soabi;
	settings->stdlib = facts->stdlib;
	if (found != NULL)
		return enter_home(found, facts, settings, executable, err);
	if (named == NULL || named[0] != '/')
		named = facts->executable;
	snprintf(executable, PATH_MAX, "%s", named);
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
	if (getcwd(to, size) == NULL)
		return err_set(err, errno, "current directory");
	return 0;
}

int
application_start(struct app **ret, const struct config *config,
	const struct facts *facts, const struct app_forks *forks,
	struct err *err)
{
	char executable[PATH_MAX], home[PATH_MAX], directory[4096];
	struct app_settings settings = {
		.application = config->application,
		.callable = config->callable_object,
		.path = config->python_path,
		.optimize = (int)config->python_optimize,
		.warnings = config->python_warnings,
		.dont_write_bytecode = config->python_dont_write_bytecode,
		.script_reloading = config->script_reloading,
		.hash_seed = config->python_hash_seed,
		.x_options = config->python_x_options,
		.directory = directory,
		.software = "wsgid/" WSGID_VERSION,
		.multithread = config->threads_per_child > 1,
		.multiprocess = config_most_children(config) > 1,
		.forks = *forks,
	};
	int rc;

	rc = enter_directory(config, directory, sizeof(directory), err);
	if (rc == 0)
		rc = find_python(
			config, facts, &settings, executable, home, err);
	if (rc == 0)
		rc = set_locale(config, err);
	if (rc == 0)
		rc = app_create(ret, &settings, err);
	return rc;
}

int
application_import(
	struct app *app, const struct config *config, struct err *err)
{
	const char *application = config->application;
	int rc = 0;

	if (is_script(application))
		rc = access_explain(application, err);
	if (rc == 0)
		rc = app_import(app, err);
	if (rc < 0 && !is_script(application))
		(void)access_explain_module(application, err);
	return rc;
}
