/*
 * record.h - what is known about a request when it is logged.
 */
#ifndef WSGID_ACCESSLOG_RECORD_H
#define WSGID_ACCESSLOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Looks a header up, without case: the value of the first at or behind *from,
 * which is moved behind it and is 0 at first; p NULL where there is none. */
typedef struct str record_lookup(
	const void *subject, struct str name, size_t *from);

struct record {
	struct str client;     /* %a %h: "192.0.2.7"; empty for unix: */
	struct str peer;       /* %{c}a */
	struct str local;      /* %A */
	int local_port;        /* %p, 0 for unix: */
	int remote_port;       /* %{remote}p */
	struct str line;       /* %r */
	struct str method;     /* %m */
	struct str path;       /* %U */
	struct str query;      /* %q without the "?"; p NULL = none */
	struct str protocol;   /* %H */
	struct str host;       /* %v %V, perhaps with a port */
	struct str request_id; /* %L; p NULL = none */
	int status;            /* %s %>s; 0 when none was sent */
	uint64_t body_bytes;   /* %b %B */
	uint64_t bytes_in;     /* %I */
	uint64_t bytes_out;    /* %O */
	int64_t begin_us;      /* real time, %t */
	int64_t duration_us;   /* %D %T */
	unsigned keep_alives;  /* %k */
	int pid;               /* %P */
	long thread;           /* %{tid}P */
	bool aborted;          /* %X: X */
	bool kept_alive;       /* %X: + */

	record_lookup *request_header; /* %{NAME}i %{NAME}C %u */
	const void *request;
	record_lookup *response_header; /* %{NAME}o */
	const void *response;
};

#endif
