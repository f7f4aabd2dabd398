/*
 * interp.c - the interpreter: how it is configured, started and ended.
 *
 * It is Python as "python3" would be, with the environment's PYTHON…
 * variables, the site module and the user's locale; what differs is what a
 * server must decide itself: the interpreter is the one that was configured
 * and PATH is never asked for it, signals are the server's, and what is
 * printed leaves in whole lines.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/access.h"
#include "base/defs.h"
#include "base/err.h"

int
interp_attribute(PyObject *object, PyObject *name, PyObject **ret)
{
	*ret = PyObject_GetAttr(object, name);
	if (*ret != NULL)
		return 1;
	if (!PyErr_ExceptionMatches(PyExc_AttributeError))
		return -1;
	PyErr_Clear();
	return 0;
}

PyObject *
interp_utf8(PyObject *text)
{
	return PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
}

PyTypeObject *
interp_type(PyType_Spec *spec)
{
	return (PyTypeObject *)PyType_FromSpec(spec);
}

#ifdef Py_GIL_DISABLED
PyObject *
interp_list_item(PyObject *list, Py_ssize_t i)
{
	return PyList_GetItemRef(list, i);
}
#else
PyObject *
interp_list_item(PyObject *list, Py_ssize_t i)
{
	PyObject *item = PyList_GetItem(list, i);

	Py_XINCREF(item);
	return item;
}
#endif

const char *
app_python_version(void)
{
	/* The one variable here that is written: always with the same. */
	static char text[32];
	const char *whole = Py_GetVersion();

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(whole, " +"), whole);
	return text;
}

/* --- configuration ----------------------------------------------------------- */

/* A status names the step, and the exception that has ended it is left, as
 * Py_ExitStatusException would find it; there may be no thread yet to have it. */
static void
tell_exception(char *to, size_t size)
{
	to[0] = '\0';
	if (PyGILState_GetThisThreadState() == NULL || !PyGILState_Check() ||
		PyErr_Occurred() == NULL)
		return;
	memcpy(to, ": ", 3);
	exceptions_tell(to + 2, size - 2);
}

/* Python's first import is that of encodings, and what it says of it is only that
 * there is no codec. */
static void
explain_no_codec(const struct app_settings *settings, char *to, size_t size)
{
	const char *home = getenv("PYTHONHOME"), *path = getenv("PYTHONPATH");
	const char *stdlib = settings->stdlib != NULL ? settings->stdlib : "/";
	char encodings[PATH_MAX];
	struct err why = {0};

	snprintf(encodings, sizeof(encodings), "%s/encodings", stdlib);
	if (home != NULL)
		snprintf(to, size,
			"; take PYTHONHOME out of the environment, which is %s",
			home);
	else if (access_explain(encodings, &why) == -EACCES)
		snprintf(to, size, "; %.600s", why.text);
	else if (path != NULL)
		snprintf(to, size,
			"; is there another \"encodings\" in PYTHONPATH, which "
			"is %s?",
			path);
	else
		snprintf(to, size,
			"; is its standard library where it was installed, and "
			"WSGIPythonHome right?");
}

static int
fail(PyStatus status, const struct app_settings *settings, struct err *err)
{
	const char *why = status.err_msg;
	char what[600], hint[700] = "";

	tell_exception(what, sizeof(what));
	if (why == NULL)
		why = "no reason given";
	/* In the words of each version. */
	if (strstr(why, "codec") != NULL || strstr(why, "encodings") != NULL)
		explain_no_codec(settings, hint, sizeof(hint));
	return err_setx(err, ENOEXEC, "Python %s (%s) does not start: %s%s%s",
		app_python_version(), settings->executable, why, what, hint);
}

static PyStatus
set_text(PyConfig *config, wchar_t **field, const char *text)
{
	return PyConfig_SetBytesString(config, field, text);
}

/* Each part of a text with commas; they are no more than Python's own command
 * line could have. */
static PyStatus
append_parts(PyWideStringList *list, const char *text)
{
	PyStatus status = PyStatus_Ok();

	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ",");
		AUTO_FREE char *part = strndup(text, len);
		wchar_t *wide =
			part != NULL ? Py_DecodeLocale(part, NULL) : NULL;

		if (wide == NULL)
			return PyStatus_NoMemory();
		if (len > 0)
			status = PyWideStringList_Append(list, wide);
		PyMem_RawFree(wide);
		if (PyStatus_Exception(status))
			return status;
		text += len + (text[len] == ',');
	}
	return status;
}

/* Is "name" among the -X options?  *value is what stands behind its "=". */
static bool
has_x_option(const struct app_settings *settings, const char *name, char *value)
{
	size_t len = strlen(name);
	const char *at = settings->x_options;

	for (; at != NULL && *at != '\0'; at += at[0] == ',') {
		size_t part = strcspn(at, ",");

		if (strncmp(at, name, len) == 0 &&
			(part == len || at[len] == '=')) {
			*value = at[len] == '=' ? at[len + 1] : '1';
			return true;
		}
		at += part;
	}
	return false;
}

/* mod_wsgi takes "random" for the number 0, which is the opposite. */
static void
set_hash_seed(PyConfig *config, const char *seed)
{
	if (seed == NULL)
		return;
	config->use_hash_seed = strcmp(seed, "random") != 0;
	config->hash_seed = config->use_hash_seed ? strtoul(seed, NULL, 10) : 0;
}

static PyStatus
set_options(PyConfig *config, const struct app_settings *settings)
{
	PyStatus status;
	char value;

	config->optimization_level = settings->optimize;
	if (settings->dont_write_bytecode)
		config->write_bytecode = 0;
	set_hash_seed(config, settings->hash_seed);
	if (has_x_option(settings, "dev", &value))
		config->dev_mode = 1;
	status = append_parts(&config->xoptions, settings->x_options);
	if (!PyStatus_Exception(status))
		status = append_parts(&config->warnoptions, settings->warnings);
	if (!PyStatus_Exception(status) && settings->home != NULL)
		status = set_text(config, &config->home, settings->home);
	return status;
}

static PyStatus
configure(PyConfig *config, const struct app_settings *settings)
{
	PyStatus status;

	config->parse_argv = 0;
	config->install_signal_handlers = 0;
	config->faulthandler = 1;
	status = set_options(config, settings);
	if (!PyStatus_Exception(status))
		status = set_text(
			config, &config->program_name, settings->executable);
	if (!PyStatus_Exception(status))
		status = set_text(
			config, &config->executable, settings->executable);
	if (!PyStatus_Exception(status))
		status = PyWideStringList_Append(&config->argv, L"");
	if (!PyStatus_Exception(status))
		status = PyConfig_Read(config);
	if (PyStatus_Exception(status))
		return status;

	if (getenv("PYTHONIOENCODING") != NULL)
		return status;
	status = set_text(config, &config->stdio_encoding, "utf-8");
	if (!PyStatus_Exception(status))
		status = set_text(
			config, &config->stdio_errors, "backslashreplace");
	return status;
}

static int
initialise(const struct app_settings *settings, struct err *err)
{
	PyPreConfig before;
	PyConfig config;
	PyStatus status;
	char value;
	int rc = 0;

	PyPreConfig_InitPythonConfig(&before);
	before.parse_argv = 0;
	/* These two count before there is a list of options. */
	if (has_x_option(settings, "utf8", &value)) {
		if (value != '0' && value != '1')
			return err_setx(err, EINVAL,
				"WSGIPythonXOptions: utf8 stands alone, or "
				"is utf8=1 or utf8=0");
		before.utf8_mode = value == '1';
	}
	if (has_x_option(settings, "dev", &value))
		before.dev_mode = 1;
	status = Py_PreInitialize(&before);
	if (PyStatus_Exception(status))
		return fail(status, settings, err);

	PyConfig_InitPythonConfig(&config);
	status = configure(&config, settings);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	if (PyStatus_Exception(status))
		rc = fail(status, settings, err);
	PyConfig_Clear(&config);
	return rc;
}

/* --- after the start ------------------------------------------------------------ */

/* print() must arrive when its line is whole: not when a buffer is full, and
 * not word by word, as PYTHONUNBUFFERED would have it.  A sitecustomize may have
 * put something else there, which has its own ways. */
static void
buffer_lines(const char *name)
{
	PyObject *file = PySys_GetObject(name);
	AUTO_DECREF PyObject *method = NULL;
	AUTO_DECREF PyObject *named = NULL;
	AUTO_DECREF PyObject *nothing = NULL;
	AUTO_DECREF PyObject *done = NULL;

	if (file == NULL || file == Py_None)
		return;
	method = PyObject_GetAttrString(file, "reconfigure");
	named = Py_BuildValue("{s:O,s:O}", "line_buffering", Py_True,
		"write_through", Py_False);
	nothing = PyTuple_New(0);
	if (method != NULL && named != NULL && nothing != NULL)
		done = PyObject_Call(method, nothing, named);
	PyErr_Clear();
}

/* Python's signal module makes SIGINT a KeyboardInterrupt as soon as anybody
 * imports it, whatever was configured: let it do so now, and undo it. */
static int
keep_sigint(void)
{
	AUTO_DECREF PyObject *module = NULL;
	AUTO_DECREF PyObject *done = NULL;
	struct sigaction before;

	sigaction(SIGINT, NULL, &before);
	if (before.sa_handler != SIG_DFL)
		return 0; /* then Python leaves it alone */
	module = PyImport_ImportModule("_signal");
	if (module != NULL)
		done = PyObject_CallMethod(
			module, "signal", "ii", SIGINT, 0 /* its SIG_DFL */);
	return done == NULL ? -1 : 0;
}

/* threading must be met by the main thread first, or another one takes
 * itself for it.  Where there is no other, that can wait: app_settle. */
static int
meet_threading(const struct app_settings *settings)
{
	AUTO_DECREF PyObject *threading = NULL;

	if (!settings->multithread)
		return 0;
	threading = PyImport_ImportModule("threading");
	return threading != NULL ? 0 : -1;
}

/* Only now: what Python is configured with it takes for our command line, of
 * which setproctitle, which looks for it in memory, finds nothing then. */
static int
name_program(void)
{
	AUTO_DECREF PyObject *argv = Py_BuildValue("[s]", "wsgid");

	return argv == NULL ? -1 : PySys_SetObject("argv", argv);
}

static int
furnish(const struct app_settings *settings)
{
	if (name_program() < 0 || meet_threading(settings) < 0 ||
		keep_sigint() < 0)
		return -1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	buffer_lines("stdout");
	buffer_lines("stderr");
	return paths_set(settings);
}

int
interp_start(const struct app_settings *settings, struct err *err)
{
	char what[600];
	int rc;

	if (settings->executable == NULL || settings->executable[0] == '\0')
		return err_setx(err, EINVAL,
			"no Python interpreter is given: it is never looked "
			"up in PATH");
	rc = identity_check_library(settings, err);
	if (rc < 0)
		return rc;

	/* Python's own start would: a broken pipe is an exception there. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	rc = initialise(settings, err);
	if (rc < 0)
		return rc;
	rc = identity_check_installation(settings, err);
	if (rc < 0) {
		Py_FinalizeEx();
		return rc;
	}
	if (furnish(settings) == 0)
		return 0;
	exceptions_tell(what, sizeof(what));
	Py_FinalizeEx();
	return err_setx(err, ENOEXEC, "Python %s (%s) does not start: %s",
		app_python_version(), settings->executable, what);
}

void
interp_stop(void)
{
	(void)Py_FinalizeEx();
}
