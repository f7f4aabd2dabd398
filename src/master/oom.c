/*
 * oom.c - was it the kernel's out-of-memory killer?
 *
 * SIGKILL says nothing about its sender.  The kernel leaves two traces when it
 * was the one: it counts, in the control group's memory.events (the second
 * version's), memory.oom_control (the first's) or, where a server is in no
 * group, in /proc/vmstat for the whole machine; and it names the process in
 * its log.  A counter that has stood still proves that it was somebody else.
 * One that has moved may have been moved by another process of the group, so
 * the log decides where it can be read and its pids are ours: in a container
 * they are not.
 */
#include "master/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "master/state.h"

enum {
	RECORD = 8192,   /* bytes of one of the kernel's, at most */
	RECORDS = 20000, /* more than its log holds */
	RECENT_US = 60 * 1000000,
};

#define VMSTAT "/proc/vmstat"

/* --- what it has written ---------------------------------------------------- */

int64_t
oom_count(const char *text)
{
	static const char name[] = "oom_kill ";

	for (const char *p = text; p != NULL && *p != '\0';) {
		if (strncmp(p, name, strlen(name)) == 0)
			return strtoll(p + strlen(name), NULL, 10);
		p = strchr(p, '\n');
		if (p != NULL)
			p++;
	}
	return -1;
}

/* "N:CONTROLLERS:/PATH": with the controller memory, or none for version 2. */
static bool
find_group(const char *text, const char *controller, char *to, size_t size)
{
	size_t len = strlen(controller);

	while (*text != '\0') {
		size_t line = strcspn(text, "\n");
		const char *p = memchr(text, ':', line), *end = NULL;

		if (p != NULL)
			end = memchr(p + 1, ':', line - (size_t)(p + 1 - text));
		if (end != NULL && (size_t)(end - p - 1) == len &&
			memcmp(p + 1, controller, len) == 0) {
			snprintf(to, size, "%.*s",
				(int)(line - (size_t)(end + 1 - text)),
				end + 1);
			return true;
		}
		text += line + (text[line] == '\n');
	}
	return false;
}

bool
oom_counter(const char *groups, int version, char *to, size_t size)
{
	char group[PATH_MAX];
	int n;

	if (!find_group(
		    groups, version == 2 ? "" : "memory", group, sizeof(group)))
		return false;
	n = snprintf(to, size, "%s%s/%s",
		version == 2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory",
		strcmp(group, "/") == 0 ? "" : group,
		version == 2 ? "memory.events" : "memory.oom_control");
	return n > 0 && (size_t)n < size;
}

bool
oom_names(const char *record, pid_t pid, int64_t now_us)
{
	static const char words[] = "Killed process ";
	const char *p = strstr(record, words);
	long long at;

	if (p == NULL || sscanf(record, "%*u,%*u,%lld", &at) != 1 ||
		at < now_us - RECENT_US)
		return false;
	return strtol(p + strlen(words), NULL, 10) == pid;
}

enum oom_verdict
oom_judge(enum oom_trace counter, enum oom_trace log)
{
	if (log == OOM_TRACE_FOUND)
		return OOM_KILLED;
	if (counter == OOM_TRACE_NONE || log == OOM_TRACE_NONE)
		return OOM_INNOCENT;
	return counter == OOM_TRACE_FOUND ? OOM_KILLED : OOM_UNKNOWN;
}

/* --- looking ----------------------------------------------------------------- */

static int64_t
read_count(const char *path)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len;

	if (fd < 0 || fd_read_whole(fd, 1 << 20, &text, &len) < 0)
		return -1;
	return oom_count(text);
}

void
oom_open(struct master *m)
{
	AUTO_FREE char *groups = NULL;
	AUTO_CLOSE int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	struct oom *oom = &m->oom;
	size_t len;

	oom->seen = -1;
	if (fd >= 0 && fd_read_whole(fd, 1 << 20, &groups, &len) == 0)
		for (int version = 2; version > 0 && oom->seen < 0; version--)
			if (oom_counter(groups, version, oom->counter,
				    sizeof(oom->counter)))
				oom->seen = read_count(oom->counter);
	if (oom->seen < 0) {
		strcpy(oom->counter, VMSTAT);
		oom->seen = read_count(oom->counter);
	}
}

/* One death uses up one of them: another child may have died beside it. */
static enum oom_trace
look_at_counter(struct oom *oom)
{
	int64_t now = read_count(oom->counter);

	if (now < 0 || oom->seen < 0)
		return OOM_TRACE_UNREADABLE;
	if (now <= oom->seen) {
		oom->seen = now;
		return OOM_TRACE_NONE;
	}
	oom->seen++;
	return OOM_TRACE_FOUND;
}

/* The kernel's log has the pids of the machine: are they ours? */
static bool
pids_are_the_kernels(void)
{
	static const char first[] = "pid:[4026531836]"; /* PROC_PID_INIT_INO */
	char name[64];
	ssize_t n = readlink("/proc/self/ns/pid", name, sizeof(name) - 1);

	name[n > 0 ? n : 0] = '\0';
	return strcmp(name, first) == 0;
}

static enum oom_trace
look_into_log(pid_t pid)
{
	AUTO_CLOSE int fd = -1;
	int64_t now_us = clock_monotonic_ns() / 1000;
	char record[RECORD + 1];

	if (!pids_are_the_kernels())
		return OOM_TRACE_UNREADABLE;
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return OOM_TRACE_UNREADABLE;
	for (int i = 0; i < RECORDS; i++) {
		ssize_t n = read(fd, record, RECORD);

		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* overwritten meanwhile: go on behind it */
		if (n <= 0)
			return i > 0 ? OOM_TRACE_NONE : OOM_TRACE_UNREADABLE;
		record[n] = '\0';
		if (oom_names(record, pid, now_us))
			return OOM_TRACE_FOUND;
	}
	return OOM_TRACE_NONE;
}

enum oom_verdict
oom_ask(struct master *m, pid_t pid)
{
	enum oom_trace counter = look_at_counter(&m->oom);

	if (counter == OOM_TRACE_NONE)
		return OOM_INNOCENT;
	return oom_judge(counter, look_into_log(pid));
}
