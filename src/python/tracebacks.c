/*
 * tracebacks.c - what the threads are doing, asked from outside.
 *
 * A thread that is stuck cannot be asked, and the GIL may be what it holds.
 * faulthandler's handler needs neither: sent this signal, a thread writes the
 * Python stacks of all of them to standard error, and goes on.
 */
#include "python/python_priv.h"

#include "base/signals.h"

int
app_traceback_signal(void)
{
	return signal_traceback();
}

int
tracebacks_init(void)
{
	AUTO_DECREF PyObject *module = PyImport_ImportModule("faulthandler");
	AUTO_DECREF PyObject *to_do = NULL, *done = NULL;
	AUTO_DECREF PyObject *words =
		Py_BuildValue("{s:i,s:O}", "file", 2, "all_threads", Py_True);
	AUTO_DECREF PyObject *number =
		Py_BuildValue("(i)", app_traceback_signal());

	if (module == NULL || words == NULL || number == NULL)
		return -1;
	to_do = PyObject_GetAttrString(module, "register");
	if (to_do == NULL)
		return -1;
	done = PyObject_Call(to_do, number, words);
	return done != NULL ? 0 : -1;
}
