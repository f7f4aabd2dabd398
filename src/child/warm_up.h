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

struct app;
struct config;
struct err;

/* Ask for all that WSGIWarmUp names, with the GIL, in the process that has
 * imported the application.  0, or a negative errno and a sentence that begins
 * with the directive: an answer of 400 or more, or a broken one.  -ECHILD in a
 * copy that the application has made, which comes back from here as well. */
int warm_up(struct app *app, const struct config *config, struct err *err);

#endif
