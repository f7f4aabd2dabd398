/*
 * start_response.c - start_response() and write(), the two functions that an
 * application is given.
 *
 * The head is checked and written into the response's buffer at once, so an
 * application that gets it wrong hears of it where it called; until the head
 * is committed a call with exc_info replaces it.  PEP 3333 is kept strictly:
 * what two servers might do differently is an exception that says what the
 * application did.
 *
 * Both objects are used again for the next request, unless somebody kept
 * one: that one is dead for ever.
 */
#include "python/python_priv.h"

#include <string.h>
#include <structmember.h>

struct write {
	PyObject_HEAD vectorcallfunc vectorcall;
	struct start_response *owner; /* not counted; NULL when it has gone */
};

/* --- the head -------------------------------------------------------------------------- */

static int
begin(struct call *c, PyObject *status, PyObject *headers)
{
	struct response *r = c->x->response;
	const char *fault;
	struct str s;

	if (headers_text(&s, status, "start_response", "status") < 0)
		return -1;
	if (headers_check(headers, "start_response") < 0)
		return -1;
	fault = response_status_fault(s);
	if (UNLIKELY(fault != NULL)) {
		PyErr_Format(PyExc_ValueError,
			"start_response(): status %.200R %s", status, fault);
		return -1;
	}
	if (c->started)
		output_reset(c);
	if (response_begin(r, s) < 0) {
		output_reset(c);
		PyErr_NoMemory();
		return -1;
	}
	if (headers_add(c, r, headers, "start_response") < 0) {
		output_reset(c);
		return -1;
	}
	c->started = true;
	return 0;
}

/* --- exc_info --------------------------------------------------------------------------- */

static int
check_exc_info(PyObject *exc_info)
{
	if (!PyTuple_Check(exc_info)) {
		PyErr_Format(PyExc_RuntimeError,
			"start_response(): exc_info must be the tuple that "
			"sys.exc_info() returns, or None, not %.100s",
			Py_TYPE(exc_info)->tp_name);
		return -1;
	}
	if (PyTuple_GET_SIZE(exc_info) != 3) {
		PyErr_Format(PyExc_TypeError,
			"start_response(): exc_info must be the tuple that "
			"sys.exc_info() returns, this one has %zd items",
			PyTuple_GET_SIZE(exc_info));
		return -1;
	}
	return 0;
}

/* The head is out, so the application's error cannot be shown: PEP 3333 has
 * the exception go on from here. */
static void
raise_again(PyObject *exc_info)
{
	PyObject *type = PyTuple_GET_ITEM(exc_info, 0);
	PyObject *value = PyTuple_GET_ITEM(exc_info, 1);
	PyObject *traceback = PyTuple_GET_ITEM(exc_info, 2);

	if (PyExceptionInstance_Check(value)) {
		if (PyTraceBack_Check(traceback))
			(void)PyException_SetTraceback(value, traceback);
		PyErr_SetObject((PyObject *)Py_TYPE(value), value);
	} else if (PyExceptionClass_Check(type)) {
		PyErr_SetObject(type, value);
	} else {
		PyErr_SetString(PyExc_RuntimeError,
			"start_response() was called with exc_info, but "
			"without an exception in it, after the head of the "
			"response had been sent");
	}
}

/* --- start_response ----------------------------------------------------------------------- */

struct arguments {
	PyObject *status;
	PyObject *headers;
	PyObject *exc_info; /* NULL when there is none */
};

static int
parse(struct arguments *ret, PyObject *const *args, Py_ssize_t n,
	PyObject *names)
{
	Py_ssize_t n_names = names != NULL ? PyTuple_GET_SIZE(names) : 0;
	PyObject *exc_info = n == 3 ? args[2] : NULL;

	if (UNLIKELY(n < 2 || n + n_names > 3)) {
		PyErr_Format(PyExc_TypeError,
			"start_response() takes a status, a list of headers "
			"and perhaps exc_info, but got %zd arguments",
			n + n_names);
		return -1;
	}
	if (UNLIKELY(n_names == 1)) {
		PyObject *name = PyTuple_GET_ITEM(names, 0);

		if (PyUnicode_CompareWithASCIIString(name, "exc_info") != 0) {
			PyErr_Format(PyExc_TypeError,
				"start_response() got an unexpected keyword "
				"argument %R",
				name);
			return -1;
		}
		exc_info = args[n];
	}
	ret->status = args[0];
	ret->headers = args[1];
	ret->exc_info = exc_info == Py_None ? NULL : exc_info;
	return 0;
}

static PyObject *
start_response_call(
	PyObject *object, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct start_response *s = (struct start_response *)object;
	struct call *c = s->call;
	struct arguments a;

	if (UNLIKELY(c == NULL)) {
		PyErr_SetString(PyExc_RuntimeError,
			"start_response() called after the request ended");
		return NULL;
	}
	if (parse(&a, args, PyVectorcall_NARGS(nargsf), names) < 0)
		return NULL;
	if (UNLIKELY(a.exc_info != NULL)) {
		if (check_exc_info(a.exc_info) < 0)
			return NULL;
		if (c->committed) {
			raise_again(a.exc_info);
			return NULL;
		}
	} else if (UNLIKELY(c->ended)) {
		PyErr_SetString(PyExc_RuntimeError,
			"start_response() called after the response had "
			"ended");
		return NULL;
	} else if (UNLIKELY(c->started)) {
		PyErr_SetString(PyExc_RuntimeError,
			"start_response() called a second time, without "
			"exc_info");
		return NULL;
	}
	if (begin(c, a.status, a.headers) < 0)
		return NULL;
	Py_INCREF(s->write);
	return s->write;
}

/* --- write ----------------------------------------------------------------------------------- */

static int
write_block(struct call *c, PyObject *data)
{
	size_t len = (size_t)PyBytes_GET_SIZE(data);
	enum output_result result;

	if (c->send_error != 0) {
		output_raise(-c->send_error, "write()");
		return -1;
	}
	if (c->ended) {
		PyErr_SetString(PyExc_RuntimeError,
			"write() called after the response had ended");
		return -1;
	}
	result = OUTPUT_OK;
	if (!c->committed)
		result = output_commit(c, -1);
	if (result == OUTPUT_OK)
		result = output_bytes(c, data);
	if (result == OUTPUT_OK)
		result = output_flush(c);
	if (len > 0)
		c->wrote = true;
	if (result == OUTPUT_GONE)
		output_raise(-c->send_error, "write()");
	return result == OUTPUT_OK ? 0 : -1;
}

static PyObject *
write_call(
	PyObject *object, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct start_response *owner = ((struct write *)object)->owner;
	struct call *c = owner != NULL ? owner->call : NULL;

	if (c == NULL) {
		PyErr_SetString(PyExc_RuntimeError,
			"write() called after the request ended");
		return NULL;
	}
	if (PyVectorcall_NARGS(nargsf) != 1 ||
		(names != NULL && PyTuple_GET_SIZE(names) > 0)) {
		PyErr_SetString(PyExc_TypeError,
			"write() takes exactly one argument, bytes");
		return NULL;
	}
	if (call_check_block(args[0], "write() argument") < 0)
		return NULL;
	if (!pthread_equal(c->thread, pthread_self())) {
		PyErr_SetString(PyExc_RuntimeError,
			"write() called by another thread than the one that "
			"serves the request");
		return NULL;
	}
	if (write_block(c, args[0]) < 0)
		return NULL;
	Py_RETURN_NONE;
}

/* --- the types --------------------------------------------------------------------------------- */

static void
start_response_dealloc(PyObject *object)
{
	struct start_response *s = (struct start_response *)object;
	PyTypeObject *type = Py_TYPE(object);

	if (s->write != NULL)
		((struct write *)s->write)->owner = NULL;
	Py_CLEAR(s->write);
	PyObject_Free(object);
	Py_DECREF(type);
}

static void
write_dealloc(PyObject *object)
{
	PyTypeObject *type = Py_TYPE(object);

	PyObject_Free(object);
	Py_DECREF(type);
}

static PyMemberDef start_response_members[] = {
	{"__vectorcalloffset__", T_PYSSIZET,
		offsetof(struct start_response, vectorcall), READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot start_response_slots[] = {
	{Py_tp_dealloc, start_response_dealloc},
	{Py_tp_call, PyVectorcall_Call},
	{Py_tp_members, start_response_members},
	{0, NULL},
};

static PyType_Spec start_response_spec = {
	.name = "wsgid.StartResponse",
	.basicsize = sizeof(struct start_response),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | OURS_ALONE,
	.slots = start_response_slots,
};

static PyMemberDef write_members[] = {
	{"__vectorcalloffset__", T_PYSSIZET, offsetof(struct write, vectorcall),
		READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot write_slots[] = {
	{Py_tp_dealloc, write_dealloc},
	{Py_tp_call, PyVectorcall_Call},
	{Py_tp_members, write_members},
	{0, NULL},
};

static PyType_Spec write_spec = {
	.name = "wsgid.Write",
	.basicsize = sizeof(struct write),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | OURS_ALONE,
	.slots = write_slots,
};

int
start_response_init(struct app *app)
{
	app->start_response_type = interp_type(&start_response_spec);
	app->write_type = interp_type(&write_spec);
	if (app->start_response_type == NULL || app->write_type == NULL)
		return -1;
	return 0;
}

void
start_response_fini(struct app *app)
{
	Py_CLEAR(app->spare_start_response);
	Py_CLEAR(app->start_response_type);
	Py_CLEAR(app->write_type);
}

/* --- from request to request --------------------------------------------------------------------- */

static struct start_response *
make(struct app *app)
{
	struct start_response *s;
	struct write *w;

	s = PyObject_New(struct start_response, app->start_response_type);
	if (s == NULL)
		return NULL;
	s->vectorcall = start_response_call;
	s->call = NULL;
	w = PyObject_New(struct write, app->write_type);
	s->write = (PyObject *)w;
	if (w == NULL) {
		Py_DECREF(s);
		return NULL;
	}
	w->vectorcall = write_call;
	w->owner = s;
	return s;
}

struct start_response *
start_response_take(struct call *c)
{
	struct start_response *s = c->app->spare_start_response;

	if (LIKELY(s != NULL))
		c->app->spare_start_response = NULL;
	else
		s = make(c->app);
	if (s != NULL)
		s->call = c;
	return s;
}

void
start_response_give_back(struct call *c, struct start_response *s)
{
	if (s == NULL)
		return;
	s->call = NULL;
	if (MAY_RECYCLE && Py_REFCNT(s) == 1 && Py_REFCNT(s->write) == 1 &&
		c->app->spare_start_response == NULL)
		c->app->spare_start_response = s;
	else
		Py_DECREF(s);
}
