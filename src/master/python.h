/*
 * python.h - which program the children of a generation are.
 */
#ifndef WSGID_MASTER_PYTHON_H
#define WSGID_MASTER_PYTHON_H

struct config;
struct err;
struct generation;
struct master;
struct python_choice;

/* What the configuration says of Python and the environment, at "wsgid -t" too:
 * mistakes become its messages. */
void python_check(struct config *c);

/* Which program the children of g are, and their environment.  0, or a negative
 * errno and a sentence. */
int python_choose(struct master *m, struct generation *g, struct err *err);

/* The same for one that no master has. */
int python_choose_alone(struct generation *g, struct err *err);

/* That of a generation that is trying, or else of the one that serves. */
const struct python_choice *python_of(
	const struct master *m, unsigned generation);

/* A child has met a module that needs the shared library: further ones have it. */
void python_needs_shared(
	struct master *m, unsigned generation, const char *module);
void python_forget(struct generation *g);

#endif
