/*
 * app.c - the door itself: the life of struct app.  See app.h.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* --- what is made once -------------------------------------------------------- */

static int
copy_text(char **to, const char *text)
{
	*to = text != NULL ? strdup(text) : NULL;
	return text != NULL && *to == NULL ? -ENOMEM : 0;
}

static int
copy_settings(struct app *app, const struct app_settings *settings)
{
	const char *name = settings->callable;

	if (name == NULL || name[0] == '\0')
		name = "application";
	if (copy_text(&app->application, settings->application) < 0 ||
		copy_text(&app->callable_name, name) < 0 ||
		copy_text(&app->directory, settings->directory) < 0)
		return -ENOMEM;
	app->has_home = settings->home != NULL;
	app->forks = settings->forks;
	return 0;
}

static PyTypeObject *
iterator_type(PyObject *container)
{
	AUTO_DECREF PyObject *iterator = NULL;
	PyTypeObject *type;

	if (container == NULL)
		return NULL;
	iterator = PyObject_GetIter(container);
	Py_DECREF(container);
	if (iterator == NULL)
		return NULL;
	type = Py_TYPE(iterator);
	Py_INCREF(type);
	return type;
}

static int
find_types(struct app *app)
{
	static const char *const names[FILE_TYPES] = {
		[FILE_RAW] = "FileIO",
		[FILE_BUFFERED] = "BufferedReader",
		[FILE_BUFFERED_BOTH_WAYS] = "BufferedRandom",
	};
	AUTO_DECREF PyObject *io = PyImport_ImportModule("io");

	if (io == NULL)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		app->file_types[i] = PyObject_GetAttrString(io, names[i]);
		if (app->file_types[i] == NULL)
			return -1;
	}
	app->list_iterator_type = iterator_type(PyList_New(0));
	app->tuple_iterator_type = iterator_type(PyTuple_New(0));
	if (app->list_iterator_type == NULL || app->tuple_iterator_type == NULL)
		return -1;
	return 0;
}

static int
find_names(struct app *app)
{
	app->name_close = PyUnicode_InternFromString("close");
	app->name_fileno = PyUnicode_InternFromString("fileno");
	app->name_flush = PyUnicode_InternFromString("flush");
	app->name_raw = PyUnicode_InternFromString("raw");
	app->name_tell = PyUnicode_InternFromString("tell");
	if (app->name_close == NULL || app->name_fileno == NULL ||
		app->name_flush == NULL || app->name_raw == NULL ||
		app->name_tell == NULL)
		return -1;
	return 0;
}

static int
make_objects(struct app *app, const struct app_settings *settings)
{
	if (find_names(app) < 0 || find_types(app) < 0)
		return -1;
	if (errors_init(app) < 0 || early_hints_init(app) < 0 ||
		input_init(app) < 0)
		return -1;
	if (start_response_init(app) < 0 || filewrapper_init(app) < 0)
		return -1;
	if (forks_init(app) < 0 || tracebacks_init() < 0)
		return -1;
	if (debugger_init(app, settings) < 0)
		return -1;
	reload_init(app, settings);
	return environ_init(app, settings);
}

static void
drop_objects(struct app *app)
{
	Py_CLEAR(app->callable);
	app_forget_threads(app);
	reload_fini(app);
	environ_fini(app);
	filewrapper_fini(app);
	start_response_fini(app);
	input_fini(app);
	errors_fini(app);
	early_hints_fini(app);
	exceptions_fini(app);
	for (size_t i = 0; i < ARRAY_LEN(app->file_types); i++)
		Py_CLEAR(app->file_types[i]);
	Py_CLEAR(app->list_iterator_type);
	Py_CLEAR(app->tuple_iterator_type);
	Py_CLEAR(app->name_close);
	Py_CLEAR(app->name_fileno);
	Py_CLEAR(app->name_flush);
	Py_CLEAR(app->name_raw);
	Py_CLEAR(app->name_tell);
}

static void
free_app(struct app *app)
{
	free(app->application);
	free(app->callable_name);
	free(app->directory);
	free(app);
}

/* --- the door ------------------------------------------------------------------- */

int
app_create(
	struct app **ret, const struct app_settings *settings, struct err *err)
{
	struct app *app = calloc(1, sizeof(*app));
	char what[512];
	int rc;

	if (app == NULL)
		return err_set(err, ENOMEM, "Python");
	if (copy_settings(app, settings) < 0) {
		rc = err_set(err, ENOMEM, "Python");
		goto fail_free;
	}
	rc = interp_start(settings, err);
	if (rc < 0)
		goto fail_free;
	if (make_objects(app, settings) < 0) {
		exceptions_describe(what, sizeof(what));
		rc = err_setx(err, ENOEXEC, "Python %s is not usable: %s",
			app_python_version(), what);
		goto fail_stop;
	}
	*ret = app;
	return 0;

fail_stop:
	drop_objects(app);
	interp_stop();
fail_free:
	free_app(app);
	return rc;
}

int
app_import(struct app *app, struct err *err)
{
	PyObject *callable;
	int rc = -EINVAL;

	callable = import_callable(app, &rc, err);
	if (callable == NULL)
		return rc;
	Py_XSETREF(app->callable, callable);
	return 0;
}

bool
app_has_threads(struct app *app)
{
	(void)app;
	/* The newest is the first. */
	return PyInterpreterState_ThreadHead(PyInterpreterState_Main()) !=
	       PyThreadState_Get();
}

void
app_settle(struct app *app)
{
	PyObject *threading;

	if (__atomic_exchange_n(&app->settled, true, __ATOMIC_RELAXED))
		return;
	threading = PyImport_ImportModule("threading");
	Py_XDECREF(threading);
	PyErr_Clear();
	exceptions_prepare(app);
}

void
app_destroy(struct app *app)
{
	if (app == NULL)
		return;
	drop_objects(app);
	interp_stop();
	free_app(app);
}

/* A thread keeps its Python state from its first entry on: making one anew
 * would cost each turn, and lose the application's thread-local data. */
void
app_enter(struct app *app)
{
	PyThreadState *mine = PyGILState_GetThisThreadState();

	(void)app;
	if (mine != NULL)
		PyEval_RestoreThread(mine);
	else
		(void)PyGILState_Ensure();
}

void
app_leave(struct app *app)
{
	(void)app;
	(void)PyEval_SaveThread();
}

/* PyGILState_Check says so of any thread once there has been a subinterpreter. */
bool
app_is_inside(void)
{
#if PY_VERSION_HEX < 0x030D0000
	PyThreadState *now = _PyThreadState_UncheckedGet();
#else
	PyThreadState *now = PyThreadState_GetUnchecked();
#endif

	return now != NULL && now == PyGILState_GetThisThreadState();
}

/* Nothing is left of the thread in between: whoever lists Python's threads would
 * wonder who that is. */
void
app_with_gil(struct app *app, void (*what)(void *arg), void *arg)
{
	PyGILState_STATE state = PyGILState_Ensure();

	(void)app;
	what(arg);
	PyGILState_Release(state);
}

static int
call_now(void *arg)
{
	struct app *app = arg;

	app->soon(app->soon_arg);
	return 0;
}

int
app_call_soon(struct app *app, void (*what)(void *arg), void *arg)
{
	app->soon = what;
	app->soon_arg = arg;
	return Py_AddPendingCall(call_now, app) < 0 ? -EAGAIN : 0;
}

/* A thread that runs cannot say what it is but in the attribute itself. */
void
app_become_worker(struct app *app, const char *name)
{
	AUTO_DECREF PyObject *threading = PyImport_ImportModule("threading");
	AUTO_DECREF PyObject *me = NULL, *text = PyUnicode_FromString(name);

	(void)app;
	if (threading != NULL && text != NULL)
		me = PyObject_CallMethod(threading, "current_thread", NULL);
	if (me != NULL && PyObject_HasAttrString(me, "_daemonic") &&
		PyObject_SetAttrString(me, "_daemonic", Py_False) == 0)
		(void)PyObject_SetAttrString(me, "name", text);
	PyErr_Clear();
}

void
app_forget_thread(struct app *app)
{
	(void)app;
	PyThreadState_Clear(PyThreadState_Get());
	PyThreadState_DeleteCurrent();
}

void
app_drop(struct app *app, void *held)
{
	(void)app;
	Py_XDECREF((PyObject *)held);
}

void
app_forget_peer(struct app *app, struct app_peer *peer)
{
	(void)app;
	Py_XDECREF((PyObject *)peer->private);
	peer->private = NULL;
}
