/*
 * supervisor.h - does somebody wait for the end of this very process?
 */
#ifndef WSGID_MASTER_SUPERVISOR_H
#define WSGID_MASTER_SUPERVISOR_H

#include <stdbool.h>

enum { SUPERVISOR_NAME = 32 };

/* Would somebody take the end of this process for the end of the server?
 * parent becomes the name of ours, "" for process 1. */
bool supervisor_wants_pid(char parent[SUPERVISOR_NAME]);

/* Its part: is a parent of that name one of those? */
bool supervisor_waits(const char *parent);

#endif
