/*
 * thread.c - helper threads.  See thread.h.
 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>

int
thread_start_helper(
	pthread_t *ret, size_t stack, int but, void *(*run)(void *), void *arg)
{
	pthread_attr_t attributes;
	sigset_t most, before;
	int rc = pthread_attr_init(&attributes);

	if (rc != 0)
		return -rc;
	pthread_attr_setstacksize(&attributes, stack);
	sigfillset(&most);
	if (but != 0)
		sigdelset(&most, but);
	pthread_sigmask(SIG_SETMASK, &most, &before);
	rc = pthread_create(ret, &attributes, run, arg);
	/* The application's thread-locals are in it, and it was too small. */
	if (rc == EINVAL)
		rc = pthread_create(ret, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -rc;
}
