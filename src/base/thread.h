/*
 * thread.h - helper threads: those that run beside the ones that serve.
 */
#ifndef WSGID_BASE_THREAD_H
#define WSGID_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Start a thread that takes no signal of the process, but for one that is sent
 * to it alone; 0: none at all.  0 or a negative errno. */
int thread_start_helper(
	pthread_t *ret, size_t stack, int but, void *(*run)(void *), void *arg);

#endif
