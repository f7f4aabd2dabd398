/*
 * alarm.c - a time at which one thread goes on, that others put off.  See alarm.h.
 */
#include "base/alarm.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "base/err.h"
#include "base/signals.h"

/* What older headers have no name for. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static const int64_t second_ns = 1000000000;

static struct timespec
timespec_of(int64_t ns)
{
	return (struct timespec){
		.tv_sec = ns / second_ns, .tv_nsec = ns % second_ns};
}

int
alarm_open(struct alarm *a, struct err *err)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = signal_of_alarm(),
		.sigev_notify_thread_id = gettid()};

	if (timer_create(CLOCK_MONOTONIC, &event, &a->timer) < 0)
		return errno == EAGAIN
			       ? err_setx(err, EAGAIN,
					 "this user may not have so many timers and "
					 "pending signals; raise that limit "
					 "(ulimit -i, or LimitSIGPENDING of systemd)")
			       : err_set(err, errno, "timer");
	atomic_store(&a->ready, true);
	return 0;
}

void
alarm_close(struct alarm *a)
{
	if (atomic_exchange(&a->ready, false))
		timer_delete(a->timer);
}

void
alarm_set(struct alarm *a, int64_t at_ns)
{
	/* No time at all would mean never. */
	struct itimerspec at = {.it_value = timespec_of(at_ns > 0 ? at_ns : 1)};

	if (atomic_load(&a->ready))
		(void)timer_settime(a->timer, TIMER_ABSTIME, &at, NULL);
}

void
alarm_wait(int64_t timeout_ns)
{
	struct timespec timeout = timespec_of(timeout_ns);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_of_alarm());
	(void)sigtimedwait(&set, NULL, timeout_ns < 0 ? NULL : &timeout);
}
