/*
 * standard.h - descriptors 0 to 2 stay what the master has made them.
 *
 * An application can close them, as libraries do that make daemons.  The kernel
 * gives the lowest free number, so the next client would be standard error, and
 * read what is written there: tracebacks, wsgi.errors, what is printed.  So who
 * gets such a number here moves away from it, and what belongs there comes back:
 * nothing, and the pipe to the error log, of which a copy is kept.
 *
 * What the application has put there itself is its own business.
 */
#ifndef WSGID_CHILD_STANDARD_H
#define WSGID_CHILD_STANDARD_H

#include <sys/stat.h>

struct standard {
	int log;        /* a copy of standard error, or -1 */
	struct stat is; /* what it is, unless the application has taken it */
	unsigned told;  /* bits: of which it is said that they were closed */
};

/* Standard error is the error log now: keep a copy.  Of one that was kept
 * before, another is made. */
void standard_keep(struct standard *s);

/* Keep it no longer, as in a copy of the process that is no child. */
void standard_forget(struct standard *s);

/* Put back what is closed, and say so, each once. */
void standard_mend(struct standard *s);

/* The same descriptor with a number that is not a standard one, where the kernel
 * gave it such one, and what belongs there is put back.  Negative errno when
 * there is no other number, and then fd is still open.  s may be NULL: nothing
 * is put back. */
int standard_avoid(struct standard *s, int fd);

#endif
