/*
 * test_format.c - LogFormat item by item.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "accesslog/format.h"
#include "base/defs.h"
#include "base/err.h"

struct header {
	const char *name, *value;
};

static struct str
look_up(const void *subject, struct str name, size_t *from)
{
	const struct header *all = subject;

	while (all[*from].name != NULL) {
		const struct header *h = &all[(*from)++];

		if (str_equal_nocase(str_of(h->name), name))
			return str_of(h->value);
	}
	return (struct str){NULL, 0};
}

static const struct header request_headers[] = {
	{"User-Agent", "curl/7.88.1"},
	{"Referer", "http://a/\"b\\c\""},
	{"X-Empty", ""},
	{"Authorization", "Basic ZnJhbms6c2VjcmV0"},
	{"X-Evil", "a\r\nb\x1b[2J\xc3\xa4"},
	{"Cookie", "a=1; bee = two words ;nothing; c=\"x\"; a=2; =e; d="},
	{"X-Forwarded-For", "192.0.2.1"},
	{"Cookie", "f=second; a=3"},
	{"x-forwarded-for", ""},
	{"X-Forwarded-For", "192.0.2.2, \"x"},
	{NULL, NULL},
};

static const struct header response_headers[] = {
	{"Content-Type", "text/html ; charset=utf-8"},
	{"X-Answer", "42; 43"},
	{"Set-Cookie", "a=1; Path=/"},
	{"Set-Cookie", "b=2"},
	{"Content-Type", "text/plain"},
	{NULL, NULL},
};

static const struct record full = {
	.client = {"192.0.2.7", 9},
	.peer = {"198.51.100.1", 12},
	.local = {"203.0.113.9", 11},
	.local_port = 8000,
	.remote_port = 54321,
	.line = {"GET /a%20b?c=d HTTP/1.1", 23},
	.method = {"GET", 3},
	.path = {"/a%20b", 6},
	.query = {"c=d", 3},
	.protocol = {"HTTP/1.1", 8},
	.host = {"example.com", 11},
	.request_id = {"AbCdEf", 6},
	.status = 200,
	.body_bytes = 2326,
	.bytes_in = 100,
	.bytes_out = 2500,
	.begin_us = INT64_C(971211336123456),
	.duration_us = 1234567,
	.keep_alives = 3,
	.pid = 812,
	.thread = 813,
	.kept_alive = true,
	.request_header = look_up,
	.request = request_headers,
	.response_header = look_up,
	.response = response_headers,
};

/* As it is when a connection ends before it has said anything. */
static const struct record nothing = {0};

static void
assert_line(const char *text, const struct record *record, const char *expected)
{
	struct log_format *f = NULL;
	struct buf out = {0};
	struct err err = {0};

	if (log_format_compile(&f, text, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(log_format_write(f, record, &out), 0);
	assert_true(out.len > 0 && out.data[out.len - 1] == '\n');
	out.data[out.len - 1] = '\0';
	if (strcmp(out.data, expected) != 0)
		fail_msg("%s: %s, not %s", text, out.data, expected);
	buf_fini(&out);
	log_format_destroy(f);
}

static void
test_items_say_what_apaches_say(void **state)
{
	static const struct {
		const char *text, *of_full, *of_nothing;
	} rows[] = {
		{"%%", "%", "%"},
		{"%a", "192.0.2.7", "-"},
		{"%{c}a", "198.51.100.1", "-"},
		{"%A", "203.0.113.9", "-"},
		{"%B", "2326", "0"},
		{"%b", "2326", "-"},
		{"%{a}C", "1", "-"},
		{"%{BEE}C", "two words", "-"},
		{"%{c}C", "\\\"x\\\"", "-"},
		{"%{d}C", "", "-"},
		{"%{f}C", "second", "-"},
		{"%{nothing}C", "-", "-"},
		{"%{e}C", "-", "-"},
		{"%D", "1234567", "0"},
		{"%h", "192.0.2.7", "-"},
		{"%{c}h", "198.51.100.1", "-"},
		{"%H", "HTTP/1.1", "-"},
		{"%{User-Agent}i", "curl/7.88.1", "-"},
		{"%{user-agent}i", "curl/7.88.1", "-"},
		{"%{Referer}i", "http://a/\\\"b\\\\c\\\"", "-"},
		{"%{X-Empty}i", "", "-"},
		{"%{X-Evil}i", "a\\r\\nb\\x1b[2J\\xc3\\xa4", "-"},
		{"%{X-Other}i", "-", "-"},
		{"%{X-Forwarded-For}i", "192.0.2.1, , 192.0.2.2, \\\"x", "-"},
		{"%I", "100", "0"},
		{"%k", "3", "0"},
		{"%l", "-", "-"},
		{"%L", "AbCdEf", "-"},
		{"%m", "GET", "-"},
		{"%{X-Answer}o", "42; 43", "-"},
		{"%{content-type}o", "text/html", "-"},
		{"%{Set-Cookie}o", "a=1; Path=/, b=2", "-"},
		{"%{X-Other}o", "-", "-"},
		{"%O", "2500", "0"},
		{"%p", "8000", "-"},
		{"%{canonical}p", "8000", "-"},
		{"%{local}p", "8000", "-"},
		{"%{Remote}p", "54321", "-"},
		{"%P", "812", "0"},
		{"%{pid}P", "812", "0"},
		{"%{tid}P", "813", "0"},
		{"%{hextid}P", "32d", "0"},
		{"%q", "?c=d", ""},
		{"%r", "GET /a%20b?c=d HTTP/1.1", "-"},
		{"%s", "200", "-"},
		{"%>s", "200", "-"},
		{"%<s", "200", "-"},
		{"%S", "2600", "0"},
		{"%T", "1", "0"},
		{"%{s}T", "1", "0"},
		{"%{ms}T", "1234", "0"},
		{"%{us}T", "1234567", "0"},
		{"%u", "frank", "-"},
		{"%U", "/a%20b", "-"},
		{"%v", "example.com", "-"},
		{"%V", "example.com", "-"},
		{"%X", "+", "-"},
		{"", "", ""},
		{"a%a%%b%%%a", "a192.0.2.7%b%192.0.2.7", "a-%b%-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_line(rows[i].text, &full, rows[i].of_full);
		assert_line(rows[i].text, &nothing, rows[i].of_nothing);
	}
}

static void
test_the_small_differences(void **state)
{
	struct record r = full;

	(void)state;
	r.query = STR("");
	assert_line("%U%q", &r, "/a%20b?");
	r.aborted = true;
	assert_line("%X", &r, "X");
	r.duration_us = -5;
	assert_line("%D %T", &r, "0 0");
	r.method = STR("G\"T");
	r.path = STR("/\x01");
	r.query = STR("\xff");
	r.host = STR("a\\");
	assert_line("%m %U%q %v", &r, "G\\\"T /\\x01?\\xff a\\\\");
}

static void
test_a_user_is_whom_the_client_names(void **state)
{
	static const struct {
		const char *authorization, *user;
	} rows[] = {
		{"Basic ZnJhbms6c2VjcmV0", "frank"},
		{"bAsIc   ZnJhbms6c2U6Y3JldA== ", "frank"},
		{"Basic ZnIiYW5rCjp4", "fr\\\"ank\\n"},
		{"Basic w6Qgw7Y6", "\\xc3\\xa4 \\xc3\\xb6"},
		{"Basic OnNlY3JldA==", "\"\""},
		{"Basic dG9rZW4=", "-"},
		{"Basic dG9rZQ==", "-"},
		{"Basic ZnJhbms", "-"},
		{"Basic ZnJhbms6", "frank"},
		{"Basic fr-nk", "-"},
		{"Basic ZnJh*bms6c2VjcmV0", "-"},
		{"Basic ", "-"},
		{"Basic", "-"},
		{"", "-"},
		{"Bearer ZnJhbms6c2VjcmV0", "-"},
		{"BasicZnJhbms6c2VjcmV0", "-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct header headers[] = {
			{"Authorization", rows[i].authorization},
			{NULL, NULL},
		};
		struct record r = nothing;

		r.request_header = look_up;
		r.request = headers;
		assert_line("%u", &r, rows[i].user);
	}
}

static void
test_every_byte_is_escaped_as_apache_does(void **state)
{
	struct record r = nothing;
	char all[256], expected[1024], *to = expected;

	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *letter =
			c != 0 ? strchr("\bb\nn\rr\tt\vv\"\"\\\\", c) : NULL;

		all[c] = (char)c;
		if (letter != NULL && strchr("\b\n\r\t\v\"\\", c) != NULL)
			to += sprintf(to, "\\%c", letter[1]);
		else if (c < 0x20 || c >= 0x7f)
			to += sprintf(to, "\\x%02x", c);
		else
			*to++ = (char)c;
	}
	*to = '\0';
	r.line = (struct str){all, sizeof(all)};
	assert_line("%r", &r, expected);
}

static void
test_passwords_are_not_logged(void **state)
{
	static const struct {
		const char *line, *expected;
	} rows[] = {
		{"GET http://user:word@a/b HTTP/1.1",
			"GET http://user:XXXXXXXX@a/b HTTP/1.1"},
		{"GET http://u:w:\n\"@a HTTP/1.1",
			"GET http://u:XXXXXXXX@a HTTP/1.1"},
		{"GET http://user@a/b HTTP/1.1",
			"GET http://user@a/b HTTP/1.1"},
		{"GET http://a:80/@b HTTP/1.1", "GET http://a:80/@b HTTP/1.1"},
		{"GET http://a?u:w@b HTTP/1.1", "GET http://a?u:w@b HTTP/1.1"},
		{"GET /http://u:w@a/ HTTP/1.1", "GET /http://u:w@a/ HTTP/1.1"},
		{"GET http://u:w@", "GET http://u:XXXXXXXX@"},
		{"GET http://u:w", "GET http://u:w"},
		{"GET http://", "GET http://"},
		{"GET ", "GET "},
		{"GET", "GET"},
		{" ", " "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r = nothing;

		r.line = str_of(rows[i].line);
		assert_line("%r", &r, rows[i].expected);
		if (strncmp(rows[i].line, "GET ", 4) != 0 ||
			rows[i].line[4] == '\0')
			continue;
		r.path = str_of(rows[i].line + 4);
		assert_line("%U", &r, rows[i].expected + 4);
	}
}

static void
test_statuses_decide_what_is_written(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *expected;
	} rows[] = {
		{"%400,501{User-Agent}i", 400, "curl/7.88.1"},
		{"%400,501{User-Agent}i", 501, "curl/7.88.1"},
		{"%400,501{User-Agent}i", 200, "-"},
		{"%!200,304,302{User-Agent}i", 200, "-"},
		{"%!200,304,302{User-Agent}i", 302, "-"},
		{"%!200,304,302{User-Agent}i", 404, "curl/7.88.1"},
		{"%{User-Agent}!200i", 404, "curl/7.88.1"},
		{"%{User-Agent}>200i", 200, "curl/7.88.1"},
		{"%200q.", 404, "-."},
		{"%400,501s %a", 0, "- 192.0.2.7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r = full;

		r.status = rows[i].status;
		assert_line(rows[i].text, &r, rows[i].expected);
	}
}

static void
test_literal_text_knows_four_escapes(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"a\\tb", "a\tb"},
		{"a\\nb\\r", "a\nb\r"},
		{"a\\\\tb", "a\\tb"},
		{"\\\"%m\\\"", "\\\"GET\\\""},
		{"\\x41\\", "\\x41\\"},
		{"\\%m", "\\GET"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_line(rows[i].text, &full, rows[i].expected);
}

static void
test_a_host_is_its_name(void **state)
{
	static const struct {
		const char *host, *expected;
	} rows[] = {
		{"EX.com:8080", "ex.com"},
		{"ex.com", "ex.com"},
		{"ex.com:", "ex.com"},
		{"192.0.2.7:80", "192.0.2.7"},
		{"[2001:DB8::1]:8080", "2001:db8::1"},
		{"[::1]", "::1"},
		/* Of a request that was refused. */
		{"[::1", "[::1"},
		{":80", "-"},
		{"A\xC3\"B", "a\\xc3\\\"b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r = {.host = str_of(rows[i].host)};

		assert_line("%v", &r, rows[i].expected);
		assert_line("%V", &r, rows[i].expected);
	}
}

static void
test_a_format_that_begins_an_object_escapes_as_json_does(void **state)
{
	static const struct {
		const char *format, *text, *expected;
	} rows[] = {
		{"{\"a\":\"%v\"}", "a\"b\\c", "{\"a\":\"a\\\"b\\\\c\"}"},
		{"{ \"a\": \"%v\"}", "\x1b\n\x7f",
			"{ \"a\": \"\\u001b\\u000a\\u007f\"}"},
		{"{\"a\":\"%v\"}", "caf\xc3\xa9 \xe9",
			"{\"a\":\"caf\xc3\xa9 \\u00e9\"}"},
		{"{\"a\":\"%v\"}", "\\x41\\n", "{\"a\":\"\\\\x41\\\\n\"}"},
		{"{\"a\":\"%v\",\"s\":%s}", "", "{\"a\":\"-\",\"s\":null}"},
		{"{\"a\": %s , \"b\":\t%A}", "", "{\"a\": null , \"b\":\tnull}"},
		{"{\"a\\\\\"b:%s\", \"c\": \"%v:%s\"}", "v",
			"{\"a\\\"b:-\", \"c\": \"v:-\"}"},
		{"{%v}", "\x1b\xc3\xa9", "{\\x1b\\xc3\\xa9}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r = {.host = str_of(rows[i].text)};

		assert_line(rows[i].format, &r, rows[i].expected);
	}
}

static void
use_timezone(const char *name)
{
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
}

static void
test_times_are_local(void **state)
{
	static const struct {
		const char *timezone, *text, *expected;
	} rows[] = {
		{"PST8PDT,M4.1.0,M10.5.0", "%t",
			"[10/Oct/2000:13:55:36 -0700]"},
		{"UTC0", "%t", "[10/Oct/2000:20:55:36 +0000]"},
		{"XXX-5:30", "%t", "[11/Oct/2000:02:25:36 +0530]"},
		{"XXX3:30", "%t", "[10/Oct/2000:17:25:36 -0330]"},
		{"XXX0:30", "%t", "[10/Oct/2000:20:25:36 -0030]"},
		{"UTC0", "%{}t", "[10/Oct/2000:20:55:36 +0000]"},
		{"UTC0", "%{begin}t", "[10/Oct/2000:20:55:36 +0000]"},
		{"UTC0", "%{end}t", "[10/Oct/2000:20:55:37 +0000]"},
		{"UTC0", "%{end:}t", "[10/Oct/2000:20:55:37 +0000]"},
		{"UTC0", "%{%Y-%m-%dT%H:%M:%S%z}t", "2000-10-10T20:55:36+0000"},
		{"UTC0", "%{begin:%H:%M:%S}t", "20:55:36"},
		{"UTC0", "%{end:%H:%M:%S}t", "20:55:37"},
		{"UTC0", "%{sec}t", "971211336"},
		{"UTC0", "%{msec}t", "971211336123"},
		{"UTC0", "%{usec}t", "971211336123456"},
		{"UTC0", "%{msec_frac}t", "123"},
		{"UTC0", "%{zone}t", "+00:00"},
		{"XXX5:30", "%{end:zone}t", "-05:30"},
		{"UTC0", "%{usec_frac}t", "123456"},
		{"UTC0", "%{begin:msec_frac}t", "123"},
		{"UTC0", "%{end:sec}t", "971211337"},
		{"UTC0", "%{end:msec_frac}t", "358"},
		{"UTC0", "%{end:usec_frac}t", "358023"},
		{"UTC0", "%{%T}t.%{msec_frac}t", "20:55:36.123"},
		/* Words that only look like those. */
		{"UTC0", "%{ending}t", "ending"},
		{"UTC0", "%{secs}t", "secs"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		use_timezone(rows[i].timezone);
		assert_line(rows[i].text, &full, rows[i].expected);
	}
	use_timezone("UTC0");
}

static void
test_a_remembered_time_does_not_outlive_its_second(void **state)
{
	static const struct {
		int64_t begin_us;
		const char *line;
	} rows[] = {
		{0, "[01/Jan/1970:00:00:00 +0000] 00 000000\n"},
		{999999, "[01/Jan/1970:00:00:00 +0000] 00 999999\n"},
		{1000000, "[01/Jan/1970:00:00:01 +0000] 01 000000\n"},
		{1000001, "[01/Jan/1970:00:00:01 +0000] 01 000001\n"},
		{999998, "[01/Jan/1970:00:00:00 +0000] 00 999998\n"},
		{-5000000, "[01/Jan/1970:00:00:00 +0000] 00 000000\n"},
		{59000000, "[01/Jan/1970:00:00:59 +0000] 59 000000\n"},
	};
	struct log_format *f = NULL;
	struct buf out = {0};

	(void)state;
	use_timezone("UTC0");
	assert_int_equal(
		log_format_compile(&f, "%t %{%S}t %{usec_frac}t", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r = {.begin_us = rows[i].begin_us};

		buf_clear(&out);
		assert_int_equal(log_format_write(f, &r, &out), 0);
		assert_string_equal(buf_text(&out), rows[i].line);
	}
	buf_fini(&out);
	log_format_destroy(f);
}

static void
test_what_is_not_understood_is_named(void **state)
{
	static const struct {
		const char *text, *sentence;
	} rows[] = {
		{"%h %z", "item \"%z\" at character 4 is not known; a percent "
			  "sign is written \"%%\""},
		{"100% sure", "item \"% \" at character 4 is not known; a "
			      "percent sign is written \"%%\""},
		{"%", "item \"%\" at character 1 ends before its letter"},
		{"%h %>", "item \"%>\" at character 4 ends before its letter"},
		{"%{Foo}", "item \"%{Foo}\" at character 1 ends before its "
			   "letter"},
		{"%{Foo", "item \"%{\" at character 1 has no \"}\" behind its "
			  "argument"},
		{"%{a}{b}i", "item \"%{a}{\" at character 1 has a second "
			     "argument"},
		{"%i", "item \"%i\" at character 1 needs a name in braces"},
		{"%{}i", "item \"%{}i\" at character 1 needs a name in braces"},
		{"%C", "item \"%C\" at character 1 needs a name in braces"},
		{"%o", "item \"%o\" at character 1 needs a name in braces"},
		{"%{x}b", "item \"%{x}b\" at character 1 takes no argument"},
		{"%{x}p", "item \"%{x}p\" at character 1 takes no argument but "
			  "{canonical}, {local}, {remote}"},
		{"%{min}T", "item \"%{min}T\" at character 1 takes no argument "
			    "but {s}, {ms}, {us}"},
		{"%{c}v", "item \"%{c}v\" at character 1 takes no argument"},
		{"%{r}a", "item \"%{r}a\" at character 1 takes no argument but "
			  "{c}"},
		{"%f", "item \"%f\" at character 1 is known to Apache, but has "
		       "no meaning here"},
		{"%{VAR}e", "item \"%{VAR}e\" at character 1 is known to "
			    "Apache, but has no meaning here"},
		{"%^FB", "item \"%^\" at character 1 is known to Apache, but "
			 "has no meaning here"},
		{"%!s", "item \"%!s\" at character 1 has \"!\" and no status"},
		{"%1234s", "item \"%1234\" at character 1 has a status that is "
			   "no number from 100 to 999"},
		{"%99,200s", "item \"%99\" at character 1 has a status that is "
			     "no number from 100 to 999"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct log_format *f = NULL;
		struct err err = {0};

		assert_int_equal(
			log_format_compile(&f, rows[i].text, &err), -EINVAL);
		assert_string_equal(err.text, rows[i].sentence);
		assert_null(f);
	}
}

static void
test_a_time_that_is_too_long_is_refused(void **state)
{
	char text[2000] = "%{";
	struct log_format *f = NULL;
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 150; i++)
		strcat(text, "%A");
	strcat(text, "}t");
	assert_int_equal(log_format_compile(&f, text, &err), -EINVAL);
	assert_non_null(strstr(err.text, "gives a text that is too long"));
	assert_int_equal(log_format_compile(&f, text, NULL), -EINVAL);
}

static void
test_apaches_common_and_combined_lines_are_the_same_here(void **state)
{
	static const char common[] = "%h %l %u %t \"%r\" %>s %b";
	static const char combined[] = "%h %l %u %t \"%r\" %>s %b "
				       "\"%{Referer}i\" \"%{User-agent}i\"";

	(void)state;
	use_timezone("UTC0");
	assert_line(common, &full,
		"192.0.2.7 - frank [10/Oct/2000:20:55:36 +0000] "
		"\"GET /a%20b?c=d HTTP/1.1\" 200 2326");
	assert_line(combined, &full,
		"192.0.2.7 - frank [10/Oct/2000:20:55:36 +0000] "
		"\"GET /a%20b?c=d HTTP/1.1\" 200 2326 "
		"\"http://a/\\\"b\\\\c\\\"\" \"curl/7.88.1\"");
	assert_line(combined, &nothing,
		"- - - [01/Jan/1970:00:00:00 +0000] \"-\" - - \"-\" \"-\"");
}

static void
test_response_headers_are_kept_only_when_asked_for(void **state)
{
	static const struct {
		const char *text;
		bool wants;
	} rows[] = {
		{"%h %{User-Agent}i %O", false},
		{"%{X}o", true},
		{"%h %!200{X}o %s", true},
		{"%%{X}o", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct log_format *f = NULL;

		assert_int_equal(log_format_compile(&f, rows[i].text, NULL), 0);
		assert_int_equal(
			log_format_wants_response_headers(f), rows[i].wants);
		log_format_destroy(f);
	}
	log_format_destroy(NULL);
}

static void
test_lines_are_appended_one_behind_the_other(void **state)
{
	struct log_format *f = NULL;
	struct buf out = {0};

	(void)state;
	assert_int_equal(log_format_compile(&f, "%m", NULL), 0);
	assert_int_equal(log_format_write(f, &full, &out), 0);
	assert_int_equal(log_format_write(f, &nothing, &out), 0);
	assert_string_equal(buf_text(&out), "GET\n-\n");
	/* Half a line is no line. */
	out.failed = true;
	assert_int_equal(log_format_write(f, &full, &out), -ENOMEM);
	assert_string_equal(buf_text(&out), "GET\n-\n");
	/* And does not keep others out. */
	assert_int_equal(log_format_write(f, &full, &out), 0);
	assert_string_equal(buf_text(&out), "GET\n-\nGET\n");
	buf_fini(&out);
	log_format_destroy(f);
}

/* All that has an end, all that has none, both, and neither. */
static void
test_a_line_in_two_steps_is_as_one_in_one(void **state)
{
	static const char *const formats[] = {
		"%h %t \"%r\" %>s %B %O %S %I %D %T %{ms}T %{us}T %{end:usec}t %X.",
		"%m",
		"%X",
		"%404D %!404D %200X%200X",
		"",
	};
	const struct record late = {
		.status = full.status,
		.begin_us = full.begin_us,
		.bytes_in = full.bytes_in,
		.bytes_out = full.bytes_out,
		.duration_us = full.duration_us,
		.kept_alive = full.kept_alive,
	};
	struct record early = full;
	struct buf held = {0}, out = {0}, whole = {0};
	struct log_format *f[ARRAY_LEN(formats)];
	struct str left;

	(void)state;
	early.bytes_out = 1;
	early.duration_us = 2;
	early.kept_alive = false;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		assert_int_equal(
			log_format_compile(&f[i], formats[i], NULL), 0);
		assert_int_equal(log_format_begin(f[i], &early, &held), 0);
		assert_int_equal(log_format_write(f[i], &full, &whole), 0);
	}
	left = (struct str){held.data, held.len};
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		assert_int_equal(
			log_format_finish(f[i], &left, &late, &out), 0);
		log_format_destroy(f[i]);
	}
	assert_string_equal(buf_text(&out), buf_text(&whole));
	assert_int_equal(left.len, 0);
	buf_fini(&held);
	buf_fini(&out);
	buf_fini(&whole);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_say_what_apaches_say),
		cmocka_unit_test(test_the_small_differences),
		cmocka_unit_test(test_a_user_is_whom_the_client_names),
		cmocka_unit_test(test_every_byte_is_escaped_as_apache_does),
		cmocka_unit_test(test_passwords_are_not_logged),
		cmocka_unit_test(test_statuses_decide_what_is_written),
		cmocka_unit_test(test_literal_text_knows_four_escapes),
		cmocka_unit_test(test_a_host_is_its_name),
		cmocka_unit_test(
			test_a_format_that_begins_an_object_escapes_as_json_does),
		cmocka_unit_test(test_times_are_local),
		cmocka_unit_test(
			test_a_remembered_time_does_not_outlive_its_second),
		cmocka_unit_test(test_what_is_not_understood_is_named),
		cmocka_unit_test(test_a_time_that_is_too_long_is_refused),
		cmocka_unit_test(
			test_apaches_common_and_combined_lines_are_the_same_here),
		cmocka_unit_test(
			test_response_headers_are_kept_only_when_asked_for),
		cmocka_unit_test(test_lines_are_appended_one_behind_the_other),
		cmocka_unit_test(test_a_line_in_two_steps_is_as_one_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
