/*
 * times.h - the scoreboard's histograms: which bucket, how many, which share.
 *
 * The layout, and what the buckets are, is the public header's.  Nothing here
 * believes what a child has counted: sums stop at the largest number, and a
 * share of nonsense is some number.
 */
#ifndef WSGID_SCOREBOARD_TIMES_H
#define WSGID_SCOREBOARD_TIMES_H

#include <stdint.h>

#include "wsgid/scoreboard.h"

/* The bucket that counts this duration, and the shortest one that a bucket
 * counts; that of bucket WSGID_TIMES_BUCKETS is the end of the last one. */
unsigned times_bucket(uint64_t us);
uint64_t times_floor(unsigned bucket);

uint64_t times_count(const struct wsgid_times *t);

/* The duration that this share of them, 0 < share <= 1, did not pass, right to
 * an eighth, in microseconds; 0 where none was counted. */
uint64_t times_share(const struct wsgid_times *t, double share);

void times_add(struct wsgid_times *to, const struct wsgid_times *from);
void durations_add(
	struct wsgid_durations *to, const struct wsgid_durations *from);

#endif
