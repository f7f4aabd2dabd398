/*
 * links.h - files that root opens where others may have put links.
 *
 * Whoever may write in a directory can put a symbolic link there, and root would
 * follow it to any file of the machine: append to it, create it, read it.  So a
 * way that has links in the directories of another user is opened with that user's
 * rights, by the kernel: he gets nothing by them that he does not have.  Links in
 * root's own directories lead anywhere, and those to standard output and error
 * (/dev/stderr, in images of containers) and /dev/null are followed everywhere.
 * Other users than root have only their own rights to lose, and follow as always.
 */
#ifndef WSGID_BASE_LINKS_H
#define WSGID_BASE_LINKS_H

#include <sys/types.h>

struct err;

/* open(2), with O_CLOEXEC.  The descriptor or a negative errno; when that is -ELOOP
 * there is a sentence in *err.  The process must have one thread: it is another
 * user for a moment. */
int links_open(const char *path, int flags, mode_t mode, struct err *err);

#endif
