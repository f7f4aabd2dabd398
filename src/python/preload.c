/*
 * preload.c - an application that is imported once and then forked.
 *
 * The process that does this serves nobody: its memory is what its children
 * share, so nothing here or later may write to it without need.  That holds to
 * the end: were it thawed for finalisation, each child would copy all of it to
 * look for garbage, and take a second for a Django site.  Its forks are
 * the server's and not the application's: Python's own hooks run, as in
 * os.fork, while those of struct app_forks, which make a copy forget the
 * server, do not.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* What stands in a buffer now would be written by every child. */
static const char source[] =
	"def freeze():\n"
	"    import gc, sys\n"
	"    for stream in sys.stdout, sys.stderr:\n"
	"        try:\n"
	"            stream.flush()\n"
	"        except (AttributeError, OSError, ValueError):\n"
	"            pass  # closed, or replaced by something else\n"
	"    gc.collect()\n"
	"    gc.freeze()\n";

/* A new reference, or NULL with an exception. */
static PyObject *
freeze(void)
{
	AUTO_DECREF PyObject *f = source_function(source, "freeze");

	return f != NULL ? PyObject_CallNoArgs(f) : NULL;
}

int
app_freeze(struct app *app, struct err *err)
{
	AUTO_DECREF PyObject *done = freeze();
	char what[512];

	fflush(NULL);
	(void)app;
	if (done != NULL) {
		holes_fill();
		return 0;
	}
	exceptions_describe(what, sizeof(what));
	return err_setx(err, ENOEXEC,
		"Python %s cannot freeze what it has imported: %s",
		app_python_version(), what);
}

void
app_before_fork(struct app *app)
{
	app->put_aside = app->forks;
	app->forks = (struct app_forks){0};
	PyOS_BeforeFork();
}

void
app_after_fork(struct app *app, bool in_child)
{
	if (in_child)
		PyOS_AfterFork_Child();
	else
		PyOS_AfterFork_Parent();
	app->forks = app->put_aside;
}
