/*
 * coredump.h - CoreDumpDirectory: where a crash leaves its coredump.
 */
#ifndef WSGID_CHILD_COREDUMP_H
#define WSGID_CHILD_COREDUMP_H

struct err;

/* From now on a crash of this process leaves a coredump in dir, an absolute
 * path, as far as kernel.core_pattern leaves the place to the process.  To be
 * called after privileges_drop, which takes the right to dump away, and before
 * Python starts, whose faulthandler then comes first and passes the signal on.
 * 0, or a negative errno and a sentence that says why there will be none; the
 * process can go on. */
int coredump_enable(const char *dir, struct err *err);

#endif
