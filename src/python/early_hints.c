/*
 * early_hints.c - wsgi.early_hints, by which an application has "103 Early
 * Hints" sent while it still works on its response (RFC 8297).
 *
 * It is called as gunicorn's: with a list of headers, as often as the
 * application likes.  Hints are advice, so where they cannot be sent any more,
 * or to HTTP/1.0, nothing happens.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <structmember.h>

struct early_hints {
	PyObject_HEAD vectorcallfunc vectorcall;
	struct call *call; /* NULL when the request has ended */
};

static const char who[] = "wsgi.early_hints";

static int
send_head(struct call *c, struct str head)
{
	int rc;

	if (c->send_error == 0) {
		Py_BEGIN_ALLOW_THREADS;
		rc = c->x->client->send_interim(c->x, head);
		Py_END_ALLOW_THREADS;
		if (rc == 0)
			return 0;
		c->send_error = rc;
		c->x->broken = true;
	}
	output_raise(-c->send_error, who);
	return -1;
}

static int
hint(struct call *c, PyObject *headers)
{
	struct buf head = {0};
	struct response r = {.out = &head, .minor = 1};
	int rc = -1;

	if (response_begin(&r, STR("103 Early Hints")) < 0)
		PyErr_NoMemory();
	else if (headers_add(c, &r, headers, who) == 0)
		rc = response_end_head(&r, -1);
	if (rc == -ENOMEM)
		PyErr_NoMemory();
	if (rc == 0)
		rc = send_head(c, (struct str){head.data, head.len});
	buf_fini(&head);
	return rc < 0 ? -1 : 0;
}

static PyObject *
early_hints_call(
	PyObject *object, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct call *c = ((struct early_hints *)object)->call;

	if (c == NULL) {
		PyErr_Format(PyExc_RuntimeError,
			"%s() called after the request ended", who);
		return NULL;
	}
	if (PyVectorcall_NARGS(nargsf) != 1 ||
		(names != NULL && PyTuple_GET_SIZE(names) > 0)) {
		PyErr_Format(PyExc_TypeError,
			"%s() takes exactly one argument, a list of headers",
			who);
		return NULL;
	}
	if (!pthread_equal(c->thread, pthread_self())) {
		PyErr_Format(PyExc_RuntimeError,
			"%s() called by another thread than the one that "
			"serves the request",
			who);
		return NULL;
	}
	if (headers_check(args[0], who) < 0)
		return NULL;
	if (c->committed || c->x->request->minor == 0)
		Py_RETURN_NONE;
	if (hint(c, args[0]) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static void
early_hints_dealloc(PyObject *object)
{
	PyTypeObject *type = Py_TYPE(object);

	PyObject_Free(object);
	Py_DECREF(type);
}

static PyMemberDef members[] = {
	{"__vectorcalloffset__", T_PYSSIZET,
		offsetof(struct early_hints, vectorcall), READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
	{Py_tp_dealloc, early_hints_dealloc},
	{Py_tp_call, PyVectorcall_Call},
	{Py_tp_members, members},
	{0, NULL},
};

static PyType_Spec spec = {
	.name = "wsgid.EarlyHints",
	.basicsize = sizeof(struct early_hints),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | OURS_ALONE,
	.slots = slots,
};

int
early_hints_init(struct app *app)
{
	app->early_hints_type = interp_type(&spec);
	return app->early_hints_type == NULL ? -1 : 0;
}

void
early_hints_fini(struct app *app)
{
	Py_CLEAR(app->spare_early_hints);
	Py_CLEAR(app->early_hints_type);
}

/* --- from request to request --------------------------------------------------- */

struct early_hints *
early_hints_take(struct call *c)
{
	struct early_hints *hints = c->app->spare_early_hints;

	if (LIKELY(hints != NULL))
		c->app->spare_early_hints = NULL;
	else
		hints = PyObject_New(
			struct early_hints, c->app->early_hints_type);
	if (hints == NULL)
		return NULL;
	hints->vectorcall = early_hints_call;
	hints->call = c;
	return hints;
}

void
early_hints_give_back(struct call *c, struct early_hints *hints)
{
	if (hints == NULL)
		return;
	hints->call = NULL;
	if (MAY_RECYCLE && Py_REFCNT(hints) == 1 &&
		c->app->spare_early_hints == NULL)
		c->app->spare_early_hints = hints;
	else
		Py_DECREF(hints);
}
