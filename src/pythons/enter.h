/*
 * enter.h - the way into a Python, for whoever goes it.
 *
 * Which interpreter a configuration means, and whether this process can reach
 * it and what it needs: a child asks as the user that the application runs as,
 * before it starts Python, and the master has it asked before there is a child.
 */
#ifndef WSGID_PYTHONS_ENTER_H
#define WSGID_PYTHONS_ENTER_H

#include <limits.h>

struct err;
struct facts;

struct entrance {
	const char *about;  /* what names the home: WSGIPythonHome, Python */
	const char *prefix; /* of an installation, if that is the home; or NULL.
			     * Both are only pointed to. */
	char executable[PATH_MAX];
};

/* python and home are those of the configuration, or NULL.  0, or a negative
 * errno and a sentence, which is about the directive in ret->about, where that
 * is not NULL. */
int enter_python(struct entrance *ret, const char *python, const char *home,
	const struct facts *facts, struct err *err);

#endif
