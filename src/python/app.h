/*
 * app.h - the door to Python: a WSGI application, without one PyObject.
 *
 * Behind it are the interpreter, the import of the application and the whole
 * of PEP 3333; in front of it nobody includes Python.h.  One interpreter a
 * process, so there is one struct app.
 *
 * The thread that calls app_create holds the GIL when it returns, and gives
 * it up with app_leave before it waits for anything; app_enter takes it again.
 * A worker enters once a turn of its loop, not once a request.
 */
#ifndef WSGID_PYTHON_APP_H
#define WSGID_PYTHON_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/str.h"
#include "http/forwarded.h"
#include "http/request.h"
#include "http/response.h"

struct err;
struct app;

/* What the worker must do around a fork by the application: called in the
 * thread that forks, with the GIL; each may be NULL.  The process after
 * after_in_child is the application's and serves nobody. */
struct app_forks {
	void (*before)(void *arg);
	void (*after_in_parent)(void *arg);
	void (*after_in_child)(void *arg);
	void *arg;
};

/* Of a copy that the application has forked, and that has come out of it: as
 * sys.exit says, 1 where it raised, or 0. */
int app_copy_status(const struct app *app);

struct app_settings {
	const char *application; /* "package.module:callable",
	                          * "package.module", "module:factory()",
	                          * or a script's path, which has a slash
	                          * in it: "/srv/site/app.wsgi" */
	const char *callable;    /* name where application gives none */
	const char *executable;  /* the interpreter, never looked up in PATH */
	const char *path;        /* WSGIPythonPath, or NULL */
	const char *home;        /* the prefix of an installation, or NULL:
				  * what executable belongs to */
	const char *soabi;       /* the ABI of extension modules that there
				  * must be; NULL: any */
	const char *stdlib;      /* where the standard library must be found;
				  * NULL: anywhere */
	const char *library;     /* the shared library of the build; NULL:
				  * there is none */
	const char *places;      /* where that may be as well, with commas */
	const char *version;     /* what it was then: "3.11.2" */
	int optimize;            /* as -O: 0 to 2 */
	const char *warnings;    /* as -W, with commas; NULL: none */
	bool dont_write_bytecode;
	bool script_reloading; /* look at a script's file in each request */
	bool shows_failures;   /* app_show_failure may come at any time */

	/* breakpoint() debugs on the terminal, where there is one, until this says
	 * that Ctrl-C was typed; NULL: it is Python's own. */
	bool (*is_interrupted)(void);

	const char *hash_seed; /* "random", a number, or NULL: PYTHONHASHSEED */
	const char *x_options; /* as -X, with commas; NULL: none */
	const char *directory; /* put first on sys.path: the current one */
	const char *software;  /* SERVER_SOFTWARE */
	const char *mount;     /* SCRIPT_NAME; NULL: "" */
	bool multithread;
	bool multiprocess;
	struct app_forks forks;
};

/* Initialise the interpreter.  0 and *ret with the GIL held, or a negative
 * errno with a sentence. */
int app_create(
	struct app **ret, const struct app_settings *settings, struct err *err);

/* Import the application.  Its traceback goes to standard error, once, and a
 * sentence to *err. */
int app_import(struct app *app, struct err *err);

/* After app_import: is it to be seen in the callable that each request will fail?
 * Then a sentence says so. */
bool app_doubts(struct app *app, char *to, size_t size);

/* After app_import has failed, here or in a newer process: serve a page that says
 * so, with the sentence and, where it is our own, the traceback, until a change
 * makes it worth another try.  0, or a negative errno and a sentence. */
int app_show_failure(struct app *app, const char *sentence, bool is_our_own,
	struct err *err);

/* The directories that what is loaded has come from, and those of the last
 * traceback, whose files need not be loaded.  To be called without the GIL by
 * other threads, or with it. */
void app_list_directories(struct app *app,
	void (*add)(void *arg, const char *directory), void *arg);

/* Is this the file of the application, a script? */
bool app_is_script(const struct app *app, const char *path);

/* How much of the words for an application is a script's path: all of them, or
 * what stands before the ":" and a callable.  0 where they name a module. */
size_t app_script_length(const char *application);

/* End the interpreter: atexit functions run, non-daemon threads are joined.
 * The GIL must be held. */
void app_destroy(struct app *app);

/* Is there one Python in this process?  Something else may have brought
 * another: LD_PRELOAD, or an extension module that is linked with one.  0; 1
 * where Python is no shared library (has_own) and the same version's shared
 * library has come beside it, which goes well, as *library; or a negative errno
 * and a sentence. */
int app_check_libraries(
	bool has_own, char *library, size_t size, struct err *err);

/* How many libraries have been loaded into this process so far, whatever has
 * become of them: another number says that it is time to check again.  Neither
 * needs the GIL. */
unsigned long long app_libraries_loaded(void);

/* Which Python this is: its paths, a pair each, in no less than UTF-8. */
void app_describe(struct app *app,
	void (*say)(void *arg, const char *key, const char *value), void *arg);

/* Do its threads run one at a time?  Without a GIL they need not, until an
 * extension module that cannot do without has it switched on. */
bool app_has_gil(void);

/* Does another thread run Python code, too?  For the first one that did. */
bool app_has_threads(struct app *app);

/* When there is nothing else to do: what may be needed some day is imported, once,
 * which would only delay the first request.  So it is there when descriptors or
 * memory are short, and threading is met by the thread that calls this, which is
 * the main one where there is no other. */
void app_settle(struct app *app);

/* "3.11.2", of the running library. */
const char *app_python_version(void);

void app_enter(struct app *app); /* take the GIL */
void app_leave(struct app *app); /* give it up */

/* Write the stacks of all threads to standard error, as the handler would; but the
 * others stop for it, also where there is no GIL, each as soon as it runs Python code.
 * With the GIL. */
void app_write_stacks(struct app *app);

/* Has the calling thread the GIL just now?  May be asked in a handler of a signal. */
bool app_is_inside(void);

/* Call this with the GIL, in a thread that has no other business with Python: waits
 * until Python code could run. */
void app_with_gil(struct app *app, void (*what)(void *arg), void *arg);

/* Have the main thread call this as soon as it runs Python code, with the GIL;
 * from within that code: behind the function that it is calling.  There is one
 * at a time.  0, or -EAGAIN when too much is waiting for that. */
int app_call_soon(struct app *app, void (*what)(void *arg), void *arg);

/* A thread that has entered is a worker, by this name for Python.  What it starts is
 * a daemon only where the application says so, as with the main thread: others that
 * C has started are daemons for Python, and what they start is, too, and cut off at
 * the end.  Nothing where Python has no such threads. */
void app_become_worker(struct app *app, const char *name);

/* A thread that entered and will never again: gives the GIL up as well. */
void app_forget_thread(struct app *app);

/* --- a process that imports once and is forked often ------------------------ */

/* After app_import and what else is to be done once for all: what there is now is
 * no business of the garbage collector any more, not even at the end of the
 * interpreter, or it would write to memory that children share; and nothing is
 * left in a buffer that each of them would write.  0, or a negative errno with a
 * sentence. */
int app_freeze(struct app *app, struct err *err);

/* Note what threads there are besides this one: a fork does not copy them.  1 when
 * there are any, 0, or -1 when that cannot be told. */
int app_note_threads(struct app *app);

/* In a fork, behind its hooks: does it miss any that were noted?  Their names as
 * text, "reloader, Thread-2, 4 of C code".  The process that was forked is looked
 * at as well.  No where nothing is noted, or that was forgotten before the fork. */
int app_missing_threads(struct app *app, char *to, size_t size);
void app_forget_threads(struct app *app);

/* Around a fork by the server itself, in the thread that forks and holds the
 * GIL.  Python's hooks are run, those of struct app_forks are not: the child goes
 * on with this application. */
void app_before_fork(struct app *app);
void app_after_fork(struct app *app, bool in_child);

/* --- one request ------------------------------------------------------------ */

/* What stays the same for all requests of a connection, as text.  The app may
 * keep Python objects of it: private is its own, and must be given back with
 * app_forget_peer (GIL held) before the connection's memory goes. */
struct app_peer {
	struct str remote_addr; /* "" for unix: */
	struct str remote_port; /* likewise */
	struct str server_addr;
	struct str server_port;
	struct str scheme; /* "http" */

	/* The application's: what the next request's environ begins with. */
	bool asks_again;
	void *private;
};

struct app_exchange;

/* What the application may do to its client.  All of them may wait, and are
 * called without the GIL, by the thread that runs app_call and no other. */
struct app_client {
	/* Up to len bytes of a body that was not collected.  > 0, 0 at the end
	 * of the body, or a negative errno: -ECONNRESET the client is gone,
	 * -ECHILD it is that of the process that has forked this one,
	 * -ETIMEDOUT it was too slow, -EBADMSG the framing is broken,
	 * -EFBIG the body is over LimitRequestBody.  With len 0, which comes
	 * first if at all, a client that waits for 100 Continue is told to go
	 * on, and 0 comes back at once. */
	ssize_t (*read)(struct app_exchange *x, void *data, size_t len);

	/* Send what is in x->response->out and then, from where they are, len
	 * bytes of data and the tail; returns when nobody needs them any more,
	 * which is at once as long as what the client does not take can be kept.
	 * Empties out.  0 or a negative errno, after which nothing is sent
	 * any more. */
	int (*send)(struct app_exchange *x, const void *data, size_t len,
		struct str tail);

	/* The same for data that stays where it is: pieces that follow each
	 * other closely are sent together.  1 when it is needed still, until lend
	 * or send returns something else, or reclaim does, which waits as send. */
	int (*lend)(struct app_exchange *x, const void *data, size_t len,
		struct str tail);
	int (*reclaim)(struct app_exchange *x);

	/* Send what is in x->response->out and then what x holds, as far as the
	 * client takes it at once: the caller of app_call sees to the rest,
	 * and empties out.  It is the end of the response, so nothing is sent
	 * behind it.  0 or a negative errno, as send. */
	int (*push)(struct app_exchange *x);

	/* Send what is in x->response->out and then len bytes of a regular file
	 * from offset, by a descriptor that is taken.  Returns when the client
	 * has them or the caller of app_call will see to it.  Empties out.
	 * As send. */
	int (*send_file)(
		struct app_exchange *x, int fd, int64_t offset, uint64_t len);

	/* Send the head of an interim response (1xx), before any send.  As
	 * send. */
	int (*send_interim)(struct app_exchange *x, struct str head);

	/* A head is about to be ended, of a response of which all or, if not
	 * whole, perhaps not all is made: response->date points to a text that
	 * must be right then, and response->keep_alive becomes false when it is
	 * known that the connection must close.  Does not wait. */
	void (*before_head)(struct app_exchange *x, bool whole);
};

struct app_exchange {
	/* In, set by the caller. */
	const struct request *request;
	struct str path; /* of the target, decoded and resolved; "" for "*" */
	struct app_peer *peer;
	const struct forwarded *forwarded; /* NULL: no proxy is believed */
	const struct app_client *client;
	struct response *response; /* out, minor, to_head, keep_alive, date,
	                            * server set; not begun */
	struct str body;           /* the collected body */
	bool collected;            /* body is all of it: read is not called */
	struct str unique_id;

	/* Out. */
	int status;  /* of the response; 500 where the application failed
	                    * before its head was sent, 0 where the client left
	                    * before there was any */
	bool failed; /* it raised, or broke the rules: logged already */
	bool broken; /* the response is incomplete, or the client gone:
	                    * the connection must close */

	/* Of proxies, that the application was not shown: a set of
	 * forwarded.h's. */
	unsigned hidden;

	/* When the whole response fits, nothing was sent: it is in
	 * response->out, for the caller to send, unless it was pushed.  A large
	 * last piece may be left out of it, or several: it stays in held_data
	 * and behind that in held_more, all kept alive by held until app_drop;
	 * none is empty. */
	const void *held_data;
	size_t held_len;
	const struct iovec *held_more;
	size_t n_held_more;
	void *held;

	/* While the pieces of the body are asked for one by one: who yields
	 * them, for app_describe_pieces. */
	void *pieces;
};

/* Run the application for one request, from environ to close().  The GIL is
 * held, and released only around client calls and by the application.  Never
 * fails: an application that does is answered for with a 500, or by breaking
 * the response off. */
void app_call(struct app *app, struct app_exchange *x);

/* In a client call, by which x->pieces is waited for: who yields them and where
 * he is, as a traceback says it.  Takes the GIL for a moment. */
void app_describe_pieces(
	struct app *app, const struct app_exchange *x, char *to, size_t size);

/* Give back what app_call left in x->held, GIL held.  NULL is allowed. */
void app_drop(struct app *app, void *held);
void app_forget_peer(struct app *app, struct app_peer *peer);

#endif
