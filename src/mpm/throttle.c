/*
 * throttle.c - children that die young are not replaced at once for ever.
 *
 * The first death costs no delay: one crash is an accident, and capacity
 * comes first.  Deaths while a delay already runs belong to the failure that
 * began it: eight children that die together of one cause are one failure,
 * or a server of many children would be punished for having them.
 *
 * Who dies in a client's request, or later, is no failure, as with Apache: it
 * was not the start that failed, and a delay would let one client with one bad
 * URL take the service from all the others.  Nor is it the way to a storm of
 * forks: each costs a request, and an import.
 */
#include "mpm/mpm.h"

static const int64_t SECOND = 1000000000;

enum { LONGEST = 60, LIVED_A_WHILE = 10 }; /* seconds */

/* 0, 1, 2, 4 … 60 seconds for the 1st, 2nd, 3rd, 4th … failure. */
static int64_t
delay_after(unsigned failures)
{
	if (failures < 2)
		return 0;
	if (failures - 2 >= 6) /* 2^6 > LONGEST */
		return LONGEST * SECOND;
	return (1 << (failures - 2)) * SECOND;
}

void
throttle_failed(struct throttle *t, int64_t now_ns, int64_t lived_ns)
{
	if (now_ns < t->not_before_ns)
		return;
	if (lived_ns >= LIVED_A_WHILE * SECOND)
		t->failures = 0;
	if (t->failures < 100) /* far beyond the longest delay */
		t->failures++;
	t->not_before_ns = now_ns + delay_after(t->failures);
}

void
throttle_lost(struct throttle *t, bool answered)
{
	if (answered)
		t->fruitless = 0;
	else if (t->fruitless < 2)
		t->fruitless++;
}

bool
throttle_doubts(const struct throttle *t)
{
	return t->failures > 1 || t->fruitless > 1;
}

void
throttle_recovered(struct throttle *t)
{
	*t = (struct throttle){0};
}

int64_t
throttle_delay(const struct throttle *t, int64_t now_ns)
{
	return t->not_before_ns > now_ns ? t->not_before_ns - now_ns : 0;
}
