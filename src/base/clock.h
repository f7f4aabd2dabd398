/*
 * clock.h - the two clocks.
 *
 * Libraries never read a clock; they are told the time.  Roles read it once
 * a turn and pass it on.
 */
#ifndef WSGID_BASE_CLOCK_H
#define WSGID_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds in each. */
#define SECOND_NS INT64_C(1000000000)
#define MS_NS     INT64_C(1000000)

/* Nanoseconds that only go forward, for durations and deadlines; a time
 * jump of the machine does not touch them. */
int64_t clock_monotonic_ns(void);

/* Microseconds since 1970, for what people and logs are shown. */
int64_t clock_real_us(void);

/* Seconds since 1970, a few milliseconds late: cheap. */
int64_t clock_coarse_s(void);

#endif
