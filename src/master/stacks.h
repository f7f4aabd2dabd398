/*
 * stacks.h - which lines of a child's are the stacks of its threads?
 *
 * Python's faulthandler writes them when a child crashes, takes too long, or is
 * asked; from a signal handler, so without what our own lines begin with.  They
 * belong to the line that says why, and have its level.
 */
#ifndef WSGID_MASTER_STACKS_H
#define WSGID_MASTER_STACKS_H

#include <stdbool.h>

#include "base/str.h"

/* To be shown each line of a child's that begins as none of ours: is it one of
 * a stack?  *within is what was said of the line before; false at first. */
bool stacks_has(bool *within, struct str line);

#endif
