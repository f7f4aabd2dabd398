/*
 * tracebacks.h - what the threads of this child are doing, asked from outside.
 *
 * faulthandler's handler (python/tracebacks.c) needs no GIL, but it walks the frames
 * of all threads: one that runs meanwhile takes them away under it, and the child
 * crashes.  So while a child serves a thread of its own hears the signal, takes the
 * GIL, and has that handler run then.
 */
#ifndef WSGID_CHILD_TRACEBACKS_H
#define WSGID_CHILD_TRACEBACKS_H

#include <sys/types.h>

struct app;

/* Begin, or go on.  There is one in a process.  Without a thread, which is said in
 * the log, the handler runs at once as before. */
void tracebacks_start(struct app *app);

/* There is no thread until tracebacks_start, which answers what is asked meanwhile.
 * To be called with the GIL, which is given up meanwhile. */
void tracebacks_pause(void);

/* While there is no thread: none follows, and the handler runs at once as before. */
void tracebacks_forget(void);

/* To standard error, soon: the stacks of all threads, and that one is marked as the
 * one in question, where there is a GIL.  By one thread at a time. */
void tracebacks_ask(pid_t tid);

/* The same now, of the calling thread, which has not got the GIL. */
void tracebacks_write(struct app *app);

#endif
