/*
 * versions.h - versions of Python, as names have them: "3.11" of python3.11,
 * "3.13t" of one without the GIL.
 */
#ifndef WSGID_PYTHONS_VERSIONS_H
#define WSGID_PYTHONS_VERSIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { VERSIONS_MAX = 16, VERSION_SIZE = 16 };

#define VERSIONS_OLDEST "3.9" /* tools/scons/python_facts.py has it too */

struct versions {
	char list[VERSIONS_MAX][VERSION_SIZE]; /* the oldest first */
	size_t n;
};

/* Can wsgid be built for it, "3.11" or "3.11.2"?  Of what is no whole version
 * nobody knows: true. */
bool version_is_supported(const char *version);

/* The version as the name of an interpreter has it, links followed: "3.11" of
 * /usr/bin/python3; "" where it has none. */
void version_of_interpreter(const char *path, char to[PATH_MAX]);

/* Those for which the directory has pythonX.Y and in that what is below: "" or
 * "/os.py". */
void versions_find(
	struct versions *ret, const char *directory, const char *below);

#endif
