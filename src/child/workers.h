/*
 * workers.h - the workers of a child, from their beginning to their end: one
 * under prefork, ThreadsPerChild under worker.
 *
 * The first worker is the thread that calls workers_serve, the others are
 * threads of their own, which workers_start starts: only who has all of them
 * can say that it is ready.
 */
#ifndef WSGID_CHILD_WORKERS_H
#define WSGID_CHILD_WORKERS_H

#include <stddef.h>

#include "child/engine.h"

struct err;
struct workers;

/* n workers, an io for each.  What they have in common is in settings, in which
 * io and all that begins with worker are left open.  0 or a negative errno. */
int workers_create(struct workers **ret, const struct engine_settings *settings,
	struct io *const *ios, size_t n, struct err *err);
void workers_destroy(struct workers *w); /* NULL is allowed */

/* Start the threads of all but the first.  They wait to be let into Python, so
 * the GIL is held on entry, and on return.  0, or a negative errno with a
 * sentence, and then there is none of them. */
int workers_start(struct workers *w, struct err *err);

/* Serve until told to go; the GIL is held on entry and on return.  0 when all
 * was finished, 1 when something was cut because the time was over, which is
 * logged; else a negative errno with a sentence. */
int workers_serve(struct workers *w, struct err *err);

/* The application forks: before it, and after it in the parent.  With the GIL,
 * which others may have meanwhile, and with the settings' forking.  The threads
 * that are not workers end before it and begin anew after it, as Python (3.12)
 * warns of a fork beside other threads.  NULL is allowed. */
void workers_before_fork(struct workers *w);
void workers_after_fork(struct workers *w);
/* And then in the parent, when nobody counts its threads any more. */
void workers_start_helpers(struct workers *w);
/* In the copy: close what the workers hold and touch none of it any more. */
void workers_abandon(struct workers *w);

#endif
