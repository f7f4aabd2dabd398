/*
 * exchange.h - for the tests of src/python: an application in a temporary
 * file, and a client that is played.
 *
 * A program has one interpreter, made by exchange_set_up and ended by
 * exchange_tear_down, which are a cmocka group's.  exchange_use makes another
 * text the application; exchange_run puts one request to it.
 */
#ifndef WSGID_TESTS_PYTHON_EXCHANGE_H
#define WSGID_TESTS_PYTHON_EXCHANGE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/request.h"
#include "http/response.h"
#include "python/app.h"

enum { EXCHANGE_SENDS = 64, EXCHANGE_LENT = 32 };

struct lent {
	char *out;
	const void *data;
	size_t len;
	struct str tail;
};

struct exchange {
	/* To be set before exchange_run, or left zero. */
	bool streams;        /* the body is read, not collected */
	const char **pieces; /* what each read brings; NULL = the end */
	int read_error;      /* then, instead of the end */
	int send_fails_at;   /* the number of the send, from 1 */
	int send_error;
	unsigned may_lend; /* pieces that are left where they are */
	const char *unique_id;
	const struct forwarded *forwarded;

	struct app_exchange x;
	struct request request;
	struct response response;
	struct app_peer peer;
	struct buf out;  /* left for the caller */
	struct buf sent; /* by the client's send */
	struct lent lent[EXCHANGE_LENT];
	unsigned n_lent;
	int sends;
	int files;                      /* of them */
	int pushes;                     /* of them; the client took it all */
	int dates;                      /* renewed */
	size_t sent_at[EXCHANGE_SENDS]; /* sent.len after each */
	int reads, empty_reads;
	struct buf all; /* sent and what was left, one behind the other */
	struct buf log; /* what arrived on descriptor 2 */
};

int exchange_set_up(void **state);
int exchange_tear_down(void **state);
struct app *exchange_app(void);
const char *exchange_directory(void); /* where modules are looked for */

/* Write a file there. */
void exchange_write(const char *name, const char *text);

/* Make this text the application.  It is a module with an "application". */
void exchange_use(const char *source);

/* Try to import what is written so.  As app_import; its output is in log. */
int exchange_import(const char *application, struct err *err, struct buf *log);

/* Put a request to the application: a head, and perhaps a body behind it.
 * Bare line ends stand for CRLF in the head. */
void exchange_run(struct exchange *ex, const char *text);
void exchange_fini(struct exchange *ex);

/* The whole response, the body in it, the log, as text. */
const char *exchange_all(struct exchange *ex);
const char *exchange_body(struct exchange *ex);
const char *exchange_log(struct exchange *ex);

/* Fail with the text shown unless it holds the part, or does not. */
void assert_holds(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

/* What is written to descriptors 1 and 2 in between goes to *ret. */
void capture_begin(void);
void capture_end(struct buf *ret);

/* Run Python text; fail the test if it raises. */
void run_python(const char *source);

#endif
