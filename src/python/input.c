/*
 * input.c - wsgi.input, the body of the request.
 *
 * A body that was collected before the application runs is cut into slices;
 * any thread may read it.  Another one is read from the client when the
 * application asks, which waits, and which only the thread that serves the
 * request may do.  End of file is the body's, never the application's
 * arithmetic.  After an error the stream is dead and says so each time.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <string.h>

enum {
	FIRST = 64 * 1024, /* what read() begins with when it knows nothing */
	TOLD = 16 * 1024 * 1024, /* and at most, when the client has told */
	AHEAD = 64 * 1024, /* what readline() asks for, and read() of little */
	LITTLE = 4 * 1024,
};

struct input {
	PyObject_HEAD struct call *call; /* NULL when the request has ended */
	struct buf ahead;                /* what was read and not asked for yet */
	const char *data;                /* the collected body, or ahead's */
	size_t len;
	size_t at;      /* bytes of data that are used up */
	bool collected; /* there is no more than data */
	bool ended;     /* likewise, because the body has ended */
	bool touched;
	bool waiting; /* a thread is in the client's read */
};

/* --- bytes from the client ------------------------------------------------------------- */

static bool
is_over(const struct input *in)
{
	return in->collected || in->ended;
}

static size_t
left(const struct input *in)
{
	return in->len - in->at;
}

/* Why it was not collected is what the application's author can do something
 * about. */
static void
complain_of_thread(const struct input *in)
{
	PyErr_Format(PyExc_RuntimeError,
		"wsgi.input: %s can be read only by the thread that serves the "
		"request",
		in->call->x->request->expects_continue
			? "the body of a client that waits for \"100 "
			  "Continue\""
			: "a body over RequestBodyBuffer");
}

/* Up to len bytes: > 0, 0 at the end of the body, or -1.  len 0 tells a
 * client that waits for 100 Continue to go on. */
static ssize_t
receive(struct input *in, void *to, size_t len)
{
	struct call *c = in->call;
	ssize_t n;

	if (c->read_error != 0) {
		output_raise(-c->read_error, "wsgi.input");
		return -1;
	}
	if (!pthread_equal(c->thread, pthread_self())) {
		complain_of_thread(in);
		return -1;
	}
	in->waiting = true;
	Py_BEGIN_ALLOW_THREADS;
	n = c->x->client->read(c->x, to, len);
	Py_END_ALLOW_THREADS;
	in->waiting = false;
	if (n < 0) {
		c->read_error = (int)n;
		output_raise((int)-n, "wsgi.input");
		return -1;
	}
	if (n == 0 && len > 0)
		in->ended = true;
	return n;
}

/* More bytes behind those that are left.  As receive. */
static ssize_t
read_ahead(struct input *in)
{
	ssize_t n;
	char *to;

	if (in->at > 0) {
		buf_consume(&in->ahead, in->at);
		in->at = 0;
	}
	to = buf_reserve(&in->ahead, AHEAD);
	if (to == NULL) {
		in->data = in->ahead.data;
		in->len = in->ahead.len;
		PyErr_NoMemory();
		return -1;
	}
	n = receive(in, to, AHEAD);
	if (n > 0)
		in->ahead.len += (size_t)n;
	in->data = in->ahead.data;
	in->len = in->ahead.len;
	return n;
}

static PyObject *
take(struct input *in, size_t len)
{
	PyObject *bytes = PyBytes_FromStringAndSize(
		in->data != NULL ? in->data + in->at : NULL, (Py_ssize_t)len);

	if (bytes != NULL)
		in->at += len;
	return bytes;
}

/* --- read --------------------------------------------------------------------------------- */

/* Room for more in a bytes object that only we have. */
static int
grow(PyObject **bytes, size_t want)
{
	size_t size = (size_t)PyBytes_GET_SIZE(*bytes);

	size = size > want / 2 ? want : size * 2;
	return _PyBytes_Resize(bytes, (Py_ssize_t)size);
}

/* How much room to begin with: of what the client only says it will send no page is
 * touched before it does. */
static size_t
first_room(const struct input *in, size_t want)
{
	const struct request *r = in->call->x->request;
	size_t room = FIRST;

	if (!r->chunked && r->length > FIRST)
		room = r->length < TOLD ? (size_t)r->length : TOLD;
	room += left(in);
	return room < want ? room : want;
}

static PyObject *
read_stream(struct input *in, size_t want)
{
	size_t size = first_room(in, want);
	size_t len = left(in) < want ? left(in) : want;
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);

	if (bytes == NULL)
		return NULL;
	if (len > 0)
		memcpy(PyBytes_AS_STRING(bytes), in->data + in->at, len);
	in->at += len;
	while (len < want && !is_over(in)) {
		ssize_t n;

		if (len == size) {
			if (grow(&bytes, want) < 0)
				return NULL;
			size = (size_t)PyBytes_GET_SIZE(bytes);
		}
		n = receive(in, PyBytes_AS_STRING(bytes) + len, size - len);
		if (n < 0) {
			Py_DECREF(bytes);
			return NULL;
		}
		len += (size_t)n;
	}
	if (len < size && _PyBytes_Resize(&bytes, (Py_ssize_t)len) < 0)
		return NULL;
	return bytes;
}

/* The contract with applications since mod_wsgi: their first operation, be it
 * read(0) or readline(0), tells a client that waits for "100 Continue" to go on. */
static PyObject *
read_nothing(struct input *in)
{
	if (!in->touched && !is_over(in) &&
		in->call->x->request->expects_continue &&
		receive(in, NULL, 0) < 0)
		return NULL;
	in->touched = true;
	return PyBytes_FromStringAndSize(NULL, 0);
}

static PyObject *
read_bytes(struct input *in, Py_ssize_t size)
{
	size_t want = size < 0 ? PY_SSIZE_T_MAX : (size_t)size;

	if (want == 0)
		return read_nothing(in);
	in->touched = true;
	while (want <= LITTLE && left(in) < want && !is_over(in))
		if (read_ahead(in) < 0)
			return NULL;
	if (is_over(in) || left(in) >= want)
		return take(in, left(in) < want ? left(in) : want);
	return read_stream(in, want);
}

/* --- lines ---------------------------------------------------------------------------------- */

static PyObject *
read_line(struct input *in, Py_ssize_t size)
{
	size_t limit = size < 0 ? PY_SSIZE_T_MAX : (size_t)size;
	size_t seen = 0;

	if (limit == 0)
		return read_nothing(in);
	in->touched = true;
	for (;;) {
		size_t len = left(in) < limit ? left(in) : limit;
		const char *from = len > 0 ? in->data + in->at : NULL;
		const char *end = NULL;

		if (len > seen)
			end = memchr(from + seen, '\n', len - seen);
		if (end != NULL)
			return take(in, (size_t)(end - from) + 1);
		if (len == limit || is_over(in))
			return take(in, len);
		seen = len;
		if (read_ahead(in) < 0)
			return NULL;
	}
}

static PyObject *
read_lines(struct input *in, Py_ssize_t hint)
{
	PyObject *lines = PyList_New(0);
	Py_ssize_t total = 0;

	while (lines != NULL) {
		AUTO_DECREF PyObject *line = read_line(in, -1);

		if (line != NULL && PyBytes_GET_SIZE(line) == 0)
			break;
		if (line == NULL || PyList_Append(lines, line) < 0) {
			Py_CLEAR(lines);
			break;
		}
		total += PyBytes_GET_SIZE(line);
		if (hint > 0 && total >= hint)
			break;
	}
	return lines;
}

/* --- the object --------------------------------------------------------------------------------- */

static int
check(struct input *in, const char *method)
{
	if (UNLIKELY(in->call == NULL)) {
		PyErr_Format(PyExc_RuntimeError,
			"%s() called on wsgi.input after the request ended",
			method);
		return -1;
	}
	if (UNLIKELY(in->waiting)) {
		PyErr_Format(PyExc_RuntimeError,
			"%s() called on wsgi.input while another thread reads "
			"it",
			method);
		return -1;
	}
	return 0;
}

/* The one optional number; without it, or with None, -1.  It may be the
 * application's code that says it. */
static int
parse(PyObject *const *args, Py_ssize_t n, const char *method, Py_ssize_t *ret)
{
	*ret = -1;
	if (n > 1) {
		PyErr_Format(PyExc_TypeError,
			"%s() takes at most 1 argument (%zd given)", method, n);
		return -1;
	}
	if (n == 0 || args[0] == Py_None)
		return 0;
	*ret = PyNumber_AsSsize_t(args[0], NULL);
	return *ret == -1 && PyErr_Occurred() ? -1 : 0;
}

/* One thread at a time is in here.  Without a GIL that is not so by itself; and
 * with either, another may come while this one waits for the client. */
static PyObject *
alone(PyObject *self, const char *method,
	PyObject *(*read)(struct input *in, Py_ssize_t size), Py_ssize_t size)
{
	struct input *in = (struct input *)self;
	PyObject *ret = NULL;

	Py_BEGIN_CRITICAL_SECTION(self);
	if (check(in, method) == 0)
		ret = read(in, size);
	Py_END_CRITICAL_SECTION();
	return ret;
}

static PyObject *
input_read(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	Py_ssize_t size;

	if (parse(args, n, "read", &size) < 0)
		return NULL;
	return alone(self, "read", read_bytes, size);
}

static PyObject *
input_readline(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	Py_ssize_t size;

	if (parse(args, n, "readline", &size) < 0)
		return NULL;
	return alone(self, "readline", read_line, size);
}

static PyObject *
input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	Py_ssize_t hint;

	if (parse(args, n, "readlines", &hint) < 0)
		return NULL;
	return alone(self, "readlines", read_lines, hint);
}

static PyObject *
input_close(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_NONE;
}

static PyObject *
input_next(PyObject *self)
{
	PyObject *line = alone(self, "next", read_line, -1);

	if (line != NULL && PyBytes_GET_SIZE(line) == 0)
		Py_CLEAR(line);
	return line;
}

static void
input_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);

	buf_fini(&((struct input *)self)->ahead);
	PyObject_Free(self);
	Py_DECREF(type);
}

#define FAST(function) (PyCFunction)(void (*)(void))(function)

static PyMethodDef methods[] = {
	{"read", FAST(input_read), METH_FASTCALL, NULL},
	{"readline", FAST(input_readline), METH_FASTCALL, NULL},
	{"readlines", FAST(input_readlines), METH_FASTCALL, NULL},
	{"close", input_close, METH_NOARGS, "Does nothing."},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
	{Py_tp_dealloc, input_dealloc},
	{Py_tp_methods, methods},
	{Py_tp_iter, PyObject_SelfIter},
	{Py_tp_iternext, input_next},
	{0, NULL},
};

static PyType_Spec spec = {
	.name = "wsgid.Input",
	.basicsize = sizeof(struct input),
	.flags = Py_TPFLAGS_DEFAULT | OURS_ALONE,
	.slots = slots,
};

int
input_init(struct app *app)
{
	app->input_type = interp_type(&spec);
	return app->input_type == NULL ? -1 : 0;
}

void
input_fini(struct app *app)
{
	Py_CLEAR(app->spare_input);
	Py_CLEAR(app->input_type);
}

/* --- from request to request ----------------------------------------------------------------------- */

struct input *
input_take(struct call *c)
{
	struct input *in = c->app->spare_input;

	if (LIKELY(in != NULL))
		c->app->spare_input = NULL;
	else
		in = PyObject_New(struct input, c->app->input_type);
	if (in == NULL)
		return NULL;
	in->call = c;
	in->ahead = (struct buf){0};
	in->collected = c->x->collected;
	in->data = in->collected ? c->x->body.p : NULL;
	in->len = in->collected ? c->x->body.len : 0;
	in->at = 0;
	in->ended = in->touched = in->waiting = false;
	return in;
}

void
input_give_back(struct call *c, struct input *in)
{
	if (in == NULL)
		return;
	/* Another thread may be reading. */
	Py_BEGIN_CRITICAL_SECTION((PyObject *)in);
	in->call = NULL;
	buf_fini(&in->ahead);
	Py_END_CRITICAL_SECTION();
	if (MAY_RECYCLE && Py_REFCNT(in) == 1 && c->app->spare_input == NULL)
		c->app->spare_input = in;
	else
		Py_DECREF(in);
}
