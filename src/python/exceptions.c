/*
 * exceptions.c - Python's exceptions, taken and as text.
 *
 * How an exception is held changed with Python 3.12; here it is one object,
 * its traceback within it, whatever the version.
 */
#include "python/python_priv.h"

#include <stdio.h>
#include <string.h>

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

/* The number that sys.exit was given, 0 for none; -1: it was something else. */
static int
number_of(PyObject *exception)
{
	AUTO_DECREF PyObject *code = PyObject_GetAttrString(exception, "code");
	int overflow;
	long status = -1;

	if (code == Py_None)
		return 0;
	if (code != NULL && PyLong_Check(code))
		status = PyLong_AsLongAndOverflow(code, &overflow) & 255;
	PyErr_Clear();
	return (int)status;
}

bool
exceptions_is_exit(PyObject *exception, int *status)
{
	int number = -1;

	if (PyErr_GivenExceptionMatches(exception, PyExc_SystemExit))
		number = number_of(exception);
	*status = number >= 0 ? number : 1;
	return number >= 0;
}

/* With its module come a dozen others, which take longer than all else between
 * the start and the first request: so it is got when there is time, or when it is
 * needed.  NULL for as long as that fails. */
static PyObject *
formatter(struct app *app)
{
	AUTO_DECREF PyObject *module = NULL;
	PyObject *none = NULL, *f;

	f = __atomic_load_n(&app->format_exception, __ATOMIC_ACQUIRE);
	if (f != NULL)
		return f;
	module = PyImport_ImportModule("traceback");
	if (module != NULL)
		f = PyObject_GetAttrString(module, "format_exception");
	PyErr_Clear();
	/* Another thread may have been faster. */
	if (f == NULL ||
		__atomic_compare_exchange_n(&app->format_exception, &none, f,
			false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return f;
	Py_DECREF(f);
	return none;
}

void
exceptions_prepare(struct app *app)
{
	(void)formatter(app);
}

/* As Python shows it; NULL when that fails. */
static PyObject *
format(struct app *app, PyObject *exception, PyObject *traceback)
{
	AUTO_DECREF PyObject *lines = NULL;
	AUTO_DECREF PyObject *empty = NULL;
	PyObject *f = formatter(app);

	if (f != NULL)
		lines = PyObject_CallFunctionObjArgs(f,
			(PyObject *)Py_TYPE(exception), exception,
			traceback != NULL ? traceback : Py_None, NULL);
	empty = PyUnicode_FromString("");
	if (lines == NULL || empty == NULL)
		return NULL;
	return PyUnicode_Join(empty, lines);
}

/* The same with what is there already: the module cannot be imported when
 * descriptors are short, for one, which is when exceptions begin. */
static PyObject *
format_plainly(PyObject *exception, PyObject *traceback)
{
	AUTO_DECREF PyObject *io = PyImport_ImportModule("io");
	AUTO_DECREF PyObject *file = NULL;
	AUTO_DECREF PyObject *shown = NULL;
	AUTO_DECREF PyObject *lines = NULL;

	if (io != NULL)
		file = PyObject_CallMethod(io, "StringIO", NULL);
	if (file == NULL)
		return NULL;
	if (traceback != NULL && PyTraceBack_Print(traceback, file) < 0)
		return NULL;
	lines = PyObject_CallMethod(file, "getvalue", NULL);
	if (lines == NULL)
		return NULL;
	shown = PyObject_Str(exception);
	PyErr_Clear();
	if (shown == NULL)
		shown = PyUnicode_FromString("<exception str() failed>");
	if (shown == NULL)
		return NULL;
	return PyUnicode_FromFormat("%U%.200s%s%U\n", lines,
		Py_TYPE(exception)->tp_name,
		PyUnicode_GET_LENGTH(shown) > 0 ? ": " : "", shown);
}

PyObject *
exceptions_format(struct app *app)
{
	AUTO_DECREF PyObject *exception = exceptions_take();
	AUTO_DECREF PyObject *traceback = NULL;
	PyObject *whole;

	if (exception == NULL)
		return NULL;
	traceback = PyException_GetTraceback(exception);
	whole = format(app, exception, traceback);
	PyErr_Clear();
	if (whole == NULL)
		whole = format_plainly(exception, traceback);
	PyErr_Clear();
	/* Its __str__ may raise, or the stack or memory be used up. */
	if (whole == NULL)
		whole = PyUnicode_FromFormat("%.200s (it cannot be shown)\n",
			Py_TYPE(exception)->tp_name);
	PyErr_Clear();
	return whole;
}

/* Some begin with an empty line, to be seen. */
static int
first_line(const char **text)
{
	*text += strspn(*text, " \t\r\n");
	return (int)strcspn(*text, "\r\n");
}

void
exceptions_describe(char *to, size_t size)
{
	AUTO_DECREF PyObject *exception = exceptions_take();
	AUTO_DECREF PyObject *shown = NULL;
	AUTO_DECREF PyObject *bytes = NULL;
	const char *name, *text = "";
	int len;

	if (exception == NULL) {
		snprintf(to, size, "no reason given");
		return;
	}
	name = Py_TYPE(exception)->tp_name;
	shown = PyObject_Str(exception);
	if (shown != NULL)
		bytes = interp_utf8(shown);
	if (bytes != NULL)
		text = PyBytes_AS_STRING(bytes);
	len = first_line(&text);
	snprintf(to, size, "%s%s%.*s", name, len > 0 ? ": " : "", len, text);
	PyErr_Clear();
}

int
exceptions_place(PyObject *exception, char *file, size_t size)
{
	AUTO_DECREF PyObject *traceback = PyException_GetTraceback(exception);
	const PyTracebackObject *at = (const PyTracebackObject *)traceback;
	AUTO_DECREF PyObject *code = NULL;
	const char *text;

	file[0] = '\0';
	if (at == NULL)
		return 0;
	while (at->tb_next != NULL)
		at = at->tb_next;
	code = (PyObject *)PyFrame_GetCode(at->tb_frame);
	text = PyUnicode_AsUTF8(((PyCodeObject *)code)->co_filename);
	PyErr_Clear();
	snprintf(file, size, "%s", text != NULL ? text : "?");
	return PyCode_Addr2Line((PyCodeObject *)code, at->tb_lasti);
}

static void
print_plainly(PyObject *exception)
{
	AUTO_DECREF PyObject *traceback = PyException_GetTraceback(exception);
	AUTO_DECREF PyObject *text = format_plainly(exception, traceback);
	AUTO_DECREF PyObject *bytes = text != NULL ? interp_utf8(text) : NULL;

	if (bytes != NULL)
		errors_write(LOG_LEVEL_ERROR, PyBytes_AS_STRING(bytes),
			(size_t)PyBytes_GET_SIZE(bytes));
	PyErr_Clear();
}

void
exceptions_tell(char *to, size_t size)
{
	PyObject *exception = exceptions_take();
	char what[512], file[512];
	int line = 0;

	if (exception != NULL) {
		line = exceptions_place(exception, file, sizeof(file));
		if (line > 0)
			print_plainly(exception);
		exceptions_put_back(exception);
	}
	exceptions_describe(what, sizeof(what));
	if (line > 0)
		snprintf(to, size, "%s (%s, line %d)", what, file, line);
	else
		snprintf(to, size, "%s", what);
}
