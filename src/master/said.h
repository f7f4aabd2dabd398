/*
 * said.h - what is said while something new is tried.
 */
#ifndef WSGID_MASTER_SAID_H
#define WSGID_MASTER_SAID_H

#include "base/str.h"

struct client;
struct master;

/* Something new is tried: forget what was said before. */
void said_begin(struct master *m);

/* A line of what is said about it. */
void said_line(struct master *m, const char *kind, const char *text);

/* The same of another master: lines, as said_each gave them. */
void said_lines(struct master *m, struct str lines);

/* The lines that were kept, in pieces of some lines each. */
void said_each(const struct master *m,
	void (*call)(const struct master *m, struct str lines));

/* To one that could not read as fast as it was said: the lines that were kept. */
void said_again(const struct master *m, struct client *c);

#endif
