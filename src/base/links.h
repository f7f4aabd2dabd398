/*
 * links.h - files that root opens where others may have put links.
 *
 * Whoever may write in a directory can put a symbolic link there, and root would
 * follow it to any file of the machine: append to it, create it, read it.  A link
 * that is not root's is followed here only to what belongs to the same user, as the
 * link of a release in a deployment does.  Root's own lead anywhere, as those to
 * /dev/stderr in containers.  Other users than root have only their own rights to
 * lose, and follow as always.
 */
#ifndef WSGID_BASE_LINKS_H
#define WSGID_BASE_LINKS_H

#include <sys/types.h>

struct err;

/* open(2), with O_CLOEXEC.  The descriptor or a negative errno; when that is -ELOOP
 * there is a sentence in *err, which names the link. */
int links_open(const char *path, int flags, mode_t mode, struct err *err);

#endif
