/*
 * reload.c - new code in the place of old, and a page where it does not load.
 *
 * A script is run again when its file's time of change is another one, older
 * ones included, as mod_wsgi does it; what it imports stays loaded.  WSGIReload
 * is for the rest: there the whole process is replaced, and this file only says
 * which directories to watch.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"

static const char source[] =
	"def failure(sentence, text):\n"
	"    def application(environ, start_response):\n"
	"        from html import escape\n"
	"        body = ('<!doctype html><meta charset=utf-8>'\n"
	"                '<title>It does not load</title><body>'\n"
	"                '<h1>The application does not load</h1><p>%s'\n"
	"                '<pre>%s</pre><p>wsgid tries again when a file '\n"
	"                'changes.' % (escape(sentence), escape(text)))\n"
	"        start_response('500 Internal Server Error', [\n"
	"            ('Content-Type', 'text/html; charset=utf-8'),\n"
	"            ('Cache-Control', 'no-store')])\n"
	"        return [body.encode('utf-8', 'backslashreplace')]\n"
	"    return application\n"
	"def broken(sentence):\n"
	"    def application(environ, start_response):\n"
	"        raise RuntimeError(sentence)\n"
	"    return application\n"
	"def directories(traceback):\n"
	"    import os, re, sys\n"
	"    files = [getattr(module, '__file__', None)\n"
	"             for module in list(sys.modules.values())]\n"
	"    files += re.findall(r'File \"(/[^\"]+)\"', traceback)\n"
	"    files = [file for file in files if isinstance(file, str)]\n"
	"    files += [os.path.realpath(file) for file in files\n"
	"              if os.path.islink(file)]\n"
	"    found = [os.getcwd(), *map(str, sys.path)]\n"
	"    found += map(os.path.dirname, files)\n"
	"    return [path for path in dict.fromkeys(found)\n"
	"            if path.startswith('/')]\n";

/* A sentence may have a path in it, which need not be UTF-8. */
static PyObject *
decode(const char *text)
{
	return PyUnicode_DecodeUTF8(
		text, (Py_ssize_t)strlen(text), "surrogateescape");
}

/* One of the functions above, called with texts. */
static PyObject *
call(const char *function, const char *one, const char *two)
{
	AUTO_DECREF PyObject *f = source_function(source, function);
	AUTO_DECREF PyObject *first = decode(one);
	AUTO_DECREF PyObject *second = two != NULL ? decode(two) : NULL;

	if (f == NULL || first == NULL || (two != NULL && second == NULL))
		return NULL;
	return PyObject_CallFunctionObjArgs(f, first, second, NULL);
}

void
reload_init(struct app *app, const struct app_settings *settings)
{
	app->script_reloading = settings->script_reloading;
	app->is_replaceable =
		settings->script_reloading || settings->shows_failures;
	pthread_mutex_init(&app->callable_lock, NULL);
	pthread_mutex_init(&app->script_lock, NULL);
	pthread_mutex_init(&app->traceback_lock, NULL);
}

void
reload_fini(struct app *app)
{
	free(app->script);
	free(app->traceback);
	app->script = app->traceback = NULL;
}

/* Without a GIL the old one could otherwise be gone between its being read and
 * held.  No Python runs under the lock. */
PyObject *
reload_hold_callable(struct app *app)
{
	PyObject *held;

	pthread_mutex_lock(&app->callable_lock);
	held = app->callable;
	Py_INCREF(held);
	pthread_mutex_unlock(&app->callable_lock);
	return held;
}

/* Threads that are in the old one hold it. */
static void
replace(struct app *app, PyObject *callable)
{
	PyObject *old;

	pthread_mutex_lock(&app->callable_lock);
	old = app->callable;
	app->callable = callable;
	pthread_mutex_unlock(&app->callable_lock);
	Py_XDECREF(old);
}

/* --- scripts ----------------------------------------------------------------- */

/* The same one again keeps its name, which other threads may be looking at. */
void
reload_note_script(struct app *app, const char *path)
{
	struct stat st;

	if (app->script == NULL || strcmp(app->script, path) != 0) {
		free(app->script);
		app->script = strdup(path);
	}
	app->script_time =
		stat(path, &st) == 0 ? st.st_mtim : (struct timespec){0};
	app->script_failed = false;
}

static bool
has_changed(const struct app *app)
{
	struct stat st;

	/* One that is gone for a moment is being replaced. */
	if (app->script == NULL || stat(app->script, &st) < 0)
		return false;
	return app->script_failed ||
	       st.st_mtim.tv_sec != app->script_time.tv_sec ||
	       st.st_mtim.tv_nsec != app->script_time.tv_nsec;
}

static void
run_again(struct app *app)
{
	struct err err = {0};
	int rc = 0;
	PyObject *callable;

	callable = import_callable(app, &rc, &err);
	if (callable == NULL) {
		callable = call("broken", err.text, NULL);
		/* It is tried again by the next request. */
		app->script_failed = true;
	}
	if (callable != NULL)
		replace(app, callable);
	PyErr_Clear();
	/* A module's functions and its names hold each other. */
	(void)PyGC_Collect();
}

/* While one thread runs it, the others go on with the old. */
void
reload_script(struct app *app)
{
	if (!has_changed(app) || pthread_mutex_trylock(&app->script_lock) != 0)
		return;
	if (has_changed(app))
		run_again(app);
	pthread_mutex_unlock(&app->script_lock);
}

bool
app_is_script(const struct app *app, const char *path)
{
	size_t len = app_script_length(app->application);

	return len > 0 && strlen(path) == len &&
	       memcmp(app->application, path, len) == 0;
}

/* Where a script is to come to that is not there yet. */
static void
add_directory_of_script(const struct app *app,
	void (*add)(void *arg, const char *directory), void *arg)
{
	size_t len = app_script_length(app->application);
	AUTO_FREE char *path = strndup(app->application, len);
	char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (slash == NULL)
		return;
	slash[slash == path ? 1 : 0] = '\0';
	add(arg, path);
}

/* --- WSGIReload --------------------------------------------------------------- */

void
reload_keep_traceback(struct app *app, const char *text)
{
	char *copy = strdup(text);

	pthread_mutex_lock(&app->traceback_lock);
	free(app->traceback);
	app->traceback = copy;
	pthread_mutex_unlock(&app->traceback_lock);
}

/* Of the last import that failed; the caller frees it.  NULL: there is none. */
static char *
copy_traceback(struct app *app)
{
	char *copy = NULL;

	pthread_mutex_lock(&app->traceback_lock);
	if (app->traceback != NULL)
		copy = strdup(app->traceback);
	pthread_mutex_unlock(&app->traceback_lock);
	return copy;
}

int
app_show_failure(struct app *app, const char *sentence, bool is_our_own,
	struct err *err)
{
	AUTO_FREE char *text = is_our_own ? copy_traceback(app) : NULL;
	PyObject *page = call("failure", sentence, text != NULL ? text : "");

	PyErr_Clear();
	if (page == NULL)
		return err_set(err, ENOMEM, "page about a failure");
	replace(app, page);
	return 0;
}

void
app_list_directories(struct app *app,
	void (*add)(void *arg, const char *directory), void *arg)
{
	AUTO_FREE char *text = copy_traceback(app);
	PyGILState_STATE state = PyGILState_Ensure();
	PyObject *list;

	add_directory_of_script(app, add, arg);
	list = call("directories", text != NULL ? text : "", NULL);

	for (Py_ssize_t i = 0; list != NULL && i < PyList_Size(list); i++) {
		AUTO_DECREF PyObject *item = interp_list_item(list, i);
		AUTO_DECREF PyObject *path = NULL;

		if (item != NULL)
			path = PyUnicode_EncodeFSDefault(item);
		if (path != NULL)
			add(arg, PyBytes_AS_STRING(path));
		PyErr_Clear();
	}
	Py_XDECREF(list);
	PyErr_Clear();
	PyGILState_Release(state);
}
