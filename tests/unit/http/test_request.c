/*
 * test_request.c - what a request's head may be, row by row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "http/request.h"

/* Also for bytes behind a NUL. */
#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
#define GET    "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST   "POST / HTTP/1.1\r\nHost: a\r\n"
#define GET_10 "GET / HTTP/1.0\r\n"

static const struct request_limits usual = {
	.line = 8190, .fields = 100, .field_size = 8190};

static struct request parsed;

/* Parse a copy that ends where the bytes do, so that a sanitizer sees one
 * read too many. */
static ssize_t
parse(struct str head, const struct request_limits *limits)
{
	static char *copy;
	ssize_t rc;

	free(copy);
	copy = malloc(head.len + (head.len == 0));
	assert_non_null(copy);
	memcpy(copy, head.p, head.len);
	rc = request_parse(&parsed, copy, head.len, limits);
	if (rc < 0)
		assert_true(request_complaint(&parsed)[0] != '\0');
	return rc;
}

static void
assert_text(struct str s, const char *text)
{
	if (text == NULL) {
		assert_null(s.p);
		return;
	}
	assert_non_null(s.p);
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.p, text, s.len);
}

static const struct refusal {
	const char *section;
	int status;
	struct str head;
} refusals[] = {
	/* The request line. */
	{"9112 2.2", 400, BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n")},
	{"9112 2.2", 400, BYTES("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 2.2", 400, BYTES("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 2.2", 400, BYTES("GET / HTTP/1.1\rHost: a\r\n\r\n")},
	{"9112 2.2", 400, BYTES("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n")},
	{"9112 2.2", 400, BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n")},
	{"9112 2.2", 400,
		BYTES("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
		      "GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES(" GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET  / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET /  HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET / HTTP/1.1 \r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET / HTTP/1.1 x\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("GET /\r\n")},
	{"9112 3", 400, BYTES("GET\r\n\r\n")},
	{"9112 3", 400, BYTES("GET \r\n\r\n")},
	{"9112 3", 400, BYTES("/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3", 400, BYTES("hello\r\n\r\n")},
	{"9112 3.1", 400, BYTES("G@T / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.1", 400, BYTES("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.1", 400, BYTES("G\xc3\x84T / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"TLS", 400, BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
	/* The version. */
	{"9112 2.3", 400, BYTES("GET / http/1.1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP/1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP/1.\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP/1.10\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP/11.1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP/1,1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP/x.1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP 1.1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTPS/1.1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / ICY/1.1\r\nHost: a\r\n\r\n")},
	{"9112 2.3", 400, BYTES("GET / HTTP/1.\xb9\r\nHost: a\r\n\r\n")},
	{"9110 15.6.6", 505, BYTES("GET / HTTP/2.0\r\nHost: a\r\n\r\n")},
	{"9110 15.6.6", 505, BYTES("GET / HTTP/0.9\r\nHost: a\r\n\r\n")},
	{"9110 15.6.6", 505, BYTES("GET / HTTP/3.0\r\n\r\n")},
	{"9113 3.4", 505, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
	/* The target. */
	{"9112 3.2", 400, BYTES("GET index.html HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET ?a=b HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET /?a#b HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET /a\x1f HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET \xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.2", 400, BYTES("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.2", 400, BYTES("GET http://\xc3\xa4/ HTTP/1.1\r\n\r\n")},
	{"9112 3.2.3", 400, BYTES("CONNECT \xc3\xa4:443 HTTP/1.1\r\n\r\n")},
	{"9112 3.2.2", 400, BYTES("GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.2", 400, BYTES("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9110 4.2.1", 400, BYTES("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9110 4.2.1", 400,
		BYTES("GET http://:80/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9110 4.2.4", 400,
		BYTES("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9110 4.2.4", 400,
		BYTES("GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET http://a/ HTTP/1.1\r\n\r\n")},
	{"9112 3.2.3", 400, BYTES("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.3", 400, BYTES("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9110 9.3.6", 400, BYTES("CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9110 9.3.6", 400, BYTES("CONNECT :1 HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.3", 400,
		BYTES("CONNECT http://a:1 HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.3", 400, BYTES("CONNECT * HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.3", 400, BYTES("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.4", 400, BYTES("GET * HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.4", 400, BYTES("options * HTTP/1.1\r\nHost: a\r\n\r\n")},
	{"9112 3.2.4", 400, BYTES("OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n")},
	/* Host. */
	{"9112 3.2", 400, BYTES("GET / HTTP/1.1\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES(GET "Host: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES(GET "hOST: b\r\n\r\n")},
	{"9112 3.2", 400, BYTES("GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n")},
	{"9112 3.2", 400, BYTES(GET_10 "Host: a\r\nHost: a\r\n\r\n")},
	{"9110 7.2", 400, BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")},
	{"9110 7.2", 400, BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")},
	{"9110 7.2", 400, BYTES("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n")},
	{"9110 7.2", 400, BYTES("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n")},
	{"9110 7.2", 400, BYTES("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n")},
	{"9110 7.2", 400, BYTES("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n")},
	{"9110 7.2", 400, BYTES(GET_10 "Host: a\\b\r\n\r\n")},
	/* Header fields. */
	{"9112 5", 400, BYTES(GET "X: a\n\r\n")},
	{"9112 5", 400, BYTES(GET "X: a\n\n")},
	{"9112 5", 400, BYTES(GET "\n")},
	{"9112 5", 400, BYTES(GET "X: a\r\n\rX")},
	{"9112 5", 400, BYTES(GET "X\r\n\r\n")},
	{"9112 5", 400, BYTES(GET "X\n: a\r\n\r\n")},
	{"9112 5", 400, BYTES(GET ": a\r\n\r\n")},
	{"9112 5.1", 400, BYTES(GET "X : a\r\n\r\n")},
	{"9112 5.1", 400, BYTES(GET "X\t: a\r\n\r\n")},
	{"9112 5.1", 400, BYTES("GET / HTTP/1.1\r\nHost : a\r\n\r\n")},
	{"9112 5.1", 400, BYTES(GET "X Y: a\r\n\r\n")},
	{"9112 5.2", 400, BYTES(GET "X: a\r\n b\r\n\r\n")},
	{"9112 5.2", 400, BYTES(GET "X: a\r\n\tb: c\r\n\r\n")},
	{"9110 5.1", 400, BYTES(GET "X(Y): a\r\n\r\n")},
	{"9110 5.1", 400, BYTES(GET "X\0: a\r\n\r\n")},
	{"9110 5.1", 400, BYTES(GET "X\x7f: a\r\n\r\n")},
	{"9110 5.1", 400, BYTES(GET "\xc3\x84: a\r\n\r\n")},
	{"9110 5.5", 400, BYTES(GET "X: a\0b\r\n\r\n")},
	{"9110 5.5", 400, BYTES(GET "X: a\rb\r\n\r\n")},
	{"9110 5.5", 400, BYTES(GET "X: a\r\r\n\r\n")},
	{"9110 5.5", 400, BYTES(GET "X: a\x01\r\n\r\n")},
	{"9110 5.5", 400, BYTES(GET "X: 12345678\x1b[2J\r\n\r\n")},
	{"9110 5.5", 400, BYTES(GET "X: a\x7f, long enough\r\n\r\n")},
	{"9110 5.5", 400, BYTES(GET "X: a\x0b\r\n\r\n")},
	/* Content-Length. */
	{"9110 8.6", 400, BYTES(POST "Content-Length:\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: +5\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: -5\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 0x5\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 5 5\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 5.0\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 5,\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: ,5\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 5, 6\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 5, 05\r\n\r\n")},
	{"9110 8.6", 400,
		BYTES(POST "Content-Length: 05\r\nContent-Length: 5\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 5;\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: five\r\n\r\n")},
	{"9110 8.6", 400, BYTES(POST "Content-Length: 5\xa0\r\n\r\n")},
	{"9110 8.6", 400,
		BYTES(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n")},
	{"9110 8.6", 400,
		BYTES(POST "Content-Length: 5\r\ncontent-length: x\r\n\r\n")},
	{"9110 8.6", 400,
		BYTES(POST "Content-Length: 9223372036854775808\r\n\r\n")},
	{"9110 8.6", 400,
		BYTES(POST "Content-Length: 18446744073709551616\r\n\r\n")},
	{"9110 8.6", 400,
		BYTES(POST "Content-Length: 18446744073709551621\r\n\r\n")},
	/* Transfer-Encoding. */
	{"9112 6.1", 400,
		BYTES(POST "Content-Length: 5\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n")},
	{"9112 6.1", 400,
		BYTES(POST "Transfer-Encoding: chunked\r\n"
			   "Content-Length: 5\r\n\r\n")},
	{"9112 6.1", 400,
		BYTES(POST "Content-Length: 0\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n")},
	{"9112 6.1", 400,
		BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding:\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: identity\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: chunkedx\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: chunked;q=1\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: gzip\r\n\r\n")},
	{"9112 6.1", 501,
		BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n")},
	{"9112 6.1", 501,
		BYTES(POST "Transfer-Encoding: chunked, gzip\r\n\r\n")},
	{"9112 6.1", 501,
		BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: chunked,\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: ,chunked\r\n\r\n")},
	{"9112 6.1", 501,
		BYTES(POST "Transfer-Encoding: chunked\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n")},
	{"9112 6.1", 501,
		BYTES(POST "Transfer-Encoding: chunked\r\n"
			   "Transfer-Encoding: identity\r\n\r\n")},
	{"9112 6.1", 501,
		BYTES(POST "Transfer-Encoding: \x0b"
			   "chunked\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: chunked\x0c\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "transfer-encoding: \x7f\r\n\r\n")},
	{"9112 6.1", 501, BYTES(POST "Transfer-Encoding: chunked\0\r\n\r\n")},
	{"9112 6.1", 400,
		BYTES(GET_10 "Transfer-Encoding: \x0b"
			     "chunked\r\n\r\n")},
	{"9112 6.3", 400,
		BYTES(POST "Content-Length: 5\r\nTransfer-Encoding: \x0b"
			   "chunked\r\n\r\n")},
	{"9112 2.2", 400, BYTES(POST "Transfer-Encoding: chunked\rX\r\n\r\n")},
	{"9112 2.2", 400, BYTES(POST "Transfer-Encoding: chunked\n\r\n")},
	{"9112 5.1", 400, BYTES(POST "Transfer-Encoding : chunked\r\n\r\n")},
	/* Expect. */
	{"9110 10.1.1", 417, BYTES(POST "Expect: 200-ok\r\n\r\n")},
	{"9110 10.1.1", 417, BYTES(POST "Expect: 100-continue, x\r\n\r\n")},
	{"9110 10.1.1", 417, BYTES(POST "Expect: 100-continue;a=b\r\n\r\n")},
	{"9110 10.1.1", 417,
		BYTES(POST "Expect: 100-continue\r\nExpect: x\r\n\r\n")},
};

static void
test_what_could_be_read_in_two_ways_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *row = &refusals[i];
		ssize_t rc = parse(row->head, &usual);

		if (rc != -row->status)
			fail_msg("RFC %s: %zd, not -%d: %.*s", row->section, rc,
				row->status, (int)row->head.len, row->head.p);
	}
}

static const struct acceptance {
	const char *section;
	struct str head;
	const char *method, *path, *query, *host;
	enum request_form form;
	int minor;
} acceptances[] = {
	{"9112 3.2.1", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "GET", "/",
		NULL, "a", REQUEST_ORIGIN, 1},
	{"9112 3.2.1", BYTES("GET /a/b?c=d HTTP/1.1\r\nHost: a:80\r\n\r\n"),
		"GET", "/a/b", "c=d", "a:80", REQUEST_ORIGIN, 1},
	{"9112 3.2.1", BYTES("GET /? HTTP/1.1\r\nHost: a\r\n\r\n"), "GET", "/",
		"", "a", REQUEST_ORIGIN, 1},
	{"9112 3.2.1", BYTES("GET /a?b?c/d HTTP/1.1\r\nHost: a\r\n\r\n"), "GET",
		"/a", "b?c/d", "a", REQUEST_ORIGIN, 1},
	{"9112 3.2.1", BYTES("GET //a/../%2e HTTP/1.1\r\nHost: a\r\n\r\n"),
		"GET", "//a/../%2e", NULL, "a", REQUEST_ORIGIN, 1},
	{"as browsers send",
		BYTES("GET /{a|b}^`\"<> HTTP/1.1\r\nHost: a\r\n\r\n"), "GET",
		"/{a|b}^`\"<>", NULL, "a", REQUEST_ORIGIN, 1},
	{"as typed",
		BYTES("GET /\xc3\xa4\x80?\xff HTTP/1.1\r\nHost: a\r\n\r\n"),
		"GET", "/\xc3\xa4\x80", "\xff", "a", REQUEST_ORIGIN, 1},
	{"as typed",
		BYTES("GET http://b/\xe9?\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
		"GET", "/\xe9", "\xe9", "b", REQUEST_ABSOLUTE, 1},
	{"9112 2.2", BYTES("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "GET", "/",
		NULL, "a", REQUEST_ORIGIN, 1},
	{"9112 2.2",
		BYTES("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
		      "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		"GET", "/", NULL, "a", REQUEST_ORIGIN, 1},
	{"9110 9.1", BYTES("get / HTTP/1.1\r\nHost: a\r\n\r\n"), "get", "/",
		NULL, "a", REQUEST_ORIGIN, 1},
	{"9110 9.1", BYTES("!#$%&'*+-.^_`|~0 / HTTP/1.1\r\nHost: a\r\n\r\n"),
		"!#$%&'*+-.^_`|~0", "/", NULL, "a", REQUEST_ORIGIN, 1},
	{"9110 2.5", BYTES("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), "GET", "/",
		NULL, "a", REQUEST_ORIGIN, 1},
	{"9110 2.5", BYTES("GET / HTTP/1.9\r\nHost: a\r\n\r\n"), "GET", "/",
		NULL, "a", REQUEST_ORIGIN, 1},
	{"9112 3.2", BYTES("GET / HTTP/1.0\r\n\r\n"), "GET", "/", NULL, "",
		REQUEST_ORIGIN, 0},
	{"9112 3.2", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "GET", "/", NULL,
		"", REQUEST_ORIGIN, 1},
	{"9112 3.2", BYTES("GET / HTTP/1.1\r\nHost: \t\r\n\r\n"), "GET", "/",
		NULL, "", REQUEST_ORIGIN, 1},
	{"9110 7.2", BYTES("GET / HTTP/1.1\r\nhOsT:[::1]:8000\r\n\r\n"), "GET",
		"/", NULL, "[::1]:8000", REQUEST_ORIGIN, 1},
	{"9112 3.2.2", BYTES("GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n"),
		"GET", "/c", "d", "b", REQUEST_ABSOLUTE, 1},
	{"9112 3.2.2", BYTES("GET HTTPS://b:1 HTTP/1.1\r\nHost:\r\n\r\n"),
		"GET", "/", NULL, "b:1", REQUEST_ABSOLUTE, 1},
	{"9112 3.2.2", BYTES("GET http://b?d/e HTTP/1.1\r\nHost: a\r\n\r\n"),
		"GET", "/", "d/e", "b", REQUEST_ABSOLUTE, 1},
	{"9112 3.2.2", BYTES("GET http://b/ HTTP/1.0\r\n\r\n"), "GET", "/",
		NULL, "b", REQUEST_ABSOLUTE, 0},
	{"9112 3.2.3", BYTES("CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
		"CONNECT", "", NULL, "b:443", REQUEST_AUTHORITY, 1},
	{"9112 3.2.4", BYTES("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
		"OPTIONS", "*", NULL, "a", REQUEST_ASTERISK, 1},
};

static void
test_request_lines_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(acceptances); i++) {
		const struct acceptance *row = &acceptances[i];
		ssize_t rc = parse(row->head, &usual);

		if (rc != (ssize_t)row->head.len)
			fail_msg("RFC %s: %zd (%s): %s", row->section, rc,
				request_complaint(&parsed), row->head.p);
		assert_text(parsed.method, row->method);
		assert_text(parsed.path, row->path);
		assert_text(parsed.query, row->query);
		assert_text(parsed.host, row->host);
		assert_int_equal(parsed.form, row->form);
		assert_int_equal(parsed.minor, row->minor);
		assert_ptr_equal(parsed.line.p, parsed.method.p);
	}
}

enum { KEEPS = 1, ASKS = 2, EXPECTS = 4, CHUNKED = 8, HAS_LENGTH = 16 };

static const struct meaning {
	const char *section;
	struct str head;
	int flags;
	uint64_t length;
} meanings[] = {
	/* Persistence. */
	{"9112 9.3", BYTES(GET "\r\n"), KEEPS, 0},
	{"9112 9.3", BYTES(GET "Connection: close\r\n\r\n"), 0, 0},
	{"9112 9.3", BYTES(GET "connection:CLOSE\r\n\r\n"), 0, 0},
	{"9112 9.3", BYTES(GET "Connection: keep-alive\r\n\r\n"), KEEPS, 0},
	{"9112 9.3", BYTES(GET "Connection: TE, close\r\n\r\n"), 0, 0},
	{"9112 9.3", BYTES(GET "Connection: x\r\nConnection: close\r\n\r\n"), 0,
		0},
	{"9112 9.3", BYTES(GET "Connection: closed\r\n\r\n"), KEEPS, 0},
	{"9112 9.3", BYTES(GET "Connection:\r\n\r\n"), KEEPS, 0},
	{"9112 9.3", BYTES(GET "Connection: keep-alive, close\r\n\r\n"), 0, 0},
	{"9112 9.3", BYTES(GET_10 "\r\n"), 0, 0},
	{"9112 9.3", BYTES(GET_10 "Connection: Keep-Alive\r\n\r\n"),
		KEEPS | ASKS, 0},
	{"9112 9.3", BYTES(GET_10 "Connection: close, keep-alive\r\n\r\n"),
		ASKS, 0},
	/* Length. */
	{"9110 8.6", BYTES(POST "Content-Length: 5\r\n\r\n"),
		KEEPS | HAS_LENGTH, 5},
	{"9110 8.6", BYTES(POST "Content-Length:\t 5 \t\r\n\r\n"),
		KEEPS | HAS_LENGTH, 5},
	{"9110 8.6", BYTES(POST "content-length: 0\r\n\r\n"),
		KEEPS | HAS_LENGTH, 0},
	{"9110 8.6", BYTES(POST "CONTENT-LENGTH: 007\r\n\r\n"),
		KEEPS | HAS_LENGTH, 7},
	{"9110 8.6", BYTES(POST "Content-Length: 5, 5\r\n\r\n"),
		KEEPS | HAS_LENGTH, 5},
	{"9110 8.6",
		BYTES(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
		KEEPS | HAS_LENGTH, 5},
	{"9110 8.6", BYTES(POST "Content-Length: 9223372036854775807\r\n\r\n"),
		KEEPS | HAS_LENGTH, INT64_MAX},
	{"9110 8.6", BYTES(GET "Content-Length: 3\r\n\r\n"), KEEPS | HAS_LENGTH,
		3},
	/* Chunked. */
	{"9112 7.1", BYTES(POST "Transfer-Encoding: chunked\r\n\r\n"),
		KEEPS | CHUNKED, 0},
	{"9112 7.1", BYTES(POST "transfer-encoding:\t ChUnKeD \t\r\n\r\n"),
		KEEPS | CHUNKED, 0},
	/* Expectations. */
	{"9110 10.1.1",
		BYTES(POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n"),
		KEEPS | HAS_LENGTH | EXPECTS, 5},
	{"9110 10.1.1",
		BYTES(POST "Expect: 100-continue, 100-continue\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n"),
		KEEPS | CHUNKED | EXPECTS, 0},
	{"9110 10.1.1", BYTES(POST "Expect: 100-continue\r\n\r\n"), KEEPS, 0},
	{"9110 10.1.1", BYTES(POST "Content-Length: 1\r\nExpect:\r\n\r\n"),
		KEEPS | HAS_LENGTH, 1},
	{"9110 10.1.1",
		BYTES(GET_10 "Content-Length: 1\r\n"
			     "Expect: 100-continue\r\n\r\n"),
		HAS_LENGTH, 1},
	{"9110 10.1.1", BYTES(GET_10 "Content-Length: 1\r\nExpect: x\r\n\r\n"),
		HAS_LENGTH, 1},
	/* Names that only look like those. */
	{"9110 5.1", BYTES(GET "Content_Length: x\r\n\r\n"), KEEPS, 0},
	{"9110 5.1", BYTES(GET "Transfer.Encoding: x\r\n\r\n"), KEEPS, 0},
	{"9110 5.1", BYTES(GET "Expec!: x\r\n\r\n"), KEEPS, 0},
};

static void
test_fields_decide_what_follows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		const struct meaning *row = &meanings[i];
		ssize_t rc = parse(row->head, &usual);
		int flags = (parsed.keep_alive ? KEEPS : 0) |
			    (parsed.asks_keep_alive ? ASKS : 0) |
			    (parsed.expects_continue ? EXPECTS : 0) |
			    (parsed.chunked ? CHUNKED : 0) |
			    (parsed.has_length ? HAS_LENGTH : 0);

		if (rc != (ssize_t)row->head.len || flags != row->flags ||
			parsed.length != row->length)
			fail_msg("RFC %s: %zd (%s), flags %d, length %ju: %s",
				row->section, rc, request_complaint(&parsed),
				flags, (uintmax_t)parsed.length, row->head.p);
	}
}

static void
test_fields_come_as_sent_without_outer_blanks(void **state)
{
	static const struct str head = BYTES("GET / HTTP/1.1\r\n"
					     "Host: a\r\n"
					     "x-EMPTY:\r\n"
					     "X-Blank: \t \r\n"
					     "X-Inner:a \t b\r\n"
					     "X-Outer: \ta\t \r\n"
					     "X-Latin: caf\xe9\r\n"
					     "X-Colon:: a:\r\n"
					     "X-Long: abcdefghijklmnop\tq\r\n"
					     "!#$%&'*+-.^_`|~0: t\r\n"
					     "X-Inner: again\r\n\r\n");
	static const struct {
		const char *name, *value;
	} fields[] = {
		{"Host", "a"},
		{"x-EMPTY", ""},
		{"X-Blank", ""},
		{"X-Inner", "a \t b"},
		{"X-Outer", "a"},
		{"X-Latin", "caf\xe9"},
		{"X-Colon", ": a:"},
		{"X-Long", "abcdefghijklmnop\tq"},
		{"!#$%&'*+-.^_`|~0", "t"},
		{"X-Inner", "again"},
	};
	size_t from = 0;

	(void)state;
	assert_int_equal(parse(head, &usual), head.len);
	assert_int_equal(parsed.n_fields, ARRAY_LEN(fields));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		assert_text(parsed.fields[i].name, fields[i].name);
		assert_text(parsed.fields[i].value, fields[i].value);
	}
	assert_text(request_field(&parsed, STR("x-inner"), &from), "a \t b");
	assert_text(request_field(&parsed, STR("X-Inner"), &from), "again");
	assert_text(request_field(&parsed, STR("X-Inner"), &from), NULL);
	from = 0;
	assert_text(request_field(&parsed, STR("X-Empty"), &from), "");
	from = 0;
	assert_text(request_field(&parsed, STR("X-Other"), &from), NULL);
}

static void
test_a_refused_request_can_still_be_logged(void **state)
{
	static const struct {
		struct str head;
		const char *line, *method;
	} rows[] = {
		{BYTES("GET /a b HTTP/1.1\r\nHost"), "GET /a b HTTP/1.1",
			"GET"},
		{BYTES("GET / HTTP/2.0\r\n"), "GET / HTTP/2.0", "GET"},
		{BYTES("\x16\x03\x01"), "\x16\x03\x01", ""},
		{BYTES("BREW /p\nHost"), "BREW /p", "BREW"},
		{BYTES("\r\n\r\nGET\r\n"), "GET", ""},
		{BYTES("GET / HTTP/1.1\r\n\r\n"), "GET / HTTP/1.1", "GET"},
		{BYTES("GET /123456789012345678901234567890 HTTP/1.1\r\n"),
			"GET /1234567890123456789012345", "GET"},
	};
	static const struct request_limits limits = {
		.line = 30, .fields = 10, .field_size = 30};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(parse(rows[i].head, &limits) < 0);
		assert_text(parsed.line, rows[i].line);
		assert_text(parsed.method, rows[i].method);
	}
}

static void
test_limits_are_exact(void **state)
{
	static const struct {
		const char *section;
		struct request_limits limits; /* line, fields, field_size */
		int status;                   /* 0 = accepted */
		struct str head;
	} rows[] = {
		{"9112 3", {14, 1, 7}, 0, BYTES(GET "\r\n")},
		{"9112 3", {13, 1, 7}, 414, BYTES(GET "\r\n")},
		{"6585 5", {14, 0, 7}, 431, BYTES(GET "\r\n")},
		{"6585 5", {14, 1, 6}, 431, BYTES(GET "\r\n")},
		{"6585 5", {14, 1, 7}, 431, BYTES(GET "B: c\r\n\r\n")},
		{"6585 5", {14, 2, 7}, 0, BYTES(GET "B: c\r\n\r\n")},
		{"6585 5", {14, 2, 7}, 431, BYTES(GET "B: c d e\r\n\r\n")},
		/* Blanks count; empty lines before the first do not. */
		{"6585 5", {14, 2, 7}, 431, BYTES(GET "B:      \r\n\r\n")},
		{"9112 3", {14, 1, 7}, 0, BYTES("\r\n\r\n" GET "\r\n")},
		/* What is too long need not be whole. */
		{"9112 3", {13, 1, 7}, 414, BYTES("GET /123456789")},
		{"9112 3", {3, 1, 7}, 414, BYTES("OPTIONS")},
		{"6585 5", {14, 2, 7}, 431, BYTES(GET "B: 12345")},
		{"6585 5", {14, 2, 7}, 431, BYTES(GET "Abcdefgh")},
		{"6585 5", {14, 1, 7}, 431, BYTES(GET "B")},
		{"9112 3", {SIZE_MAX, SIZE_MAX, SIZE_MAX}, 0,
			BYTES(GET "\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request_scan scan = {0};
		ssize_t rc = parse(rows[i].head, &rows[i].limits);
		int scanned = request_scan(&scan, rows[i].head.p,
			rows[i].head.len, &rows[i].limits);

		if (rc < 0 ? rc != -rows[i].status : rows[i].status != 0)
			fail_msg(
				"RFC %s, row %zu: %zd", rows[i].section, i, rc);
		assert_int_equal(scanned, rc < 0 ? rc : 1);
	}
}

static void
test_never_more_fields_than_there_is_room(void **state)
{
	static const struct request_limits limits = {
		.line = 100, .fields = SIZE_MAX, .field_size = 100};
	size_t start = sizeof(GET) - 1, len;
	char *head = malloc(start + 4 * REQUEST_FIELDS_MAX + 2);

	(void)state;
	assert_non_null(head);
	memcpy(head, GET, start);
	len = start;
	for (int i = 1; i < REQUEST_FIELDS_MAX; i++, len += 4)
		memcpy(head + len, "a:\r\n", 4);
	memcpy(head + len, "\r\n", 2);
	assert_int_equal(parse((struct str){head, len + 2}, &limits), len + 2);
	assert_int_equal(parsed.n_fields, REQUEST_FIELDS_MAX);

	memcpy(head + len, "b:\r\n", 4);
	memcpy(head + len + 4, "\r\n", 2);
	assert_int_equal(parse((struct str){head, len + 6}, &limits), -431);
	free(head);
}

/* Feed a scan as the network might: the bytes up to each of the ends, each
 * time from another place. */
static int
scan_in_steps(struct str head, size_t step, const struct request_limits *limits,
	size_t *seen)
{
	struct request_scan scan = {0};
	int rc = 0;

	*seen = 0;
	while (rc == 0 && *seen < head.len) {
		size_t len = head.len - *seen > step ? *seen + step : head.len;
		char *copy = malloc(len);

		assert_non_null(copy);
		memcpy(copy, head.p, len);
		rc = request_scan(&scan, copy, len, limits);
		free(copy);
		*seen = len;
	}
	return rc;
}

/* What must hold for any bytes at all. */
static void
check_splits(struct str head, const struct request_limits *limits)
{
	ssize_t whole = parse(head, limits);
	size_t wholes_len = whole > 0 ? (size_t)whole : head.len, seen;

	for (size_t len = 0; len < head.len; len++) {
		ssize_t part = parse((struct str){head.p, len}, limits);

		if (part != 0 && part != whole)
			fail_msg("%zd of %zu bytes, %zd of all: %.*s", part,
				len, whole, (int)head.len, head.p);
		if (whole > 0)
			assert_int_equal(part, len < wholes_len ? 0 : whole);
	}
	for (size_t step = 1; step < 8; step++) {
		int rc = scan_in_steps(head, step, limits, &seen);

		if (rc == 0) { /* not whole, or a fault it does not look for */
			assert_true(whole <= 0);
			assert_true(whole != -414 && whole != -431);
			continue;
		}
		if (whole > 0) {
			assert_int_equal(rc, 1);
			assert_true(seen >= wholes_len);
			assert_true(seen < wholes_len + step);
			continue;
		}
		/* To be parsed now, or refused by both. */
		assert_true(parse((struct str){head.p, seen}, limits) < 0);
	}
}

static void
test_it_does_not_matter_how_a_head_is_split(void **state)
{
	static const struct request_limits tight = {
		.line = 20, .fields = 2, .field_size = 18};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(acceptances); i++) {
		check_splits(acceptances[i].head, &usual);
		check_splits(acceptances[i].head, &tight);
	}
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		check_splits(meanings[i].head, &usual);
		check_splits(meanings[i].head, &tight);
	}
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		check_splits(refusals[i].head, &usual);
		check_splits(refusals[i].head, &tight);
	}
}

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1103515245U + 12345U;
	return *seed >> 16;
}

/* The same for heads that a careless hand has changed, always alike. */
static void
test_nor_how_a_spoilt_head_is_split(void **state)
{
	static const char spoilers[] = "\r\n\0 \t:;,/?#*@[]%\x7f\xe9"
				       "aH0";
	static const struct request_limits limits = {
		.line = 40, .fields = 3, .field_size = 60};
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t which = next_random(&seed) % ARRAY_LEN(meanings);
		struct str head = meanings[which].head;
		unsigned changes = next_random(&seed) % 3 + 1;
		char copy[256];

		assert_true(head.len <= sizeof(copy));
		memcpy(copy, head.p, head.len);
		while (changes-- > 0)
			copy[next_random(&seed) % head.len] =
				spoilers[next_random(&seed) %
					 (sizeof(spoilers) - 1)];
		check_splits((struct str){copy, head.len}, &limits);
	}
}

static void
test_what_follows_a_head_is_not_looked_at(void **state)
{
	static const struct str head = BYTES(GET "\r\n\0\n\nGET / HTTP");
	struct request_scan scan = {0};

	(void)state;
	assert_int_equal(parse(head, &usual), sizeof(GET) + 1);
	assert_int_equal(request_scan(&scan, head.p, head.len, &usual), 1);
}

static void
test_nothing_of_the_last_request_is_left(void **state)
{
	(void)state;
	assert_true(parse((struct str)BYTES(POST "Content-Length: 5\r\n"
						 "Expect: 100-continue\r\n"
						 "Connection: close\r\n\r\n"),
			    &usual) > 0);
	assert_true(parse((struct str)BYTES("GET http://b/?c HTTP/1.1\r\n\r\n"),
			    &usual) < 0);
	assert_true(parse((struct str)BYTES(GET_10 "\r\n"), &usual) > 0);
	assert_false(parsed.has_length || parsed.expects_continue);
	assert_int_equal(parsed.length, 0);
	assert_int_equal(parsed.n_fields, 0);
	assert_text(parsed.host, "");
	assert_text(parsed.query, NULL);
	assert_int_equal(parsed.form, REQUEST_ORIGIN);
	assert_string_equal(request_complaint(&parsed), "");
	assert_int_equal(parse((struct str){"", 0}, &usual), 0);
	assert_text(parsed.line, "");
	assert_text(parsed.method, "");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_could_be_read_in_two_ways_is_refused),
		cmocka_unit_test(test_request_lines_are_taken_apart),
		cmocka_unit_test(test_fields_decide_what_follows),
		cmocka_unit_test(test_fields_come_as_sent_without_outer_blanks),
		cmocka_unit_test(test_a_refused_request_can_still_be_logged),
		cmocka_unit_test(test_limits_are_exact),
		cmocka_unit_test(test_never_more_fields_than_there_is_room),
		cmocka_unit_test(test_it_does_not_matter_how_a_head_is_split),
		cmocka_unit_test(test_nor_how_a_spoilt_head_is_split),
		cmocka_unit_test(test_what_follows_a_head_is_not_looked_at),
		cmocka_unit_test(test_nothing_of_the_last_request_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
