/*
 * fuzz_chunked.c - a chunked body, at once and in small pieces.
 *
 * However it is cut, the decoder gives the same body, ends at the same byte,
 * or meets the same error.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/chunked.h"

/* The result; *used is how much of the input was taken. */
static int
decode(struct str input, size_t step, struct buf *body, size_t *used)
{
	struct chunked c = {0};
	int rc = CHUNKED_MORE;
	size_t at = 0;

	while (rc == CHUNKED_MORE && at < input.len) {
		size_t len = input.len - at < step ? input.len - at : step;
		struct str in = {input.p + at, len}, data;

		while ((rc = chunked_next(&c, &in, &data)) == CHUNKED_DATA) {
			assert(data.p >= input.p &&
				data.p + data.len <= input.p + input.len);
			buf_add(body, data.p, data.len);
		}
		at += len - in.len;
	}
	*used = at;
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct buf whole = {0}, pieces = {0};
	struct str input = {(const char *)bytes, size};
	size_t step, used, used_in_pieces;
	int rc, rc_in_pieces;

	if (size == 0)
		return 0;
	step = bytes[0] % 7 + 1;
	input = (struct str){input.p + 1, size - 1};
	rc = decode(input, size, &whole, &used);
	rc_in_pieces = decode(input, step, &pieces, &used_in_pieces);
	assert(rc == rc_in_pieces && used == used_in_pieces);
	assert(whole.len == pieces.len);
	if (whole.len > 0)
		assert(memcmp(whole.data, pieces.data, whole.len) == 0);
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
