/*
 * debugger.c - breakpoint() on the terminal that a server is developed on.
 *
 * Standard input of a child is /dev/null, and its output goes through the master
 * into the error log: a debugger there finds the end of what it reads.  So it reads
 * and writes the terminal itself, where this process has one and is in its
 * foreground.  Everywhere else breakpoint() is Python's own, as for who has set
 * PYTHONBREAKPOINT or a hook, and pdb.set_trace() always is: to change it pdb would
 * have to be imported before the application, whose modules may be called cmd or
 * code, as some are that pdb imports.
 */
#include "python/python_priv.h"

/* One terminal, one debugger: other threads wait until it is left, with "c" or "q",
 * or by who steps out of the application, behind which there is no Python to step
 * into.  For Ctrl-C the server stops, of which who reads hears nothing: it is the end
 * of what there is to read.  A copy that is forked meanwhile has a lock of its own, as
 * its other threads are gone.  The streams are opened once and stay, as do breakpoints
 * that are set in the debugger. */
static const char source[] =
	"import os, select, sys, threading\n"
	"streams = {}\n"
	"def begin():\n"
	"    global lock\n"
	"    lock = threading.RLock()\n"
	"begin()\n"
	"os.register_at_fork(after_in_child=begin)\n"
	"def leave():\n"
	"    try:\n"
	"        while True:\n"
	"            lock.release()\n"
	"    except RuntimeError:\n"
	"        pass  # it is not this thread's any more\n"
	"class Input:\n"
	"    def __init__(self, fd):\n"
	"        self.file = open(fd, errors='backslashreplace',\n"
	"                         closefd=False)\n"
	"        self.ready = select.poll()\n"
	"        self.ready.register(fd, select.POLLIN)\n"
	"    def readline(self):\n"
	"        while not self.ready.poll(100):\n"
	"            if is_interrupted():\n"
	"                return ''\n"
	"        return self.file.readline()\n"
	"def has_terminal():\n"
	"    try:\n"
	"        if not streams:\n"
	"            fd = os.open('/dev/tty', os.O_RDWR | os.O_NOCTTY)\n"
	"            streams.update(\n"
	"                stdin=Input(fd),\n"
	"                stdout=open(fd, 'w', 1, closefd=False,\n"
	"                            errors='backslashreplace'))\n"
	"        fd = streams['stdout'].fileno()\n"
	"        return os.tcgetpgrp(fd) == os.getpgrp()\n"
	"    except OSError:\n"
	"        return False\n"
	"def trace(*, header=None, **more):\n"
	"    import pdb\n"
	"    class Debugger(pdb.Pdb):\n"
	"        def interaction(self, *at):\n"
	"            lock.acquire()\n"
	"            try:\n"
	"                super().interaction(*at)\n"
	"            except BaseException:\n"
	"                leave()\n"
	"                raise\n"
	"        def set_continue(self):\n"
	"            super().set_continue()\n"
	"            leave()\n"
	"        def set_quit(self):\n"
	"            super().set_quit()\n"
	"            leave()\n"
	"        def dispatch_return(self, frame, value):\n"
	"            result = super().dispatch_return(frame, value)\n"
	"            if frame.f_back is None:\n"
	"                self.set_continue()\n"
	"            return result\n"
	"    debugger = Debugger(nosigint=True, **streams)\n"
	"    if header is not None:\n"
	"        debugger.message(header)\n"
	"    debugger.set_trace(sys._getframe().f_back, **more)\n"
	"def choose():\n"
	"    if os.environ.get('PYTHONBREAKPOINT') or not has_terminal():\n"
	"        return sys.__breakpointhook__\n"
	"    return trace\n";

static PyObject *
is_interrupted(PyObject *self, PyObject *unused)
{
	const struct app *app = PyCapsule_GetPointer(self, NULL);

	(void)unused;
	return app != NULL ? PyBool_FromLong(app->is_interrupted()) : NULL;
}

/* In C, so that what is chosen stops in the application, as if that had called
 * it. */
static PyObject *
on_breakpoint(PyObject *choose, PyObject *args, PyObject *named)
{
	AUTO_DECREF PyObject *chosen = PyObject_CallNoArgs(choose);

	return chosen != NULL ? PyObject_Call(chosen, args, named) : NULL;
}

static PyMethodDef methods[] = {
	{"is_interrupted", is_interrupted, METH_NOARGS, NULL},
	{"breakpointhook", (PyCFunction)(void (*)(void))on_breakpoint,
		METH_VARARGS | METH_KEYWORDS, NULL},
};

int
debugger_init(struct app *app, const struct app_settings *settings)
{
	AUTO_DECREF PyObject *self = NULL, *asks = NULL;
	AUTO_DECREF PyObject *choose = NULL, *hook = NULL;

	app->is_interrupted = settings->is_interrupted;
	if (app->is_interrupted == NULL ||
		PySys_GetObject("breakpointhook") !=
			PySys_GetObject("__breakpointhook__"))
		return 0;
	choose = source_function(source, "choose");
	self = PyCapsule_New(app, NULL, NULL);
	if (choose == NULL || self == NULL)
		return -1;
	asks = PyCFunction_New(&methods[0], self);
	hook = PyCFunction_New(&methods[1], choose);
	if (asks == NULL || hook == NULL ||
		PyDict_SetItemString(PyFunction_GetGlobals(choose),
			methods[0].ml_name, asks) < 0)
		return -1;
	return PySys_SetObject("breakpointhook", hook);
}
