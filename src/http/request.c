/*
 * request.c - the head of an HTTP/1.x request.  See request.h.
 *
 * One pass from left to right; every byte is looked up once in a table that
 * knows where it may stand.  A line is read inside a window that is as long
 * as its limit allows, so that "too long" and "not whole yet" are decided at
 * one place.  The first fault met decides the answer: what a part of a head
 * says and what the whole says never differ.
 *
 * struct request is large; only what a request has is written.
 */
#include "http/request.h"

#include <string.h>

#include "base/defs.h"
#include "http/authority.h"
#include "http/chars.h"

enum {
	EMPTY_LINES_MAX = 10, /* Apache's DEFAULT_LIMIT_BLANK_LINES */
	TLS_HANDSHAKE = 0x16, /* the first byte of a TLS client */
};

/* Where the parser is: p is the start of the current line. */
struct cursor {
	const char *p;
	const char *stop; /* the end of the current line's window */
	const char *end;  /* of what has come */
	const struct request_limits *limits;
};

static int
refuse(struct request *r, int status, const char *complaint)
{
	r->complaint = complaint;
	return -status;
}

static struct str
slice(const char *p, const char *end)
{
	return (struct str){p, (size_t)(end - p)};
}

static const char *
skip(const char *p, const char *end, unsigned class)
{
	while (p < end && char_is_of(*p, class))
		p++;
	return p;
}

/* Is the token s the word, which is in small letters?  Setting bit 5 folds
 * case; it makes no other byte of a token equal to a letter or "-". */
static bool
is_word(struct str s, const char *word)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] | 0x20) != word[i])
			return false;
	return word[s.len] == '\0';
}

/* The window of a line: its limit and one byte, which must be the CR. */
static void
open_window(struct cursor *c, size_t limit)
{
	c->stop = (size_t)(c->end - c->p) > limit ? c->p + limit + 1 : c->end;
}

static bool
is_too_long(const struct cursor *c, size_t limit)
{
	return (size_t)(c->end - c->p) > limit;
}

/* Is there CRLF at p, where CR is known to be?  1, 0 when LF has not come. */
static int
at_line_end(struct request *r, const struct cursor *c, const char *p)
{
	if (UNLIKELY(p + 1 == c->end))
		return 0;
	if (UNLIKELY(p[1] != '\n'))
		return refuse(r, 400, "a CR is not followed by LF");
	return 1;
}

static const char *
byte_complaint(char c)
{
	if (c == '\n')
		return "a line ends in LF without CR";
	if (c == '\0')
		return "a NUL byte in the request line";
	if (c == TLS_HANDSHAKE)
		return "a TLS handshake where plain HTTP is spoken";
	if (c == '#')
		return "the request target has a fragment (\"#\")";
	return "a character that is not allowed in the request line";
}

/* The request line is not one, or not whole: p is where reading stopped.
 * What has come of it is kept for the access log. */
static int
stop_in_line(struct request *r, const struct cursor *c, const char *p)
{
	const char *end = p;

	while (end < c->stop && *end != '\r' && *end != '\n')
		end++;
	if (is_too_long(c, c->limits->line) && end == c->stop)
		end--;
	r->line = slice(c->p, end);
	if (p < c->stop)
		return refuse(r, 400, byte_complaint(*p));
	if (is_too_long(c, c->limits->line))
		return refuse(r, 414,
			"the request line is longer than LimitRequestLine");
	return 0;
}

/* The same, with a complaint about the line's form where the byte is one that
 * is at the wrong place only. */
static int
refuse_line(struct request *r, const struct cursor *c, const char *p,
	const char *complaint)
{
	int rc = stop_in_line(r, c, p);

	if (p < c->stop &&
		(*p == ' ' || *p == '\r' || char_is_of(*p, CHAR_TARGET)))
		r->complaint = complaint;
	return rc;
}

/* RFC 9112 section 2.3.  A minor version above ours is ours (RFC 9110
 * section 2.5). */
static int
read_version(struct request *r, struct str version)
{
	if (version.len != 8 || memcmp(version.p, "HTTP/", 5) != 0 ||
		!char_is_of(version.p[5], CHAR_DIGIT) || version.p[6] != '.' ||
		!char_is_of(version.p[7], CHAR_DIGIT))
		return refuse(r, 400,
			"the request line does not end in an HTTP version");
	if (version.p[5] != '1')
		return refuse(r, 505, "the HTTP version is not 1.x");
	r->minor = version.p[7] != '0';
	return 1;
}

/* RFC 9112 section 3.2.3. */
static int
read_authority_form(struct request *r)
{
	bool has_port = false;

	if (!authority_valid(r->target, &has_port) || !has_port)
		return refuse(
			r, 400, "the target of CONNECT is not \"host:port\"");
	r->form = REQUEST_AUTHORITY;
	r->path = STR("");
	r->query = (struct str){NULL, 0};
	r->host = r->target;
	return 1;
}

/* RFC 9112 section 3.2.2.  question is where the query begins, or the end. */
static int
read_absolute_form(struct request *r, const char *question)
{
	struct str scheme = slice(r->target.p, question);
	const char *slash;

	if (scheme.len >= 7 &&
		str_equal_nocase((struct str){scheme.p, 7}, STR("http://")))
		scheme.len = 7;
	else if (scheme.len >= 8 &&
		 str_equal_nocase((struct str){scheme.p, 8}, STR("https://")))
		scheme.len = 8;
	else
		return refuse(r, 400,
			"the request target is no path and no http or https "
			"URI");

	r->host = slice(scheme.p + scheme.len, question);
	slash = memchr(r->host.p, '/', r->host.len);
	if (slash != NULL)
		r->host = slice(r->host.p, slash);
	if (!authority_valid(r->host, NULL)) {
		r->host = STR("");
		return refuse(r, 400, "the request target names no valid host");
	}
	r->form = REQUEST_ABSOLUTE;
	r->path = slash != NULL ? slice(slash, question) : STR("/");
	return 1;
}

static int
read_target(struct request *r, const char *question)
{
	const char *end = r->target.p + r->target.len;

	r->path = slice(r->target.p, question);
	if (question < end)
		r->query = slice(question + 1, end);

	if (UNLIKELY(str_equal(r->method, STR("CONNECT"))))
		return read_authority_form(r);
	if (LIKELY(r->target.p[0] == '/'))
		return 1;
	if (r->target.len == 1 && r->target.p[0] == '*') {
		if (!str_equal(r->method, STR("OPTIONS")))
			return refuse(r, 400,
				"the request target \"*\" is for OPTIONS");
		r->form = REQUEST_ASTERISK;
		return 1;
	}
	return read_absolute_form(r, question);
}

/* method SP request-target SP HTTP-version CRLF (RFC 9112 section 3). */
static int
parse_line(struct request *r, struct cursor *c)
{
	const char *target, *question, *version, *p;
	int rc;

	open_window(c, c->limits->line);
	p = skip(c->p, c->stop, CHAR_TOKEN);
	if (UNLIKELY(p == c->stop || *p != ' ' || p == c->p))
		return refuse_line(r, c, p, "the method is not a token");
	r->method = slice(c->p, p);

	target = p + 1;
	question = skip(target, c->stop, CHAR_PATH);
	p = skip(question, c->stop, CHAR_TARGET);
	if (UNLIKELY(p == c->stop || *p != ' ' || p == target))
		return refuse_line(r, c, p,
			"the request line is not \"METHOD TARGET VERSION\" "
			"with single spaces");
	r->target = slice(target, p);

	version = p + 1;
	p = skip(version, c->stop, CHAR_TARGET);
	if (UNLIKELY(p == c->stop || *p != '\r'))
		return refuse_line(r, c, p,
			"the request line does not end behind the version");
	r->line = slice(c->p, p);
	rc = at_line_end(r, c, p);
	if (rc <= 0)
		return rc;
	c->p = p + 2;

	rc = read_version(r, slice(version, p));
	return rc < 0 ? rc : read_target(r, question);
}

/* RFC 9112 section 3.2. */
static int
read_host(struct request *r, struct str value)
{
	if (r->has_host)
		return refuse(r, 400, "more than one Host field");
	if (value.len > 0 && !authority_valid(value, NULL))
		return refuse(r, 400, "the Host field is not \"host[:port]\"");
	r->has_host = true;
	if (r->form != REQUEST_ABSOLUTE && r->form != REQUEST_AUTHORITY)
		r->host = value;
	return 1;
}

static int
read_connection(struct request *r, struct str value)
{
	while (value.p != NULL) {
		struct str option = str_next_element(&value);

		if (str_equal_nocase(option, STR("close")))
			r->says_close = true;
		else if (str_equal_nocase(option, STR("keep-alive")))
			r->asks_keep_alive = r->minor == 0;
	}
	return 1;
}

/* RFC 9110 section 8.6: digits, or the same digits more than once ("5, 05"
 * is one number to us and may be two to others). */
static int
read_content_length(struct request *r, struct str value)
{
	if (r->chunked)
		return refuse(
			r, 400, "both Content-Length and Transfer-Encoding");
	while (value.p != NULL) {
		struct str text = str_next_element(&value);
		unsigned long long length;

		if (str_to_u64(text, &length) < 0 || length > INT64_MAX)
			return refuse(r, 400,
				"the Content-Length field is not a number");
		if (r->has_length && !str_equal(text, r->length_text))
			return refuse(
				r, 400, "two different Content-Length values");
		r->has_length = true;
		r->length_text = text;
		r->length = length;
	}
	return 1;
}

/* RFC 9112 section 6.1. */
static int
read_transfer_encoding(struct request *r, struct str value)
{
	if (r->minor == 0)
		return refuse(r, 400, "Transfer-Encoding in HTTP/1.0");
	if (r->has_length)
		return refuse(
			r, 400, "both Content-Length and Transfer-Encoding");
	if (r->chunked || !str_equal_nocase(value, STR("chunked")))
		return refuse(
			r, 501, "a Transfer-Encoding other than \"chunked\"");
	r->chunked = true;
	return 1;
}

/* RFC 9110 section 10.1.1; HTTP/1.0 has no expectations. */
static int
read_expect(struct request *r, struct str value)
{
	while (r->minor > 0 && value.p != NULL) {
		struct str expectation = str_next_element(&value);

		if (str_equal_nocase(expectation, STR("100-continue")))
			r->expects_continue = true;
		else if (expectation.len > 0)
			return refuse(r, 417,
				"an expectation other than \"100-continue\"");
	}
	return 1;
}

/* Read the fields that say how the request is to be taken. */
static int
read_field(struct request *r, struct str name, struct str value)
{
	switch (name.len) {
	case 4:
		if (is_word(name, "host"))
			return read_host(r, value);
		break;
	case 6:
		if (is_word(name, "expect"))
			return read_expect(r, value);
		break;
	case 10:
		if (is_word(name, "connection"))
			return read_connection(r, value);
		break;
	case 14:
		if (is_word(name, "content-length"))
			return read_content_length(r, value);
		break;
	case 17:
		if (is_word(name, "transfer-encoding"))
			return read_transfer_encoding(r, value);
		break;
	}
	return 1;
}

static int
stop_in_field(struct request *r, const struct cursor *c)
{
	if (is_too_long(c, c->limits->field_size))
		return refuse(r, 431,
			"a header field is longer than LimitRequestFieldSize");
	return 0;
}

/* RFC 9112 sections 5.1 and 5.2: p is where the name stopped. */
static int
refuse_name(struct request *r, const struct cursor *c, const char *p)
{
	if (*p == '\n')
		return refuse(r, 400, "a line ends in LF without CR");
	if (p == c->p && (*p == ' ' || *p == '\t'))
		return refuse(r, 400,
			"a folded header field (a line begins with a blank)");
	if (p == c->p && *p == ':')
		return refuse(r, 400, "a header field without a name");
	if (*p == ' ' || *p == '\t')
		return refuse(
			r, 400, "a blank in or behind a header field's name");
	if (*p == '\r')
		return refuse(r, 400, "a header line without a colon");
	return refuse(r, 400,
		"a character that is not allowed in a header field's name");
}

/* p is where the value stopped.  What stands before it in a Transfer-Encoding is
 * judged first: whatever it is, with such a byte it is a coding unknown to us. */
static int
refuse_value(
	struct request *r, struct str name, const char *value, const char *p)
{
	if (*p == '\n')
		return refuse(r, 400, "a line ends in LF without CR");
	if (name.len == 17 && is_word(name, "transfer-encoding"))
		return read_transfer_encoding(r, slice(value, p + 1));
	return refuse(r, 400, "a control byte in a header field");
}

/* field-name ":" OWS field-value OWS CRLF (RFC 9112 section 5). */
static int
parse_field(struct request *r, struct cursor *c)
{
	const char *colon, *value, *p, *end;
	struct request_field *field;
	int rc;

	if (UNLIKELY(r->n_fields >= c->limits->fields ||
		     r->n_fields >= REQUEST_FIELDS_MAX))
		return refuse(
			r, 431, "more header fields than LimitRequestFields");
	open_window(c, c->limits->field_size);
	colon = skip(c->p, c->stop, CHAR_TOKEN);
	if (UNLIKELY(colon == c->stop))
		return stop_in_field(r, c);
	if (UNLIKELY(*colon != ':' || colon == c->p))
		return refuse_name(r, c, colon);

	value = colon + 1;
	while (value < c->stop && (*value == ' ' || *value == '\t'))
		value++;
	p = chars_skip_value(value, c->stop);
	if (UNLIKELY(p == c->stop))
		return stop_in_field(r, c);
	if (UNLIKELY(*p != '\r'))
		return refuse_value(r, slice(c->p, colon), value, p);
	rc = at_line_end(r, c, p);
	if (UNLIKELY(rc <= 0))
		return rc;
	end = p;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;

	field = &r->fields[r->n_fields++];
	field->name = slice(c->p, colon);
	field->value = slice(value, end);
	c->p = p + 2;
	return read_field(r, field->name, field->value);
}

/* RFC 9112 section 2.2. */
static int
skip_empty_lines(struct request *r, struct cursor *c)
{
	int rc;

	for (int i = 0;; i++) {
		if (c->p == c->end)
			return 0;
		if (LIKELY(*c->p != '\r'))
			return 1;
		rc = at_line_end(r, c, c->p);
		if (rc <= 0)
			return rc;
		if (i == EMPTY_LINES_MAX)
			return refuse(r, 400,
				"too many empty lines before the request line");
		c->p += 2;
	}
}

/* What is known only when all fields are. */
static int
judge(struct request *r)
{
	if (r->minor > 0 && !r->has_host)
		return refuse(r, 400, "HTTP/1.1 without a Host field");
	r->keep_alive = !r->says_close && (r->minor > 0 || r->asks_keep_alive);
	if (!r->chunked && r->length == 0)
		r->expects_continue = false;
	return 1;
}

/* Everything but the fields themselves, which n_fields covers. */
static void
reset(struct request *r)
{
	const struct str nothing = STR("");

	r->line = r->method = r->target = r->path = r->host = nothing;
	r->query = (struct str){NULL, 0};
	r->form = REQUEST_ORIGIN;
	r->minor = 0;
	r->keep_alive = r->asks_keep_alive = r->expects_continue = false;
	r->chunked = r->has_length = r->has_host = r->says_close = false;
	r->length = 0;
	r->complaint = "";
	r->n_fields = 0;
}

ssize_t
request_parse(struct request *r, const char *data, size_t len,
	const struct request_limits *limits)
{
	struct cursor c = {
		.p = data, .end = data + len, .stop = data, .limits = limits};
	int rc;

	reset(r);
	rc = skip_empty_lines(r, &c);
	if (rc > 0)
		rc = parse_line(r, &c);
	while (rc > 0) {
		if (UNLIKELY(c.p == c.end))
			return 0;
		if (*c.p == '\r')
			break;
		rc = parse_field(r, &c);
	}
	if (rc > 0)
		rc = at_line_end(r, &c, c.p);
	if (rc > 0)
		rc = judge(r);
	return rc <= 0 ? rc : c.p + 2 - data;
}

const char *
request_complaint(const struct request *r)
{
	return r->complaint;
}

/* A new line begins at the byte at hand. */
static int
scan_line_start(const struct request_scan *s, const struct request_limits *l,
	char first)
{
	size_t fields = s->lines > 0 ? s->lines - 1 : 0;

	if (s->lines == 0 || first == '\r')
		return 0;
	return fields >= l->fields || fields >= REQUEST_FIELDS_MAX ? -431 : 0;
}

/* LF at the byte at hand, with CR before it. */
static int
scan_line_end(struct request_scan *s)
{
	bool is_empty = s->seen - s->line_start == 1;

	s->line_start = s->seen + 1;
	if (!is_empty) {
		s->lines++;
		return 0;
	}
	if (s->lines > 0)
		return 1;
	return ++s->empty > EMPTY_LINES_MAX ? -400 : 0;
}

/* One byte, in the same order of questions as request_parse. */
static int
scan_byte(struct request_scan *s, const char *data,
	const struct request_limits *limits)
{
	size_t limit = s->lines == 0 ? limits->line : limits->field_size;
	size_t at = s->seen - s->line_start;
	char c = data[s->seen];
	bool behind_cr = at > 0 && data[s->seen - 1] == '\r';

	if (c == '\n')
		return behind_cr ? scan_line_end(s) : 1;
	if (behind_cr)
		return 1;
	if (at == 0 && scan_line_start(s, limits, c) < 0)
		return -431;
	if (c == '\r')
		return 0;
	if (!char_is_of(c, CHAR_VALUE))
		return 1;
	if (at >= limit)
		return s->lines == 0 ? -414 : -431;
	return 0;
}

int
request_scan(struct request_scan *s, const char *data, size_t len,
	const struct request_limits *limits)
{
	for (; s->seen < len; s->seen++) {
		int rc = scan_byte(s, data, limits);

		if (rc != 0)
			return rc;
	}
	return 0;
}

struct str
request_field(const struct request *r, struct str name, size_t *from)
{
	while (*from < r->n_fields) {
		const struct request_field *field = &r->fields[(*from)++];

		if (str_equal_nocase(field->name, name))
			return field->value;
	}
	return (struct str){NULL, 0};
}
