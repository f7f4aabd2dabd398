/*
 * python_priv.h - what the files of this folder share.
 *
 * Everything hangs on struct app and, while a request runs, on a struct call
 * on the stack of the thread that runs it.  Python objects that an
 * application may keep (start_response, write, wsgi.input) point to the call
 * and are cut off from it when the request ends, so that using them later
 * is an exception and not a crash.
 *
 * Functions that may fail with a Python exception return -1 or NULL with the
 * exception set, as Python's own do.  The GIL is held everywhere but where a
 * comment says that it is not.
 */
#ifndef WSGID_PYTHON_PYTHON_PRIV_H
#define WSGID_PYTHON_PYTHON_PRIV_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/log.h"
#include "base/str.h"
#include "http/response.h"
#include "python/app.h"

struct err;
struct environ;
struct early_hints;
struct errors;
struct input;
struct start_response;

/* A Python type of ours may not be changed or made by applications; before
 * 3.10 there was no word for it. */
#if PY_VERSION_HEX >= 0x030a0000
#define OURS_ALONE \
	(Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE)
#else
#define OURS_ALONE 0
#endif

/* Without a GIL nobody can tell whether an object is used elsewhere. */
#ifdef Py_GIL_DISABLED
#define MAY_RECYCLE 0
#else
#define MAY_RECYCLE 1
#endif

/* Before 3.13 there was always one, and nothing to be said. */
#ifndef Py_BEGIN_CRITICAL_SECTION
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION()	  }
#endif

/* Of io: the type whose bytes are those of its descriptor, and what may stand
 * before it. */
enum file_type {
	FILE_RAW,
	FILE_BUFFERED,
	FILE_BUFFERED_BOTH_WAYS, /* reads and writes */
	FILE_TYPES,
};

struct app {
	char *application; /* as configured */
	char *callable_name;
	char *directory;
	bool has_home; /* the prefix of an installation is configured */
	struct app_forks forks;
	struct app_forks put_aside; /* while the server itself forks */
	bool is_copy;               /* the application has forked it ... */
	int copy_status;            /* ... and it is to end with this */
	void (*soon)(void *arg);    /* app_call_soon's, and its argument */
	void *soon_arg;
	bool (*is_interrupted)(void); /* asked by debugger.c, or NULL */

	bool settled;
	bool told_left_out; /* a header, by headers.c */
	PyObject *threads;  /* noted by threads.c, or NULL */

	/* Another may take its place while threads are in it. */
	PyObject *callable;
	bool is_replaceable;
	pthread_mutex_t callable_lock; /* while it is read and written, no more */
	struct environ *environ;
	PyTypeObject *early_hints_type;
	PyTypeObject *errors_type;
	PyTypeObject *input_type;
	PyTypeObject *start_response_type;
	PyTypeObject *write_type;
	PyTypeObject *filewrapper_type;
	PyObject *format_exception; /* traceback.format_exception, once needed */
	PyObject *file_types[FILE_TYPES];
	PyTypeObject *list_iterator_type;
	PyTypeObject *tuple_iterator_type;
	PyObject *name_close, *name_fileno, *name_flush, *name_raw, *name_tell;

	/* Of a script: its file as it was read, and whether to look at it again. */
	char *script;
	struct timespec script_time;
	bool script_failed; /* so it is run again whatever its time says */
	bool script_reloading;
	pthread_mutex_t script_lock;
	char *traceback; /* of the last import that failed */
	pthread_mutex_t traceback_lock; /* nobody waits while he has it */

	/* Of the last request, for the next; see MAY_RECYCLE. */
	struct early_hints *spare_early_hints;
	struct errors *spare_errors;
	struct input *spare_input;
	struct start_response *spare_start_response;
};

/* One request, from app_call's begin to its end. */
struct call {
	struct app *app;
	struct app_exchange *x;
	struct early_hints *early_hints;
	struct errors *errors;    /* wsgi.errors */
	pthread_t thread;         /* the one that may wait for the client */
	struct response pristine; /* as it was given to app_call */
	size_t base;              /* x->response->out->len at that time */
	bool started;             /* start_response was called and was right */
	bool committed;           /* the head is ended: it cannot change */
	bool ended;               /* so is the body */
	bool sent;                /* something has gone to the client */
	bool pushed;              /* and the rest of all goes by itself */
	bool wrote;               /* by write(), and not nothing */
	bool unfinished;          /* there may be blocks that nobody can get */
	bool told_excess;
	int send_error; /* a negative errno: the client is gone */
	int read_error; /* likewise of the body: it cannot be read */
	PyObject *lent; /* a list of blocks that the client needs still, or NULL */
};

/* --- call.c: the parts that objects use ------------------------------------ */

/* "GET / HTTP/1.1: " and the sentence, as one line of the error log: what the
 * application has done wrong. */
void call_complain(struct call *c, const char *format, ...) PRINTF(2, 3);

/* The same of what works, but not as he may think. */
void call_warn(struct call *c, const char *format, ...) PRINTF(2, 3);

/* Is it bytes?  0, or -1 with an exception that says from where it came and what
 * to do. */
int call_check_block(PyObject *block, const char *from);

/* --- output.c: from blocks to the client ----------------------------------- */

enum output_result {
	OUTPUT_RAISED = -1, /* a Python exception is set */
	OUTPUT_OK = 0,
	OUTPUT_GONE = 1, /* the client is: c->send_error */
};

/* End the head.  known_length is the body's where it is known, else -1. */
enum output_result output_commit(struct call *c, int64_t known_length);

/* A block of the body, cut to what Content-Length allows.  Small blocks are
 * gathered until output_flush. */
enum output_result output_block(struct call *c, const void *data, size_t len);

/* No block is needed by the client any more, whatever has become of it. */
void output_reclaim(struct call *c);

/* The same for a bytes object, which may be kept until the client has it. */
enum output_result output_bytes(struct call *c, PyObject *block);

/* The same for the last of the body. */
enum output_result output_last_block(struct call *c, PyObject *block);

/* Does a head that is committed allow that nobody waits for the last of the
 * body, whatever it is? */
bool output_may_be_held(const struct call *c);

/* And for the last blocks, where that is so: bytes, total in all, in a list that
 * is ours. */
enum output_result output_last_blocks(
	struct call *c, PyObject *blocks, size_t total);

/* len bytes of a file, by a descriptor that is taken; it is the whole body. */
enum output_result output_file(
	struct call *c, int fd, int64_t offset, uint64_t len);

/* Send all that is gathered; a client that is slow is waited for only where
 * more of the body may come. */
enum output_result output_flush(struct call *c);

/* The end of the body. */
enum output_result output_end(struct call *c);

/* Forget what has not been sent, as if start_response had not been called. */
void output_reset(struct call *c);

/* OSError, ConnectionResetError, ... for an operation of the client. */
void output_raise(int error, const char *what);

/* --- tracebacks.c ------------------------------------------------------------ */

int tracebacks_init(void);

/* --- reload.c ---------------------------------------------------------------- */

void reload_init(struct app *app, const struct app_settings *settings);
void reload_fini(struct app *app);
/* What an import has failed with. */
void reload_keep_traceback(struct app *app, const char *text);
/* A script is about to be read. */
void reload_note_script(struct app *app, const char *path);
/* Before a request: run the script again where its file has changed. */
void reload_script(struct app *app);
/* The callable, for the length of a call: a new reference where it may be
 * replaced meanwhile, else NULL. */
PyObject *reload_hold_callable(struct app *app);

/* --- debugger.c --------------------------------------------------------------- */

int debugger_init(struct app *app, const struct app_settings *settings);

/* --- forks.c ----------------------------------------------------------------- */

int forks_init(struct app *app);

/* --- start_response.c ---------------------------------------------------------- */

struct start_response {
	PyObject_HEAD vectorcallfunc vectorcall;
	struct call *call; /* NULL when the request has ended */
	PyObject *write;   /* what it returns, as long-lived as itself */
};

int start_response_init(struct app *app);
void start_response_fini(struct app *app);
struct start_response *start_response_take(struct call *c);
void start_response_give_back(struct call *c, struct start_response *s);

/* --- headers.c ------------------------------------------------------------------ */

/* The bytes of a str, which must be latin-1. */
int headers_text(
	struct str *ret, PyObject *s, const char *who, const char *what);

/* Is it a list?  And add what is in it to a head that has begun.  0 or -1. */
int headers_check(PyObject *headers, const char *who);
int headers_add(
	struct call *c, struct response *r, PyObject *headers, const char *who);

/* --- early_hints.c --------------------------------------------------------------- */

int early_hints_init(struct app *app);
void early_hints_fini(struct app *app);
struct early_hints *early_hints_take(struct call *c);
void early_hints_give_back(struct call *c, struct early_hints *hints);

/* --- input.c ----------------------------------------------------------------------- */

int input_init(struct app *app);
void input_fini(struct app *app);
struct input *input_take(struct call *c);
void input_give_back(struct call *c, struct input *in);

/* --- errors.c ---------------------------------------------------------------------- */

int errors_init(struct app *app);
void errors_fini(struct app *app);

/* Whole lines, written at once: what the server itself says of the application.
 * What the application says is of level info. */
void errors_write(enum log_level level, const char *text, size_t len);

/* The unfinished line of this thread, if it left one. */
void errors_end_line(struct errors *errors);

/* "[id abc] ", or nothing. */
struct str errors_id(const struct errors *errors);

/* The object of a request, and back: it must not be NULL. */
struct errors *errors_take(struct call *c);
void errors_give_back(struct call *c, struct errors *errors);

/* --- exceptions.c ------------------------------------------------------------------ */

void exceptions_prepare(struct app *app); /* what shows them is imported */
void exceptions_fini(struct app *app);

/* The current exception as text with its traceback (or without); clears it.
 * A new str; NULL when even that fails. */
PyObject *exceptions_format(struct app *app);

/* "KeyError: 'x'": the first line of its own text that has something in it;
 * clears it. */
void exceptions_describe(char *to, size_t size);

/* Where it was raised: the line, 0 where that is not known, and the file. */
int exceptions_place(PyObject *exception, char *file, size_t size);

/* Described with that place, and the traceback is printed by
 * what is there already: Python is just starting. */
void exceptions_tell(char *to, size_t size);

/* The current exception, taken; NULL when there is none. */
PyObject *exceptions_take(void);
void exceptions_put_back(PyObject *exception); /* steals it */

/* With what status a process ends that does not handle it, and is there no more to
 * say of it, as with sys.exit(5)? */
bool exceptions_is_exit(PyObject *exception, int *status);

/* --- environ.c ------------------------------------------------------------------- */

int environ_init(struct app *app, const struct app_settings *settings);
void environ_fini(struct app *app);
PyObject *environ_make(struct call *c, PyObject *input);

/* --- filewrapper.c ---------------------------------------------------------------- */

int filewrapper_init(struct app *app);
void filewrapper_fini(struct app *app);

/* If result is a wrapper around a regular file: its descriptor, where it
 * stands and how much there is from there.  1, 0 when it is not, or -1. */
int filewrapper_inspect(struct app *app, PyObject *result, int *fd,
	int64_t *offset, int64_t *available);

/* Is its close() nothing but the file's? */
bool filewrapper_is_plain(struct app *app, PyObject *result);

/* --- interp.c ------------------------------------------------------------------------ */

int interp_start(const struct app_settings *settings, struct err *err);
void interp_stop(void);

/* --- source.c ------------------------------------------------------------------------ */

/* The function of that name in Python text of ours: a new reference, or NULL with an
 * exception. */
PyObject *source_function(const char *source, const char *name);

/* --- paths.c ------------------------------------------------------------------------- */

int paths_set(const struct app_settings *settings);

/* --- holes.c --------------------------------------------------------------------- */

/* Before a process is forked often, with the GIL: what is free in pieces among
 * what stays is taken for good, Python's and malloc's. */
void holes_fill(void);

/* --- identity.c ---------------------------------------------------------------------- */

/* Is this the Python that the program was built for?  The library is known before
 * anything is started, the installation afterwards. */
int identity_check_library(
	const struct app_settings *settings, struct err *err);
int identity_check_installation(
	const struct app_settings *settings, struct err *err);

/* --- import.c ------------------------------------------------------------------------ */

/* The application's callable, a new reference; NULL, with a sentence, its
 * traceback printed, and rc set. */
PyObject *import_callable(struct app *app, int *rc, struct err *err);

/* --- missing.c ----------------------------------------------------------------------- */

/* " (it is in ...)": the cause of a ModuleNotFoundError, or an ImportError, where
 * one is to be seen.  False and nothing written where none is. */
bool missing_explain(
	struct app *app, PyObject *exception, char *to, size_t size);

/* The file of a module, or the directory of one that has none; "" where there is
 * neither. */
void missing_origin(PyObject *module, char *to, size_t size);

/* --- denied.c ------------------------------------------------------------------------ */

/* "shop.log cannot be written by user www-data: ...": why a file was not opened,
 * where that is what the exception is about, or one that it was raised from.  False
 * and nothing written where it is not, or no more is to be said. */
bool denied_explain(PyObject *exception, char *to, size_t size);

/* --- small helpers (interp.c) ------------------------------------------------------ */

/* An attribute: 1, 0 when there is none, or -1. */
int interp_attribute(PyObject *object, PyObject *name, PyObject **ret);

/* A text as bytes of UTF-8, what cannot be such with backslashes; or NULL. */
PyObject *interp_utf8(PyObject *text);

/* A type from its specification, or NULL. */
PyTypeObject *interp_type(PyType_Spec *spec);

/* A list's item, a new reference, or NULL when it has gone. */
PyObject *interp_list_item(PyObject *list, Py_ssize_t i);

static inline void
python_decref(void *pointer_to_object)
{
	Py_XDECREF(*(PyObject **)pointer_to_object);
}

#define AUTO_DECREF __attribute__((cleanup(python_decref)))

#endif
