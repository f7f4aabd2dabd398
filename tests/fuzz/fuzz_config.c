/*
 * fuzz_config.c - a configuration, read, settled, written and read again.
 *
 * What is accepted survives being written for a child: the second reading
 * accepts it and writes the same.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"

static const struct config_machine machine = {.cpus = 2};

/* Files of this machine are none of our input. */
static bool
reads_files(const char *text, size_t len)
{
	for (size_t i = 0; i + 7 <= len; i++)
		if (strncasecmp(text + i, "include", 7) == 0)
			return true;
	return false;
}

static struct config *
read_and_settle(const char *text, size_t len)
{
	struct config *c = config_create();

	assert(c != NULL);
	(void)config_read_text(c, "fuzz.conf", text, len);
	if (config_settle(c, &machine) == 0)
		return c;
	assert(config_message(c, 0) != NULL);
	config_destroy(c);
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes;
	struct buf first = {0}, second = {0};
	struct config *c, *again;

	if (size > 4096 || reads_files(text, size))
		return 0;
	c = read_and_settle(text, size);
	if (c == NULL)
		return 0;
	assert(config_dump(c, &first) == 0);
	again = read_and_settle(first.data, first.len);
	assert(again != NULL && config_dump(again, &second) == 0);
	assert(first.len == second.len &&
		memcmp(first.data, second.data, first.len) == 0);
	buf_fini(&first);
	buf_fini(&second);
	config_destroy(again);
	config_destroy(c);
	return 0;
}
