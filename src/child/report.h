/*
 * report.h - what the world is told of a request: the worker's record in the
 * scoreboard, the page's totals and the access log.
 */
#ifndef WSGID_CHILD_REPORT_H
#define WSGID_CHILD_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/str.h"
#include "python/app.h"
#include "wsgid/scoreboard.h"

struct connection;
struct engine;

struct report {
	int64_t begin_ns, begin_us;
	int64_t since_ns;   /* the request was there */
	uint64_t bytes_out; /* of the connection when it began */
	size_t head_len;    /* bytes of the response's head, once known */
};

/* What is told when the response is out: of a connection whose response is large
 * and whose request is over. */
struct report_untold {
	bool exists;
	int status;
	int64_t begin_ns, begin_us; /* of the request */
	uint64_t bytes_in; /* of the request */
	uint64_t before;   /* the connection's bytes_out when it began */
	uint64_t told;     /* likewise, when it was over */
	uint64_t whole;    /* likewise, when the response is out */
	struct buf lines;  /* access_log_begin; empty without a log */
};

/* The request in e->request begins, or ends, on c.  At the end what remains to
 * be sent is in c->parts; the bytes sent and the line of the access log are told
 * then where that is little, as the kernel takes it, and else by report_out. */
void report_begin(struct report *r, struct engine *e, struct connection *c);
void report_end(struct report *r, struct engine *e, struct connection *c,
	const struct app_exchange *x);

/* The response is out, since now_ns, or nobody is to have the rest of it.  Nothing
 * happens where report_end has told all. */
void report_out(struct engine *e, struct connection *c, int64_t now_ns);

/* This child ends: those that are not out by now are cut off. */
void report_out_all(struct engine *e);

/* The end of one that was refused. */
void report_end_refused(
	struct report *r, struct engine *e, struct connection *c, int status);

/* The head of the response, at the beginning of out, is about to be sent; the
 * first call counts. */
void report_head(struct report *r, struct engine *e, struct str out);

/* Is the running request over RequestTimeout?  Then the log says, once, what was
 * asked for and where in Python it is, and this child asks to be replaced.
 * worker: the thread that runs it, or is waiting with it. */
void report_overdue(struct engine *e, pid_t worker);

/* The same for a request that has just waited for its client: where nothing of
 * it runs, because it has yielded a piece, that is said. */
void report_overdue_here(struct engine *e, const struct app_exchange *x);

/* How many requests of this child are not finished, as its page says. */
unsigned report_unfinished(const struct engine *e);
/* This child leaves, and so many requests are not finished: say so when there are
 * any.  Of the engine only what no other thread changes is used. */
void report_cut(const struct engine *e, unsigned n);

/* What the worker does now. */
void report_state(struct engine *e, enum wsgid_worker_state state);
/* It has requests, and has waited long for the GIL to begin one; or not any more. */
void report_kept_out(struct engine *e, bool on);

/* Write what the access logs have gathered, without the GIL; the world sees
 * that it takes long where it does.  No client waits for that. */
void report_flush(struct engine *e);

#endif
