/*
 * facts.h - what a program of the children was built with.
 *
 * The build writes it into the program, as text in a section of its own: the
 * master and wsgictl read it there without running anything, and it cannot be
 * separated from the program by a copy.  Each line is a word and its value:
 *
 *   version 3.11.2
 *   abi 3.11                   (3.13t: without the GIL)
 *   soabi cpython-311-x86_64-linux-gnu
 *   executable /usr/bin/python3.11
 *   base_prefix /usr
 *   stdlib /usr/lib/python3.11
 *   linkage static
 *   library /usr/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a
 *   places /usr/lib/python3.11/config-3.11-x86_64-linux-gnu, /usr/lib
 *   file build-id:8a6c... /usr/bin/python3.11
 *
 * The linkage is how the program comes to Python: "static" has the static library
 * in it, "shared" needs the shared one, and "interpreter" runs inside the
 * interpreter (inside.h), which then is the library.  The places are those that
 * a library was looked for in, the files those that an upgrade of this Python
 * replaces.
 */
#ifndef WSGID_PYTHONS_FACTS_H
#define WSGID_PYTHONS_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct err;

#define FACTS_SECTION    ".wsgid.python"
#define FACTS_IN_PROGRAM __attribute__((section(FACTS_SECTION), used))

/* In the program itself, of two files in the first: the whole text. */
extern const char facts_of_program[];

enum { FACTS_FILES = 4 };

struct facts_file {
	const char *identity; /* elf_identity's, at the build */
	const char *path;
};

struct facts {
	char *text; /* that the others point into */
	const char *version, *abi, *soabi, *executable, *base_prefix, *stdlib,
		*linkage, *library, *places;
	struct facts_file files[FACTS_FILES];
	size_t n_files;
};

/* 0, or a negative errno and a sentence. */
int facts_parse(struct facts *ret, struct str text, struct err *err);
int facts_read(struct facts *ret, const char *program, struct err *err);
void facts_fini(struct facts *f);

bool facts_is_shared(const struct facts *f);
bool facts_is_inside(const struct facts *f);

/* For people: "static libpython", "shared libpython", "inside the
 * interpreter". */
const char *facts_library(const struct facts *f);

/* The file that is another one now than it was at the build, or gone; NULL
 * when this Python is the very one. */
const char *facts_changed(const struct facts *f);

#endif
