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
#include "wsgid/scoreboard.h"

enum {
	BEATS = 10, /* within the time after which somebody is alarmed */
	SELDOM_MS = 30000,
	STACK = 256 * 1024, /* the application's finalizers may run here */
};

struct pulse {
	struct app *app;
	struct wsgid_page *page;
	struct timespec pause;
	_Atomic uint32_t ending; /* a futex */
	pthread_t thread;
};

static void
show(struct wsgid_page *page, int64_t us, int64_t monotonic_us)
{
	__atomic_store_n(&page->gil_us, us, __ATOMIC_RELAXED);
	__atomic_store_n(
		&page->gil_monotonic_us, monotonic_us, __ATOMIC_RELAXED);
}

static void
show_now(void *page)
{
	show(page, clock_real_us(), clock_monotonic_ns() / 1000);
}

static void *
beat(void *arg)
{
	struct pulse *p = arg;

	pthread_setname_np(pthread_self(), "wsgid-pulse");
	while (atomic_load(&p->ending) == 0) {
		app_with_gil(p->app, show_now, p->page);
		(void)syscall(SYS_futex, &p->ending, FUTEX_WAIT_PRIVATE, 0,
			&p->pause, NULL, 0);
	}
	return NULL;
}

struct pulse *
pulse_start(struct app *app, int64_t timeout_ms, struct wsgid_page *page)
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
		p->page = page;
		p->pause = (struct timespec){
			.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
		/* We have it now, and the first request may keep it for ever. */
		show_now(page);
		rc = -thread_start_helper(&p->thread, STACK, 0, beat, p);
	}
	if (rc == 0)
		return p;
	show(page, 0, 0);
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
