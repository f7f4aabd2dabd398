/*
 * errors.c - wsgi.errors.
 *
 * Each request has one, which puts the request's id before its lines, whatever
 * thread they come from.  It writes whole lines to descriptor 2; the beginning
 * of a line is kept, by thread, until its end comes, it is flushed, or the
 * request is over.  Who keeps it longer, as a logging handler does, writes
 * lines of no request.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <unistd.h>

/* What a thread has written of a line. */
struct unfinished {
	struct unfinished *next;
	pthread_t thread;
	struct buf text;
};

enum { ID_MAX = 64 };

struct errors {
	PyObject_HEAD pthread_mutex_t
		lock; /* of the list; never held while waiting */
	struct unfinished *unfinished;
	char id[ID_MAX]; /* of the request, as it stands before a line */
	size_t id_len;   /* 0 = there is none, or it is over */
};

static void
write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);
		struct pollfd writable = {STDERR_FILENO, POLLOUT, 0};

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			(void)poll(&writable, 1, -1);
		} else if (errno != EINTR) {
			return; /* where should that be said? */
		}
	}
}

/* Each line has its level: the log is read by lines. */
void
errors_write(enum log_level level, const char *text, size_t len)
{
	char beginning[64];
	size_t begins = log_begin_line(
		beginning, sizeof(beginning), level, "app");
	struct buf lines = {0};

	for (size_t done = 0, line; done < len; done += line) {
		const char *eol = memchr(text + done, '\n', len - done);

		line = (eol != NULL ? (size_t)(eol - text) + 1 : len) - done;
		(void)buf_add(&lines, beginning, begins);
		(void)buf_add(&lines, text + done, line);
	}
	if (buf_failed(&lines))
		write_all(text, len);
	else
		write_all(lines.data, lines.len);
	buf_fini(&lines);
}

static void
write_without_gil(const char *lines, size_t len)
{
	Py_BEGIN_ALLOW_THREADS;
	write_all(lines, len);
	Py_END_ALLOW_THREADS;
}

/* Whole lines, which are taken, each behind the request's id. */
static void
write_lines(struct errors *self, struct buf *lines)
{
	const char *p = lines->data, *end = p + lines->len;
	struct buf marked = {0};

	if (lines->len > 0 && self->id_len == 0)
		write_without_gil(p, lines->len);
	while (self->id_len > 0 && p < end) {
		size_t left = (size_t)(end - p);
		const char *eol = memchr(p, '\n', left);
		size_t len = eol != NULL ? (size_t)(eol - p) + 1 : left;

		(void)buf_add(&marked, self->id, self->id_len);
		(void)buf_add(&marked, p, len);
		p += len;
	}
	if (marked.len > 0)
		write_without_gil(marked.data, marked.len);
	buf_fini(&marked);
	buf_fini(lines);
}

/* --- unfinished lines --------------------------------------------------------------- */

static struct buf
take_unfinished(struct errors *self)
{
	struct unfinished **link = &self->unfinished;
	struct unfinished *found;
	struct buf text = {0};

	pthread_mutex_lock(&self->lock);
	while (*link != NULL && !pthread_equal((*link)->thread, pthread_self()))
		link = &(*link)->next;
	found = *link;
	if (found != NULL) {
		text = found->text;
		*link = found->next;
	}
	pthread_mutex_unlock(&self->lock);
	free(found);
	return text;
}

/* Takes the text, and if memory is short its bytes get lost. */
static void
keep_unfinished(struct errors *self, struct buf *text)
{
	struct unfinished *u = malloc(sizeof(*u));

	if (u == NULL) {
		buf_fini(text);
		return;
	}
	u->thread = pthread_self();
	u->text = *text;
	pthread_mutex_lock(&self->lock);
	u->next = self->unfinished;
	self->unfinished = u;
	pthread_mutex_unlock(&self->lock);
}

/* Everything up to the last line's end goes out now, behind what was kept. */
static void
add(struct errors *self, const char *text, size_t len)
{
	const char *end = len > 0 ? memrchr(text, '\n', len) : NULL;
	size_t whole = end != NULL ? (size_t)(end - text) + 1 : 0;
	struct buf lines = take_unfinished(self);
	struct buf rest = {0};

	if (whole > 0) {
		(void)buf_add(&lines, text, whole);
		(void)buf_add(&rest, text + whole, len - whole);
	} else {
		(void)buf_add(&lines, text, len);
		rest = lines;
		lines = (struct buf){0};
	}
	if (rest.len > 0)
		keep_unfinished(self, &rest);
	else
		buf_fini(&rest);
	write_lines(self, &lines);
}

static void
end_line(struct errors *self)
{
	struct buf line = take_unfinished(self);

	if (line.len > 0)
		(void)buf_add_char(&line, '\n');
	write_lines(self, &line);
}

/* What threads have left that have ended, or do not know that it is over. */
static void
end_all_lines(struct errors *self)
{
	struct unfinished *u;

	while ((u = self->unfinished) != NULL) {
		self->unfinished = u->next;
		(void)buf_add_char(&u->text, '\n');
		write_lines(self, &u->text);
		free(u);
	}
}

void
errors_end_line(struct errors *self)
{
	if (self->unfinished != NULL)
		end_line(self);
}

struct str
errors_id(const struct errors *self)
{
	return (struct str){self->id, self->id_len};
}

/* --- the object ----------------------------------------------------------------------- */

static int
add_object(struct errors *self, PyObject *text)
{
	AUTO_DECREF PyObject *bytes = NULL;
	const char *data;
	Py_ssize_t len;

	if (!PyUnicode_Check(text)) {
		PyErr_Format(PyExc_TypeError,
			"write() argument must be str, not %.100s: wsgi.errors "
			"is a text stream",
			Py_TYPE(text)->tp_name);
		return -1;
	}
	data = PyUnicode_AsUTF8AndSize(text, &len);
	if (data == NULL) {
		PyErr_Clear(); /* lone surrogates */
		bytes = interp_utf8(text);
		if (bytes == NULL)
			return -1;
		data = PyBytes_AS_STRING(bytes);
		len = PyBytes_GET_SIZE(bytes);
	}
	add(self, data, (size_t)len);
	return 0;
}

static PyObject *
errors_write_method(PyObject *self, PyObject *text)
{
	if (add_object((struct errors *)self, text) < 0)
		return NULL;
	return PyLong_FromSsize_t(PyUnicode_GetLength(text));
}

static PyObject *
errors_writelines(PyObject *self, PyObject *lines)
{
	AUTO_DECREF PyObject *iterator = PyObject_GetIter(lines);
	PyObject *line;
	int rc = 0;

	if (iterator == NULL)
		return NULL;
	while (rc == 0 && (line = PyIter_Next(iterator)) != NULL) {
		rc = add_object((struct errors *)self, line);
		Py_DECREF(line);
	}
	if (PyErr_Occurred())
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
errors_flush(PyObject *self, PyObject *unused)
{
	(void)unused;
	end_line((struct errors *)self);
	Py_RETURN_NONE;
}

static PyObject *
errors_close(PyObject *self, PyObject *unused)
{
	return errors_flush(self, unused);
}

static PyObject *
errors_fileno(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	return PyLong_FromLong(STDERR_FILENO);
}

static PyObject *
say_true(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_TRUE;
}

static PyObject *
say_false(PyObject *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_FALSE;
}

static PyMethodDef methods[] = {
	{"write", errors_write_method, METH_O, NULL},
	{"writelines", errors_writelines, METH_O, NULL},
	{"flush", errors_flush, METH_NOARGS, NULL},
	{"close", errors_close, METH_NOARGS, "Only flushes."},
	{"fileno", errors_fileno, METH_NOARGS, NULL},
	{"isatty", say_false, METH_NOARGS, NULL},
	{"readable", say_false, METH_NOARGS, NULL},
	{"writable", say_true, METH_NOARGS, NULL},
	{"seekable", say_false, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyObject *
get_text(PyObject *self, void *text)
{
	(void)self;
	return PyUnicode_FromString(text);
}

static PyObject *
get_false(PyObject *self, void *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_FALSE;
}

static PyObject *
get_true(PyObject *self, void *unused)
{
	(void)self;
	(void)unused;
	Py_RETURN_TRUE;
}

static PyGetSetDef attributes[] = {
	{"encoding", get_text, NULL, NULL, "utf-8"},
	{"errors", get_text, NULL, NULL, "backslashreplace"},
	{"mode", get_text, NULL, NULL, "w"},
	{"name", get_text, NULL, NULL, "<wsgi.errors>"},
	{"closed", get_false, NULL, NULL, NULL},
	{"line_buffering", get_true, NULL, NULL, NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static void
errors_dealloc(PyObject *object)
{
	struct errors *self = (struct errors *)object;
	PyTypeObject *type = Py_TYPE(object);

	end_all_lines(self);
	pthread_mutex_destroy(&self->lock);
	PyObject_Free(object);
	Py_DECREF(type);
}

static PyType_Slot slots[] = {
	{Py_tp_dealloc, errors_dealloc},
	{Py_tp_methods, methods},
	{Py_tp_getset, attributes},
	{0, NULL},
};

static PyType_Spec spec = {
	.name = "wsgid.ErrorStream",
	.basicsize = sizeof(struct errors),
	.flags = Py_TPFLAGS_DEFAULT | OURS_ALONE,
	.slots = slots,
};

int
errors_init(struct app *app)
{
	app->errors_type = interp_type(&spec);
	return app->errors_type == NULL ? -1 : 0;
}

void
errors_fini(struct app *app)
{
	Py_CLEAR(app->spare_errors);
	Py_CLEAR(app->errors_type);
}

/* --- from request to request ----------------------------------------------------- */

static struct errors *
make(struct app *app)
{
	struct errors *self = PyObject_New(struct errors, app->errors_type);

	if (self == NULL)
		return NULL;
	pthread_mutex_init(&self->lock, NULL);
	self->unfinished = NULL;
	return self;
}

struct errors *
errors_take(struct call *c)
{
	struct errors *self = c->app->spare_errors;
	struct str id = c->x->unique_id;

	if (LIKELY(self != NULL))
		c->app->spare_errors = NULL;
	else
		self = make(c->app);
	if (self == NULL)
		return NULL;
	self->id_len = 0;
	if (id.len > 0 && id.len <= ID_MAX - 7) {
		memcpy(self->id, "[id ", 4);
		memcpy(self->id + 4, id.p, id.len);
		memcpy(self->id + 4 + id.len, "] ", 2);
		self->id_len = id.len + 6;
	}
	return self;
}

void
errors_give_back(struct call *c, struct errors *self)
{
	bool kept = !MAY_RECYCLE || Py_REFCNT(self) > 1 ||
		    c->app->spare_errors != NULL;

	errors_end_line(self);
	if (!kept)
		end_all_lines(self);
	self->id_len = 0;
	if (kept)
		Py_DECREF(self);
	else
		c->app->spare_errors = self;
}
