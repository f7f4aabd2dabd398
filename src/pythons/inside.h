/*
 * inside.h - a child inside the interpreter: what its two halves agree on.
 *
 * Where an interpreter has all of Python in it and lets others use it, as
 * Debian's does, that is the fastest Python of the installation, and the
 * one that upgrades replace.  The child's program is then two files.
 * wsgid-python3.11 (src/launch/main.c) is small: it executes the interpreter
 * and has the loader put wsgid-python3.11.so in front of it, which has all of
 * the child in it and takes the place of the interpreter's own main
 * (src/launch/inside.c).  The linkage of such a program is "interpreter".
 *
 * The interpreter is given a command line of its own, for the case that the
 * loader leaves the library out, as it does when the latter needs what is not
 * there: then it says what a loader's refusal says.
 */
#ifndef WSGID_PYTHONS_INSIDE_H
#define WSGID_PYTHONS_INSIDE_H

#include <limits.h>

struct facts;

/* The words between the program's name and its own words. */
enum inside_word {
	INSIDE_OPTIONS = 1, /* of the interpreter */
	INSIDE_SCRIPT,
	INSIDE_FACTS,   /* facts.h's text */
	INSIDE_PRELOAD, /* what LD_PRELOAD has for us, without ':', ' ' and
			 * '$' */
	INSIDE_WORDS
};

#define INSIDE_OPTIONS_TEXT "-ISc"
#define INSIDE_SCRIPT_TEXT  "import os; os._exit(127)" /* LOADER_STATUS */

/* The library of a program, by the program's path with its links followed.
 * 0, or -ENAMETOOLONG or why the path leads nowhere. */
int inside_library(const char *program, char to[PATH_MAX]);

/* Why no child of this process can run inside the interpreter of these facts any
 * more: what its file is now, for "PATH is ...".  NULL: it can.  An upgrade is
 * no reason. */
const char *inside_refusal(const struct facts *f);

#endif
