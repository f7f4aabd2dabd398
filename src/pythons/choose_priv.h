/*
 * choose_priv.h - the search for a program, for choose.c and for refuse.c,
 * which says why there is none.
 */
#ifndef WSGID_PYTHONS_CHOOSE_PRIV_H
#define WSGID_PYTHONS_CHOOSE_PRIV_H

#include "pythons/choose.h"

struct home;

struct program {
	char path[PATH_MAX];
	const char *name; /* in path */
	struct facts facts;
	bool fits;
};

struct search {
	const struct choice_wanted *wanted;
	struct program *programs;
	size_t n;
	const char *about;
};

/* Nothing fits what Python or WSGIPythonHome says: a negative errno, and the
 * sentence with what to do.  None of them offers a build that cannot be made.
 * A program is what cannot be executed at all, for the errno of code.  near is
 * a program of the same version. */
int refuse_version(const struct search *s, const char *text, struct err *err);
int refuse_program(const char *path, int code, struct err *err);
int refuse_interpreter(
	const struct search *s, const char *path, struct err *err);
int refuse_venv(const struct search *s, const char *path, const struct home *h,
	const struct program *near, struct err *err);
int refuse_prefix(const struct search *s, const char *path,
	const struct program *near, struct err *err);

/* p would do, if Python did not ask for another one. */
int refuse_contradiction(const struct search *s, const char *path,
	const struct program *p, struct err *err);

#endif
