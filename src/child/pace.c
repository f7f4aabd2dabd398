/*
 * pace.c - how long a client may take to send a part of its request.  See
 * pace.h.
 */
#include "child/pace.h"

#include "base/clock.h"
#include "config/config.h"

void
pace_begin(struct pace *p, enum pace_part part, int64_t now_ns)
{
	if (p->part != part)
		*p = (struct pace){.part = part, .begin_ns = now_ns};
	else if (p->pause_ns > 0 && now_ns > p->pause_ns)
		p->begin_ns += now_ns - p->pause_ns;
	p->pause_ns = 0;
}

void
pace_pause(struct pace *p, int64_t now_ns)
{
	p->pause_ns = now_ns;
}

/* What the bytes are worth, at most a limit. */
static int64_t
earned(uint64_t bytes, long min_rate, int64_t most)
{
	uint64_t rate = (uint64_t)min_rate;

	if (min_rate == 0)
		return 0;
	if (bytes / rate >= (uint64_t)(most / SECOND_NS))
		return most;
	return (int64_t)(bytes / rate) * SECOND_NS +
	       (int64_t)(bytes % rate * (uint64_t)SECOND_NS / rate);
}

int64_t
pace_deadline(const struct pace *p, const struct config_read_limit *limit)
{
	const int64_t for_ever = INT64_MAX / 4;
	int64_t first = limit->first * MS_NS, most = limit->most * MS_NS, more;

	if (limit->first == 0)
		return INT64_MAX;
	more = earned(
		p->bytes, limit->min_rate, most > 0 ? most - first : for_ever);
	if (most > 0 && first + more > most)
		more = most - first;
	return p->begin_ns + first + more;
}
