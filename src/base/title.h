/*
 * title.h - what ps(1) shows of this process.
 */
#ifndef WSGID_BASE_TITLE_H
#define WSGID_BASE_TITLE_H

#include "base/defs.h"

/* Take the memory of the command line and of the environment for the title.
 * The environment is copied elsewhere first; argv's strings are good until
 * title_set, and who needs them longer copies them before.  To be called
 * first in main, before any thread.  0 or -ENOMEM: titles stay as they are. */
int title_init(int argc, char **argv);

/* The same with the memory of the command line alone: the environment stays where
 * it is, so that setproctitle, which looks for both behind one another, finds
 * them in an application's process. */
void title_init_small(int argc, char **argv);

/* Show this text, cut where there is no more room.  Does nothing without
 * one of these. */
void title_set(const char *format, ...) PRINTF(1, 2);

#endif
