/*
 * rundir.h - where the server leaves its pid, its control socket and its
 * scoreboard.
 */
#ifndef WSGID_MASTER_RUNDIR_H
#define WSGID_MASTER_RUNDIR_H

struct config;
struct err;
struct heritage;
struct master;

/* Find or make the run directory and lock the pid file in it. */
int rundir_open(struct master *m, const struct config *c, struct err *err);
void rundir_close(struct master *m);

/* Remove what the program that this process was before has left under names
 * that are not ours: its Name, RunDirectory or PidFile was another. */
void rundir_remove_left(const struct heritage *h);

#endif
