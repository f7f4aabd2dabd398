/*
 * test_response.c - heads as they go out, and the framing of bodies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "http/response.h"

#define DATE  "Thu, 26 Nov 2026 04:19:12 GMT"
#define ADDED "Date: " DATE "\r\nServer: wsgid\r\n"

static struct buf out;

static struct response
usual(int minor, bool to_head)
{
	struct response r = {
		.out = &out,
		.minor = minor,
		.to_head = to_head,
		.keep_alive = true,
		.date = DATE,
		.server = "wsgid",
	};

	buf_clear(&out);
	return r;
}

struct field {
	const char *name, *value;
};

static void
send_head(struct response *r, const char *status, const struct field *fields,
	int64_t known_length)
{
	assert_int_equal(response_begin(r, str_of(status)), 0);
	for (; fields->name != NULL; fields++)
		assert_int_equal(response_field(r, str_of(fields->name),
					 str_of(fields->value)),
			0);
	assert_int_equal(response_end_head(r, known_length), 0);
	assert_int_equal(r->head_len, out.len);
}

enum { TO_HEAD = 1, CLOSES = 2, SAYS_KEEP_ALIVE = 4, NOT_KEPT = 8 };

static const struct head {
	const char *section, *status;
	struct field fields[4];
	int64_t known_length;
	int minor, flags; /* NOT_KEPT: keep_alive is false behind the head */
	enum response_framing framing;
	const char *expected; /* behind the status line */
} heads[] = {
	{"9112 6.2", "200 OK", {{"Content-Length", "5"}}, -1, 1, 0,
		RESPONSE_LENGTH, "Content-Length: 5\r\n" ADDED "\r\n"},
	{"9112 6.2", "200 OK", {{"content-LENGTH", " 5"}}, 9, 1, 0,
		RESPONSE_LENGTH, "content-LENGTH:  5\r\n" ADDED "\r\n"},
	{"9112 6.2", "200 OK", {{0}}, 5, 1, 0, RESPONSE_LENGTH,
		ADDED "Content-Length: 5\r\n\r\n"},
	{"9112 6.2", "200 OK", {{0}}, 0, 1, 0, RESPONSE_LENGTH,
		ADDED "Content-Length: 0\r\n\r\n"},
	{"9112 6.2", "200 OK", {{0}}, INT64_MAX, 1, 0, RESPONSE_LENGTH,
		ADDED "Content-Length: 9223372036854775807\r\n\r\n"},
	{"9112 6.1", "200 OK", {{0}}, -1, 1, 0, RESPONSE_CHUNKED,
		ADDED "Transfer-Encoding: chunked\r\n\r\n"},
	{"9112 6.3", "200 OK", {{0}}, -1, 0, SAYS_KEEP_ALIVE | NOT_KEPT,
		RESPONSE_TO_CLOSE, ADDED "Connection: close\r\n\r\n"},
	{"9112 9.3", "200 OK", {{0}}, 5, 0, SAYS_KEEP_ALIVE, RESPONSE_LENGTH,
		ADDED "Content-Length: 5\r\nConnection: keep-alive\r\n\r\n"},
	{"9112 9.6", "200 OK", {{0}}, 5, 1, CLOSES | NOT_KEPT, RESPONSE_LENGTH,
		ADDED "Content-Length: 5\r\nConnection: close\r\n\r\n"},
	{"9112 9.6", "200 OK", {{0}}, -1, 1, CLOSES | NOT_KEPT,
		RESPONSE_CHUNKED,
		ADDED "Transfer-Encoding: chunked\r\n"
		      "Connection: close\r\n\r\n"},
	{"9112 9.6", "200 OK", {{"Content-Length", "6"}}, 5, 1, NOT_KEPT,
		RESPONSE_LENGTH,
		"Content-Length: 6\r\n" ADDED "Connection: close\r\n\r\n"},
	/* The application's fields go first and as they are. */
	{"9110 5.3", "200 OK",
		{{"date", "x"}, {"SERVER", "y"}, {"Set-Cookie", "a=\xe9"}}, 5,
		1, 0, RESPONSE_LENGTH,
		"date: x\r\nSERVER: y\r\nSet-Cookie: a=\xe9\r\n"
		"Content-Length: 5\r\n\r\n"},
	{"9110 5.3", "200 OK",
		{{"Set-Cookie", "a"}, {"X", ""}, {"Set-Cookie", "b"}}, 0, 1, 0,
		RESPONSE_LENGTH,
		"Set-Cookie: a\r\nX: \r\nSet-Cookie: b\r\n" ADDED
		"Content-Length: 0\r\n\r\n"},
	{"9110 8.6", "200 OK",
		{{"Content-Length", "5"}, {"Content-Length", "5"}}, -1, 1, 0,
		RESPONSE_LENGTH, "Content-Length: 5\r\n" ADDED "\r\n"},
	/* No body. */
	{"9110 9.3.2", "200 OK", {{"Content-Length", "5"}}, 0, 1, TO_HEAD,
		RESPONSE_NO_BODY, "Content-Length: 5\r\n" ADDED "\r\n"},
	{"9110 9.3.2", "200 OK", {{0}}, 5, 1, TO_HEAD, RESPONSE_NO_BODY,
		ADDED "Content-Length: 5\r\n\r\n"},
	{"9110 9.3.2", "200 OK", {{0}}, 0, 1, TO_HEAD, RESPONSE_NO_BODY,
		ADDED "\r\n"},
	{"9110 9.3.2", "200 OK", {{0}}, -1, 0, TO_HEAD | SAYS_KEEP_ALIVE,
		RESPONSE_NO_BODY, ADDED "Connection: keep-alive\r\n\r\n"},
	{"9110 8.6", "204 No Content", {{"Content-Length", "0"}}, -1, 1, 0,
		RESPONSE_NO_BODY, ADDED "\r\n"},
	{"9110 8.6", "204 No Content", {{0}}, 0, 1, 0, RESPONSE_NO_BODY,
		ADDED "\r\n"},
	{"9112 6.1", "204 No Content", {{0}}, -1, 1, TO_HEAD, RESPONSE_NO_BODY,
		ADDED "\r\n"},
	{"9112 6.1", "204 No Content", {{0}}, 5, 1, TO_HEAD, RESPONSE_NO_BODY,
		ADDED "\r\n"},
	{"9110 15.4.5", "304 Not Modified", {{"Content-Length", "5"}}, 0, 1, 0,
		RESPONSE_NO_BODY, "Content-Length: 5\r\n" ADDED "\r\n"},
	{"9110 15.4.5", "304 Not Modified", {{0}}, 0, 0, SAYS_KEEP_ALIVE,
		RESPONSE_NO_BODY, ADDED "Connection: keep-alive\r\n\r\n"},
	{"9110 15.4.5", "304 Not Modified", {{0}}, 7, 1, TO_HEAD,
		RESPONSE_NO_BODY, ADDED "\r\n"},
	{"9110 15.2", "100 Continue", {{0}}, -1, 1, 0, RESPONSE_NO_BODY,
		"\r\n"},
	{"8297 2", "103 Early Hints", {{"Link", "</a.css>"}}, -1, 1, 0,
		RESPONSE_NO_BODY, "Link: </a.css>\r\n\r\n"},
	{"9110 15.3.6", "205 Reset Content", {{0}}, 0, 1, 0, RESPONSE_NO_BODY,
		ADDED "Content-Length: 0\r\n\r\n"},
	{"9110 15.3.6", "205 Reset Content", {{0}}, -1, 1, 0, RESPONSE_NO_BODY,
		ADDED "Content-Length: 0\r\n\r\n"},
	{"9110 15.3.6", "205 Reset Content", {{"Content-Length", "5"}}, -1, 1,
		0, RESPONSE_NO_BODY, ADDED "Content-Length: 0\r\n\r\n"},
	{"9110 15.3.6", "205 Reset Content", {{0}}, 5, 0, SAYS_KEEP_ALIVE,
		RESPONSE_NO_BODY,
		ADDED "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
};

static void
test_heads_say_what_the_application_left_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		const struct head *row = &heads[i];
		struct response r =
			usual(row->minor, (row->flags & TO_HEAD) != 0);
		struct buf expected = {0};

		r.keep_alive = (row->flags & CLOSES) == 0;
		r.say_keep_alive = (row->flags & SAYS_KEEP_ALIVE) != 0;
		send_head(&r, row->status, row->fields, row->known_length);
		buf_printf(&expected, "HTTP/1.1 %s\r\n%s", row->status,
			row->expected);
		if (strcmp(buf_text(&out), buf_text(&expected)) != 0)
			fail_msg("RFC %s, row %zu:\n%s", row->section, i,
				buf_text(&out));
		assert_int_equal(r.framing, row->framing);
		assert_int_equal(r.keep_alive, (row->flags & NOT_KEPT) == 0);
		assert_int_equal(r.status, atoi(row->status));
		buf_fini(&expected);
	}
}

static void
test_a_status_without_a_reason_keeps_its_space(void **state)
{
	static const char *const statuses[] = {"200", "200 "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct response r = usual(1, false);

		r.date = r.server = NULL;
		send_head(&r, statuses[i], (struct field[]){{0}}, 0);
		assert_string_equal(buf_text(&out),
			"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n");
	}
}

static void
test_a_head_goes_behind_what_is_there_already(void **state)
{
	struct response r = usual(1, false);

	(void)state;
	buf_add_text(&out, "earlier");
	assert_int_equal(response_begin(&r, STR("200 OK")), 0);
	assert_int_equal(response_end_head(&r, 0), 0);
	assert_int_equal(r.head_len, out.len - strlen("earlier"));
	assert_memory_equal(out.data, "earlierHTTP/1.1 200 OK\r\n", 24);
}

static void
test_heads_of_any_size_fit(void **state)
{
	struct response r = usual(1, false);
	static char value[5000];

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	r.server = value;
	send_head(&r, "200 OK",
		(struct field[]){{"X", value}, {"Y", value}, {0}}, -1);
	assert_int_equal(
		out.len, strlen("HTTP/1.1 200 OK\r\nX: \r\nY: \r\nDate: " DATE
				"\r\nServer: \r\n"
				"Transfer-Encoding: chunked\r\n\r\n") +
				 3 * (sizeof(value) - 1));
}

static void
test_content_length_is_a_number_and_said_once(void **state)
{
	static const struct {
		const char *section, *value;
		int rc;
	} rows[] = {
		{"9110 8.6", "0", 0},
		{"9110 8.6", "5", 0},
		{"9110 8.6", " 5 ", 0},
		{"9110 8.6", "9223372036854775807", 0},
		{"9110 8.6", "9223372036854775808", -EINVAL},
		{"9110 8.6", "18446744073709551616", -EINVAL},
		{"9110 8.6", "", -EINVAL},
		{"9110 8.6", "+5", -EINVAL},
		{"9110 8.6", "-1", -EINVAL},
		{"9110 8.6", "5, 5", -EINVAL},
		{"9110 8.6", "five", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct response r = usual(1, false);

		response_begin(&r, STR("200 OK"));
		if (response_field(&r, STR("Content-Length"),
			    str_of(rows[i].value)) != rows[i].rc)
			fail_msg("RFC %s: %s", rows[i].section, rows[i].value);
		assert_int_equal(r.has_length, rows[i].rc == 0);
		if (rows[i].rc == 0)
			assert_int_equal(
				response_field(
					&r, STR("Content-Length"), STR("77")),
				-EINVAL);
	}
}

static void
check_fault(const char *section, const char *fault, const char *expected)
{
	if (fault == NULL ? expected != NULL
			  : expected == NULL || strcmp(fault, expected) != 0)
		fail_msg("RFC %s: \"%s\" and not \"%s\"", section,
			fault != NULL ? fault : "right",
			expected != NULL ? expected : "right");
}

static void
test_statuses_of_applications_are_checked(void **state)
{
	static const struct {
		const char *section;
		struct str status;
		const char *fault;
	} rows[] = {
#define ROW(section, literal, fault) \
	{section, {literal, sizeof(literal) - 1}, fault}
		ROW("9112 4", "200 OK", NULL),
		ROW("9112 4", "200", NULL),
		ROW("9112 4", "200 ", NULL),
		ROW("9112 4", "404 Nicht gef\xfcnd\tn", NULL),
		ROW("9110 15", "999 Odd", NULL),
		ROW("9110 15", "600 Odd", NULL),
		ROW("9110 15", "",
			"does not begin with a number from 200 to 999"),
		ROW("9110 15", "20",
			"does not begin with a number from 200 to 999"),
		ROW("9110 15", "OK",
			"does not begin with a number from 200 to 999"),
		ROW("9110 15", "+20 OK",
			"does not begin with a number from 200 to 999"),
		ROW("9110 15", " 200 OK",
			"does not begin with a number from 200 to 999"),
		ROW("9110 15", "099 OK",
			"does not begin with a number from 200 to 999"),
		ROW("9110 15", "000",
			"does not begin with a number from 200 to 999"),
		ROW("9110 15.2", "100 Continue", "is an interim status"),
		ROW("9110 15.2", "103", "is an interim status"),
		ROW("9112 4", "2000 OK",
			"has no space behind its three digits"),
		ROW("9112 4", "200OK", "has no space behind its three digits"),
		ROW("9112 4", "200\tOK",
			"has no space behind its three digits"),
		ROW("9112 4", "200 OK\r\nX: y", "contains a control character"),
		ROW("9112 4", "200 O\nK", "contains a control character"),
		ROW("9112 4", "200 O\0K", "contains a control character"),
		ROW("9112 4", "200 O\x7fK", "contains a control character"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *fault = response_status_fault(rows[i].status);

		check_fault(rows[i].section, fault, rows[i].fault);
	}
}

static void
test_headers_of_applications_are_checked(void **state)
{
	static const char bad_name[] =
		"has a character in its name that no header may have";
	static const char line_break[] = "has a line break in its value";
	static const char control[] = "has a control character in its value";
	static const struct {
		const char *section;
		struct str name, value;
		const char *fault;
	} rows[] = {
#define ROW(section, n, v, fault) \
	{section, {n, sizeof(n) - 1}, {v, sizeof(v) - 1}, fault}
		ROW("9110 5.1", "X-A", "b", NULL),
		ROW("9110 5.1", "X_A", "", NULL),
		ROW("9110 5.1", "!#$%&'*+-.^_`|~", "\t \"\\(),/:;<=>?@[]{}",
			NULL),
		ROW("9110 5.5", "X", "caf\xe9 \x80\xff", NULL),
		ROW("9110 5.1", "", "b", "has an empty name"),
		ROW("9110 5.1", "X A", "b", bad_name),
		ROW("9110 5.1", "X:", "b", bad_name),
		ROW("9110 5.1", "X\r\nY", "b", bad_name),
		ROW("9110 5.1", "X\0", "b", bad_name),
		ROW("9110 5.1", "\xe4", "b", bad_name),
		ROW("9110 5.1", "X(", "b", bad_name),
		ROW("9110 5.5", "X", "a\r\nY: b", line_break),
		ROW("9110 5.5", "X", "a\nb", line_break),
		ROW("9110 5.5", "X", "a\r", line_break),
		ROW("9110 5.5", "X", "a\0b", control),
		ROW("9110 5.5", "X", "\x1b[2J", control),
		ROW("9110 5.5", "X", "\x7f", control),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *fault =
			response_field_fault(rows[i].name, rows[i].value);

		check_fault(rows[i].section, fault, rows[i].fault);
	}
}

static void
test_hop_by_hop_headers_are_known(void **state)
{
	static const struct {
		const char *section, *name;
		bool is;
	} rows[] = {
		{"9110 7.6.1", "Connection", true},
		{"9112 C.2.2", "keep-alive", true},
		{"9110 11.7.1", "Proxy-Authenticate", true},
		{"9110 11.7.2", "PROXY-AUTHORIZATION", true},
		{"9112 C.2.2", "Proxy-Connection", true},
		{"9110 10.1.4", "te", true},
		{"9110 6.6.2", "Trailer", true},
		{"2616 13.5.1", "Trailers", true},
		{"9112 6.1", "Transfer-Encoding", true},
		{"9110 7.8", "Upgrade", true},
		{"9110 8.6", "Content-Length", false},
		{"9110 6.6.1", "Date", false},
		{"9110 7.6.1", "Tea", false},
		{"9110 7.6.1", "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (response_is_hop_by_hop(str_of(rows[i].name)) != rows[i].is)
			fail_msg("RFC %s: %s", rows[i].section, rows[i].name);
}

static void
test_headers_of_the_connection_may_be_left_out(void **state)
{
	static const struct {
		const char *name, *value;
		bool may, keeps;
	} rows[] = {
		{"Connection", "close", true, false},
		{"connection", "X-Mine, Close", true, false},
		{"Connection", "keep-alive", true, true},
		{"Connection", "closed", true, true},
		{"Connection", "", true, true},
		{"Keep-Alive", "close", true, true},
		{"Proxy-Connection", "close", true, true},
		{"Transfer-Encoding", "close", false, true},
		{"Upgrade", "websocket", false, true},
		{"TE", "trailers", false, true},
		{"Trailer", "Expires", false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct response r = {.keep_alive = true};
		bool may = response_leave_out(
			&r, str_of(rows[i].name), str_of(rows[i].value));

		if (may != rows[i].may || r.keep_alive != rows[i].keeps)
			fail_msg("%s: %s", rows[i].name, rows[i].value);
	}
}

/* Send pieces as a caller does: what is allowed of each. */
static int
send_body(struct response *r, const char *const *pieces)
{
	buf_clear(&out);
	for (; *pieces != NULL; pieces++) {
		size_t len = response_allowed(r, strlen(*pieces));

		assert_int_equal(response_body(r, *pieces, len), 0);
	}
	return response_end(r);
}

static void
test_bodies_are_framed(void **state)
{
	static const struct {
		const char *section, *status;
		int minor;
		bool to_head;
		struct field fields[2];
		const char *pieces[4];
		int rc;
		const char *expected;
	} rows[] = {
		{"9112 7.1", "200 OK", 1, false, {{0}}, {"hello", " world"}, 0,
			"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
		{"9112 7.1", "200 OK", 1, false, {{0}}, {"", "a", ""}, 0,
			"1\r\na\r\n0\r\n\r\n"},
		{"9112 7.1", "200 OK", 1, false, {{0}}, {NULL}, 0, "0\r\n\r\n"},
		{"9112 6.3", "200 OK", 0, false, {{0}}, {"a", "", "b"}, 0,
			"ab"},
		{"9112 6.2", "200 OK", 1, false, {{"Content-Length", "3"}},
			{"ab", "c"}, 0, "abc"},
		{"9112 6.2", "200 OK", 1, false, {{"Content-Length", "3"}},
			{"ab", "cd", "e"}, 0, "abc"},
		{"9112 6.2", "200 OK", 1, false, {{"Content-Length", "0"}},
			{"ab"}, 0, ""},
		{"9112 8", "200 OK", 1, false, {{"Content-Length", "3"}},
			{"ab"}, -EPIPE, "ab"},
		{"9112 8", "200 OK", 0, false, {{"Content-Length", "3"}},
			{NULL}, -EPIPE, ""},
		{"9110 9.3.2", "200 OK", 1, true, {{0}}, {"ab"}, 0, ""},
		{"9110 9.3.2", "200 OK", 1, true, {{"Content-Length", "3"}},
			{"ab"}, 0, ""},
		{"9110 15.3.5", "204 No Content", 1, false, {{0}}, {"ab"}, 0,
			""},
		{"9110 15.3.6", "205 Reset Content", 1, false,
			{{"Content-Length", "3"}}, {"ab"}, 0, ""},
		{"9110 15.4.5", "304 Not Modified", 1, false,
			{{"Content-Length", "3"}}, {"ab"}, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct response r = usual(rows[i].minor, rows[i].to_head);
		int rc;

		send_head(&r, rows[i].status, rows[i].fields, -1);
		rc = send_body(&r, rows[i].pieces);
		if (rc != rows[i].rc ||
			strcmp(buf_text(&out), rows[i].expected) != 0)
			fail_msg("RFC %s, row %zu: %d: %s", rows[i].section, i,
				rc, buf_text(&out));
	}
}

static void
test_bytes_sent_from_elsewhere_are_framed_alike(void **state)
{
	struct response r = usual(1, false);
	char before[20];
	bool behind;

	(void)state;
	send_head(&r, "200 OK", (struct field[]){{0}}, -1);
	assert_int_equal(response_frame(&r, 255, before, &behind), 4);
	assert_memory_equal(before, "ff\r\n", 4);
	assert_true(behind);
	assert_int_equal(response_frame(&r, 0, before, &behind), 0);
	assert_false(behind);
	assert_int_equal(r.sent, 255);

	r = usual(1, false);
	send_head(&r, "200 OK", (struct field[]){{0}}, 300);
	assert_int_equal(response_frame(&r, 255, before, &behind), 0);
	assert_false(behind);
	assert_int_equal(response_allowed(&r, 100), 45);
}

static void
test_the_servers_own_answers_are_whole(void **state)
{
	static const struct {
		const char *section;
		int status;
		bool to_head, keep_alive;
		const char *expected;
	} rows[] = {
		{"9110 15.5.14", 413, false, false,
			"HTTP/1.1 413 Content Too Large\r\n"
			"Content-Type: text/plain\r\n" ADDED
			"Content-Length: 22\r\nConnection: close\r\n\r\n"
			"413 Content Too Large\n"},
		{"9110 15.5.5", 404, false, true,
			"HTTP/1.1 404 Not Found\r\n"
			"Content-Type: text/plain\r\n" ADDED
			"Content-Length: 14\r\n\r\n404 Not Found\n"},
		{"9110 9.3.2", 500, true, true,
			"HTTP/1.1 500 Internal Server Error\r\n"
			"Content-Type: text/plain\r\n" ADDED
			"Content-Length: 26\r\n\r\n"},
		{"6585 6", 511, false, true,
			"HTTP/1.1 511 Network Authentication Required\r\n"
			"Content-Type: text/plain\r\n" ADDED
			"Content-Length: 36\r\n\r\n"
			"511 Network Authentication Required\n"},
		{"9110 15.2.1", 100, false, true,
			"HTTP/1.1 100 Continue\r\n\r\n"},
		{"9110 15.3.5", 204, false, true,
			"HTTP/1.1 204 No Content\r\n" ADDED "\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct response r = usual(1, rows[i].to_head);

		r.keep_alive = rows[i].keep_alive;
		assert_int_equal(response_simple(&r, rows[i].status), 0);
		if (strcmp(buf_text(&out), rows[i].expected) != 0)
			fail_msg("RFC %s: %s", rows[i].section, buf_text(&out));
		assert_int_equal(r.status, rows[i].status);
	}
}

static int
give_memory_back(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads_say_what_the_application_left_out),
		cmocka_unit_test(
			test_a_status_without_a_reason_keeps_its_space),
		cmocka_unit_test(test_a_head_goes_behind_what_is_there_already),
		cmocka_unit_test(test_heads_of_any_size_fit),
		cmocka_unit_test(test_content_length_is_a_number_and_said_once),
		cmocka_unit_test(test_statuses_of_applications_are_checked),
		cmocka_unit_test(test_headers_of_applications_are_checked),
		cmocka_unit_test(test_hop_by_hop_headers_are_known),
		cmocka_unit_test(test_headers_of_the_connection_may_be_left_out),
		cmocka_unit_test(test_bodies_are_framed),
		cmocka_unit_test(
			test_bytes_sent_from_elsewhere_are_framed_alike),
		cmocka_unit_test(test_the_servers_own_answers_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, give_memory_back);
}
