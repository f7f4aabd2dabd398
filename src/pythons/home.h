/*
 * home.h - what WSGIPythonHome names: a virtual environment, or the prefix of
 * an installation.
 *
 * A virtual environment has a pyvenv.cfg, which says of which Python it was
 * made: that one decides which program can serve it.  An installation has
 * lib/pythonX.Y; it may have several.
 */
#ifndef WSGID_PYTHONS_HOME_H
#define WSGID_PYTHONS_HOME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct facts;

enum { HOME_ABI = 16 };

struct home {
	bool is_venv;
	/* Of a virtual environment: "3.11" or, where it does not say, "", and
	 * the directory of the
	 * interpreter that it was made of. */
	char abi[HOME_ABI];
	char base[PATH_MAX];
};

/* 0, or a negative errno and a sentence that begins with the path. */
int home_read(struct home *ret, const char *path, struct err *err);

/* Is there lib/pythonX.Y of this version? */
bool home_has_library(const char *path, const char *abi);

/* Was the environment made of the installation that these facts are of? */
bool home_is_made_of(const struct home *h, const struct facts *f);

/* Is this the prefix of that installation, under whatever name? */
bool home_is_prefix_of(const char *path, const struct facts *f);

/* The virtual environment whose bin/python this is.  False: it is none. */
bool home_of_interpreter(const char *python, char to[PATH_MAX]);

/* The interpreter of a home that the calling process can run: of an
 * installation the one of this version.  0, or a negative errno. */
int home_interpreter(
	const char *path, bool is_venv, const char *abi, char to[PATH_MAX]);

#endif
