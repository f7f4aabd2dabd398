/*
 * fuzz_log_format.c - a LogFormat, and what a client can put into its lines.
 *
 * The input is a format, and behind a NUL what the client sends.  A record
 * is one line whatever is in it, and has no control character; that of the
 * format's own text is the administrator's.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/format.h"
#include "base/err.h"

static struct str
look_up(const void *subject, struct str name, size_t *from)
{
	(void)name;
	return (*from)++ < 2 ? *(const struct str *)subject
			     : (struct str){NULL, 0};
}

static void
write_record(const struct log_format *format, struct str s, struct buf *out)
{
	struct record r = {
		.client = s,
		.line = s,
		.method = s,
		.path = s,
		.query = s,
		.protocol = s,
		.host = s,
		.request_id = s,
		.status = 200,
		.begin_us = 1700000000000000,
		.duration_us = 1234567,
		.request_header = look_up,
		.request = &s,
		.response_header = look_up,
		.response = &s,
	};

	assert(log_format_write(format, &r, out) == 0);
}

static size_t
count(const char *text, size_t len, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == c;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(bytes, '\0', size) : NULL;
	size_t len = nul != NULL ? (size_t)(nul - bytes) : size;
	struct str sent = {nul != NULL ? (const char *)nul + 1 : "",
		nul != NULL ? size - len - 1 : 0};
	struct buf harmless = {0}, out = {0};
	struct log_format *format;
	struct err err = {0};
	char *text;

	if (size > 4096)
		return 0;
	text = strndup((const char *)bytes, len);
	if (log_format_compile(&format, text, &err) < 0) {
		assert(err.text[0] != '\0');
		free(text);
		return 0;
	}
	write_record(format, STR("x"), &harmless);
	write_record(format, sent, &out);
	assert(out.len > 0 && out.data[out.len - 1] == '\n');
	assert(count(out.data, out.len, '\n') ==
		count(harmless.data, harmless.len, '\n'));
	assert(count(out.data, out.len, '\x1b') ==
		count(harmless.data, harmless.len, '\x1b'));
	log_format_destroy(format);
	buf_fini(&harmless);
	buf_fini(&out);
	free(text);
	return 0;
}
