/*
 * denied.c - why a file was not opened for an application.
 *
 * "[Errno 13] Permission denied: 'shop.log'" names neither the user that children
 * are, who is not who tried the application out, nor the directory where they are.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/access.h"
#include "base/err.h"

enum { CHAIN = 8 }; /* exceptions that one was raised from */

/* The path that the exception is about, in bytes: a new one, or NULL. */
static PyObject *
path_of(PyObject *exception)
{
	AUTO_DECREF PyObject *name =
		PyObject_GetAttrString(exception, "filename");
	PyObject *path = NULL;

	if (name != NULL && (PyUnicode_Check(name) || PyBytes_Check(name)))
		(void)PyUnicode_FSConverter(name, &path);
	PyErr_Clear();
	return path;
}

/* Which of both it was is not said: reading is what is refused where it would be. */
static bool
explain_refused(const char *path, char *to, size_t size)
{
	struct err why = {0};

	if (access_explain(path, &why) != -EACCES &&
		access_explain_writing(path, &why) != -EACCES)
		return false;
	snprintf(to, size, "%s", why.text);
	return true;
}

static bool
explain_missing(const char *path, char *to, size_t size)
{
	char here[PATH_MAX];

	if (path[0] == '/' || path[0] == '\0' ||
		getcwd(here, sizeof(here)) == NULL)
		return false;
	snprintf(to, size,
		"%s is not in %s, the current directory: write the whole path, "
		"or choose another ChDir",
		path, here);
	return true;
}

/* A program that is looked for in PATH, or may not be executed, is no file that was
 * to be opened. */
static bool
is_of_a_program(PyObject *exception)
{
	char file[PATH_MAX];
	const char *name;

	(void)exceptions_place(exception, file, sizeof(file));
	name = strrchr(file, '/');
	return name != NULL && strcmp(name, "/subprocess.py") == 0;
}

/* Of EPERM, by contrast, no mode is the cause. */
static bool
has_errno(PyObject *exception, int code)
{
	AUTO_DECREF PyObject *number =
		PyObject_GetAttrString(exception, "errno");
	long is = number != NULL && PyLong_Check(number) ? PyLong_AsLong(number)
							 : 0;

	PyErr_Clear();
	return is == code;
}

static bool
explain_one(PyObject *exception, char *to, size_t size)
{
	AUTO_DECREF PyObject *path = NULL;

	if (!PyErr_GivenExceptionMatches(exception, PyExc_OSError) ||
		is_of_a_program(exception))
		return false;
	path = path_of(exception);
	if (path == NULL)
		return false;
	if (has_errno(exception, EACCES))
		return explain_refused(PyBytes_AS_STRING(path), to, size);
	return has_errno(exception, ENOENT) &&
	       explain_missing(PyBytes_AS_STRING(path), to, size);
}

/* What it was raised from, or instead of: logging.config makes a ValueError of what
 * its file handlers raise. */
static PyObject *
before(PyObject *exception)
{
	PyObject *cause = PyException_GetCause(exception);

	return cause != NULL ? cause : PyException_GetContext(exception);
}

bool
denied_explain(PyObject *exception, char *to, size_t size)
{
	PyObject *at = exception;
	bool found = false;

	Py_XINCREF(at);
	for (int i = 0; i < CHAIN && at != NULL && !found; i++) {
		found = explain_one(at, to, size);
		Py_SETREF(at, before(at));
	}
	Py_XDECREF(at);
	return found;
}
