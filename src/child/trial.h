/*
 * trial.h - an application tried, and its Python described, without a server.
 */
#ifndef WSGID_CHILD_TRIAL_H
#define WSGID_CHILD_TRIAL_H

#include <stdbool.h>

struct facts;

/* What "wsgid --check" and, with told, "wsgid --doctor" start: with the
 * configuration at INHERIT_CONFIG and nothing else of a child's.  Findings go to
 * standard output, a line each, "key: value".  The exit status. */
int trial_run(const struct facts *facts, bool told);

#endif
