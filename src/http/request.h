/*
 * request.h - the head of an HTTP/1.x request.
 *
 * RFC 9112 without leniency: whatever two implementations could read in two
 * ways is refused.  The parser copies nothing and allocates nothing; all
 * slices point into the bytes given to it and are good as long as those stay
 * where they are.
 *
 * A head may arrive in pieces.  request_parse reads a whole head in one pass
 * and says so when it is not whole yet; a caller that must wait for more
 * keeps a request_scan, which looks at each byte once, so that a client that
 * sends byte by byte costs no more than one that does not.
 */
#ifndef WSGID_HTTP_REQUEST_H
#define WSGID_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

enum { REQUEST_FIELDS_MAX = 1000 };

struct request_limits {
	size_t line;       /* bytes of the request line, without CRLF */
	size_t fields;     /* at most REQUEST_FIELDS_MAX */
	size_t field_size; /* bytes of one field line, without CRLF */
};

struct request_field {
	struct str name;  /* a token, as sent */
	struct str value; /* without blanks at either end */
};

enum request_form {
	REQUEST_ORIGIN,    /* GET /path?query */
	REQUEST_ABSOLUTE,  /* GET http://host/path?query */
	REQUEST_AUTHORITY, /* CONNECT host:port */
	REQUEST_ASTERISK,  /* OPTIONS * */
};

struct request {
	struct str line; /* the whole request line, for the access log */
	struct str method;
	struct str target; /* as sent */
	struct str path;   /* undecoded; "/" for an absolute form without one */
	struct str query;  /* behind the "?"; p is NULL where there is none */
	struct str host;   /* of the absolute form, else Host; may be empty */
	enum request_form form;
	int minor; /* HTTP/1.minor, 0 or 1 */

	bool keep_alive;       /* what version and Connection ask for */
	bool asks_keep_alive;  /* HTTP/1.0 client that said keep-alive */
	bool expects_continue; /* 1.1 only, and only with a body to come */
	bool chunked;
	bool has_length;
	uint64_t length; /* of the body, when has_length; below 2^63 */

	/* Kept by request.c. */
	const char *complaint;
	struct str length_text;
	bool has_host, says_close;

	size_t n_fields;
	struct request_field fields[REQUEST_FIELDS_MAX];
};

/* Parse the head at the start of data.  The head's length, its empty line
 * included; 0 when it is not whole yet; or -STATUS, where STATUS is what to
 * answer (400, 414, 417, 431, 501, 505).  Up to ten empty lines before the
 * request line are skipped, as Apache does, and count as part of the head.
 *
 * A fault is reported as soon as it is seen, so a part of a head gives 0 or
 * what the whole gives.  *r needs no preparation and is always filled: after
 * a refusal its slices hold what was understood, line as much of the request
 * line as came, and the rest is empty. */
ssize_t request_parse(struct request *r, const char *data, size_t len,
	const struct request_limits *limits);

/* One sentence about what was wrong, for the error log, after request_parse
 * returned a negative number; a constant string. */
const char *request_complaint(const struct request *r);

/* How far an unfinished head has been looked at.  Zeroed to begin with. */
struct request_scan {
	size_t seen;       /* bytes of data looked at */
	size_t line_start; /* where the current line begins */
	size_t lines;      /* ended lines, empty ones before the first not
	                    * counted */
	size_t empty;      /* empty lines before the first */
};

/* Look at the bytes that have come since the last call; data begins where it
 * began then, but may have moved.  1 when the head is whole and should be
 * parsed, or holds a byte for which request_parse will refuse it; 0 when
 * more is needed; -STATUS when a limit is passed already: request_parse then
 * refuses the same bytes too, with that or an earlier fault, and fills in
 * what the log wants to know.  After 1 or -STATUS the scan is used up. */
int request_scan(struct request_scan *s, const char *data, size_t len,
	const struct request_limits *limits);

/* The value of the first field of that name, without case, from the *from-th
 * on; *from is moved behind it.  p is NULL where there is none. */
struct str request_field(
	const struct request *r, struct str name, size_t *from);

#endif
