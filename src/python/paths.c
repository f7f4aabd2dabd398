/*
 * paths.c - what Python's path begins with: the current directory, and behind it
 * what WSGIPythonPath names.
 *
 * A directory of that is a site directory, so that its .pth files count; a zip
 * file, or a directory in one, is what it is to Python.  What is of no use is
 * said and stays in the path: it may be there for the next child.
 */
#include "python/python_priv.h"

#include "base/access.h"
#include "base/err.h"

/* What a directory, or .pth file in it, adds comes before all else, in the order
 * given. */
static const char add_paths[] =
	"def trouble(path, explain):\n"
	"    import os, zipimport\n"
	"    try:\n"
	"        zipimport.zipimporter(path)\n"
	"        return None\n"
	"    except ImportError:\n"
	"        pass\n"
	"    why = explain(path)\n"
	"    if why or os.path.isdir(path):\n"
	"        return why\n"
	"    return f'{path} is neither a directory nor a zip file'\n"
	"def add(paths, directory, explain):\n"
	"    import os, site, sys\n"
	"    before = list(sys.path)\n"
	"    for path in filter(None, paths.split(os.pathsep)):\n"
	"        why = trouble(path, explain)\n"
	"        if why:\n"
	"            print(f'WSGIPythonPath: {why}', file=sys.stderr)\n"
	"        site.addsitedir(path)\n"
	"    known = set(before)\n"
	"    sys.path[:] = [p for p in sys.path if p not in known] + before\n"
	"    if directory:\n"
	"        sys.path[:] = [directory] + [\n"
	"            p for p in sys.path if p != directory]\n";

/* access_explain's sentence, or None. */
static PyObject *
explain(PyObject *self, PyObject *path)
{
	AUTO_DECREF PyObject *bytes = PyUnicode_EncodeFSDefault(path);
	struct err why = {0};

	(void)self;
	if (bytes == NULL)
		return NULL;
	if (access_explain(PyBytes_AS_STRING(bytes), &why) == 0)
		Py_RETURN_NONE;
	return PyUnicode_DecodeFSDefault(why.text);
}

static PyMethodDef explain_method = {"explain", explain, METH_O, NULL};

static PyObject *
decode(const char *text)
{
	return PyUnicode_DecodeFSDefault(text != NULL ? text : "");
}

int
paths_set(const struct app_settings *settings)
{
	AUTO_DECREF PyObject *add = source_function(add_paths, "add");
	AUTO_DECREF PyObject *done = NULL;
	AUTO_DECREF PyObject *paths = decode(settings->path);
	AUTO_DECREF PyObject *directory = decode(settings->directory);
	AUTO_DECREF PyObject *why = PyCFunction_New(&explain_method, NULL);

	if (paths == NULL || directory == NULL || why == NULL || add == NULL)
		return -1;
	done = PyObject_CallFunctionObjArgs(add, paths, directory, why, NULL);
	return done == NULL ? -1 : 0;
}
