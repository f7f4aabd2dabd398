/*
 * exceptions.c - Python's exceptions, taken and as text.
 *
 * How an exception is held changed with Python 3.12; here it is one object,
 * its traceback within it, whatever the version.
 */
#include "python/python_priv.h"

#include <stdio.h>

int
exceptions_init(struct app *app)
{
	AUTO_DECREF PyObject *traceback = PyImport_ImportModule("traceback");

	if (traceback == NULL)
		return -1;
	app->format_exception =
		PyObject_GetAttrString(traceback, "format_exception");
	return app->format_exception != NULL ? 0 : -1;
}

void
exceptions_fini(struct app *app)
{
	Py_CLEAR(app->format_exception);
}

#if PY_VERSION_HEX >= 0x030c0000
PyObject *
exceptions_take(void)
{
	return PyErr_GetRaisedException();
}

void
exceptions_put_back(PyObject *exception)
{
	PyErr_SetRaisedException(exception);
}
#else
PyObject *
exceptions_take(void)
{
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	if (type == NULL)
		return NULL;
	PyErr_NormalizeException(&type, &value, &traceback);
	if (traceback != NULL)
		(void)PyException_SetTraceback(value, traceback);
	Py_XDECREF(type);
	Py_XDECREF(traceback);
	return value;
}

void
exceptions_put_back(PyObject *exception)
{
	PyObject *type = (PyObject *)Py_TYPE(exception);

	Py_INCREF(type);
	PyErr_Restore(type, exception, PyException_GetTraceback(exception));
}
#endif

PyObject *
exceptions_format(struct app *app)
{
	AUTO_DECREF PyObject *exception = exceptions_take();
	AUTO_DECREF PyObject *traceback = NULL;
	AUTO_DECREF PyObject *lines = NULL;
	AUTO_DECREF PyObject *empty = NULL;
	PyObject *whole = NULL;

	if (exception == NULL)
		return NULL;
	traceback = PyException_GetTraceback(exception);
	lines = PyObject_CallFunctionObjArgs(app->format_exception,
		(PyObject *)Py_TYPE(exception), exception,
		traceback != NULL ? traceback : Py_None, NULL);
	empty = PyUnicode_FromString("");
	if (lines != NULL && empty != NULL)
		whole = PyUnicode_Join(empty, lines);
	if (whole == NULL) {
		/* Its __str__ may raise, or the stack or memory be used up. */
		PyErr_Clear();
		whole = PyUnicode_FromFormat("%.200s (it cannot be shown)\n",
			Py_TYPE(exception)->tp_name);
		PyErr_Clear();
	}
	return whole;
}

void
exceptions_describe(char *to, size_t size)
{
	AUTO_DECREF PyObject *exception = exceptions_take();
	AUTO_DECREF PyObject *shown = NULL;
	AUTO_DECREF PyObject *bytes = NULL;
	const char *name;

	if (exception == NULL) {
		snprintf(to, size, "no reason given");
		return;
	}
	name = Py_TYPE(exception)->tp_name;
	shown = PyObject_Str(exception);
	if (shown != NULL)
		bytes = interp_utf8(shown);
	if (bytes != NULL && PyBytes_GET_SIZE(bytes) > 0)
		snprintf(to, size, "%s: %s", name, PyBytes_AS_STRING(bytes));
	else
		snprintf(to, size, "%s", name);
	PyErr_Clear();
}
