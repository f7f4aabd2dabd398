/*
 * machine.h - what the machine grants to this process.
 */
#ifndef WSGID_BASE_MACHINE_H
#define WSGID_BASE_MACHINE_H

/* The CPUs that this process may use at once, at least 1: the affinity mask
 * and the quota of its control group and of all above it (version 2 or 1).
 * Half a CPU counts as one.  root is put before /proc and /sys, "" for the
 * real ones. */
int machine_cpus(const char *root);

/* The quota alone: 0 when there is none. */
int machine_cpu_quota(const char *root);

#endif
