/*
 * call.c - one request, from environ to close().
 *
 * Read app_call: the rest is what its words mean.  What an application
 * returns has one of three shapes: a wrapped file, blocks that are all there
 * already (a list, a tuple, or an iterator over one), which may be sent
 * together, or an iterable that makes its blocks one by one, each of which
 * must be on its way before the next is asked for.
 *
 * Nothing an application does ends the process from here: SystemExit is an
 * exception like any other.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	LARGE = 32 * 1024,      /* from here on a slow client is thought of */
	FILE_BLOCK = 64 * 1024, /* read from a file at a time */
	JOINED = 1024 * 1024,   /* smaller blocks are made one of about this */
	LINE_SHOWN = 500,       /* of a request line, in the log */
};

/* --- the error log ----------------------------------------------------------------- */

static void
begin_line(struct call *c, struct buf *to)
{
	struct str line = c->x->request->line;

	if (line.len > LINE_SHOWN)
		line.len = LINE_SHOWN;
	(void)buf_add_str(to, errors_id(c->errors));
	(void)buf_add_str(to, line);
	(void)buf_add_text(to, ": ");
}

static void
end_line(struct call *c, enum log_level level, struct buf *text)
{
	if (text->len == 0 || text->data[text->len - 1] != '\n')
		(void)buf_add_char(text, '\n');
	errors_end_line(c->errors);
	Py_BEGIN_ALLOW_THREADS;
	errors_write(level, text->data, text->len);
	Py_END_ALLOW_THREADS;
	buf_fini(text);
}

static void
say(struct call *c, enum log_level level, const char *format, va_list args)
{
	struct buf text = {0};

	begin_line(c, &text);
	(void)buf_vprintf(&text, format, args);
	end_line(c, level, &text);
}

void
call_complain(struct call *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(c, LOG_LEVEL_ERROR, format, args);
	va_end(args);
}

void
call_warn(struct call *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(c, LOG_LEVEL_WARN, format, args);
	va_end(args);
}

/* An exception that was raised here and not in the application's code has no
 * traceback, and says all by itself. */
static bool
has_traceback(PyObject *exception)
{
	PyObject *traceback = PyException_GetTraceback(exception);

	Py_XDECREF(traceback);
	return traceback != NULL;
}

/* As call_complain, for the current exception, with its traceback; clears
 * it. */
static void
complain_of_exception(struct call *c, const char *what)
{
	PyObject *exception = exceptions_take();
	AUTO_DECREF PyObject *formatted = NULL;
	AUTO_DECREF PyObject *bytes = NULL;
	struct buf text = {0};
	char why[1024] = "";

	begin_line(c, &text);
	if (has_traceback(exception))
		(void)buf_printf(&text, "%s\n", what);
	(void)denied_explain(exception, why, sizeof(why));
	exceptions_put_back(exception);
	formatted = exceptions_format(c->app);
	if (formatted != NULL)
		bytes = interp_utf8(formatted);
	if (bytes != NULL)
		(void)buf_add(&text, PyBytes_AS_STRING(bytes),
			(size_t)PyBytes_GET_SIZE(bytes));
	PyErr_Clear();
	(void)buf_add_text(&text, why);
	end_line(c, LOG_LEVEL_ERROR, &text);
}

/* --- blocks that are there ------------------------------------------------------------ */

/* What to do about it. */
static const char *
hint_for(PyObject *block)
{
	if (PyUnicode_Check(block))
		return "encode the text";
	if (block == Py_None)
		return "leave it out, or give b''";
	if (PyCoro_CheckExact(block))
		return "an \"async def\" function made it, and WSGI awaits "
		       "none";
	if (PyObject_CheckBuffer(block))
		return "make bytes of it";
	return "make text of it, and encode that";
}

int
call_check_block(PyObject *block, const char *from)
{
	if (LIKELY(PyBytes_Check(block)))
		return 0;
	PyErr_Format(PyExc_TypeError, "%s must be bytes, not %.100s: %s", from,
		block == Py_None ? "None" : Py_TYPE(block)->tp_name,
		hint_for(block));
	return -1;
}

static enum output_result
respond_with_one(struct call *c, PyObject *block)
{
	if (call_check_block(block, "the item of the application's list") < 0)
		return OUTPUT_RAISED;
	if (LIKELY(!c->committed)) {
		enum output_result result =
			output_commit(c, PyBytes_GET_SIZE(block));

		if (UNLIKELY(result != OUTPUT_OK))
			return result;
	}
	return output_last_block(c, block);
}

static int
total_of(PyObject *blocks, int64_t *ret)
{
	int64_t total = 0;

	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(blocks); i++) {
		PyObject *block = PyTuple_GET_ITEM(blocks, i);

		if (call_check_block(block, "the application's blocks") < 0)
			return -1;
		total += PyBytes_GET_SIZE(block);
	}
	*ret = total;
	return 0;
}

/* Behind the last of the blocks from first on that are joined. */
static Py_ssize_t
end_of_group(PyObject *blocks, Py_ssize_t first)
{
	Py_ssize_t i = first, size = 0;

	do
		size += PyBytes_GET_SIZE(PyTuple_GET_ITEM(blocks, i++));
	while (i < PyTuple_GET_SIZE(blocks) &&
		size + PyBytes_GET_SIZE(PyTuple_GET_ITEM(blocks, i)) <= JOINED);
	return i;
}

/* As one; a single one is not copied. */
static PyObject *
join(PyObject *blocks, Py_ssize_t first, Py_ssize_t end)
{
	AUTO_DECREF PyObject *nothing = PyBytes_FromStringAndSize(NULL, 0);
	AUTO_DECREF PyObject *some = PyTuple_GetSlice(blocks, first, end);

	if (nothing == NULL || some == NULL)
		return NULL;
	return PyObject_CallMethod(nothing, "join", "(O)", some);
}

/* The same in fewer blocks: a list, or NULL. */
static PyObject *
join_groups(PyObject *blocks)
{
	AUTO_DECREF PyObject *groups = PyList_New(0);
	Py_ssize_t first = 0, end;

	for (; groups != NULL && first < PyTuple_GET_SIZE(blocks);
		first = end) {
		AUTO_DECREF PyObject *group = NULL;

		end = end_of_group(blocks, first);
		group = join(blocks, first, end);
		if (group == NULL || PyList_Append(groups, group) < 0)
			return NULL;
	}
	Py_XINCREF(groups);
	return groups;
}

/* The client may take them as slowly as it likes. */
static enum output_result
respond_with_groups(struct call *c, PyObject *blocks, size_t total)
{
	AUTO_DECREF PyObject *groups = join_groups(blocks);

	return groups == NULL ? OUTPUT_RAISED
			      : output_last_blocks(c, groups, total);
}

static enum output_result
respond_with_blocks(struct call *c, PyObject *blocks)
{
	enum output_result result = OUTPUT_OK;
	int64_t total;

	if (total_of(blocks, &total) < 0)
		return OUTPUT_RAISED;
	if (!c->committed)
		result = output_commit(c, total);
	if (result == OUTPUT_OK && total > LARGE && output_may_be_held(c))
		return respond_with_groups(c, blocks, (size_t)total);
	for (Py_ssize_t i = 0;
		i < PyTuple_GET_SIZE(blocks) && result == OUTPUT_OK; i++)
		result = output_bytes(c, PyTuple_GET_ITEM(blocks, i));
	return result;
}

/* A list may change while others run, so it is made a tuple. */
static enum output_result
respond_with_list(struct call *c, PyObject *list)
{
	AUTO_DECREF PyObject *item = NULL;
	AUTO_DECREF PyObject *blocks = NULL;

	if (LIKELY(PyList_GET_SIZE(list) == 1)) {
		item = interp_list_item(list, 0);
		return item == NULL ? OUTPUT_RAISED : respond_with_one(c, item);
	}
	blocks = PyList_AsTuple(list);
	return blocks == NULL ? OUTPUT_RAISED : respond_with_blocks(c, blocks);
}

static enum output_result
respond_with_tuple(struct call *c, PyObject *blocks)
{
	if (PyTuple_GET_SIZE(blocks) == 1)
		return respond_with_one(c, PyTuple_GET_ITEM(blocks, 0));
	return respond_with_blocks(c, blocks);
}

/* --- a file ------------------------------------------------------------------------------ */

/* How much of the file the response is to have, or -1. */
static int64_t
plan_file(struct call *c, int64_t available)
{
	const struct response *r = c->x->response;

	if (!c->started || !r->has_length)
		return available;
	if (r->length <= (uint64_t)available)
		return (int64_t)r->length;
	PyErr_Format(PyExc_RuntimeError,
		"the application's Content-Length says %llu bytes, but its "
		"file has only %lld from where it stands",
		(unsigned long long)r->length, (long long)available);
	return -1;
}

static enum output_result
copy_file(struct call *c, int fd, int64_t offset, int64_t left)
{
	enum output_result result = OUTPUT_OK;
	AUTO_FREE char *block = malloc(FILE_BLOCK);

	if (block == NULL) {
		PyErr_NoMemory();
		return OUTPUT_RAISED;
	}
	while (left > 0 && result == OUTPUT_OK) {
		size_t want = left < FILE_BLOCK ? (size_t)left : FILE_BLOCK;
		ssize_t n;

		Py_BEGIN_ALLOW_THREADS;
		n = pread(fd, block, want, offset);
		Py_END_ALLOW_THREADS;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			PyErr_SetFromErrno(PyExc_OSError);
			return OUTPUT_RAISED;
		}
		if (n == 0)
			break; /* it was cut while we sent it: output_end */
		result = output_block(c, block, (size_t)n);
		offset += n;
		left -= n;
	}
	return result;
}

/* What the client does not take at once need not be waited for, unless close()
 * does something that must not come before. */
static enum output_result
hand_over_file(struct call *c, int fd, int64_t offset, int64_t len)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		return copy_file(c, fd, offset, len);
	return output_file(c, own, offset, (uint64_t)len);
}

static enum output_result
respond_with_file(struct call *c, PyObject *result, int fd, int64_t offset,
	int64_t available)
{
	int64_t planned = plan_file(c, available);
	enum output_result outcome = OUTPUT_OK;

	if (planned < 0)
		return OUTPUT_RAISED;
	if (!c->committed)
		outcome = output_commit(c, planned);
	if (outcome != OUTPUT_OK || c->x->response->framing == RESPONSE_NO_BODY)
		return outcome;
	if (planned > LARGE && filewrapper_is_plain(c->app, result) &&
		c->x->response->framing == RESPONSE_LENGTH)
		return hand_over_file(c, fd, offset, planned);
	return copy_file(c, fd, offset, planned);
}

/* --- blocks that are made one by one --------------------------------------------------------- */

/* Behind a block: can nothing that is still to be made go to the client?  Where
 * there is no body that is known from the beginning, and PEP 3333 allows not to
 * ask for one.  A Content-Length that is used up is not enough: behind its last
 * block an application may have something to do, so that it is asked once more. */
static bool
has_all(const struct call *c)
{
	return c->told_excess || c->x->response->framing == RESPONSE_NO_BODY;
}

static enum output_result
iterate(struct call *c, PyObject *iterator)
{
	enum output_result result = OUTPUT_OK;

	while (result == OUTPUT_OK && !c->unfinished) {
		AUTO_DECREF PyObject *block = PyIter_Next(iterator);

		if (block == NULL)
			break;
		if (call_check_block(block, "what the application yields") < 0)
			return OUTPUT_RAISED;
		if (PyBytes_GET_SIZE(block) == 0)
			continue; /* PEP 3333: it does not send the head */
		c->x->pieces = iterator;
		result = output_bytes(c, block);
		if (result == OUTPUT_OK)
			result = output_flush(c);
		c->x->pieces = NULL;
		c->unfinished = has_all(c);
	}
	if (result == OUTPUT_OK && PyErr_Occurred())
		return OUTPUT_RAISED;
	if (result == OUTPUT_OK && !c->committed)
		return output_commit(c, 0);
	return result;
}

static enum output_result
respond_with_iterable(struct call *c, PyObject *result)
{
	AUTO_DECREF PyObject *iterator = PyObject_GetIter(result);
	AUTO_DECREF PyObject *blocks = NULL;

	if (iterator == NULL)
		return OUTPUT_RAISED;
	/* Over a list or tuple (Django's responses): all is there. */
	if (Py_TYPE(iterator) != c->app->list_iterator_type &&
		Py_TYPE(iterator) != c->app->tuple_iterator_type)
		return iterate(c, iterator);
	blocks = PySequence_Tuple(iterator);
	return blocks == NULL ? OUTPUT_RAISED : respond_with_tuple(c, blocks);
}

/* --- the response -------------------------------------------------------------------------------- */

static bool
is_iterable(PyObject *result)
{
	return Py_TYPE(result)->tp_iter != NULL || PySequence_Check(result);
}

static const char *
article_for(const char *name)
{
	return strchr("aeiouAEIOU", name[0]) != NULL ? "an " : "a ";
}

/* Iterating these would give confusing sentences, or nonsense; but for empty bytes,
 * which are an iterable of none and mean what they look like. */
static int
check_result(PyObject *result)
{
	const char *name = Py_TYPE(result)->tp_name;
	const char *hint = NULL;

	if (result == Py_None)
		hint = "is a \"return\" missing?";
	else if (PyBytes_Check(result) && PyBytes_GET_SIZE(result) > 0)
		hint = "return a list with it in";
	else if (PyUnicode_Check(result))
		hint = "encode it and return a list with it in";
	else if (PyCoro_CheckExact(result))
		hint = "it is an ASGI application or \"async def\" function, "
		       "and WSGI is neither";
	else if (PyAsyncGen_CheckExact(result))
		hint = "it is an \"async def\" function that yields, and WSGI "
		       "knows none";
	else if (!is_iterable(result))
		hint = "return a list with bytes in";
	if (hint == NULL)
		return 0;
	PyErr_Format(PyExc_TypeError,
		"the application returned %s%.100s where an iterable of bytes "
		"is expected: %s",
		result == Py_None ? "" : article_for(name),
		result == Py_None ? "None" : name, hint);
	return -1;
}

static enum output_result
respond(struct call *c, PyObject *result)
{
	int64_t offset, available;
	int fd, is_file;

	if (LIKELY(PyList_CheckExact(result)))
		return respond_with_list(c, result);
	if (PyTuple_CheckExact(result))
		return respond_with_tuple(c, result);
	if (check_result(result) < 0)
		return OUTPUT_RAISED;
	if (!c->wrote) {
		is_file = filewrapper_inspect(
			c->app, result, &fd, &offset, &available);
		if (is_file > 0)
			return respond_with_file(
				c, result, fd, offset, available);
	}
	return respond_with_iterable(c, result);
}

/* --- failures --------------------------------------------------------------------------------------- */

/* What to answer when the body could not be read; 0 when nobody is left. */
static int
status_for(int read_error)
{
	switch (read_error) {
	case 0:
		return 500;
	case -EBADMSG:
		return 400;
	case -EFBIG:
		return 413;
	case -ETIMEDOUT:
		return 408;
	default:
		return 0;
	}
}

/* The exception is ours, made for a client's fault, and nobody minded. */
static bool
is_clients_fault(const struct call *c)
{
	return (c->send_error != 0 || c->read_error != 0) &&
	       PyErr_ExceptionMatches(PyExc_OSError);
}

/* That is what clients do, and nobody's to mend. */
static void
mention_exception(struct call *c)
{
	struct buf text = {0};
	char what[512];

	exceptions_describe(what, sizeof(what));
	begin_line(c, &text);
	(void)buf_add_text(&text, what);
	end_line(c, LOG_LEVEL_INFO, &text);
}

static void
complain(struct call *c)
{
	if (!is_clients_fault(c)) {
		c->x->failed = true;
		complain_of_exception(c, "the application raised an exception");
		return;
	}
	if (c->send_error == 0)
		mention_exception(c);
	PyErr_Clear();
}

/* Answer in the application's place, or break its response off. */
static void
answer(struct call *c)
{
	struct response *r = c->x->response;
	int status = status_for(c->read_error);

	output_reset(c);
	/* Its close() is still to come, and must not add to this. */
	c->committed = c->ended = true;
	if (c->read_error != 0)
		r->keep_alive = false;
	if (c->sent || status == 0) {
		c->x->broken = true;
		return;
	}
	c->x->client->before_head(c->x, true);
	if (response_simple(r, status) < 0) {
		r->out->len = c->base;
		r->out->failed = false;
		c->x->broken = true;
	}
}

/* Where the application has forked, its copy ends as sys.exit says: is that what
 * the current exception was? */
static bool
ends_copy(struct call *c)
{
	PyObject *exception;

	if (LIKELY(!c->app->is_copy))
		return false;
	exception = exceptions_take();
	if (!exceptions_is_exit(exception, &c->app->copy_status)) {
		exceptions_put_back(exception);
		return false;
	}
	Py_DECREF(exception);
	return true;
}

/* The application could not; or a copy that it has forked is to end here. */
static void
fail(struct call *c)
{
	if (!ends_copy(c))
		complain(c);
	answer(c);
}

/* There is no memory for so much as a word about it. */
static void
give_up(struct call *c)
{
	PyErr_Clear();
	c->x->failed = true;
	answer(c);
	c->x->status = c->x->response->status;
}

/* --- close() ------------------------------------------------------------------------------------------ */

/* Is there nothing that its close() could do, or wait for? */
static bool
closes_at_once(struct call *c, PyObject *result, bool exhausted)
{
	return (exhausted && PyGen_CheckExact(result)) ||
	       filewrapper_is_plain(c->app, result);
}

static void
close_result(struct call *c, PyObject *result, bool exhausted)
{
	AUTO_DECREF PyObject *method = NULL;
	AUTO_DECREF PyObject *done = NULL;
	int rc = interp_attribute(result, c->app->name_close, &method);

	/* The client need not wait for what the application does now, nor the
	 * application for a client that is slow. */
	if (rc > 0 && !closes_at_once(c, result, exhausted))
		(void)output_flush(c);
	if (rc > 0)
		done = PyObject_CallNoArgs(method);
	if ((rc < 0 || (rc > 0 && done == NULL)) && !ends_copy(c)) {
		c->x->failed = true;
		complain_of_exception(c,
			"close() of the application's response raised an "
			"exception");
	}
}

/* --- the request --------------------------------------------------------------------------------------- */

static void
finish(struct call *c, PyObject *result)
{
	enum output_result outcome = respond(c, result);
	bool exhausted = outcome == OUTPUT_OK && !c->unfinished;

	if (LIKELY(outcome == OUTPUT_OK))
		outcome = output_end(c);
	if (UNLIKELY(outcome == OUTPUT_RAISED))
		fail(c);
	if (UNLIKELY(c->lent != NULL))
		output_reclaim(c);
	if (!PyList_CheckExact(result) && !PyTuple_CheckExact(result))
		close_result(c, result, exhausted);
}

static PyObject *
call_application(struct call *c, PyObject *environ, struct start_response *s)
{
	PyObject *args[] = {NULL, environ, (PyObject *)s};
	AUTO_DECREF PyObject *held = NULL;

	if (UNLIKELY(c->app->is_replaceable))
		held = reload_hold_callable(c->app);
	return PyObject_Vectorcall(held != NULL ? held : c->app->callable,
		args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

void
app_call(struct app *app, struct app_exchange *x)
{
	struct call c = {.app = app,
		.x = x,
		.thread = pthread_self(),
		.pristine = *x->response,
		.base = x->response->out->len};
	struct input *input;
	struct start_response *s;
	PyObject *environ = NULL;
	PyObject *result = NULL;

	if (UNLIKELY(app->script_reloading))
		reload_script(app);
	c.errors = errors_take(&c);
	if (UNLIKELY(c.errors == NULL)) {
		give_up(&c);
		return;
	}
	input = input_take(&c);
	s = start_response_take(&c);
	c.early_hints = early_hints_take(&c);
	if (LIKELY(input != NULL && s != NULL && c.early_hints != NULL))
		environ = environ_make(&c, (PyObject *)input);
	if (LIKELY(environ != NULL))
		result = call_application(&c, environ, s);
	if (LIKELY(result != NULL))
		finish(&c, result);
	else
		fail(&c);
	if (UNLIKELY(c.lent != NULL))
		output_reclaim(&c);
	x->status = x->response->status;

	/* Only now may objects that nobody kept go, or be used again. */
	Py_XDECREF(result);
	Py_XDECREF(environ);
	input_give_back(&c, input);
	start_response_give_back(&c, s);
	early_hints_give_back(&c, c.early_hints);
	errors_give_back(&c, c.errors);
}
