/*
 * response.c - the head of a response, and how its body is framed.
 *
 * The head is written straight into the buffer that is sent.  Room for a
 * usual head is reserved with the status line, so that the lines behind it
 * are copies and nothing else.
 */
#include "http/response.h"

#include <errno.h>
#include <string.h>

#include "base/defs.h"
#include "http/chars.h"
#include "http/chunked.h"
#include "http/status.h"

enum {
	USUAL_HEAD = 1024,   /* reserved at once */
	SERVERS_LINES = 256, /* all that response_end_head adds, but Server */
	SIZE_LINE = 20,      /* of a chunk */
};

static char *
put(char *to, const void *from, size_t len)
{
	return (char *)memcpy(to, from, len) + len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

/* Is every byte of s of that class? */
static bool
is_all(struct str s, unsigned class)
{
	for (size_t i = 0; i < s.len; i++)
		if (!char_is_of(s.p[i], class))
			return false;
	return true;
}

static bool
is_value(struct str s)
{
	return chars_skip_value(s.p, s.p + s.len) == s.p + s.len;
}

const char *
response_status_fault(struct str status)
{
	if (status.len < 3 || !is_all((struct str){status.p, 3}, CHAR_DIGIT) ||
		status.p[0] == '0')
		return "does not begin with a number from 200 to 999";
	if (status.p[0] == '1')
		return "is an interim status";
	if (status.len > 3 && status.p[3] != ' ')
		return "has no space behind its three digits";
	if (!is_value(status))
		return "contains a control character";
	return NULL;
}

static const char *
value_fault(struct str value)
{
	if (is_value(value))
		return NULL;
	if (memchr(value.p, '\n', value.len) != NULL ||
		memchr(value.p, '\r', value.len) != NULL)
		return "has a line break in its value";
	return "has a control character in its value";
}

const char *
response_field_fault(struct str name, struct str value)
{
	if (name.len == 0)
		return "has an empty name";
	if (!is_all(name, CHAR_TOKEN))
		return "has a character in its name that no header may have";
	return value_fault(value);
}

bool
response_is_hop_by_hop(struct str name)
{
	static const struct str names[] = {
		STR("Connection"),
		STR("Keep-Alive"),
		STR("Proxy-Authenticate"),
		STR("Proxy-Authorization"),
		STR("Proxy-Connection"),
		STR("TE"),
		STR("Trailer"),
		STR("Trailers"), /* as wsgiref and older RFCs have it */
		STR("Transfer-Encoding"),
		STR("Upgrade"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal_nocase(name, names[i]))
			return true;
	return false;
}

bool
response_leave_out(struct response *r, struct str name, struct str value)
{
	if (str_equal_nocase(name, STR("Keep-Alive")) ||
		str_equal_nocase(name, STR("Proxy-Connection")))
		return true;
	if (!str_equal_nocase(name, STR("Connection")))
		return false;
	while (value.p != NULL)
		if (str_equal_nocase(str_next_element(&value), STR("close")))
			r->keep_alive = false;
	return true;
}

static bool
is_interim(const struct response *r)
{
	return r->status < 200;
}

int
response_begin(struct response *r, struct str status)
{
	char *to = buf_reserve(r->out, USUAL_HEAD + status.len);

	r->status = (status.p[0] - '0') * 100 + (status.p[1] - '0') * 10 +
		    (status.p[2] - '0');
	r->framing = RESPONSE_NO_BODY;
	r->has_date = r->has_server = r->has_length = false;
	r->length = r->sent = 0;
	r->head_len = 0;
	r->start = r->out->len;
	if (to == NULL)
		return -ENOMEM;

	to = PUT(to, "HTTP/1.1 ");
	to = put(to, status.p, status.len);
	if (status.len == 3) /* the space is not optional, RFC 9112 4 */
		to = PUT(to, " ");
	to = PUT(to, "\r\n");
	r->out->len = (size_t)(to - r->out->data);
	return 0;
}

/* Take note of a Content-Length: 1 when it is to be written, 0 when it is
 * not, or -EINVAL. */
static int
read_length(struct response *r, struct str value)
{
	unsigned long long length;

	if (str_to_u64(str_trim(value), &length) < 0 || length > INT64_MAX)
		return -EINVAL;
	if (r->has_length)
		return r->length == length ? 0 : -EINVAL;
	r->has_length = true;
	r->length = length;
	return !is_interim(r) && r->status != 204 && r->status != 205;
}

/* Take note of a field that the server would otherwise say, or must act on.
 * As read_length. */
static int
read_field(struct response *r, struct str name, struct str value)
{
	switch (name.len) {
	case 4:
		if (str_equal_nocase(name, STR("Date")))
			r->has_date = true;
		break;
	case 6:
		if (str_equal_nocase(name, STR("Server")))
			r->has_server = true;
		break;
	case 14:
		if (str_equal_nocase(name, STR("Content-Length")))
			return read_length(r, value);
		break;
	}
	return 1;
}

int
response_field(struct response *r, struct str name, struct str value)
{
	int rc = read_field(r, name, value);
	char *to;

	if (rc <= 0)
		return rc;
	to = buf_reserve(r->out, name.len + value.len + 4);
	if (to == NULL)
		return -ENOMEM;
	to = put(to, name.p, name.len);
	to = PUT(to, ": ");
	if (value.len > 0)
		to = put(to, value.p, value.len);
	to = PUT(to, "\r\n");
	r->out->len = (size_t)(to - r->out->data);
	return 0;
}

/* Less of a body than its Content-Length says ends with the connection. */
static bool
is_too_short(const struct response *r, int64_t known_length)
{
	return r->framing == RESPONSE_LENGTH && r->has_length &&
	       known_length >= 0 && (uint64_t)known_length < r->length;
}

/* RFC 9112 section 6.3, from the sender's side. */
static void
choose_framing(struct response *r, int64_t known_length)
{
	bool bodiless = is_interim(r) || r->status == 204 || r->status == 205 ||
			r->status == 304;

	if (bodiless || r->to_head)
		r->framing = RESPONSE_NO_BODY;
	else if (r->has_length || known_length >= 0)
		r->framing = RESPONSE_LENGTH;
	else if (r->minor > 0)
		r->framing = RESPONSE_CHUNKED;
	else
		r->framing = RESPONSE_TO_CLOSE;
	if (r->framing == RESPONSE_TO_CLOSE || is_too_short(r, known_length))
		r->keep_alive = false;
}

/* Content-Length or Transfer-Encoding, where the application's fields do not
 * say it. */
static char *
put_framing(struct response *r, char *to, int64_t known_length)
{
	bool to_head = r->to_head && r->status != 204 && r->status != 304;

	if (r->framing == RESPONSE_CHUNKED)
		return PUT(to, "Transfer-Encoding: chunked\r\n");
	if (r->status ==
		205) /* it may have one, of no bytes: RFC 9110 15.3.6 */
		return PUT(to, "Content-Length: 0\r\n");
	if (r->has_length || known_length < 0)
		return to;
	if (r->framing == RESPONSE_LENGTH || (to_head && known_length > 0)) {
		r->has_length = true;
		r->length = (uint64_t)known_length;
		to = PUT(to, "Content-Length: ");
		to = str_put_decimal(to, r->length);
		to = PUT(to, "\r\n");
	}
	return to;
}

static char *
put_servers_lines(
	struct response *r, char *to, int64_t known_length, size_t server_len)
{
	if (!r->has_date && r->date != NULL) {
		to = PUT(to, "Date: ");
		to = put(to, r->date, strlen(r->date));
		to = PUT(to, "\r\n");
	}
	if (!r->has_server && r->server != NULL) {
		to = PUT(to, "Server: ");
		to = put(to, r->server, server_len);
		to = PUT(to, "\r\n");
	}
	to = put_framing(r, to, known_length);
	if (!r->keep_alive)
		to = PUT(to, "Connection: close\r\n");
	else if (r->say_keep_alive)
		to = PUT(to, "Connection: keep-alive\r\n");
	return to;
}

int
response_end_head(struct response *r, int64_t known_length)
{
	size_t server_len = r->server != NULL ? strlen(r->server) : 0;
	char *to = buf_reserve(r->out, SERVERS_LINES + server_len);

	choose_framing(r, known_length);
	if (to == NULL)
		return -ENOMEM;
	if (!is_interim(r))
		to = put_servers_lines(r, to, known_length, server_len);
	to = PUT(to, "\r\n");
	r->out->len = (size_t)(to - r->out->data);
	r->head_len = r->out->len - r->start;
	return 0;
}

size_t
response_allowed(const struct response *r, size_t len)
{
	if (r->framing == RESPONSE_NO_BODY)
		return 0;
	if (r->framing == RESPONSE_LENGTH && len > r->length - r->sent)
		return (size_t)(r->length - r->sent);
	return len;
}

size_t
response_frame(struct response *r, size_t len, char *to, bool *crlf_behind)
{
	r->sent += len;
	/* An empty chunk would be the last one. */
	*crlf_behind = r->framing == RESPONSE_CHUNKED && len > 0;
	return *crlf_behind ? chunked_size_line(to, len) : 0;
}

int
response_body(struct response *r, const void *data, size_t len)
{
	char *to;
	bool crlf_behind;

	if (len == 0)
		return 0;
	to = buf_reserve(r->out, SIZE_LINE + len + 2);
	if (to == NULL)
		return -ENOMEM;
	to += response_frame(r, len, to, &crlf_behind);
	to = put(to, data, len);
	if (crlf_behind)
		to = PUT(to, "\r\n");
	r->out->len = (size_t)(to - r->out->data);
	return 0;
}

int
response_end(struct response *r)
{
	if (r->framing == RESPONSE_CHUNKED)
		return buf_add_text(r->out, "0\r\n\r\n");
	if (r->framing == RESPONSE_LENGTH && r->sent < r->length)
		return -EPIPE;
	return 0;
}

int
response_simple(struct response *r, int status)
{
	const char *reason = status_reason(status);
	char text[64];
	char *end = str_put_decimal(text, (uint64_t)status);
	struct str line = {text, 0};
	int rc;

	end = PUT(end, " ");
	end = put(end, reason, strlen(reason));
	line.len = (size_t)(end - text);
	end = PUT(end, "\n");

	rc = response_begin(r, line);
	if (rc == 0 && !is_interim(r) && status != 204 && status != 304)
		rc = response_field(r, STR("Content-Type"), STR("text/plain"));
	if (rc == 0)
		rc = response_end_head(r, end - text);
	if (rc == 0)
		rc = response_body(
			r, text, response_allowed(r, (size_t)(end - text)));
	return rc < 0 ? rc : response_end(r);
}
