/*
 * import.c - from the words of a configuration to a callable.
 *
 * "package.module:callable", "package.module", "module:factory()" or the path
 * of a script.  What is wrong is said in one sentence for the administrator;
 * an exception in the application's own code has its traceback printed, once,
 * for its author.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

/* What there is to import, taken apart. */
struct target {
	char *module; /* or the path of a script */
	char *callable;
	bool script;
	bool factory;
};

static void
target_fini(struct target *t)
{
	free(t->module);
	free(t->callable);
}

/* --- the words ------------------------------------------------------------------------ */

static bool
ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(text + len - n, end, n) == 0;
}

static bool
is_path(const char *text, size_t len)
{
	return memchr(text, '/', len) != NULL;
}

/* name.name.name: letters, digits, "_" and, as Python allows them, all bytes
 * beyond ASCII. */
static bool
is_dotted_name(const char *text)
{
	bool begins = true;

	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		bool digit = c >= '0' && c <= '9';
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (c == '.' && !begins)
			begins = true;
		else if (letter || c == '_' || c >= 0x80 || (digit && !begins))
			begins = false;
		else
			return false;
	}
	return !begins;
}

static int
check_words(const struct app *app, struct target *t, struct err *err)
{
	size_t len = strlen(t->callable);

	if (ends_with(t->callable, len, "()")) {
		t->factory = true;
		t->callable[len - 2] = '\0';
	}
	if (!is_dotted_name(t->callable))
		return err_setx(err, EINVAL,
			"application %s: \"%s\" is no name of a callable; "
			"expected package.module:name, or "
			"package.module:factory() to have one made",
			app->application, t->callable);
	if (t->script || is_dotted_name(t->module))
		return 0;
	return err_setx(err, EINVAL,
		"application %s: \"%s\" is no name of a module; expected "
		"package.module:callable, or the path of a script with a \"/\" "
		"in it",
		app->application, t->module);
}

/* The one before a callable.  That of a path is none, nor is that in the name
 * of a file which is there. */
static const char *
find_colon(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (colon == NULL || strchr(colon, '/') != NULL)
		return NULL;
	return is_path(text, strlen(text)) && access(text, F_OK) == 0 ? NULL
								      : colon;
}

/* "module:make('x')", which is no expression to us. */
static bool
has_arguments(const char *text)
{
	const char *paren = strchr(text, '(');
	const char *end = text + strlen(text);

	return paren != NULL && end[-1] == ')' && end - paren > 2 &&
	       memchr(text, ':', (size_t)(paren - text)) != NULL &&
	       access(text, F_OK) < 0;
}

/* The file of PasteDeploy's in "/srv/app.ini", "paste:app.ini", "config:app.ini" or
 * "app.ini#main", as others are given it for an application; NULL where it is none.  Without any
 * of these it may be a module, unless there is such a file.  What has a slash in
 * it has been made a path: "/srv/paste:/srv/app.ini". */
static char *
find_ini(const char *text)
{
	const char *paste = strstr(text, "paste:");
	const char *config = strstr(text, "config:");
	const char *said = paste != NULL ? paste : config;
	const char *begin = said != NULL ? strchr(said, ':') + 1 : text;
	const char *end = strstr(begin, ".ini");
	char *file;

	if (end == NULL || strchr(":#", end[4]) == NULL)
		return NULL;
	file = strndup(begin, (size_t)(end - begin) + 4);
	if (file != NULL && said == NULL && strchr(file, '/') == NULL &&
		access(file, F_OK) < 0) {
		free(file);
		return NULL;
	}
	return file;
}

size_t
app_script_length(const char *application)
{
	AUTO_FREE char *ini = find_ini(application);
	const char *colon = find_colon(application);
	size_t len = colon != NULL ? (size_t)(colon - application)
				   : strlen(application);

	if (ini != NULL || has_arguments(application))
		return 0;
	return is_path(application, len) ? len : 0;
}

static int
take_apart(const struct app *app, struct target *t, struct err *err)
{
	const char *text = app->application, *colon;
	AUTO_FREE char *ini = text != NULL ? find_ini(text) : NULL;
	size_t len;

	if (text == NULL || text[0] == '\0')
		return err_setx(err, EINVAL,
			"no application is given: expected "
			"package.module:callable or the path of a script");
	if (ini != NULL)
		return err_setx(err, EINVAL,
			"application %s: %s is no Python; of an ini file of "
			"PasteDeploy make a module that has application = "
			"paste.deploy.loadapp('config:%s%s'), and name that",
			text, ini, ini[0] == '/' ? "" : "/.../", ini);
	if (has_arguments(text))
		return err_setx(err, EINVAL,
			"application %s: no arguments can be given here; write "
			"a function without any, which calls this one with "
			"them, and name it with \"()\" behind",
			text);
	colon = find_colon(text);
	len = colon != NULL ? (size_t)(colon - text) : strlen(text);
	t->module = strndup(text, len);
	t->callable = strdup(colon != NULL ? colon + 1 : app->callable_name);
	if (t->module == NULL || t->callable == NULL)
		return err_set(err, ENOMEM, "application %s", text);
	t->script = is_path(text, len);
	return check_words(app, t, err);
}

/* --- what went wrong ------------------------------------------------------------------- */

/* Of sys, or NULL. */
static const char *
text_of_sys(const char *name)
{
	PyObject *text = PySys_GetObject(name);
	const char *utf8 = text != NULL && PyUnicode_Check(text)
				   ? PyUnicode_AsUTF8(text)
				   : NULL;

	PyErr_Clear();
	return utf8;
}

/* Which Python has looked: whose requirements are in an environment meets this
 * first, be it active in his shell or not. */
static void
say_prefix(const struct app *app, char *to, size_t size)
{
	const char *prefix = text_of_sys("prefix");
	const char *base = text_of_sys("base_prefix");
	const char *active = getenv("VIRTUAL_ENV");

	if (prefix == NULL || base == NULL)
		return;
	if (active != NULL && active[0] != '\0' && strcmp(active, prefix) != 0)
		snprintf(to, size,
			" (sys.prefix is %s; to look in the active environment "
			"add --python-home %s, or WSGIPythonHome)",
			prefix, active);
	else if (app->has_home || strcmp(prefix, base) != 0)
		snprintf(to, size,
			" (sys.prefix is %s, as configured: install it there, "
			"or name its directory with WSGIPythonPath)",
			prefix);
	else
		snprintf(to, size,
			" (sys.prefix is %s; WSGIPythonHome names the virtual "
			"environment to look in)",
			prefix);
}

static void
say_where(struct app *app, PyObject *exception, char *to, size_t size)
{
	char why[600];

	to[0] = '\0';
	if (missing_explain(app, exception, to, size))
		return;
	if (denied_explain(exception, why, sizeof(why)))
		snprintf(to, size, " (%s)", why);
	else if (PyErr_GivenExceptionMatches(
			 exception, PyExc_ModuleNotFoundError))
		say_prefix(app, to, size);
}

/* Print the current exception's traceback, and describe it in a sentence. */
static int
report(struct app *app, const char *what, struct err *err)
{
	AUTO_DECREF PyObject *exception = exceptions_take();
	AUTO_DECREF PyObject *text = NULL;
	AUTO_DECREF PyObject *bytes = NULL;
	char described[512], where[700];

	if (app->is_copy)
		(void)exceptions_is_exit(exception, &app->copy_status);
	say_where(app, exception, where, sizeof(where));
	Py_INCREF(exception);
	exceptions_put_back(exception);
	exceptions_describe(described, sizeof(described));
	Py_INCREF(exception);
	exceptions_put_back(exception);
	text = exceptions_format(app);
	bytes = text != NULL ? interp_utf8(text) : NULL;
	PyErr_Clear();
	if (bytes != NULL) {
		const char *utf8 = PyBytes_AS_STRING(bytes);

		Py_BEGIN_ALLOW_THREADS;
		errors_write(LOG_LEVEL_ERROR, utf8, strlen(utf8));
		Py_END_ALLOW_THREADS;
		reload_keep_traceback(app, utf8);
	}
	return err_setx(err, ENOEXEC, "application %s: %s: %s%s",
		app->application, what, described, where);
}

/* Is the module that was not found the one that was asked for, or a package
 * that it is in?  Then no code of the application is to blame. */
static bool
is_about(PyObject *exception, const char *module)
{
	AUTO_DECREF PyObject *name = NULL;
	const char *text;
	size_t len;

	name = PyObject_GetAttrString(exception, "name");
	text = name != NULL && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name)
						     : NULL;
	if (text == NULL) {
		PyErr_Clear();
		return false;
	}
	len = strlen(text);
	return strncmp(module, text, len) == 0 &&
	       (module[len] == '\0' || module[len] == '.');
}

/* "; 'shop' is not a package", where Python says so. */
static const char *
not_a_package(PyObject *exception, char *to, size_t size)
{
	AUTO_DECREF PyObject *shown = PyObject_Str(exception);
	const char *text = shown != NULL ? PyUnicode_AsUTF8(shown) : NULL;
	const char *semicolon = text != NULL ? strchr(text, ';') : NULL;

	PyErr_Clear();
	snprintf(to, size, "%s", semicolon != NULL ? semicolon : "");
	return to;
}

static int
report_import(struct app *app, const struct target *t, struct err *err)
{
	AUTO_DECREF PyObject *exception = NULL;
	char more[256], where[700] = "";
	bool missing;

	if (PyErr_ExceptionMatches(PyExc_SystemExit))
		return report(app, "its module calls sys.exit()", err);
	if (!PyErr_ExceptionMatches(PyExc_ModuleNotFoundError))
		return report(app, "its module cannot be imported", err);
	exception = exceptions_take();
	missing = is_about(exception, t->module);
	if (missing) {
		(void)missing_explain(app, exception, where, sizeof(where));
		return err_setx(err, ENOENT,
			"application %s: there is no module '%s' in %s or "
			"elsewhere on Python's path%s%s",
			app->application, t->module,
			app->directory != NULL ? app->directory
					       : "the current directory",
			not_a_package(exception, more, sizeof(more)), where);
	}
	exceptions_put_back(exception);
	exception = NULL;
	return report(app, "its module cannot be imported", err);
}

/* --- a script ---------------------------------------------------------------------------- */

/* FNV-1a: the module's name must differ from path to path, no more. */
static void
name_script(const char *path, char *to, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *p = path; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	snprintf(to, size, "_wsgid_%016llx", (unsigned long long)hash);
}

static char *
absolute(const struct app *app, const char *path)
{
	char *whole;

	if (path[0] == '/' || app->directory == NULL)
		return strdup(path);
	if (asprintf(&whole, "%s/%s", app->directory, path) < 0)
		return NULL;
	return whole;
}

/* The whole file: 0 or a negative errno.  A pipe would have us wait for who
 * writes to it. */
static int
read_file(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	FILE *f = NULL;
	int rc = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (rc == 0 && S_ISDIR(st.st_mode))
		rc = -EISDIR;
	if (rc == 0 && !S_ISREG(st.st_mode))
		rc = -ENOTSUP;
	if (rc == 0 && (f = fdopen(fd, "r")) == NULL)
		rc = -errno;
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0) {
		char *to = buf_reserve(ret, 65536);
		size_t n = to != NULL ? fread(to, 1, 65536, f) : 0;

		ret->len += n;
		if (to == NULL)
			rc = -ENOMEM;
		else if (ferror(f))
			rc = -errno;
		else if (n == 0)
			break;
	}
	fclose(f);
	return rc;
}

/* compile() of the bytes, so that a coding line counts. */
static PyObject *
compile_script(const struct buf *source, PyObject *path)
{
	AUTO_DECREF PyObject *builtins = PyImport_ImportModule("builtins");

	if (builtins == NULL)
		return NULL;
	return PyObject_CallMethod(builtins, "compile", "y#OsiO",
		source->data != NULL ? source->data : "",
		(Py_ssize_t)source->len, path, "exec", 0, Py_True);
}

/* In a module of its own each time, so that what is no longer written there is
 * away, and requests that are still in the old one keep all that they had.  While
 * it runs the new one is what its name stands for, as with any import; when it
 * fails the old one is again. */
static PyObject *
run_in_new_module(PyObject *name, PyObject *code, PyObject *path)
{
	PyObject *modules = PyImport_GetModuleDict();
	AUTO_DECREF PyObject *old = PyDict_GetItemWithError(modules, name);
	AUTO_DECREF PyObject *exception = NULL;
	PyObject *module;

	Py_XINCREF(old);
	if (old != NULL && PyDict_DelItem(modules, name) < 0)
		return NULL;
	module = PyImport_ExecCodeModuleObject(name, code, path, NULL);
	if (module != NULL || old == NULL)
		return module;
	exception = exceptions_take();
	if (PyDict_SetItem(modules, name, old) < 0)
		PyErr_Clear();
	exceptions_put_back(exception);
	exception = NULL;
	return NULL;
}

static PyObject *
run_script(const char *path, const struct buf *source)
{
	AUTO_DECREF PyObject *shown = PyUnicode_DecodeFSDefault(path);
	AUTO_DECREF PyObject *name = NULL;
	AUTO_DECREF PyObject *code = NULL;
	char text[32];

	name_script(path, text, sizeof(text));
	name = PyUnicode_FromString(text);
	if (shown == NULL || name == NULL)
		return NULL;
	code = compile_script(source, shown);
	if (code == NULL)
		return NULL;
	return run_in_new_module(name, code, shown);
}

static PyObject *
import_script(struct app *app, struct target *t, int *rc, struct err *err)
{
	AUTO_FREE char *path = absolute(app, t->module);
	struct buf source = {0};
	PyObject *module = NULL;

	if (path == NULL) {
		*rc = -ENOMEM;
	} else {
		reload_note_script(app, path);
		*rc = read_file(path, &source);
	}
	if (*rc == -ENOTSUP) {
		err_setx(err, ENOTSUP,
			"application %s: the script %s is not a regular file",
			app->application, path);
	} else if (*rc < 0) {
		*rc = err_set(err, -*rc, "application %s: the script %s",
			app->application, path != NULL ? path : t->module);
	} else {
		module = run_script(path, &source);
		if (module == NULL)
			*rc = report(app,
				PyErr_ExceptionMatches(PyExc_SystemExit)
					? "the script calls sys.exit()"
					: "the script fails",
				err);
	}
	buf_fini(&source);
	return module;
}

/* --- the callable in it ---------------------------------------------------------------------- */

/* "; it has 'app'": names that are close, or customary. */
static const char suggest_source[] =
	"def suggest(thing, name):\n"
	"    import difflib\n"
	"    names = [n for n in dir(thing) if not n.startswith('_')\n"
	"             and callable(getattr(thing, n, None))]\n"
	"    found = difflib.get_close_matches(name, names, 3)\n"
	"    for usual in ('application', 'app', 'create_app', 'make_app'):\n"
	"        if usual in names and usual not in found:\n"
	"            found.append(usual)\n"
	"    if not found:\n"
	"        return ''\n"
	"    return '; it has ' + ' and '.join(\n"
	"        repr(n) + (' (a factory would be written with \"()\" "
	"behind)'\n"
	"                   if n in ('create_app', 'make_app') else '')\n"
	"        for n in found[:3])\n";

/* NULL is as good as no answer. */
static PyObject *
suggest(PyObject *thing, const char *name)
{
	AUTO_DECREF PyObject *f = source_function(suggest_source, "suggest");
	PyObject *answer = NULL;

	if (f != NULL)
		answer = PyObject_CallFunction(f, "Os", thing, name);
	PyErr_Clear();
	return answer;
}

static int
report_missing(
	struct app *app, PyObject *thing, const char *name, struct err *err)
{
	AUTO_DECREF PyObject *answer = suggest(thing, name);
	const char *hint = answer != NULL ? PyUnicode_AsUTF8(answer) : NULL;
	char origin[512] = "";

	PyErr_Clear();
	if (PyModule_Check(thing))
		missing_origin(thing, origin, sizeof(origin));
	return err_setx(err, ENOENT,
		"application %s: there is no '%s' in %s%s%s%s",
		app->application, name,
		PyModule_Check(thing) ? "its module" : "the object before it",
		origin[0] != '\0' ? ", which is " : "", origin,
		hint != NULL ? hint : "");
}

/* Walk "a.b.c" from thing; *rc and NULL when a step is missing. */
static PyObject *
walk(struct app *app, PyObject *thing, const char *path, int *rc,
	struct err *err)
{
	AUTO_FREE char *steps = strdup(path);
	char *rest = steps;
	char *step;

	if (steps == NULL) {
		*rc = err_set(err, ENOMEM, "application %s", app->application);
		return NULL;
	}
	Py_INCREF(thing);
	while ((step = strsep(&rest, ".")) != NULL) {
		AUTO_DECREF PyObject *name = PyUnicode_FromString(step);
		PyObject *next = NULL;
		int found = -1;

		if (name != NULL)
			found = interp_attribute(thing, name, &next);
		if (found == 0)
			*rc = report_missing(app, thing, step, err);
		else if (found < 0)
			*rc = report(app, "its callable cannot be got", err);
		Py_SETREF(thing, next);
		if (found <= 0)
			return NULL;
	}
	return thing;
}

/* A new reference to what the application has of a module; NULL where it has not
 * imported it. */
static PyObject *
of_imported(const char *module, const char *name)
{
	AUTO_DECREF PyObject *text = PyUnicode_FromString(module);
	AUTO_DECREF PyObject *found =
		text != NULL ? PyImport_GetModule(text) : NULL;
	PyObject *attribute =
		found != NULL ? PyObject_GetAttrString(found, name) : NULL;

	PyErr_Clear();
	return attribute;
}

/* What is bound to an object (a method) or to arguments (a partial), or NULL. */
static PyObject *
function_in(PyObject *callable)
{
	AUTO_DECREF PyObject *partial = of_imported("functools", "partial");
	PyObject *in = NULL;

	if (PyMethod_Check(callable)) {
		in = PyMethod_GET_FUNCTION(callable);
		Py_INCREF(in);
	} else if (partial != NULL &&
		   PyObject_IsInstance(callable, partial) > 0) {
		in = PyObject_GetAttrString(callable, "func");
	}
	PyErr_Clear();
	return in;
}

static bool
is_async_def(PyObject *callable)
{
	AUTO_DECREF PyObject *f = callable;
	PyObject *in;

	Py_INCREF(f);
	while ((in = function_in(f)) != NULL)
		Py_SETREF(f, in);
	return PyFunction_Check(f) &&
	       (((PyCodeObject *)PyFunction_GET_CODE(f))->co_flags &
		       CO_COROUTINE) != 0;
}

/* It brings two dozen modules: it is asked where the application has it, and
 * where it has not, none of its functions can be one in another way. */
static bool
is_coroutine_function(PyObject *callable)
{
	AUTO_DECREF PyObject *inspect =
		of_imported("inspect", "iscoroutinefunction");
	AUTO_DECREF PyObject *answer = NULL;

	if (inspect != NULL)
		answer = PyObject_CallFunctionObjArgs(inspect, callable, NULL);
	PyErr_Clear();
	return answer != NULL ? answer == Py_True : is_async_def(callable);
}

static bool
is_asgi(PyObject *callable)
{
	AUTO_DECREF PyObject *call = PyObject_GetAttrString(
		(PyObject *)Py_TYPE(callable), "__call__");

	PyErr_Clear();
	return is_coroutine_function(callable) ||
	       (call != NULL && is_coroutine_function(call));
}

static int
check_callable(
	struct app *app, struct target *t, PyObject *callable, struct err *err)
{
	const char *parens = t->factory ? "()" : "";

	if (t->factory && callable == Py_None)
		return err_setx(err, EINVAL,
			"application %s: '%s()' has returned None: is a "
			"\"return\" missing?",
			app->application, t->callable);
	if (!PyCallable_Check(callable))
		return err_setx(err, EINVAL,
			"application %s: '%s%s' is of type %s, which cannot be "
			"called",
			app->application, t->callable, parens,
			Py_TYPE(callable)->tp_name);
	if (!is_asgi(callable))
		return 0;
	return err_setx(err, EINVAL,
		"application %s: '%s%s' is an ASGI application, and wsgid "
		"serves WSGI: use an ASGI server, or wrap it with an adapter "
		"(a2wsgi.ASGIMiddleware)",
		app->application, t->callable, parens);
}

static PyObject *
find_callable(struct app *app, struct target *t, PyObject *module, int *rc,
	struct err *err)
{
	PyObject *callable = walk(app, module, t->callable, rc, err);

	if (callable == NULL)
		return NULL;
	if (t->factory && PyCallable_Check(callable)) {
		PyObject *made = PyObject_CallNoArgs(callable);

		Py_DECREF(callable);
		callable = made;
		if (made == NULL) {
			*rc = report(app, "its factory fails", err);
			return NULL;
		}
	}
	*rc = check_callable(app, t, callable, err);
	if (*rc < 0)
		Py_CLEAR(callable);
	return callable;
}

PyObject *
import_callable(struct app *app, int *rc, struct err *err)
{
	struct target t = {0};
	AUTO_DECREF PyObject *module = NULL;
	PyObject *callable = NULL;

	*rc = take_apart(app, &t, err);
	if (*rc == 0 && t.script)
		module = import_script(app, &t, rc, err);
	else if (*rc == 0) {
		module = PyImport_ImportModule(t.module);
		if (module == NULL)
			*rc = report_import(app, &t, err);
	}
	if (module != NULL)
		callable = find_callable(app, &t, module, rc, err);
	target_fini(&t);
	return callable;
}

/* --- what a request would meet ------------------------------------------------------------ */

/* So many by position, as a request gives them. */
static bool
takes(PyObject *function, int n)
{
	const PyCodeObject *code =
		(const PyCodeObject *)PyFunction_GET_CODE(function);
	PyObject *defaults = PyFunction_GET_DEFAULTS(function);
	PyObject *named = PyFunction_GET_KW_DEFAULTS(function);
	Py_ssize_t optional = defaults != NULL ? PyTuple_GET_SIZE(defaults) : 0;
	Py_ssize_t optional_named = named != NULL ? PyDict_Size(named) : 0;

	if (code->co_argcount < n && (code->co_flags & CO_VARARGS) == 0)
		return false;
	return code->co_argcount - optional <= n &&
	       code->co_kwonlyargcount <= optional_named;
}

/* Its __init__ has the object beside them; object's own takes none.  But
 * a __new__ may return something else, as may a metaclass, and it is not asked then. */
static bool
class_takes_two(PyTypeObject *type)
{
	AUTO_DECREF PyObject *init =
		PyObject_GetAttrString((PyObject *)type, "__init__");

	PyErr_Clear();
	if (!PyType_CheckExact(type) || type->tp_new != PyBaseObject_Type.tp_new)
		return true;
	if (init != NULL && PyFunction_Check(init))
		return takes(init, 3);
	return type->tp_init != PyBaseObject_Type.tp_init;
}

static bool
may_take_two(PyObject *callable)
{
	if (PyType_Check(callable))
		return class_takes_two((PyTypeObject *)callable);
	return !PyFunction_Check(callable) || takes(callable, 2);
}

/* Of other callables only a call shows what they take. */
bool
app_doubts(struct app *app, char *to, size_t size)
{
	const char *text = app->application, *colon = find_colon(text);

	if (may_take_two(app->callable) || ends_with(text, strlen(text), "()"))
		return false;
	snprintf(to, size,
		"application %s: '%s' cannot be called with two arguments, so "
		"each request will fail; a factory would be written with "
		"\"()\" behind",
		text, colon != NULL ? colon + 1 : app->callable_name);
	return true;
}
