/*
 * unique_id.c - a name for each request.  See unique_id.h.
 *
 * The time in seconds (4 bytes), the root (8) and the counter (6), in the
 * alphabet of URLs; each part ends between two characters, so a request costs
 * the last eight.
 */
#include "child/unique_id.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/defs.h"

static void
encode(char *to, const unsigned char *from, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";

	for (; len > 0; len -= 3, from += 3, to += 4) {
		to[0] = digits[from[0] >> 2];
		to[1] = digits[(from[0] & 3) << 4 | from[1] >> 4];
		to[2] = digits[(from[1] & 15) << 2 | from[2] >> 6];
		to[3] = digits[from[2] & 63];
	}
}

static void
put(unsigned char *to, uint64_t n, size_t len)
{
	while (len-- > 0)
		*to++ = (unsigned char)(n >> (8 * len));
}

static void
begin_second(struct unique_id *u, uint32_t second)
{
	unsigned char bytes[12];

	u->second = second;
	put(bytes, second, 4);
	put(bytes + 4, u->root, 8);
	encode(u->text, bytes, sizeof(bytes));
}

void
unique_id_init(struct unique_id *u)
{
	memset(u, 0, sizeof(*u));
	/* Only a kernel that has just booted has none: then the clock. */
	if (getrandom(&u->root, sizeof(u->root), GRND_NONBLOCK) !=
		(ssize_t)sizeof(u->root))
		u->root = (uint64_t)clock_monotonic_ns() ^ (uintptr_t)u;
	begin_second(u, 0);
}

struct str
unique_id_next(struct unique_id *u, uint32_t second)
{
	unsigned char bytes[6];

	if (UNLIKELY(second != u->second))
		begin_second(u, second);
	put(bytes, u->counter++, sizeof(bytes));
	encode(u->text + 16, bytes, sizeof(bytes));
	return (struct str){u->text, UNIQUE_ID_LEN};
}
