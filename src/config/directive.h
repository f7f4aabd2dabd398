/*
 * directive.h - what a directive is, and the table of all of them.
 *
 * One row gives the directive in the file, the long option, the environment
 * variable, the default, the range, the help and the sample: nothing about a
 * directive is said anywhere else.  The rows are in directives.c, and in
 * directives_processes.c, in the order of the manual.
 */
#ifndef WSGID_CONFIG_DIRECTIVE_H
#define WSGID_CONFIG_DIRECTIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct directive_type; /* values.h */

/* Where a directive may stand. */
enum directive_context {
	DIRECTIVE_SERVER, /* everywhere: file, environment, command line */
	DIRECTIVE_DUMPED, /* only in what config_dump writes for a child */
};

/* What it takes until a changed value counts. */
enum directive_change {
	DIRECTIVE_AT_GRACEFUL, /* a graceful restart */
	DIRECTIVE_AT_RESTART,  /* stop and start */
};

struct directive {
	const char *name; /* as written; matched without case, as Apache does */
	const char *alias; /* an older name of Apache's, or NULL */

	/* "--max-request-workers", from which WSGID_MAX_REQUEST_WORKERS
	 * follows, as from the other long ones.  Written out so that it can be
	 * found and returned; a test holds it against the name. */
	const char *option;
	const char *short_option;      /* "-w" or NULL */
	const char *other_option;      /* "--workers" or NULL */
	const char *alias_option;      /* "--max-clients", of the alias */
	const char *other_environment; /* "WEB_CONCURRENCY" or NULL */

	enum directive_context where;
	const struct directive_type *type;
	size_t offset;            /* of the target in struct config */
	const char *initial;      /* the default as an administrator would write
			      * it; NULL = not set */
	const char *example;      /* a value that makes sense, for messages */
	int64_t min, max;         /* in the target's unit; 0, 0 = no range */
	const char *const *words; /* for a choice: the words, the first of
				   * which has the value min; ends in NULL */
	const char *const *habits; /* for a choice: words of other programs,
	                            * each before ours; or NULL */
	enum directive_change change;
	const char *help; /* one line */
};

size_t directive_count(void);
const struct directive *directive_at(size_t i);
size_t directive_index(const struct directive *row);

/* What a variable is: WSGID_LISTEN says it, WSGID_DEFAULT_LISTEN what holds
 * where nobody says it, and WEB_CONCURRENCY is a row's other_environment. */
enum directive_variable {
	VARIABLE_OURS,
	VARIABLE_DEFAULT,
	VARIABLE_FOREIGN,
};

/* The row of a name, of an option ("--bind", "-b") or of an environment
 * variable; NULL when there is none. */
const struct directive *directive_find(const char *name);
const struct directive *directive_find_option(struct str option);
const struct directive *directive_find_environment(
	struct str name, enum directive_variable *kind);

/* The row whose target is at this offset of struct config. */
const struct directive *directive_of(size_t offset);

/* The long options: the i-th below DIRECTIVE_OPTIONS, which may be NULL.  The
 * first is the directive's own. */
enum { DIRECTIVE_OPTIONS = 3 };
const char *directive_option(const struct directive *row, size_t i);

/* Append the environment variable's name, of a long option. */
int directive_environment(const char *option, struct buf *out);

/* What the mistyped word may have meant, or NULL; an environment variable is
 * written to out. */
const char *directive_nearest(const char *name);
const char *directive_nearest_option(const char *option);
const char *directive_nearest_environment(const char *name, struct buf *out);

/* What to do instead of a directive of Apache's, mod_wsgi's or another
 * server's that wsgid does not have; NULL for a name nobody has. */
const char *directive_foreign(const char *name);

/* The same for a verb, "stop", which a server is told on its command line. */
const char *directive_foreign_verb(const char *word);

/* The same for an environment variable that another server obeys. */
const char *directive_foreign_environment(const char *name);

#endif
