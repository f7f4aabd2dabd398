/*
 * forking.c - forks of the application.  See forking.h.
 *
 * Nobody waits for the lock with the GIL, or whoever has it could not go on.
 */
#include "child/forking.h"

#include <stdio.h>
#include <unistd.h>

#include "python/app.h"

void
forking_init(struct forking *f)
{
	pthread_mutex_init(&f->lock, NULL);
}

bool
forking_try_lock(struct forking *f)
{
	return pthread_mutex_trylock(&f->lock) == 0;
}

void
forking_lock(struct forking *f, struct app *app)
{
	if (forking_try_lock(f))
		return;
	app_leave(app);
	pthread_mutex_lock(&f->lock);
	app_enter(app);
}

void
forking_unlock(struct forking *f)
{
	pthread_mutex_unlock(&f->lock);
}

void
forking_leave_copy(int status)
{
	fflush(NULL);
	_exit(status);
}
