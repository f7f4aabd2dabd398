/*
 * reading.h - what the tests of this folder have in common.
 */
#ifndef WSGID_TESTS_CONFIG_READING_H
#define WSGID_TESTS_CONFIG_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* A configuration read from text, not settled. */
struct config *read_config(const char *text);

/* The same, settled for a machine of so many CPUs. */
struct config *settle_config(const char *text, int cpus);

/* How many messages there are; how many of them are fatal. */
size_t count_messages(const struct config *c);
size_t count_fatal(const struct config *c);

/* The only message there is, without "FILE:LINE: "; fails the test when
 * there is none or more than one. */
const char *only_message(const struct config *c);

/* Is there a message that contains this?  Prints all when there is none. */
bool has_message(const struct config *c, const char *part);

/* A directory of the test's own, and files in it. */
struct scratch {
	char path[64];
};
void scratch_init(struct scratch *s);
void scratch_fini(struct scratch *s);
/* The path of a file in it; until the next call. */
const char *scratch_path(const struct scratch *s, const char *name);
const char *scratch_write(
	const struct scratch *s, const char *name, const char *text);

#endif
