/*
 * response.h - the head of a response, and how its body is framed.
 *
 * Appends to a buffer of the caller's.  Order of calls: response_begin,
 * response_field for each of the application's headers, response_end_head,
 * then body bytes framed by response_frame.  What the server itself must say
 * (Date, Server, Connection, Content-Length or Transfer-Encoding) is added by
 * response_end_head where the application did not say it.
 */
#ifndef WSGID_HTTP_RESPONSE_H
#define WSGID_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum response_framing {
	RESPONSE_NO_BODY,  /* to HEAD; 1xx, 204, 205, 304 */
	RESPONSE_LENGTH,   /* Content-Length */
	RESPONSE_CHUNKED,  /* HTTP/1.1 without a length */
	RESPONSE_TO_CLOSE, /* HTTP/1.0 without a length: until the close */
};

struct response {
	/* Set by the caller before response_begin. */
	struct buf *out;
	int minor;           /* of the request */
	bool to_head;        /* the request's method is HEAD */
	bool keep_alive;     /* wanted; false after response_end_head when the
	                       * connection must close behind this response */
	bool say_keep_alive; /* HTTP/1.0 client that asked for it */
	const char *date;    /* "Thu, 26 Nov 2026 04:19:12 GMT"; NULL = none */
	const char *server;  /* value of Server; NULL = none */

	/* Kept by response.c; the caller reads. */
	int status;
	enum response_framing framing;
	bool has_date, has_server, has_length;
	uint64_t length; /* when has_length */
	uint64_t sent;   /* body bytes framed so far */
	size_t head_len; /* bytes of the head, once ended */
	size_t start;    /* where in out the response begins */
};

/* What is wrong with something the application gave; NULL when nothing.
 * A constant string that reads on after the name of the thing: "contains a
 * control character", "has a line break in its value". */
const char *response_status_fault(struct str status);
const char *response_field_fault(struct str name, struct str value);

/* Is it a header that an application may not send (RFC 9110 section 7.6.1,
 * PEP 3333: hop-by-hop)? */
bool response_is_hop_by_hop(struct str name);

/* Of those, may it be left out, as it says what the server itself says of the
 * connection?  "Connection: close" is noted. */
bool response_leave_out(
	struct response *r, struct str name, struct str value);

/* The status line; status is "200 OK" and has no fault, or is the server's
 * own interim status: then nothing but the given fields is sent.  0 or
 * -ENOMEM, as all that append. */
int response_begin(struct response *r, struct str status);

/* One header line; it has no fault.  Content-Length is read as well;
 * -EINVAL when its value is not a number, or another number than before.
 * It is left out where it must not be sent: 1xx, 204 (RFC 9110 section 8.6),
 * and 205, whose own is 0 (section 15.3.6); and said once. */
int response_field(struct response *r, struct str name, struct str value);

/* End the head.  known_length is the length of the whole body where the
 * caller knows it, whatever the application said of it, else -1.  To HEAD only
 * a length above 0 is believed: many applications leave the body out
 * themselves. */
int response_end_head(struct response *r, int64_t known_length);

/* How much of len body bytes may be sent: all, or less when Content-Length
 * is used up or the response has no body. */
size_t response_allowed(const struct response *r, size_t len);

/* Append body bytes, framed, to r->out; len was allowed. */
int response_body(struct response *r, const void *data, size_t len);

/* The same in two halves for bytes that are sent from where they are: what
 * goes before them (into to, room for 20 bytes; the count comes back) and
 * whether CRLF goes behind.  Counts the bytes as sent. */
size_t response_frame(
	struct response *r, size_t len, char *to, bool *crlf_behind);

/* The end of the body: the last chunk where chunked.  0, or -EPIPE when the
 * application sent less than its Content-Length: the connection must close. */
int response_end(struct response *r);

/* A whole small response of the server's own: "400 Bad Request" with a line
 * of text as its body; an interim one, 100, without.  Sets everything
 * response_begin would. */
int response_simple(struct response *r, int status);

#endif
