/*
 * machine.h - what the machine grants to this process.
 */
#ifndef WSGID_BASE_MACHINE_H
#define WSGID_BASE_MACHINE_H

#include <stdint.h>

/* The CPUs that this process may use at once, at least 1: the affinity mask
 * and the quota of its control group and of all above it (version 2 or 1).
 * Half a CPU counts as one.  root is put before /proc and /sys, "" for the
 * real ones. */
int machine_cpus(const char *root);

/* The quota alone: 0 when there is none. */
int machine_cpu_quota(const char *root);

/* The bytes that its control group, and all above it, let it have together
 * with the others there: 0 when there is no limit. */
int64_t machine_memory_limit(const char *root);

#endif
