/*
 * mutex.h - which accept mutex the children take in turn, if any.
 */
#ifndef WSGID_MASTER_MUTEX_H
#define WSGID_MASTER_MUTEX_H

#include <stdbool.h>
#include <sys/types.h>

struct child;
struct config;
struct err;
struct generation;
struct master;

/* Is the mechanism to be had here?  Else a message of the configuration. */
void mutex_check(struct config *c);

/* After rundir_open. */
int mutex_open(struct master *m, const struct config *c, struct err *err);
void mutex_close(struct master *m);

/* "none", "flock", ... */
const char *mutex_name(const struct master *m);

/* There is one, but no child of the generation takes it. */
bool mutex_unneeded(const struct master *m, const struct generation *g);

/* A descriptor for one child of the generation, the caller's to close; -1: it
 * takes none. */
int mutex_export(struct master *m, const struct generation *g);

/* We have become the program that this process is: its children have the mutex
 * of the one before, which is removed when they have gone. */
void mutex_inherit(struct master *m);
void mutex_turn(struct master *m);

/* To the child it answers with an error.  The next child that is started, in
 * the place of this one, gets a new mutex. */
void mutex_failed(struct master *m, const struct child *c);

/* The child has died: it holds the mutex no more. */
void mutex_bury(struct master *m, pid_t pid);

#endif
