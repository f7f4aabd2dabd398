/*
 * process.c - what the kernel says of a process.  See process.h.
 */
#include "wsgictl/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel.h"

/* Fields of /proc/PID/stat, counted behind the name in parentheses. */
enum {
	FIELD_STATE = 0,
	FIELD_USER = 11,
	FIELD_SYSTEM = 12,
	FIELD_STARTED = 19, /* ticks since boot */
	FIELD_RSS = 21,     /* pages */
	FIELDS,
};

static int64_t
us_of_ticks(unsigned long long ticks)
{
	return (int64_t)(ticks * 1000000 / (unsigned)sysconf(_SC_CLK_TCK));
}

int
process_parse(const char *stat, const char *uptime, int64_t now_us,
	struct process *ret)
{
	const char *at = strrchr(stat, ')'); /* a name may have one in it */
	unsigned long long numbers[FIELDS] = {0};
	double up;
	char *end;

	if (at == NULL || at[1] != ' ' || at[2] == '\0')
		return -EBADMSG;
	at += 2;
	ret->state = *at++;
	for (int i = FIELD_STATE + 1; i < FIELDS; i++) {
		numbers[i] = strtoull(at, &end, 10);
		if (end == at)
			return -EBADMSG;
		at = end;
	}
	up = strtod(uptime, &end);
	if (end == uptime)
		return -EBADMSG;
	ret->cpu_us = us_of_ticks(numbers[FIELD_USER] + numbers[FIELD_SYSTEM]);
	ret->began_us = now_us - (int64_t)(up * 1e6) +
			us_of_ticks(numbers[FIELD_STARTED]);
	ret->rss = (int64_t)numbers[FIELD_RSS] * sysconf(_SC_PAGESIZE);
	return 0;
}

int
process_read(pid_t pid, struct process *ret)
{
	char path[64], stat[1024], uptime[64];
	ssize_t n;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = kernel_read(path, stat, sizeof(stat));
	if (n >= 0)
		n = kernel_read("/proc/uptime", uptime, sizeof(uptime));
	rc = n < 0 ? (int)n : 0;
	if (rc == 0)
		rc = process_parse(stat, uptime, clock_real_us(), ret);
	if (rc == -ENOENT)
		return -ESRCH;
	if (rc == 0 && (ret->state == 'Z' || ret->state == 'X'))
		return -ESRCH;
	return rc;
}

bool
process_is_stopped(const struct process *p)
{
	return p->state == 'T' || p->state == 't';
}
