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
	pthread_mutex_init(&f->imports, NULL);
}

bool
forking_try_lock(struct forking *f)
{
	return pthread_mutex_trylock(&f->lock) == 0;
}

static void
lock(pthread_mutex_t *mutex, struct app *app)
{
	if (pthread_mutex_trylock(mutex) == 0)
		return;
	app_leave(app);
	pthread_mutex_lock(mutex);
	app_enter(app);
}

void
forking_lock(struct forking *f, struct app *app)
{
	lock(&f->lock, app);
}

void
forking_unlock(struct forking *f)
{
	pthread_mutex_unlock(&f->lock);
}

void
forking_lock_imports(struct forking *f, struct app *app)
{
	lock(&f->imports, app);
}

void
forking_unlock_imports(struct forking *f)
{
	pthread_mutex_unlock(&f->imports);
}

void
forking_leave_copy(int status)
{
	fflush(NULL);
	_exit(status);
}
