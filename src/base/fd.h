/*
 * fd.h - descriptors: small things done to them in many places.
 *
 * All return 0, or a count, or a negative errno.
 */
#ifndef WSGID_BASE_FD_H
#define WSGID_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Close *fd unless it is -1, and make it -1. */
void fd_close(int *fd);

/* Give it away, which AUTO_CLOSE would close: *fd, which becomes -1. */
int fd_take(int *fd);

int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);

/* The same, close-on-exec, with a number above those of standard input, output and
 * error, as which an application would write into it.  When there is none, -EMFILE
 * and fd is still open; -1 is taken, and then it is -EBADF. */
int fd_lift(int fd);

/* Write all of it to a blocking descriptor, however often write(2) must be
 * called. */
int fd_write_all(int fd, const void *data, size_t len);

/* Read a whole regular file or memfd from its start into a new
 * NUL-terminated string of at most limit bytes; the caller frees it.
 * -EFBIG when there is more. */
int fd_read_whole(int fd, size_t limit, char **ret, size_t *ret_len);

#endif
