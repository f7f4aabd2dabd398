/*
 * reloader.h - a thread that sees when the application's files change.
 */
#ifndef WSGID_CHILD_RELOADER_H
#define WSGID_CHILD_RELOADER_H

struct app;
struct err;
struct reloader;

/* Tell the master, by its channel, of each file of a module that is written or
 * taken away from now on.  NULL and a sentence when that is impossible. */
struct reloader *reloader_start(struct app *app, int channel, struct err *err);
/* The application is imported: what has come with it counts from now on.  With
 * the GIL; NULL is allowed. */
void reloader_look(struct reloader *r);
void reloader_stop(struct reloader *r); /* with the GIL; NULL is allowed */

#endif
