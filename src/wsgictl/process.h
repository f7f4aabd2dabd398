/*
 * process.h - what the kernel says of a process.
 */
#ifndef WSGID_WSGICTL_PROCESS_H
#define WSGID_WSGICTL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	char state;       /* "R", "S", "T", ...; as proc(5) has it */
	int64_t cpu_us;   /* user and system */
	int64_t began_us; /* since 1970, within a second or so */
	int64_t rss;      /* bytes */
};

/* 0; -ESRCH when there is no such process, or only its remains; or another
 * negative errno. */
int process_read(pid_t pid, struct process *ret);

/* The same from the texts of /proc/PID/stat and of /proc/uptime and the
 * time; -EBADMSG when they are not what they should be. */
int process_parse(const char *stat, const char *uptime, int64_t now_us,
	struct process *ret);

/* Is it stopped by a signal, or by a debugger? */
bool process_is_stopped(const struct process *p);

#endif
