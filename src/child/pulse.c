/*
 * pulse.c - can Python code run in this child?  See pulse.h.
 *
 * The thread takes the GIL as any thread of the application would: it waits
 * its turn, and waits for ever where nobody lets go.
 */
#include "child/pulse.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "python/app.h"

enum {
	BEATS = 10, /* within the time after which somebody is alarmed */
	SELDOM_MS = 30000,
	STACK = 256 * 1024, /* the application's finalizers may run here */
};

struct pulse {
	struct app *app;
	int64_t *last_us;
	struct timespec pause;
	_Atomic uint32_t ending; /* a futex */
	pthread_t thread;
};

static void *
beat(void *arg)
{
	struct pulse *p = arg;

	pthread_setname_np(pthread_self(), "wsgid-pulse");
	while (atomic_load(&p->ending) == 0) {
		app_pulse(p->app);
		__atomic_store_n(p->last_us, clock_real_us(), __ATOMIC_RELAXED);
		(void)syscall(SYS_futex, &p->ending, FUTEX_WAIT_PRIVATE, 0,
			&p->pause, NULL, 0);
	}
	return NULL;
}

struct pulse *
pulse_start(struct app *app, int64_t timeout_ms, int64_t *last_us)
{
	struct pulse *p = calloc(1, sizeof(*p));
	int64_t ms = timeout_ms / BEATS;
	int rc = ENOMEM;

	if (ms > SELDOM_MS)
		ms = SELDOM_MS;
	if (ms < 1)
		ms = 1;
	if (p != NULL) {
		p->app = app;
		p->last_us = last_us;
		p->pause = (struct timespec){
			.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
		/* We have it now, and the first request may keep it for ever. */
		__atomic_store_n(last_us, clock_real_us(), __ATOMIC_RELAXED);
		rc = -thread_start_helper(&p->thread, STACK, 0, beat, p);
	}
	if (rc == 0)
		return p;
	__atomic_store_n(last_us, 0, __ATOMIC_RELAXED);
	errno = rc;
	log_warn("child", "no thread to see deadlocks with");
	free(p);
	return NULL;
}

void
pulse_stop(struct pulse *p)
{
	if (p == NULL)
		return;
	atomic_store(&p->ending, 1);
	(void)syscall(
		SYS_futex, &p->ending, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	app_leave(p->app);
	pthread_join(p->thread, NULL);
	app_enter(p->app);
	free(p);
}
