/*
 * test_chunked.c - chunked bodies, whole, in pieces and broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "http/chunked.h"

#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* Decode input that comes in pieces of step bytes.  The last result; *rest
 * is how much of the input was not taken. */
static int
decode(struct str input, size_t step, struct buf *body, size_t *rest)
{
	struct chunked c = {0};
	struct str data;
	int rc = CHUNKED_MORE;
	size_t at = 0;

	buf_clear(body);
	while (rc == CHUNKED_MORE && at < input.len) {
		size_t len = input.len - at < step ? input.len - at : step;
		char *copy = malloc(len);
		struct str in = {copy, len};

		assert_non_null(copy);
		memcpy(copy, input.p + at, len);
		while ((rc = chunked_next(&c, &in, &data)) == CHUNKED_DATA) {
			assert_true(data.len > 0);
			buf_add_str(body, data);
		}
		at += len - in.len;
		free(copy);
	}
	*rest = input.len - at;
	return rc;
}

static const struct {
	const char *section;
	struct str input;
	const char *body;
	size_t rest;
} whole[] = {
	{"9112 7.1", BYTES("0\r\n\r\n"), "", 0},
	{"9112 7.1", BYTES("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
	{"9112 7.1", BYTES("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
		"hello world", 0},
	{"9112 7.1", BYTES("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
		"01234567890123456789", 0},
	{"9112 7.1", BYTES("0000000000000005\r\nhello\r\n000\r\n\r\n"), "hello",
		0},
	{"9112 7.1", BYTES("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n", 0},
	{"9112 7.1", BYTES("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), "a", 16},
	{"9112 7.1.1", BYTES("1;x\r\na\r\n0;y=z\r\n\r\n"), "a", 0},
	{"9112 7.1.1", BYTES("1 \t; x = \"y\t\xe9;\"\r\na\r\n0\r\n\r\n"), "a",
		0},
	{"9112 7.1.1", BYTES("1;\r\na\r\n0\r\n\r\n"), "a", 0},
	{"9112 7.1.2", BYTES("1\r\na\r\n0\r\nX: y\r\nA-B:\r\n\r\n"), "a", 0},
	{"9112 7.1.2", BYTES("0\r\nContent-Lengthy: 5\r\n\r\n"), "", 0},
	{"9112 7.1.2",
		BYTES("0\r\nA-name-longer-than-any-that-is-refused: y\r\n\r\n"),
		"", 0},
};

static void
test_bodies_are_the_same_however_they_are_cut(void **state)
{
	struct buf body = {0};
	size_t rest;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		for (size_t step = 1; step <= whole[i].input.len; step++) {
			int rc = decode(whole[i].input, step, &body, &rest);

			if (rc != CHUNKED_END || rest != whole[i].rest ||
				strcmp(buf_text(&body), whole[i].body) != 0)
				fail_msg("RFC %s, row %zu, step %zu: %d",
					whole[i].section, i, step, rc);
		}
	}
	buf_fini(&body);
}

static void
test_a_part_of_a_body_asks_for_more(void **state)
{
	struct buf body = {0};
	size_t rest;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		struct str part = whole[i].input;

		part.len -= whole[i].rest + 1;
		for (; part.len > 0; part.len--) {
			assert_int_equal(
				decode(part, 3, &body, &rest), CHUNKED_MORE);
			assert_int_equal(rest, 0);
		}
	}
	buf_fini(&body);
}

static void
test_broken_framing_is_refused(void **state)
{
	static const struct {
		const char *section;
		struct str input;
	} rows[] = {
		{"9112 7.1", BYTES("\r\n")},
		{"9112 7.1", BYTES(" 5\r\n")},
		{"9112 7.1", BYTES("+5\r\n")},
		{"9112 7.1", BYTES("-5\r\n")},
		{"9112 7.1", BYTES("0x5\r\n")},
		{"9112 7.1", BYTES("5h\r\n")},
		{"9112 7.1", BYTES("5_0\r\n")},
		{"9112 7.1", BYTES("g\r\n")},
		{"9112 7.1", BYTES(";x\r\n")},
		{"9112 7.1", BYTES("\0")},
		{"9112 7.1", BYTES("8000000000000000\r\n")},
		{"9112 7.1", BYTES("ffffffffffffffff\r\n")},
		{"9112 7.1", BYTES("10000000000000005\r\n")},
		{"9112 7.1", BYTES("00000000000000005\r\n")},
		{"9112 7.1", BYTES("5\nhello\r\n")},
		{"9112 7.1", BYTES("5\rhello\r\n")},
		{"9112 7.1", BYTES("5\r\r\nhello\r\n")},
		{"9112 7.1", BYTES("5 \r\nhello\r\n")},
		{"9112 7.1", BYTES("5 5\r\nhello\r\n")},
		{"9112 7.1", BYTES("5\r\nhellooo\r\n")},
		{"9112 7.1", BYTES("5\r\nhello\n")},
		{"9112 7.1", BYTES("5\r\nhello0\r\n")},
		{"9112 7.1", BYTES("5\r\nhello\rx")},
		{"9112 7.1", BYTES("5\r\nhello\r\n\r\n")},
		{"9112 7.1", BYTES("0\n\n")},
		{"9112 7.1", BYTES("0\r\n\n")},
		{"9112 7.1", BYTES("0\r\n\rx")},
		{"9112 7.1.1", BYTES("5;x\nhello\r\n")},
		{"9112 7.1.1", BYTES("5;x\rhello\r\n")},
		{"9112 7.1.1", BYTES("5;x\0\r\nhello\r\n")},
		{"9112 7.1.1", BYTES("5;\x7f\r\nhello\r\n")},
		{"9112 7.1.1", BYTES("5 x\r\nhello\r\n")},
		{"9112 7.1.2", BYTES("0\r\nX\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\nX y\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\nX : y\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\n: y\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\n X: y\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\nX: y\r\n z\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\nX: y\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\nX: y\rz\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\nX: \x01\r\n\r\n")},
		{"9112 7.1.2", BYTES("0\r\nGET / HTTP/1.1\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nContent-Length: 5\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\ntransfer-ENCODING: x\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nX: y\r\nHost: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nTE: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nTrailer: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nUpgrade: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nConnection: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nCookie: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nAUTHORIZATION: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nProxy-Authorization: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nProxy-Authenticate: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nWWW-Authenticate: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nSet-Cookie: a=b\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nContent-Encoding: gzip\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nContent-Type: a/b\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nContent-Range: bytes *\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nExpect: 100-continue\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nMax-Forwards: 1\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nKeep-Alive: a\r\n\r\n")},
		{"9110 6.5.1", BYTES("0\r\nProxy-Connection: a\r\n\r\n")},
	};
	struct buf body = {0};
	size_t rest;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= rows[i].input.len; step++) {
			int rc = decode(rows[i].input, step, &body, &rest);

			if (rc != -400)
				fail_msg("RFC %s, row %zu, step %zu: %d",
					rows[i].section, i, step, rc);
		}
	}
	buf_fini(&body);
}

static void
test_the_largest_chunk_is_below_2_to_63(void **state)
{
	struct chunked c = {0};
	struct str in = STR("7fffffffffffffff\r\nx"), data;

	(void)state;
	assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_DATA);
	assert_int_equal(data.len, 1);
	assert_int_equal(in.len, 0);
	assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_MORE);
}

/* Feed line again and again; how often it went well. */
static size_t
repeat(struct chunked *c, struct str line)
{
	for (size_t i = 0; i < 100000; i++) {
		struct str in = line, data;
		int rc;

		while ((rc = chunked_next(c, &in, &data)) == CHUNKED_DATA)
			;
		if (rc != CHUNKED_MORE)
			return i;
	}
	return SIZE_MAX;
}

static void
test_extensions_and_trailers_are_limited_together(void **state)
{
	struct chunked c = {0};
	struct str in = STR("0\r\n"), data;

	(void)state;
	assert_int_equal(repeat(&c, STR("1\r\nx\r\n")), SIZE_MAX);
	assert_int_equal(repeat(&c, STR("1;\r\nx\r\n")), 8192);

	c = (struct chunked){0};
	assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_MORE);
	assert_int_equal(repeat(&c, STR("X: y\r\n")), 8192 / 4);

	c = (struct chunked){0};
	in = STR("1;");
	assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_MORE);
	assert_int_equal(repeat(&c, STR("xxxxxxxx")), 8192 / 8 - 1);
}

static void
test_after_the_end_nothing_more_is_taken(void **state)
{
	struct chunked good = {0}, bad = {0};
	struct str in = STR("0\r\n\r\n0\r\n\r\n"), data;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(chunked_next(&good, &in, &data), CHUNKED_END);
		assert_int_equal(in.len, 5);
	}
	in = STR("x");
	assert_int_equal(chunked_next(&bad, &in, &data), -400);
	in = STR("0\r\n\r\n");
	assert_int_equal(chunked_next(&bad, &in, &data), -400);
	assert_int_equal(in.len, 5);
}

/* RFC 9112 section 7.1. */
static void
test_size_lines_are_plain_hex(void **state)
{
	static const struct {
		size_t len;
		const char *line;
	} rows[] = {
		{0, "0\r\n"},
		{1, "1\r\n"},
		{10, "a\r\n"},
		{15, "f\r\n"},
		{16, "10\r\n"},
		{65536, "10000\r\n"},
		{SIZE_MAX, "ffffffffffffffff\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[20];
		size_t len = chunked_size_line(line, rows[i].len);

		assert_int_equal(len, strlen(rows[i].line));
		assert_memory_equal(line, rows[i].line, len);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies_are_the_same_however_they_are_cut),
		cmocka_unit_test(test_a_part_of_a_body_asks_for_more),
		cmocka_unit_test(test_broken_framing_is_refused),
		cmocka_unit_test(test_the_largest_chunk_is_below_2_to_63),
		cmocka_unit_test(
			test_extensions_and_trailers_are_limited_together),
		cmocka_unit_test(test_after_the_end_nothing_more_is_taken),
		cmocka_unit_test(test_size_lines_are_plain_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
