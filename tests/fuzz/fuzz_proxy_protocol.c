/*
 * fuzz_proxy_protocol.c - the beginning of a connection, cut anywhere.
 *
 * What is known of a part stays so whatever comes: a header, where it ends, and
 * that something is none.
 */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>

#include "http/proxy_protocol.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *data = (const char *)bytes;
	struct proxy_protocol whole, part;
	ssize_t rc;

	if (size > PROXY_PROTOCOL_MAX + 64)
		size = PROXY_PROTOCOL_MAX + 64;
	rc = proxy_protocol_parse(&whole, data, size);
	assert(rc >= 0 || rc == -ENOMSG || rc == -EBADMSG);
	assert(rc <= (ssize_t)size && rc <= PROXY_PROTOCOL_MAX);
	for (size_t i = 0; i < size; i++) {
		ssize_t before = proxy_protocol_parse(&part, data, i);

		assert(before == 0 || before == rc);
		assert(rc <= 0 || i >= (size_t)rc || before == 0);
	}
	return 0;
}
