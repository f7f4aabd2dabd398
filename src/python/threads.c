/*
 * threads.c - the application's threads that a fork does not copy.
 *
 * They are noted before the fork, in the process that is forked, and looked for
 * in the copy: many libraries start theirs again in a hook, and of others nobody
 * knows.  Some libraries in C, as OpenBLAS, end theirs for a fork, in the hook
 * before it, and start them when they are needed: those are gone in both
 * processes.
 */
#include "python/python_priv.h"

#include <stdio.h>

/* Threads are named for a person, and those that Python does not know are
 * counted.  What is started again may have the next number in its name. */
static const char source[] =
	"import os, re, threading\n"
	"def named():\n"
	"    return [t.name for t in threading.enumerate()\n"
	"            if t is not threading.current_thread()]\n"
	"def unnamed(pid, names):\n"
	"    return len(os.listdir(f'/proc/{pid}/task')) - 1 - len(names)\n"
	"def note(_):\n"
	"    names = named()\n"
	"    return os.getpid(), names, unnamed(os.getpid(), names)\n"
	"def kind(name):\n"
	"    return re.sub('[0-9]+', '', name)\n"
	"def without(names, others):\n"
	"    others = [kind(name) for name in others]\n"
	"    for name in names:\n"
	"        if kind(name) in others:\n"
	"            others.remove(kind(name))\n"
	"        else:\n"
	"            yield name\n"
	"def missing(noted):\n"
	"    pid, names, others = noted\n"
	"    here = named()\n"
	"    kept = min(others, unnamed(pid, names))\n"
	"    lost = kept - unnamed(os.getpid(), here)\n"
	"    said = list(without(names, here))\n"
	"    if lost > 0:\n"
	"        said.append(f'{lost} of C code')\n"
	"    text = ', '.join(said)\n"
	"    return text.encode('utf-8', 'backslashreplace').decode()\n";

/* A new reference, or NULL with an exception. */
static PyObject *
call(const char *function, PyObject *argument)
{
	AUTO_DECREF PyObject *f = source_function(source, function);

	return f != NULL ? PyObject_CallFunctionObjArgs(f, argument, NULL)
			 : NULL;
}

int
app_note_threads(struct app *app)
{
	int named, unnamed;

	Py_XSETREF(app->threads, call("note", Py_None));
	PyErr_Clear();
	if (app->threads == NULL)
		return -1;
	named = PyObject_IsTrue(PyTuple_GET_ITEM(app->threads, 1));
	unnamed = PyObject_IsTrue(PyTuple_GET_ITEM(app->threads, 2));
	return named > 0 || unnamed > 0;
}

int
app_missing_threads(struct app *app, char *to, size_t size)
{
	AUTO_DECREF PyObject *names =
		app->threads != NULL ? call("missing", app->threads) : NULL;
	const char *text = names != NULL ? PyUnicode_AsUTF8(names) : NULL;

	PyErr_Clear();
	snprintf(to, size, "%s", text != NULL ? text : "");
	return to[0] != '\0';
}

void
app_forget_threads(struct app *app)
{
	Py_CLEAR(app->threads);
}
