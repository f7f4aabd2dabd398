/*
 * watchdog.h - does the server make progress?
 */
#ifndef WSGID_MASTER_WATCHDOG_H
#define WSGID_MASTER_WATCHDOG_H

#include <stdbool.h>

struct master;

/* Is it right to say that the server is well?  To be asked now and then. */
bool watchdog_progress(struct master *m);

#endif
