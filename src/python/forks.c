/*
 * forks.c - telling the worker of forks that the application makes.
 *
 * os.fork, and multiprocessing by it, copies this process with everything that
 * it holds: sockets that must not stay open in a process that does not serve
 * them, and threads that the copy does not have.  Python asks before and
 * after; subprocess needs nothing of this, because it execs.
 */
#include "python/python_priv.h"

#include <stddef.h>

int
app_copy_status(const struct app *app)
{
	return app->copy_status;
}

static PyObject *
tell(struct app *app, void (*hook)(void *arg))
{
	if (hook != NULL)
		hook(app->forks.arg);
	Py_RETURN_NONE;
}

static PyObject *
before(PyObject *self, PyObject *unused)
{
	struct app *app = PyCapsule_GetPointer(self, NULL);

	(void)unused;
	return app != NULL ? tell(app, app->forks.before) : NULL;
}

static PyObject *
after_in_parent(PyObject *self, PyObject *unused)
{
	struct app *app = PyCapsule_GetPointer(self, NULL);

	(void)unused;
	return app != NULL ? tell(app, app->forks.after_in_parent) : NULL;
}

/* The main thread of a copy is who has forked.  One that C has started lacks what
 * Python 3.11.2 and others ask of it at their end, and multiprocessing then ends with
 * status 1 (python/cpython#102512). */
static void
complete_main_thread(void)
{
	AUTO_DECREF PyObject *name = PyUnicode_FromString("threading");
	AUTO_DECREF PyObject *threading = NULL;
	AUTO_DECREF PyObject *me = NULL, *lock = NULL, *done = NULL;

	if (name != NULL)
		threading = PyImport_GetModule(name);
	if (threading != NULL)
		me = PyObject_CallMethod(threading, "current_thread", NULL);
	if (me != NULL)
		lock = PyObject_GetAttrString(me, "_tstate_lock");
	if (lock == Py_None)
		done = PyObject_CallMethod(me, "_set_tstate_lock", NULL);
	PyErr_Clear();
}

/* A fork of the server's own has no hooks. */
static PyObject *
after_in_child(PyObject *self, PyObject *unused)
{
	struct app *app = PyCapsule_GetPointer(self, NULL);

	(void)unused;
	if (app == NULL)
		return NULL;
	if (app->forks.after_in_child != NULL) {
		app->is_copy = true;
		complete_main_thread();
	}
	return tell(app, app->forks.after_in_child);
}

static PyMethodDef methods[] = {
	{"before", before, METH_NOARGS, NULL},
	{"after_in_parent", after_in_parent, METH_NOARGS, NULL},
	{"after_in_child", after_in_child, METH_NOARGS, NULL},
};

int
forks_init(struct app *app)
{
	AUTO_DECREF PyObject *self = PyCapsule_New(app, NULL, NULL);
	AUTO_DECREF PyObject *os = PyImport_ImportModule("os");
	AUTO_DECREF PyObject *hooks = PyDict_New();
	AUTO_DECREF PyObject *nothing = PyTuple_New(0);
	AUTO_DECREF PyObject *add = NULL, *done = NULL;

	if (self == NULL || os == NULL || hooks == NULL || nothing == NULL)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		AUTO_DECREF PyObject *f = PyCFunction_New(&methods[i], self);

		if (f == NULL ||
			PyDict_SetItemString(hooks, methods[i].ml_name, f) < 0)
			return -1;
	}
	add = PyObject_GetAttrString(os, "register_at_fork");
	if (add == NULL)
		return -1;
	done = PyObject_Call(add, nothing, hooks);
	return done != NULL ? 0 : -1;
}
