/*
 * alarm.h - a time at which one thread goes on, that others put off.
 *
 * To put it off is a system call of half a microsecond, wherever the thread
 * waits; to wake it and let it go to sleep again is an interrupt and two context
 * switches.  A signal to that thread alone, and no descriptor: the application
 * could close it.
 */
#ifndef WSGID_BASE_ALARM_H
#define WSGID_BASE_ALARM_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

struct err;

struct alarm {
	atomic_bool ready;
	timer_t timer;
};

/* For this thread, a helper's (thread.h).  0, or a negative errno: -EAGAIN when
 * the user has as many timers and signals as RLIMIT_SIGPENDING allows. */
int alarm_open(struct alarm *a, struct err *err);
void alarm_close(struct alarm *a);

/* It goes off at this time of clock_monotonic_ns, and no more at the one it had;
 * at once when that is past.  By any thread; one that is not open never does. */
void alarm_set(struct alarm *a, int64_t at_ns);

/* Until it goes off or has, or the time is over; -1: however long.  It may come
 * back sooner. */
void alarm_wait(int64_t timeout_ns);

#endif
