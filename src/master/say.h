/*
 * say.h - sentences for people.
 */
#ifndef WSGID_MASTER_SAY_H
#define WSGID_MASTER_SAY_H

#include <stddef.h>

struct buf;
struct generation;
struct master;

/* Where it listens, for people: "http://127.0.0.1:8000 unix:/run/x". */
void say_listeners(const struct generation *g, struct buf *to);

/* The start line. */
void say_start(struct master *m);

/* "SIGSEGV" as Apache says it: "exit signal Segmentation fault (11)". */
void say_death(int wait_status, char *to, size_t size);

#endif
