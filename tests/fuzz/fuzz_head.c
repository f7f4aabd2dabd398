/*
 * fuzz_head.c - the head of a request, whole and in two parts.
 *
 * Whatever the bytes are: a part of a head says nothing that the whole does
 * not say, the scan that waits for its end agrees, and what was accepted lies
 * within what was given.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/defs.h"
#include "http/authority.h"
#include "http/path.h"
#include "http/request.h"

static const struct request_limits limits = {
	.line = 200, .fields = 20, .field_size = 200};

static struct request request;

static void
check_within(struct str s, const char *data, size_t len)
{
	if (s.len > 0)
		assert(s.p >= data && s.p + s.len <= data + len);
}

static void
check_path(struct str path)
{
	static const struct path_rules rules[] = {
		{.slashes = PATH_SLASHES_DECODE},
		{.slashes = PATH_SLASHES_REFUSE, .merge = true},
		{.slashes = PATH_SLASHES_KEEP, .merge = true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		char *to = malloc(path.len);
		const char *why = NULL;
		ssize_t len = path_resolve(path, &rules[i], to, &why);
		struct buf memory = {0};
		struct str seen;
		int rc = path_find(path, &rules[i], &memory, &seen, &why);

		assert(len < 0 ? why != NULL : (size_t)len <= path.len);
		assert(len < 0 || to[0] == '/');
		assert(rc == (len < 0 ? (int)len : 0));
		assert(len < 0 ||
			str_equal(seen, (struct str){to, (size_t)len}));
		buf_fini(&memory);
		free(to);
	}
}

static void
check_accepted(const char *data, size_t len)
{
	check_within(request.target, data, len);
	for (size_t i = 0; i < request.n_fields; i++) {
		check_within(request.fields[i].name, data, len);
		check_within(request.fields[i].value, data, len);
		assert(request.fields[i].name.len > 0);
	}
	assert(!(request.chunked && request.has_length));
	assert(request.host.len == 0 || authority_valid(request.host, NULL));
	if (request.form == REQUEST_ORIGIN || request.form == REQUEST_ABSOLUTE)
		check_path(request.path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *data = (const char *)bytes;
	struct request_scan scan = {0};
	ssize_t whole = request_parse(&request, data, size, &limits), part;
	int scanned;

	check_within(request.line, data, size);
	if (whole > 0)
		check_accepted(data, (size_t)whole);
	scanned = request_scan(&scan, data, size, &limits);
	if (whole > 0)
		assert(scanned == 1);
	if (scanned == 0)
		assert(whole <= 0);
	part = request_parse(&request, data, size / 2, &limits);
	assert(part == 0 || part == whole);
	return 0;
}
