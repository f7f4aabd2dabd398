/*
 * progress.h - what wsgictl says while it waits.
 *
 * On a terminal one line that changes in place, elsewhere a line for each
 * step: a log of it should tell what happened, and not how often we looked.
 */
#ifndef WSGID_WSGICTL_PROGRESS_H
#define WSGID_WSGICTL_PROGRESS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/defs.h"

struct progress {
	bool terminal;
	bool shown; /* a line is on the terminal, and not ended */
	struct buf last;
};

void progress_begin(struct progress *p);

/* Something has happened. */
void progress_step(struct progress *p, const char *format, ...) PRINTF(2, 3);

/* It goes on: for the terminal alone. */
void progress_wait(struct progress *p, const char *format, ...) PRINTF(2, 3);

/* The result, or a sentence between: a line of its own everywhere. */
void progress_say(struct progress *p, const char *format, ...) PRINTF(2, 3);

/* Before anything else is printed; the struct is empty again. */
void progress_end(struct progress *p);

#endif
