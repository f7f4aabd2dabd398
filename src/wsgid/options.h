/*
 * options.h - the command line of wsgid.
 */
#ifndef WSGID_WSGID_OPTIONS_H
#define WSGID_WSGID_OPTIONS_H

#include <stdbool.h>

#include "base/buf.h"

struct config;
struct err;

enum action {
	ACTION_SERVE,
	ACTION_TEST,    /* -t: check the configuration */
	ACTION_CHECK,   /* --check: import the application */
	ACTION_DOCTOR,  /* --doctor: and describe its Python */
	ACTION_LIST,    /* -L: list the directives */
	ACTION_FACTS,   /* -V: how it was built */
	ACTION_VERSION, /* -v */
	ACTION_HELP,    /* -h */
};

/* The command line is kept, because every reload reads it again. */
struct options {
	int argc;
	char **argv; /* a copy: the original becomes the process's title */
	enum action action;
	bool daemon;
	const char *config_file; /* NULL: none named */
	const char *application; /* likewise */
	struct buf mistakes;     /* all sentences, a line each */
};

/* 0, or -EINVAL with mistakes, of which *err has the first. */
int options_parse(struct options *ret, int argc, char **argv, struct err *err);
void options_fini(struct options *o);

/* Read the configuration from all sources; not settled.  NULL and a
 * sentence when there is nothing to read. */
struct config *options_read_config(const struct options *o, struct err *err);

/* Is there anything to serve, by these sources? */
bool options_has_application(const struct config *c, struct err *err);

#endif
