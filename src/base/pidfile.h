/*
 * pidfile.h - the file that says which process is the server.
 *
 * The owner holds a lock on it for life, so whether an instance runs is
 * asked of the kernel and not of a number that another process may have
 * by now.  A file without a lock was left behind by a server that was killed.
 */
#ifndef WSGID_BASE_PIDFILE_H
#define WSGID_BASE_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* Create the file, or take over one left behind, and lock it; nothing is
 * written yet.  The descriptor, close-on-exec; -EWOULDBLOCK when a living
 * server holds it (*err names its pid, and choice as what to change), or
 * another negative errno. */
int pidfile_acquire(const char *path, const char *choice, struct err *err);

/* The pid that the file behind fd names, or a negative errno. */
pid_t pidfile_read(int fd);

/* Write the pid of the calling process.  0 or a negative errno. */
int pidfile_write(int fd);

/* Remove the file, if path still is the file behind fd. */
void pidfile_remove(const char *path, int fd);

/* For those who look from outside: the pid that the file names, 0 when
 * there is no file, -ESRCH when no living server holds its lock, or another
 * negative errno. */
pid_t pidfile_holder(const char *path);

#endif
