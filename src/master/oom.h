/*
 * oom.h - was it the kernel's out-of-memory killer?
 */
#ifndef WSGID_MASTER_OOM_H
#define WSGID_MASTER_OOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct master;

enum oom_trace { OOM_TRACE_UNREADABLE, OOM_TRACE_NONE, OOM_TRACE_FOUND };
enum oom_verdict { OOM_UNKNOWN, OOM_INNOCENT, OOM_KILLED };

/* Remember what the kernel has counted so far. */
void oom_open(struct master *m);

/* Has the kernel's out-of-memory killer ended this process just now? */
enum oom_verdict oom_ask(struct master *m, pid_t pid);

/* Its parts.  The count in a file of the kernel's, -1: there is none. */
int64_t oom_count(const char *text);

/* The counter's file, by the text of /proc/self/cgroup and the version of
 * control groups; false: this version has no group for memory. */
bool oom_counter(const char *groups, int version, char *to, size_t size);

/* Does this record of /dev/kmsg name the process, and is it fresh? */
bool oom_names(const char *record, pid_t pid, int64_t now_us);
enum oom_verdict oom_judge(enum oom_trace counter, enum oom_trace log);

#endif
