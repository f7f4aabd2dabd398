/*
 * check.h - an application tried, and its Python described, without a server.
 */
#ifndef WSGID_CHILD_CHECK_H
#define WSGID_CHILD_CHECK_H

#include <stdbool.h>

struct facts;

/* What "wsgid --check" and, with told, "wsgid --doctor" start: with the
 * configuration at INHERIT_CONFIG, and the end of a pipe at INHERIT_CHANNEL that
 * takes the result, one byte, as soon as there is one: the process ends when the
 * application lets it.  Findings go to standard output, a line each, "key:
 * value".  The exit status, the same as the byte. */
int check_run(const struct facts *facts, bool told);

#endif
