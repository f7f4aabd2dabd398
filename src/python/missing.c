/*
 * missing.c - why a module was not found, where that is to be seen.
 *
 * Python says of what it may not read that it is not there, and of what lies in
 * a place where it does not look, or was compiled for another one, nothing more.
 * Each function here knows one such cause, and adds nothing where it is not that.
 */
#include "python/python_priv.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/access.h"
#include "base/err.h"

struct missing {
	const struct app *app;
	char name[256];   /* package.module */
	const char *last; /* the end of it, which is a file's name */
	bool in_package;
	char *to; /* where to say it */
	size_t size;
};

/* --- where Python looks ------------------------------------------------------ */

/* Places that the site module has left out, because it did not see them, are
 * among them: a new list, or NULL. */
static PyObject *
list_path(void)
{
	PyObject *path = PySys_GetObject("path");
	AUTO_DECREF PyObject *site = PyImport_ImportModule("site");
	AUTO_DECREF PyObject *packages = NULL;
	AUTO_DECREF PyObject *list = NULL;

	if (path != NULL)
		list = PySequence_List(path);
	if (list == NULL || site == NULL)
		return NULL;
	packages = PyObject_CallMethod(site, "getsitepackages", NULL);
	return packages != NULL ? PySequence_InPlaceConcat(list, packages)
				: NULL;
}

/* That the module is in, where it has been found; or NULL. */
static PyObject *
package_of(const struct missing *m)
{
	AUTO_DECREF PyObject *name =
		PyUnicode_FromStringAndSize(m->name, m->last - m->name - 1);

	return name != NULL ? PyImport_GetModule(name) : NULL;
}

/* Those of a package are its own. */
static PyObject *
list_places(const struct missing *m)
{
	AUTO_DECREF PyObject *package = NULL;
	AUTO_DECREF PyObject *path = NULL;

	if (!m->in_package)
		return list_path();
	package = package_of(m);
	if (package != NULL)
		path = PyObject_GetAttrString(package, "__path__");
	return path != NULL ? PySequence_List(path) : NULL;
}

/* Is it because of one of them? */
static bool
any_place(struct missing *m, PyObject *places,
	bool (*look)(struct missing *m, const char *place))
{
	bool found = false;

	for (Py_ssize_t i = 0; i < PyList_Size(places) && !found; i++) {
		AUTO_DECREF PyObject *place = interp_list_item(places, i);
		AUTO_DECREF PyObject *bytes = NULL;

		if (place != NULL && PyUnicode_Check(place))
			bytes = PyUnicode_EncodeFSDefault(place);
		PyErr_Clear();
		if (bytes != NULL && PyBytes_GET_SIZE(bytes) > 0)
			found = look(m, PyBytes_AS_STRING(bytes));
	}
	return found;
}

/* --- what was found ------------------------------------------------------------ */

static PyObject *
first_place(PyObject *module)
{
	AUTO_DECREF PyObject *path = PyObject_GetAttrString(module, "__path__");
	AUTO_DECREF PyObject *places =
		path != NULL ? PySequence_List(path) : NULL;

	return places != NULL ? interp_list_item(places, 0) : NULL;
}

void
missing_origin(PyObject *module, char *to, size_t size)
{
	AUTO_DECREF PyObject *file = PyObject_GetAttrString(module, "__file__");
	const char *text = NULL;

	PyErr_Clear();
	if (file == NULL || file == Py_None)
		Py_XSETREF(file, first_place(module));
	if (file != NULL && PyUnicode_Check(file))
		text = PyUnicode_AsUTF8(file);
	PyErr_Clear();
	snprintf(to, size, "%s", text != NULL ? text : "");
}

/* --- the causes -------------------------------------------------------------- */

static bool
is_refused(const char *path, struct err *why)
{
	return access_explain(path, why) == -EACCES;
}

/* What is in a directory that only its owner may read, as pip makes them under
 * umask 077. */
static bool
module_is_closed(struct missing *m, const char *place)
{
	char path[PATH_MAX];
	struct err why = {0};

	snprintf(path, sizeof(path), "%s/%s", place, m->last);
	if (is_refused(place, &why) || !is_refused(path, &why))
		return false;
	snprintf(m->to, m->size, " (%s)", why.text);
	return true;
}

/* Of a package it is certain that it is in there; of others it may be. */
static bool
place_is_closed(struct missing *m, const char *place)
{
	struct err why = {0};

	if (!is_refused(place, &why))
		return false;
	snprintf(m->to, m->size, " (%s%s)",
		m->in_package ? "" : "not looked into: ", why.text);
	return true;
}

/* An extension module has the Python that loads it in its name. */
static bool
is_for_another(struct missing *m, const char *place)
{
	size_t len = strlen(m->last);
	DIR *dir = opendir(place);
	struct dirent *entry;
	bool found = false;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		const char *end = strrchr(entry->d_name, '.');

		found = strncmp(entry->d_name, m->last, len) == 0 &&
			entry->d_name[len] == '.' && strcmp(end, ".so") == 0;
		if (found)
			snprintf(m->to, m->size,
				" (%s/%s was built for another Python than "
				"%s: install the package with this one)",
				place, entry->d_name, app_python_version());
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

/* The directory that a file, or directory, is in. */
static void
cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash != NULL)
		*slash = '\0';
}

static bool
is_on_path(const char *directory)
{
	PyObject *path = PySys_GetObject("path");
	AUTO_DECREF PyObject *shown = PyUnicode_DecodeFSDefault(directory);
	bool is = path != NULL && shown != NULL &&
		  PySequence_Contains(path, shown) > 0;

	PyErr_Clear();
	return is;
}

static bool
is_in(struct missing *m, const char *directory)
{
	static const char *const ends[] = {".py", "/__init__.py"};
	char name[sizeof(m->name)], path[PATH_MAX];

	if (directory[0] != '/' || is_on_path(directory))
		return false;
	strcpy(name, m->name);
	for (char *dot = name; (dot = strchr(dot, '.')) != NULL;)
		*dot = '/';
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", directory, name,
			ends[i]);
		if (access(path, F_OK) < 0)
			continue;
		snprintf(m->to, m->size,
			" (it is in %s, which is not on Python's path: add "
			"--python-path %s, or WSGIPythonPath)",
			directory, directory);
		return true;
	}
	return false;
}

/* A script's own directory is none of Python's, and a project's is often the one
 * above. */
static bool
is_beside(struct missing *m, PyObject *exception)
{
	char near[PATH_MAX];

	(void)exceptions_place(exception, near, sizeof(near));
	cut_last(near);
	if (is_in(m, near))
		return true;
	snprintf(near, sizeof(near), "%s/",
		m->app->directory != NULL ? m->app->directory : "");
	if (m->app->script != NULL)
		snprintf(near, sizeof(near), "%s", m->app->script);
	cut_last(near);
	if (is_in(m, near))
		return true;
	cut_last(near);
	return is_in(m, near);
}

static bool
is_of_uwsgi(struct missing *m)
{
	if (strcmp(m->name, "uwsgi") != 0)
		return false;
	snprintf(m->to, m->size,
		" (uWSGI has it within itself, and no other server has)");
	return true;
}

/* "mysite.wsgi.application", which others take, and Django's settings have it
 * so: the application is no module, but is in the one before it. */
static bool
is_in_its_module(struct missing *m)
{
	AUTO_DECREF PyObject *module = m->in_package ? package_of(m) : NULL;
	const char *application = m->app->application;
	size_t len = strlen(m->name);
	int package_len = (int)(m->last - m->name - 1);

	PyErr_Clear();
	if (module == NULL || strncmp(application, m->name, len) != 0 ||
		strchr(application, ':') != NULL ||
		!PyObject_HasAttrString(module, m->last))
		return false;
	application += package_len + 1;
	snprintf(m->to, m->size, " (the '%s' in %.*s is written %.*s:%s)",
		application, package_len, m->name, package_len, m->name,
		application);
	return true;
}

/* "wsgid stop", where that is no application's name. */
static bool
is_verb(struct missing *m)
{
	static const char *const verbs[] = {"start", "stop", "restart",
		"reload", "graceful", "status", "configtest"};

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(m->name, verbs[i]) != 0 ||
			strcmp(m->app->application, verbs[i]) != 0)
			continue;
		snprintf(m->to, m->size,
			" (the verb is one of wsgictl: \"wsgictl %s\")",
			verbs[i]);
		return true;
	}
	return false;
}

/* The package is there: another one of the same name, or of another version. */
static bool
is_of_a_package(struct missing *m)
{
	AUTO_DECREF PyObject *package = m->in_package ? package_of(m) : NULL;
	char origin[512] = "";

	if (package != NULL)
		missing_origin(package, origin, sizeof(origin));
	if (origin[0] == '\0')
		return false;
	snprintf(m->to, m->size, " (%.*s is %s)",
		(int)(m->last - m->name - 1), m->name, origin);
	return true;
}

/* --- all of them ------------------------------------------------------------- */

/* What the exception is about; false where that is not to be seen. */
static bool
take_name(struct missing *m, PyObject *exception)
{
	AUTO_DECREF PyObject *name = PyObject_GetAttrString(exception, "name");
	const char *text = NULL, *dot;

	if (name != NULL && PyUnicode_Check(name))
		text = PyUnicode_AsUTF8(name);
	PyErr_Clear();
	if (text == NULL || text[0] == '\0' || strlen(text) >= sizeof(m->name))
		return false;
	strcpy(m->name, text);
	dot = strrchr(m->name, '.');
	m->in_package = dot != NULL;
	m->last = dot != NULL ? dot + 1 : m->name;
	return true;
}

/* What cannot be imported from a package that is closed is no module. */
bool
missing_explain(struct app *app, PyObject *exception, char *to, size_t size)
{
	struct missing m = {.app = app, .to = to, .size = size};
	AUTO_DECREF PyObject *places = NULL;

	if (!PyErr_GivenExceptionMatches(exception, PyExc_ImportError) ||
		!take_name(&m, exception))
		return false;
	places = list_places(&m);
	PyErr_Clear();
	if (places != NULL && any_place(&m, places, module_is_closed))
		return true;
	if (!PyErr_GivenExceptionMatches(exception, PyExc_ModuleNotFoundError))
		return false;
	if (places != NULL && any_place(&m, places, is_for_another))
		return true;
	if (is_of_uwsgi(&m) || is_in_its_module(&m) || is_beside(&m, exception))
		return true;
	if (places != NULL && any_place(&m, places, place_is_closed))
		return true;
	return is_of_a_package(&m) || is_verb(&m);
}
