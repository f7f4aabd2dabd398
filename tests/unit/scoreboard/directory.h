/*
 * directory.h - a run directory for a test, gone after it.
 */
#ifndef WSGID_TEST_SCOREBOARD_DIRECTORY_H
#define WSGID_TEST_SCOREBOARD_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

/* cmocka's setup and teardown: *state is the path. */
int directory_make(void **state);
int directory_remove(void **state);

/* dir/name, valid until the next call but three. */
const char *directory_path(const char *dir, const char *name);

bool directory_has(const char *dir, const char *name);
size_t directory_count(const char *dir);
void directory_put(
	const char *dir, const char *name, const void *data, size_t len);

#endif
