/*
 * times.c - the scoreboard's histograms: which bucket, how many, which share.
 *
 * Log-linear: the exponent of a number, and the two bits behind its first one,
 * name its bucket.
 */
#include "scoreboard/times.h"

enum {
	BITS = 2, /* so many behind the first one */
	EACH = 1 << BITS,
};

_Static_assert(WSGID_TIMES_BUCKETS % EACH == 0, "whole powers of two");

unsigned
times_bucket(uint64_t us)
{
	unsigned exponent, bucket;

	if (us < EACH)
		return (unsigned)us;
	exponent = 63 - (unsigned)__builtin_clzll(us);
	bucket = (exponent - BITS + 1) * EACH +
		 (unsigned)(us >> (exponent - BITS) & (EACH - 1));
	return bucket < WSGID_TIMES_BUCKETS ? bucket : WSGID_TIMES_BUCKETS - 1;
}

uint64_t
times_floor(unsigned bucket)
{
	if (bucket < EACH)
		return bucket;
	return (uint64_t)(EACH + bucket % EACH) << (bucket / EACH - 1);
}

static uint64_t
plus(uint64_t a, uint64_t b)
{
	return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

uint64_t
times_count(const struct wsgid_times *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < WSGID_TIMES_BUCKETS; i++)
		n = plus(n, t->counts[i]);
	return n;
}

/* Nobody in a bucket is further from its middle than an eighth, and nobody is
 * longer than the longest. */
static uint64_t
middle(const struct wsgid_times *t, unsigned bucket)
{
	uint64_t floor = times_floor(bucket),
		 last = times_floor(bucket + 1) - 1;

	if (t->max_us >= floor &&
		(t->max_us < last || bucket == WSGID_TIMES_BUCKETS - 1))
		last = t->max_us;
	return floor + (last - floor) / 2;
}

uint64_t
times_share(const struct wsgid_times *t, double share)
{
	double wanted = (double)times_count(t) * share, so_far = 0;

	for (unsigned i = 0; i < WSGID_TIMES_BUCKETS; i++) {
		so_far += (double)t->counts[i];
		if (t->counts[i] > 0 && so_far >= wanted)
			return middle(t, i);
	}
	return 0;
}

void
times_add(struct wsgid_times *to, const struct wsgid_times *from)
{
	for (unsigned i = 0; i < WSGID_TIMES_BUCKETS; i++)
		to->counts[i] = plus(to->counts[i], from->counts[i]);
	to->sum_us = plus(to->sum_us, from->sum_us);
	if (from->max_us > to->max_us)
		to->max_us = from->max_us;
}

void
durations_add(struct wsgid_durations *to, const struct wsgid_durations *from)
{
	times_add(&to->wait, &from->wait);
	times_add(&to->application, &from->application);
	times_add(&to->total, &from->total);
}
