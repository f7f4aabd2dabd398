/*
 * choose.h - which program serves: the one of the Python that is asked for.
 *
 * There is a program for each Python, wsgid-python3.11, and where it runs
 * inside the interpreter, or has Python's static library in it, also one with
 * the shared library, wsgid-python3.11-shared.  Python and WSGIPythonHome say
 * which Python, LibPython which of the two.  By itself it is the first, which is
 * faster; but the static library only for as long as the installed Python is the
 * one it was built with, so that nobody trades security updates for speed.
 *
 * It looks at files and runs nothing.
 */
#ifndef WSGID_PYTHONS_CHOOSE_H
#define WSGID_PYTHONS_CHOOSE_H

#include <limits.h>
#include <stddef.h>

#include "base/buf.h"
#include "pythons/facts.h"

struct err;

/* As the words of LibPython. */
enum choice_library {
	CHOICE_AUTO,
	CHOICE_INTERPRETER,
	CHOICE_STATIC, /* or the interpreter: not the shared one */
	CHOICE_SHARED
};

struct choice_wanted {
	const char *python; /* Python: a path, a version, or NULL */
	const char *home;   /* WSGIPythonHome, or NULL */
	enum choice_library library;
	bool needs_shared;         /* an extension does: auto is shared */
	const char *standard;      /* the program where nothing is asked for */
	const char *const *places; /* directories; the first that has a
				    * program of a name has it for all */
	size_t n_places;
};

enum { CHOICE_NOTICE = PATH_MAX + 512 };

struct python_choice {
	char program[PATH_MAX];
	struct facts facts;
	char notice[CHOICE_NOTICE]; /* something to know; "": nothing */
};

/* Where programs of the children are: beside this one as it was built, in the
 * libexec folder of the prefix that it was moved to, and where it was to be
 * installed. */
struct choice_places {
	char text[2][PATH_MAX + 32];
	const char *list[3];
	size_t n;
};
void choice_find_places(struct choice_places *ret, const char *installed);

/* 0, or a negative errno and a sentence; *about is the directive that it is
 * about, or NULL.  choice_fini when it is not needed any more. */
int choice_make(struct python_choice *ret, const struct choice_wanted *w,
	const char **about, struct err *err);
void choice_fini(struct python_choice *c);

/* Append a line for each program there is, the build's own first, for
 * "wsgid -V". */
void choice_list(struct buf *to, const char *const *places, size_t n_places,
	const char *standard);

#endif
