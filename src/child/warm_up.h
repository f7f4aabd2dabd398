/*
 * warm_up.h - the requests of a process itself, before anybody's: WSGIWarmUp.
 *
 * An application does much only when it is asked for the first time: it imports
 * what its import has left, compiles templates, fills caches.  A process that
 * has asked it itself answers its first client as fast as any other; and what a
 * template has of it, its children need not have each for themselves.
 */
#ifndef WSGID_CHILD_WARM_UP_H
#define WSGID_CHILD_WARM_UP_H

#include <stdbool.h>

struct app;
struct config;
struct err;

/* Ask for all that WSGIWarmUp names, with the GIL, in the process that has
 * imported the application.  What is answered with 400 or more, or not to its
 * end, is logged as a warning; or, where a process may serve with good answers
 * only, returned: a negative errno and a sentence that begins with the
 * directive.  Else 0.  -ECHILD, without a sentence, in a copy that the
 * application has made, which comes back from here as well. */
int warm_up(struct app *app, const struct config *config, bool only,
	struct err *err);

/* Say that it is not done here, if it would have been. */
void warm_up_leave_out(const struct config *config);

#endif
