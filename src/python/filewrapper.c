/*
 * filewrapper.c - wsgi.file_wrapper.
 *
 * As an iterable it reads its file in blocks.  When the application returns
 * one whose file is a regular file, the server reads the file itself, from
 * where it stands.  That is done for io's own types only: others (gzip,
 * say) have a descriptor as well, but its bytes are not theirs.  Nor for files
 * that the kernel makes up as they are read (/proc, /sys): their size is 0, or
 * a page, whatever is in them.
 */
#include "python/python_priv.h"

#include <linux/magic.h>
#include <structmember.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { DEFAULT_BLOCK = 8192 };

struct filewrapper {
	PyObject_HEAD PyObject *filelike; /* NULL when closed */
	Py_ssize_t blksize;
};

static int
raise_closed(void)
{
	PyErr_SetString(PyExc_ValueError, "I/O operation on closed file");
	return -1;
}

static int
filewrapper_set_up(PyObject *object, PyObject *args, PyObject *named)
{
	static char *names[] = {"filelike", "blksize", NULL};
	struct filewrapper *self = (struct filewrapper *)object;
	Py_ssize_t blksize = DEFAULT_BLOCK;
	PyObject *filelike;

	if (!PyArg_ParseTupleAndKeywords(
		    args, named, "O|n:FileWrapper", names, &filelike, &blksize))
		return -1;
	if (blksize < 0) {
		PyErr_Format(PyExc_ValueError,
			"FileWrapper: blksize must not be negative, it is %zd",
			blksize);
		return -1;
	}
	Py_INCREF(filelike);
	Py_XSETREF(self->filelike, filelike);
	self->blksize = blksize;
	return 0;
}

static PyObject *
filewrapper_next(PyObject *object)
{
	struct filewrapper *self = (struct filewrapper *)object;
	PyObject *block;

	if (self->filelike == NULL) {
		raise_closed();
		return NULL;
	}
	block = PyObject_CallMethod(self->filelike, "read", "n", self->blksize);
	if (block == NULL)
		return NULL;
	if (!PyBytes_Check(block)) {
		PyErr_Format(PyExc_TypeError,
			"FileWrapper: read() of the file must return bytes, "
			"not %.100s",
			Py_TYPE(block)->tp_name);
		Py_CLEAR(block);
	} else if (PyBytes_GET_SIZE(block) == 0) {
		Py_CLEAR(block);
	}
	return block;
}

/* Once, and an error of the file's close() is nobody's: all of it has been
 * sent, or somebody has said already what went wrong. */
static PyObject *
filewrapper_close(PyObject *object, PyObject *unused)
{
	struct filewrapper *self = (struct filewrapper *)object;
	AUTO_DECREF PyObject *filelike = self->filelike;
	AUTO_DECREF PyObject *method = NULL;
	AUTO_DECREF PyObject *done = NULL;

	(void)unused;
	self->filelike = NULL;
	if (filelike != NULL)
		method = PyObject_GetAttrString(filelike, "close");
	if (method != NULL)
		done = PyObject_CallNoArgs(method);
	PyErr_Clear();
	Py_RETURN_NONE;
}

static PyObject *
get_filelike(PyObject *object, void *unused)
{
	PyObject *filelike = ((struct filewrapper *)object)->filelike;

	(void)unused;
	if (filelike == NULL)
		raise_closed();
	Py_XINCREF(filelike);
	return filelike;
}

static int
filewrapper_traverse(PyObject *object, visitproc visit, void *arg)
{
	Py_VISIT(((struct filewrapper *)object)->filelike);
	Py_VISIT(Py_TYPE(object));
	return 0;
}

static int
filewrapper_clear(PyObject *object)
{
	Py_CLEAR(((struct filewrapper *)object)->filelike);
	return 0;
}

static void
filewrapper_dealloc(PyObject *object)
{
	PyTypeObject *type = Py_TYPE(object);

	PyObject_GC_UnTrack(object);
	(void)filewrapper_clear(object);
	type->tp_free(object);
	Py_DECREF(type);
}

static PyMethodDef methods[] = {
	{"close", filewrapper_close, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
	{"blksize", T_PYSSIZET, offsetof(struct filewrapper, blksize), READONLY,
		NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyGetSetDef attributes[] = {
	{"filelike", get_filelike, NULL, NULL, NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
	{Py_tp_new, PyType_GenericNew},
	{Py_tp_init, filewrapper_set_up},
	{Py_tp_dealloc, filewrapper_dealloc},
	{Py_tp_traverse, filewrapper_traverse},
	{Py_tp_clear, filewrapper_clear},
	{Py_tp_iter, PyObject_SelfIter},
	{Py_tp_iternext, filewrapper_next},
	{Py_tp_methods, methods},
	{Py_tp_members, members},
	{Py_tp_getset, attributes},
	{0, NULL},
};

static PyType_Spec spec = {
	.name = "wsgid.FileWrapper",
	.basicsize = sizeof(struct filewrapper),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
	.slots = slots,
};

int
filewrapper_init(struct app *app)
{
	app->filewrapper_type = interp_type(&spec);
	return app->filewrapper_type == NULL ? -1 : 0;
}

void
filewrapper_fini(struct app *app)
{
	Py_CLEAR(app->filewrapper_type);
}

/* --- for the server ------------------------------------------------------------------------------ */

static bool
is_a(struct app *app, PyObject *filelike, enum file_type type)
{
	return (PyObject *)Py_TYPE(filelike) == app->file_types[type];
}

/* A buffer says the descriptor of whatever it stands before, also of gzip's. */
static bool
is_file(struct app *app, PyObject *filelike)
{
	AUTO_DECREF PyObject *raw = NULL;

	if (is_a(app, filelike, FILE_RAW))
		return true;
	if (!is_a(app, filelike, FILE_BUFFERED) &&
		!is_a(app, filelike, FILE_BUFFERED_BOTH_WAYS))
		return false;
	raw = PyObject_GetAttr(filelike, app->name_raw);
	if (raw == NULL)
		PyErr_Clear();
	return raw != NULL && is_a(app, raw, FILE_RAW);
}

/* A subclass that yields something else than its file is iterated. */
static bool
is_wrapper(struct app *app, PyObject *result)
{
	PyTypeObject *type = Py_TYPE(result);

	return PyObject_TypeCheck(result, app->filewrapper_type) &&
	       type->tp_iter == app->filewrapper_type->tp_iter &&
	       type->tp_iternext == app->filewrapper_type->tp_iternext;
}

static long long
ask_number(PyObject *filelike, PyObject *method)
{
	AUTO_DECREF PyObject *number = NULL;
	long long value;

	number = PyObject_CallMethodObjArgs(filelike, method, NULL);
	if (number == NULL)
		return -1;
	value = PyLong_AsLongLong(number);
	return value;
}

/* What has been written and is in its buffer must be in the file: moving about
 * within the buffer leaves it there. */
static bool
is_written(struct app *app, PyObject *filelike)
{
	AUTO_DECREF PyObject *done = NULL;

	if (LIKELY(!is_a(app, filelike, FILE_BUFFERED_BOTH_WAYS)))
		return true;
	done = PyObject_CallMethodObjArgs(filelike, app->name_flush, NULL);
	return done != NULL;
}

/* Is it a regular file of the size that it says?  Files that are made up take
 * no blocks; nor do others that are all holes. */
static bool
has_size(int fd, struct stat *st)
{
	struct statfs fs;

	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_size == 0)
		return false;
	return st->st_blocks > 0 || fstatfs(fd, &fs) < 0 ||
	       fs.f_type != SYSFS_MAGIC;
}

int
filewrapper_inspect(struct app *app, PyObject *result, int *fd, int64_t *offset,
	int64_t *available)
{
	AUTO_DECREF PyObject *filelike = NULL;
	long long number = -1, place = -1;
	struct stat st;

	if (!is_wrapper(app, result))
		return 0;
	filelike = ((struct filewrapper *)result)->filelike;
	Py_XINCREF(filelike);
	if (filelike == NULL || !is_file(app, filelike))
		return 0;
	if (is_written(app, filelike))
		number = ask_number(filelike, app->name_fileno);
	if (number >= 0)
		place = ask_number(filelike, app->name_tell);
	if (place < 0) {
		PyErr_Clear(); /* reading it will say what is wrong */
		return 0;
	}
	if (!has_size((int)number, &st))
		return 0;
	*fd = (int)number;
	*offset = place;
	*available = st.st_size > place ? st.st_size - place : 0;
	return 1;
}

bool
filewrapper_is_plain(struct app *app, PyObject *result)
{
	PyObject *filelike;

	if (Py_TYPE(result) != app->filewrapper_type)
		return false;
	filelike = ((struct filewrapper *)result)->filelike;
	return filelike == NULL || is_file(app, filelike);
}
