/*
 * changes.h - when a file that has changed is a reload.
 */
#ifndef WSGID_MASTER_CHANGES_H
#define WSGID_MASTER_CHANGES_H

#include <stdint.h>

struct child;
struct master;

/* A child tells of a file that has changed. */
void changes_heard(
	struct master *m, const struct child *c, const char *path);

/* What begins now imports what has changed until now. */
void changes_forget(struct master *m);

/* Begin the reload that has waited. */
void changes_turn(struct master *m);
int64_t changes_deadline(const struct master *m);

#endif
