/*
 * environment.h - the environment that the children of a generation have.
 */
#ifndef WSGID_MASTER_ENVIRONMENT_H
#define WSGID_MASTER_ENVIRONMENT_H

struct err;
struct generation;

/* The environment of g's children.  0, or a negative errno and a sentence. */
int environment_make(struct generation *g, struct err *err);
void environment_free(struct generation *g);

#endif
