/*
 * source.c - Python text of ours: what is easier said in Python than with its C API.
 */
#include "python/python_priv.h"

PyObject *
source_function(const char *source, const char *name)
{
	AUTO_DECREF PyObject *space = PyDict_New();
	AUTO_DECREF PyObject *done = NULL;

	if (space == NULL || PyDict_SetItemString(space, "__builtins__",
				     PyEval_GetBuiltins()) < 0)
		return NULL;
	done = PyRun_String(source, Py_file_input, space, space);
	return done != NULL ? PyMapping_GetItemString(space, name) : NULL;
}
