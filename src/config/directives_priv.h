/*
 * directives_priv.h - what the parts of THE TABLE share.
 */
#ifndef WSGID_CONFIG_DIRECTIVES_PRIV_H
#define WSGID_CONFIG_DIRECTIVES_PRIV_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct directive;

#define AT(member) offsetof(struct config, member)
#define YEAR       INT64_C(31536000000)

/* Counts that Apache corrects when they are out of bounds, as rules.c does, need
 * only fit an int. */
enum { COUNT_MAX = INT_MAX };

/* A part of it. */
struct directive_rows {
	const struct directive *first;
	size_t n;
};

extern const struct directive_rows directives_processes;

#endif
