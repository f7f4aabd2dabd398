/*
 * leftovers.h - waiting for what a killed server has left behind.
 */
#ifndef WSGID_MASTER_LEFTOVERS_H
#define WSGID_MASTER_LEFTOVERS_H

struct config;
struct err;
struct master;

/* Create the first generation; where children of a killed server still have
 * the address, try again until they have left, for three seconds. */
int leftovers_outwait(struct master *m, struct config *c, struct err *err);

#endif
