/*
 * identity.c - is this the Python that the program was built for?
 *
 * What the loader finds at run time, and where that finds its modules, is
 * decided on the machine and not by the build.  Another version, and the same
 * one of another installation, would work until an extension module is loaded
 * that was built for the other one: so they are refused, with both names.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"

int
identity_check_library(struct err *err)
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

/* The same version at another place is another installation: its extension
 * modules may be built differently. */
static int
check_stdlib(const struct app_settings *settings, struct err *err)
{
	const char *home = getenv("PYTHONHOME");
	char found[4096];

	if (settings->stdlib == NULL)
		return 0;
	find_stdlib(found, sizeof(found));
	if (found[0] == '\0' || file_is_same(found, settings->stdlib))
		return 0;
	return err_setx(err, ENOEXEC,
		"Python %s has found its standard library in %s, and this "
		"program was built for the one in %s%s%s%s; take it away, or "
		"build wsgid for the other one with \"scons python=\"",
		app_python_version(), found, settings->stdlib,
		home != NULL ? " (PYTHONHOME is " : "",
		home != NULL ? home : "", home != NULL ? ")" : "");
}

int
identity_check_installation(
	const struct app_settings *settings, struct err *err)
{
	int rc = check_soabi(settings, err);

	return rc < 0 ? rc : check_stdlib(settings, err);
}
