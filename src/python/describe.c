/*
 * describe.c - which Python this is, as it sees itself.
 */
#include "python/python_priv.h"

#include <string.h>

/* Nothing of it may fail: what is not there is not told. */
static const char describe_source[] =
	"def describe():\n"
	"    import sys, sysconfig\n"
	"    for key in ('executable', 'prefix', 'base_prefix', 'path'):\n"
	"        value = getattr(sys, key, None)\n"
	"        for text in value if key == 'path' else [value]:\n"
	"            yield key, str(text)\n"
	"    yield 'soabi', str(sysconfig.get_config_var('SOABI'))\n"
	"    yield 'soname', str(sysconfig.get_config_var('INSTSONAME'))\n"
	"    with open('/proc/self/maps') as maps:\n"
	"        found = {line.split()[-1] for line in maps\n"
	"                 if 'libpython' in line}\n"
	"    for path in sorted(found):\n"
	"        yield 'libpython', path\n"
	"def pairs():\n"
	"    return list(describe())\n";

void
app_describe(struct app *app,
	void (*say)(void *arg, const char *key, const char *value), void *arg)
{
	AUTO_DECREF PyObject *f = source_function(describe_source, "pairs");
	AUTO_DECREF PyObject *pairs = f != NULL ? PyObject_CallNoArgs(f) : NULL;

	(void)app;
	for (Py_ssize_t i = 0; pairs != NULL && i < PyList_Size(pairs); i++) {
		AUTO_DECREF PyObject *pair = interp_list_item(pairs, i);
		AUTO_DECREF PyObject *bytes = NULL;
		const char *key;
		PyObject *value;

		if (pair != NULL && PyArg_ParseTuple(pair, "sU", &key, &value))
			bytes = PyUnicode_EncodeFSDefault(value);
		if (bytes != NULL)
			say(arg, key, PyBytes_AS_STRING(bytes));
		PyErr_Clear();
	}
	PyErr_Clear();
}

bool
app_has_gil(void)
{
	PyObject *ask = PySys_GetObject("_is_gil_enabled"); /* since 3.13 */
	AUTO_DECREF PyObject *nothing = PyTuple_New(0);
	AUTO_DECREF PyObject *answer = NULL;

	if (ask != NULL && nothing != NULL)
		answer = PyObject_Call(ask, nothing, NULL);
	PyErr_Clear();
	return answer != Py_False;
}
