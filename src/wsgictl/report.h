/*
 * report.h - a server's state for people and for programs.
 *
 * Text and JSON say the same; the manual page has the schema of the JSON.
 */
#ifndef WSGID_WSGICTL_REPORT_H
#define WSGID_WSGICTL_REPORT_H

#include <stdbool.h>

#include "wsgictl/queues.h"

struct buf;
struct instance;
struct snapshot;

/* What there is to say about a server.  s is NULL where its scoreboard cannot
 * be read, and then reason says why. */
struct report {
	const struct instance *instance;
	const struct snapshot *snapshot;
	const char *reason;
	struct queues queues; /* as far as they are known */
	bool busy;  /* the master was asked and did not answer */
	bool query; /* query strings are shown, which may have secrets */
};

/* The screen of "status". */
void report_status(struct buf *to, const struct report *r);
/* The log of a reload that has failed. */
void report_reload_log(struct buf *to, const struct report *r);
/* A row a worker, as mod_status has them. */
void report_workers(struct buf *to, const struct report *r);

/* It runs, and a child serves or is at a request. */
bool report_is_ready(const struct report *r);

/* It runs, and has been told not to. */
bool report_is_stopping(const struct report *r);

/* "running", "stopped by a signal", ... */
const char *report_state(const struct report *r);

/* The same as an object; with_workers for fullstatus.  0 or -ENOMEM. */
int report_json(struct buf *to, const struct report *r, bool with_workers);

#endif
