/*
 * identity.c - is this the Python that the program was built for?
 *
 * What the loader finds at run time, and where that finds its modules, is
 * decided on the machine and not by the build.  Another version, and the same
 * one of another installation, would work until an extension module is loaded
 * that was built for the other one: so they are refused, with both names.
 */
#include "python/python_priv.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/access.h"
#include "base/err.h"
#include "base/file.h"

/* --- the library ---------------------------------------------------------------- */

static int
check_version(struct err *err)
{
	char made_for[16];
	size_t len;

	snprintf(made_for, sizeof(made_for), "%d.%d.", PY_MAJOR_VERSION,
		PY_MINOR_VERSION);
	len = strlen(made_for);
	if (strncmp(Py_GetVersion(), made_for, len) == 0)
		return 0;
	return err_setx(err, ENOEXEC,
		"this program was built for Python %.*s but found Python %s; "
		"run \"scons install\" again; of a library, \"ldd\" on the "
		"program says which it is, to take it out of the way",
		(int)len - 1, made_for, app_python_version());
}

/* The file that Python's functions have come from, as the loader found it. */
static const char *
find_library(void)
{
	void *function = dlsym(RTLD_DEFAULT, "Py_GetVersion");
	Dl_info info;

	return function != NULL && dladdr(function, &info) != 0
		       ? info.dli_fname
		       : NULL;
}

/* Without links, where this user may see them. */
static void
resolve(const char *path, char to[PATH_MAX])
{
	if (realpath(path, to) == NULL)
		snprintf(to, PATH_MAX, "%s", path);
}

/* Is a file in one of the directories of a list, or further below, or one of them?
 * Their names end with any of these characters. */
static bool
is_below(const char *file, const char *list, const char *ends)
{
	char real[PATH_MAX], place[PATH_MAX], part[PATH_MAX];

	resolve(file, real);
	while (list != NULL && *(list += strspn(list, ends)) != '\0') {
		size_t len = strcspn(list, ends);

		snprintf(part, sizeof(part), "%.*s", (int)len, list);
		list += len;
		resolve(part, place);
		len = strlen(place);
		if (strncmp(real, place, len) == 0 &&
			(real[len] == '/' || real[len] == '\0'))
			return true;
	}
	return false;
}

/* How the loader came to it, and what to do. */
static void
explain_library(const char *found, const struct app_settings *settings,
	char *to, size_t size)
{
	const char *path = getenv("LD_LIBRARY_PATH");
	struct err why = {0};

	if (is_below(found, path, ":;"))
		snprintf(to, size,
			"take its directory out of LD_LIBRARY_PATH, which is "
			"%s",
			path);
	else if (access_explain(settings->library, &why) < 0)
		snprintf(to, size, "%.600s", why.text);
	else
		snprintf(to, size,
			"take it out of LD_PRELOAD, or out of the loader's own "
			"directories (ldconfig -p), or run \"scons install\" "
			"for it");
}

/* An upgrade replaces the library together with the modules that are made for
 * it.  One of another patch level from elsewhere belongs to other modules: those
 * of the standard library, which use what is within it, fail one by one. */
static int
check_library(const struct app_settings *settings, struct err *err)
{
	const char *found = find_library();
	char why[700];

	if (settings->library == NULL || found == NULL ||
		strcmp(app_python_version(), settings->version) == 0 ||
		file_is_same(found, settings->library) ||
		is_below(found, settings->places, ", "))
		return 0;
	explain_library(found, settings, why, sizeof(why));
	return err_setx(err, ENOEXEC,
		"Python %s was loaded from %s, and this program was built for "
		"Python %s in %s, whose modules need their own: %s",
		app_python_version(), found, settings->version,
		settings->library, why);
}

int
identity_check_library(const struct app_settings *settings, struct err *err)
{
	int rc = check_version(err);

	return rc < 0 ? rc : check_library(settings, err);
}

/* --- extension modules --------------------------------------------------------- */

/* The end of their names that is the library's own: of
 * ".cpython-311-x86_64-linux-gnu.so" what is between the dots, as SOABI has
 * it.  "" where that is not to be found out. */
static void
find_soabi(char *to, size_t size)
{
	AUTO_DECREF PyObject *module = PyImport_ImportModule("_imp");
	AUTO_DECREF PyObject *suffixes = NULL;
	AUTO_DECREF PyObject *first = NULL;
	const char *text = NULL;

	if (module != NULL)
		suffixes =
			PyObject_CallMethod(module, "extension_suffixes", NULL);
	if (suffixes != NULL)
		first = PySequence_GetItem(suffixes, 0);
	if (first != NULL)
		text = PyUnicode_AsUTF8(first);
	PyErr_Clear();
	text = text != NULL && text[0] == '.' ? text + 1 : "";
	snprintf(to, size, "%.*s", (int)strcspn(text, "."), text);
}

/* The SOABI of a build may leave out for which system it is. */
static bool
is_soabi(const char *found, const char *soabi)
{
	size_t len = strlen(soabi);

	return strncmp(found, soabi, len) == 0 &&
	       (found[len] == '\0' || found[len] == '-');
}

static int
check_soabi(const struct app_settings *settings, struct err *err)
{
	char found[128];

	if (settings->soabi == NULL || settings->soabi[0] == '\0')
		return 0;
	find_soabi(found, sizeof(found));
	if (found[0] == '\0' || is_soabi(found, settings->soabi))
		return 0;
	return err_setx(err, ENOEXEC,
		"Python %s loads extension modules of the ABI %s, and this "
		"program was built for those of %s: its library is another "
		"one now; run \"scons install\" again",
		app_python_version(), found, settings->soabi);
}

/* --- the standard library ------------------------------------------------------ */

/* Where the standard library was found: the directory of encodings, the first
 * package that any Python imports.  "" where it comes from no directory. */
static void
find_stdlib(char *to, size_t size)
{
	AUTO_DECREF PyObject *module = PyImport_ImportModule("encodings");
	AUTO_DECREF PyObject *file = NULL;
	const char *text = NULL;
	size_t len;

	if (module != NULL)
		file = PyObject_GetAttrString(module, "__file__");
	if (file != NULL)
		text = PyUnicode_AsUTF8(file);
	PyErr_Clear();
	snprintf(to, size, "%s", text != NULL ? text : "");
	for (int i = 0; i < 2; i++) { /* /encodings/__init__.py */
		char *slash = strrchr(to, '/');

		if (slash != NULL)
			*slash = '\0';
	}
	len = strlen(to);
	if (len > 4 && strcmp(to + len - 4, ".zip") == 0)
		to[0] = '\0';
}

/* What has led to another one: it may be another program's, or the system's. */
static void
explain_stdlib(const char *found, char *to, size_t size)
{
	const char *home = getenv("PYTHONHOME"), *path = getenv("PYTHONPATH");

	if (is_below(found, path, ":"))
		snprintf(to, size, "take %s out of PYTHONPATH, which is %s",
			found, path);
	else if (home != NULL)
		snprintf(to, size,
			"take PYTHONHOME out of the environment, which is %s",
			home);
	else
		snprintf(to, size,
			"for the Python of that one build wsgid with "
			"\"scons python=\"");
}

/* The same version at another place is another installation: its extension
 * modules may be built differently. */
static int
check_stdlib(const struct app_settings *settings, struct err *err)
{
	char found[4096], why[600];

	if (settings->stdlib == NULL)
		return 0;
	find_stdlib(found, sizeof(found));
	if (found[0] == '\0' || file_is_same(found, settings->stdlib))
		return 0;
	explain_stdlib(found, why, sizeof(why));
	return err_setx(err, ENOEXEC,
		"Python %s has found its standard library in %s, and this "
		"program was built for the one in %s: %s",
		app_python_version(), found, settings->stdlib, why);
}

int
identity_check_installation(
	const struct app_settings *settings, struct err *err)
{
	int rc = check_soabi(settings, err);

	return rc < 0 ? rc : check_stdlib(settings, err);
}
