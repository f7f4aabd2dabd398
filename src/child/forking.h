/*
 * forking.h - forks of the application: one at a time, and the end of a copy.
 *
 * Threads that are no workers end before a fork and begin anew after it, and
 * to end one takes time in which others have the GIL, or there is none at all:
 * so the GIL is not what keeps two threads that fork apart, but this.
 */
#ifndef WSGID_CHILD_FORKING_H
#define WSGID_CHILD_FORKING_H

#include <pthread.h>
#include <stdbool.h>

struct app;

struct forking {
	pthread_mutex_t lock;
	pthread_mutex_t imports; /* held by who imports, and while one forks */
};

void forking_init(struct forking *f);

/* Nobody forks from now on, nor starts or ends those threads, but this thread,
 * which has the GIL, and gives it up where it has to wait. */
void forking_lock(struct forking *f, struct app *app);
/* The same where that needs no waiting; else false. */
bool forking_try_lock(struct forking *f);
void forking_unlock(struct forking *f);

/* What is imported beside the application would never be there in a copy that is
 * made meanwhile: who forks waits for it.  Both as forking_lock; who forks has that
 * lock, too. */
void forking_lock_imports(struct forking *f, struct app *app);
void forking_unlock_imports(struct forking *f);

/* End a copy of the process that the application has made, without the cleaning
 * up that is for the process it was copied from. */
void forking_leave_copy(int status) __attribute__((noreturn));

#endif
