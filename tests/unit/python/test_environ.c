/*
 * test_environ.c - what an application finds in environ.
 */
#include "exchange.h"

#include <string.h>

#include "base/defs.h"

/* Answer with the repr of an expression over environ "e". */
#define SHOW(expression)                        \
	"def application(e, start_response):\n" \
	"    start_response('200 OK', [])\n"    \
	"    return [repr(" expression ").encode()]\n"

#define ORDINARY "GET /a%20b/%C3%A9?x=%20y&z HTTP/1.1\nHost: example.org:81\n\n"

static void
show(const char *expression, const char *request, const char *shows)
{
	struct exchange ex = {0};
	struct buf source = {0};

	buf_printf(&source,
		"def application(e, start_response):\n"
		"    start_response('200 OK', [])\n"
		"    return [repr(%s).encode()]\n",
		expression);
	exchange_use(buf_text(&source));
	exchange_run(&ex, request);
	assert_string_equal(exchange_body(&ex), shows);
	exchange_fini(&ex);
	buf_fini(&source);
}

static void
test_the_request_is_there(void **state)
{
	static const struct {
		const char *expression, *request, *shows;
	} rows[] = {
		{"e['REQUEST_METHOD']", ORDINARY, "'GET'"},
		{"e['SCRIPT_NAME']", ORDINARY, "''"},
		{"e['PATH_INFO']", ORDINARY, "'/a b/\xc3\x83\xc2\xa9'"},
		{"e['QUERY_STRING']", ORDINARY, "'x=%20y&z'"},
		{"e['REQUEST_URI']", ORDINARY, "'/a%20b/%C3%A9?x=%20y&z'"},
		{"e['RAW_URI']", ORDINARY, "'/a%20b/%C3%A9?x=%20y&z'"},
		{"e['SERVER_PROTOCOL']", ORDINARY, "'HTTP/1.1'"},
		{"e['SERVER_NAME']", ORDINARY, "'example.org'"},
		{"e['HTTP_HOST']", ORDINARY, "'example.org:81'"},
		{"e['SERVER_PORT']", ORDINARY, "'8000'"},
		{"e['SERVER_ADDR']", ORDINARY, "'192.0.2.1'"},
		{"e['REMOTE_ADDR']", ORDINARY, "'192.0.2.7'"},
		{"e['REMOTE_PORT']", ORDINARY, "'40000'"},
		{"e['REQUEST_SCHEME']", ORDINARY, "'http'"},
		{"e['SERVER_SOFTWARE']", ORDINARY, "'wsgid/1.2.3'"},
		{"e['wsgid.version']", ORDINARY, "(1, 2, 3)"},
		{"e['wsgi.version']", ORDINARY, "(1, 0)"},
		{"e['wsgi.url_scheme']", ORDINARY, "'http'"},
		{"e['wsgi.multithread']", ORDINARY, "False"},
		{"e['wsgi.multiprocess']", ORDINARY, "True"},
		{"e['wsgi.run_once']", ORDINARY, "False"},
		{"e['wsgi.input_terminated']", ORDINARY, "True"},
		{"type(e)", ORDINARY, "<class 'dict'>"},
		{"e['UNIQUE_ID']", ORDINARY, "''"},
		{"'CONTENT_LENGTH' in e or 'CONTENT_TYPE' in e", ORDINARY,
			"False"},
		{"e['QUERY_STRING']", "GET / HTTP/1.1\nHost: a\n\n", "''"},
		{"e['QUERY_STRING']", "GET /? HTTP/1.1\nHost: a\n\n", "''"},
		{"e['PATH_INFO'] is e['REQUEST_URI']",
			"GET /x HTTP/1.1\nHost: a\n\n", "True"},
		{"e['SERVER_NAME']", "GET / HTTP/1.1\nHost: [::1]:8\n\n",
			"'[::1]'"},
		{"e['SERVER_NAME']", "GET / HTTP/1.0\n\n", "'192.0.2.1'"},
		{"e['SERVER_PROTOCOL']", "GET / HTTP/1.0\n\n", "'HTTP/1.0'"},
		{"'HTTP_HOST' in e", "GET / HTTP/1.0\n\n", "False"},
		{"e['REQUEST_METHOD']", "MOVE / HTTP/1.1\nHost: a\n\n",
			"'MOVE'"},
		{"e['REQUEST_METHOD']", "PATCH / HTTP/1.1\nHost: a\n\n",
			"'PATCH'"},
		{"[e['HTTP_HOST'], e['SERVER_NAME'], e['PATH_INFO'], "
		 "e['REQUEST_URI']]",
			"GET http://b:7/c?d HTTP/1.1\nHost: b:7\n\n",
			"['b:7', 'b', '/c', 'http://b:7/c?d']"},
		{"[e['PATH_INFO'], e['REQUEST_URI'], e['RAW_URI']]",
			"GET /a/%2e%2e//b%2Fc HTTP/1.1\nHost: a\n\n",
			"['//b/c', '/a/%2e%2e//b%2Fc', '/a/%2e%2e//b%2Fc']"},
		{"[e['PATH_INFO'], e['REQUEST_URI']]",
			"OPTIONS * HTTP/1.1\nHost: a\n\n", "['', '*']"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		show(rows[i].expression, rows[i].request, rows[i].shows);
}

static void
test_headers_become_keys(void **state)
{
	static const struct {
		const char *expression, *headers, *shows;
	} rows[] = {
		{"e['HTTP_USER_AGENT']", "uSER-aGENT: x", "'x'"},
		{"e['HTTP_X_SELDOM_SEEN']", "x-Seldom-SEEN: 1", "'1'"},
		{"e['HTTP_ACCEPT']", "Accept: a\xff", "'a\xc3\xbf'"},
		{"e['HTTP_X_EMPTY']", "X-Empty:", "''"},
		{"e['HTTP_AUTHORIZATION']", "Authorization: Basic x",
			"'Basic x'"},
		{"e['CONTENT_TYPE']", "Content-Type: text/plain",
			"'text/plain'"},
		{"[k for k in e if 'HTTP_CONTENT_T' in k or 'HTTP_CONTENT_L' "
		 "in k]",
			"Content-Type: a\nContent-Length: 0", "[]"},
		{"e['CONTENT_LENGTH']", "Content-Length: 0", "'0'"},
		/* RFC 9110 section 8.6: one number is passed on. */
		{"e['CONTENT_LENGTH']", "Content-Length: 0, 0", "'0'"},
		{"e['CONTENT_LENGTH']", "Content-Length: 0\nContent-Length: 0",
			"'0'"},
		{"e['HTTP_ACCEPT']", "Accept: a\nAccept: b\naccept: c",
			"'a, b, c'"},
		{"e['HTTP_X_A']", "X-A: 1\nX-A: 1", "'1, 1'"},
		{"e['HTTP_X_A']", "X-A:\nX-A:", "', '"},
		{"e['HTTP_COOKIE']", "Cookie: a=1\nCookie: b=2", "'a=1; b=2'"},
		{"[k for k in e if 'PROXY' in k]", "Proxy: evil", "[]"},
		{"e['HTTP_PROXY_AUTHORIZATION']", "Proxy-Authorization: x",
			"'x'"},
		{"e['HTTP_X_REQUEST_ID']",
			"X-Request-ID: good\nX_Request_ID: evil", "'good'"},
		{"[k for k in e if 'FOO' in k]", "X_Foo: a\nX.Foo: b\nX!Foo: c",
			"[]"},
		{"[e['HTTP_TRANSFER_ENCODING'], 'CONTENT_LENGTH' in e]",
			"Transfer-Encoding: chunked", "['chunked', False]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf request = {0};

		buf_printf(&request, "POST / HTTP/1.1\nHost: a\n%s\n\n",
			rows[i].headers);
		show(rows[i].expression, buf_text(&request), rows[i].shows);
		buf_fini(&request);
	}
}

/* All names that are known by hash have the key that they would get without. */
static void
test_every_known_header_has_its_key(void **state)
{
	(void)state;
	show("sorted(k for k in e if k.startswith('HTTP_'))",
		"GET / HTTP/1.1\nHost: a\nAccept: 1\nAccept-Charset: 1\n"
		"Accept-Encoding: 1\nAccept-Language: 1\nCache-Control: 1\n"
		"Connection: x\nContent-Encoding: 1\nCookie: 1\nDate: 1\n"
		"DNT: 1\nFrom: 1\nIf-Match: 1\n"
		"If-Modified-Since: 1\nIf-None-Match: 1\nIf-Range: 1\n"
		"If-Unmodified-Since: 1\nKeep-Alive: 1\nOrigin: 1\nPragma: 1\n"
		"Priority: 1\nRange: 1\nReferer: 1\nSec-CH-UA: 1\n"
		"Sec-CH-UA-Mobile: 1\nSec-CH-UA-Platform: 1\n"
		"Sec-Fetch-Dest: 1\nSec-Fetch-Mode: 1\nSec-Fetch-Site: 1\n"
		"Sec-Fetch-User: 1\nTE: 1\nUpgrade-Insecure-Requests: 1\n"
		"User-Agent: 1\nVia: 1\nX-CSRFToken: 1\nX-Request-ID: 1\n"
		"X-Requested-With: 1\n\n",
		"['HTTP_ACCEPT', 'HTTP_ACCEPT_CHARSET', "
		"'HTTP_ACCEPT_ENCODING', 'HTTP_ACCEPT_LANGUAGE', "
		"'HTTP_CACHE_CONTROL', 'HTTP_CONNECTION', "
		"'HTTP_CONTENT_ENCODING', 'HTTP_COOKIE', 'HTTP_DATE', "
		"'HTTP_DNT', 'HTTP_FROM', 'HTTP_HOST', "
		"'HTTP_IF_MATCH', 'HTTP_IF_MODIFIED_SINCE', "
		"'HTTP_IF_NONE_MATCH', 'HTTP_IF_RANGE', "
		"'HTTP_IF_UNMODIFIED_SINCE', 'HTTP_KEEP_ALIVE', "
		"'HTTP_ORIGIN', 'HTTP_PRAGMA', 'HTTP_PRIORITY', 'HTTP_RANGE', "
		"'HTTP_REFERER', 'HTTP_SEC_CH_UA', 'HTTP_SEC_CH_UA_MOBILE', "
		"'HTTP_SEC_CH_UA_PLATFORM', 'HTTP_SEC_FETCH_DEST', "
		"'HTTP_SEC_FETCH_MODE', 'HTTP_SEC_FETCH_SITE', "
		"'HTTP_SEC_FETCH_USER', 'HTTP_TE', "
		"'HTTP_UPGRADE_INSECURE_REQUESTS', 'HTTP_USER_AGENT', "
		"'HTTP_VIA', 'HTTP_X_CSRFTOKEN', "
		"'HTTP_X_REQUESTED_WITH', 'HTTP_X_REQUEST_ID']");
}

#define OF_PROXIES                                                        \
	"GET /a HTTP/1.1\nHost: inner:8000\nX-Forwarded-For: 192.0.2.1\n" \
	"X-Forwarded-Proto: https\nx-forwarded-host: b\n"                 \
	"X-Forwarded-Port: 1\nX-Forwarded-Prefix: /p\n"                   \
	"X-Forwarded-Server: s\nX-Real-IP: 192.0.2.1\n"                   \
	"Forwarded: for=192.0.2.1\n\n"

static void
test_what_proxies_would_say_is_taken_out_where_none_is_believed(void **state)
{
	static const struct {
		unsigned shown;
		struct str passed;
		const char *shows;
	} rows[] = {
		{0, {"", 0}, "['HTTP_HOST']"},
		{0, {"X-Forwarded-User x-real-ip", 26},
			"['HTTP_HOST', 'HTTP_X_REAL_IP']"},
		{FORWARDED_FOR | FORWARDED_RFC7239, {"", 0},
			"['HTTP_FORWARDED', 'HTTP_HOST', "
			"'HTTP_X_FORWARDED_FOR']"},
		{FORWARDED_PROTO | FORWARDED_HOST | FORWARDED_PORT |
				FORWARDED_PREFIX, {"", 0},
			"['HTTP_HOST', 'HTTP_X_FORWARDED_HOST', "
			"'HTTP_X_FORWARDED_PORT', 'HTTP_X_FORWARDED_PREFIX', "
			"'HTTP_X_FORWARDED_PROTO']"},
	};

	(void)state;
	exchange_use(SHOW("sorted(k for k in e if k.startswith('HTTP_'))"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forwarded f = {
			.shown = rows[i].shown, .passed = rows[i].passed};
		struct exchange ex = {.forwarded = &f};

		exchange_run(&ex, OF_PROXIES);
		assert_string_equal(exchange_body(&ex), rows[i].shows);
		exchange_fini(&ex);
	}
}

static void
test_what_proxies_say_takes_the_place_of_the_connection(void **state)
{
	static const struct {
		struct forwarded f;
		const char *shows;
	} rows[] = {
		{{0}, "['192.0.2.7', '40000', 'http', 'http', 'inner:8000', "
		      "'inner', '8000', '', '/a']"},
		{{.has_client = true, .client_port = {"", 0}},
			"['::', '0', 'http', 'http', 'inner:8000', 'inner', "
			"'8000', '', '/a']"},
		{{.has_client = true, .client_port = {"99", 2}},
			"['::', '99', 'http', 'http', 'inner:8000', 'inner', "
			"'8000', '', '/a']"},
		{{.scheme = {"https", 5}, .server_port = {"443", 3}},
			"['192.0.2.7', '40000', 'https', 'https', "
			"'inner:8000', 'inner', '443', '', '/a']"},
		{{.host = {"[::1]:81", 8}, .server_port = {"81", 2}},
			"['192.0.2.7', '40000', 'http', 'http', '[::1]:81', "
			"'[::1]', '81', '', '/a']"},
		/* What a proxy has cut off is not in the path any more. */
		{{.prefix = {"/my%20shop", 10}},
			"['192.0.2.7', '40000', 'http', 'http', 'inner:8000', "
			"'inner', '8000', '/my shop', '/a']"},
	};

	(void)state;
	exchange_use(SHOW("[e[k] for k in ('REMOTE_ADDR', 'REMOTE_PORT', "
			  "'REQUEST_SCHEME', 'wsgi.url_scheme', 'HTTP_HOST', "
			  "'SERVER_NAME', 'SERVER_PORT', 'SCRIPT_NAME', "
			  "'PATH_INFO')]"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {.forwarded = &rows[i].f};

		exchange_run(&ex, "GET /a HTTP/1.1\nHost: inner:8000\n\n");
		assert_string_equal(exchange_body(&ex), rows[i].shows);
		exchange_fini(&ex);
	}
}

static void
test_a_socket_file_has_a_name_and_a_port_too(void **state)
{
	struct exchange ex = {.peer = {.scheme = STR("http")}};

	(void)state;
	exchange_use(SHOW("[e[k] for k in ('REMOTE_ADDR', 'REMOTE_PORT', "
			  "'SERVER_ADDR', 'SERVER_NAME', 'SERVER_PORT')]"));
	exchange_run(&ex, "GET / HTTP/1.0\n\n");
	assert_string_equal(
		exchange_body(&ex), "['', '', '', 'localhost', '80']");
	exchange_fini(&ex);
}

static void
test_a_unique_id_is_passed_on(void **state)
{
	struct exchange ex = {.unique_id = "abc123"};

	(void)state;
	exchange_use(SHOW("e['UNIQUE_ID']"));
	exchange_run(&ex, ORDINARY);
	assert_string_equal(exchange_body(&ex), "'abc123'");
	exchange_fini(&ex);
}

/* The connection's part is kept between its requests: nothing of one may be
 * seen in the next, whatever the application does to its environ. */
static void
test_requests_of_a_connection_share_nothing(void **state)
{
	struct exchange ex = {0};

	(void)state;
	exchange_use("def application(e, start_response):\n"
		     "    text = repr(sorted(e.items(), key=lambda i: i[0]))\n"
		     "    e.clear()\n"
		     "    start_response('200 OK', [])\n"
		     "    return [text.encode()]\n");
	/* From the second on it is there. */
	for (int i = 0; i < 3; i++) {
		exchange_run(&ex,
			"POST /a?b HTTP/1.1\nHost: a\nX-Once: secret\n\n");
		assert_holds(exchange_body(&ex), "secret");
		assert_int_equal(ex.peer.private != NULL, i > 0);
		buf_clear(&ex.all);
		buf_clear(&ex.out);
	}
	exchange_run(&ex, "GET / HTTP/1.1\nHost: b\n\n");
	assert_lacks(exchange_body(&ex), "secret");
	assert_holds(exchange_body(&ex), "('REQUEST_METHOD', 'GET')");
	assert_holds(exchange_body(&ex), "('QUERY_STRING', '')");
	assert_holds(exchange_body(&ex), "('REMOTE_ADDR', '192.0.2.7')");
	exchange_fini(&ex);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_request_is_there),
		cmocka_unit_test(test_headers_become_keys),
		cmocka_unit_test(test_every_known_header_has_its_key),
		cmocka_unit_test(
			test_what_proxies_would_say_is_taken_out_where_none_is_believed),
		cmocka_unit_test(
			test_what_proxies_say_takes_the_place_of_the_connection),
		cmocka_unit_test(test_a_socket_file_has_a_name_and_a_port_too),
		cmocka_unit_test(test_a_unique_id_is_passed_on),
		cmocka_unit_test(test_requests_of_a_connection_share_nothing),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
