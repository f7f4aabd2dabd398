/*
 * tracebacks.c - what the threads are doing, asked from outside.
 *
 * A thread that is stuck cannot be asked, and the GIL may be what it holds.
 * faulthandler's handler needs neither: sent this signal, a thread writes the
 * Python stacks of all of them to standard error, and goes on.
 */
#include "python/python_priv.h"

#include <stdio.h>

#include "base/signals.h"

/* NULL and no exception where it has none. */
static PyObject *
attribute(PyObject *object, const char *name)
{
	PyObject *found =
		object != NULL ? PyObject_GetAttrString(object, name) : NULL;

	PyErr_Clear();
	return found;
}

static const char *
text_of(PyObject *object, const char *otherwise)
{
	const char *text = object != NULL && PyUnicode_Check(object)
				   ? PyUnicode_AsUTF8(object)
				   : NULL;

	PyErr_Clear();
	return text != NULL ? text : otherwise;
}

/* A generator that waits for its next turn. */
static void
describe_generator(PyObject *generator, char *to, size_t size)
{
	AUTO_DECREF PyObject *name = attribute(generator, "__qualname__");
	AUTO_DECREF PyObject *code = attribute(generator, "gi_code");
	AUTO_DECREF PyObject *file = attribute(code, "co_filename");
	AUTO_DECREF PyObject *frame = attribute(generator, "gi_frame");
	AUTO_DECREF PyObject *line = attribute(frame, "f_lineno");
	long number = line != NULL ? PyLong_AsLong(line) : 0;

	PyErr_Clear();
	snprintf(to, size, "File \"%s\", line %ld in %s", text_of(file, "?"),
		number, text_of(name, "?"));
}

void
app_describe_pieces(
	struct app *app, const struct app_exchange *x, char *to, size_t size)
{
	PyObject *pieces = x->pieces;

	app_enter(app);
	if (PyGen_CheckExact(pieces))
		describe_generator(pieces, to, size);
	else
		snprintf(to, size, "an iterator of type %s",
			Py_TYPE(pieces)->tp_name);
	app_leave(app);
}

void
app_write_stacks(struct app *app)
{
	AUTO_DECREF PyObject *module = PyImport_ImportModule("faulthandler");
	AUTO_DECREF PyObject *done = NULL;

	(void)app;
	if (module != NULL)
		done = PyObject_CallMethod(
			module, "dump_traceback", "iO", 2, Py_True);
	PyErr_Clear();
}

int
tracebacks_init(void)
{
	AUTO_DECREF PyObject *module = PyImport_ImportModule("faulthandler");
	AUTO_DECREF PyObject *to_do = NULL, *done = NULL;
	AUTO_DECREF PyObject *words =
		Py_BuildValue("{s:i,s:O}", "file", 2, "all_threads", Py_True);
	AUTO_DECREF PyObject *number =
		Py_BuildValue("(i)", signal_traceback());

	if (module == NULL || words == NULL || number == NULL)
		return -1;
	to_do = PyObject_GetAttrString(module, "register");
	if (to_do == NULL)
		return -1;
	done = PyObject_Call(to_do, number, words);
	return done != NULL ? 0 : -1;
}
