/*
 * lock_file_priv.h - the file that fcntl and flock lock.
 *
 * Both locks belong to an open file description, and a descriptor that is
 * only inherited shares it: such a child would always find the lock its own.
 * So the master opens the file anew for each child.  A child could not, the
 * file is the master's alone and has no name.
 */
#ifndef WSGID_LOCK_LOCK_FILE_PRIV_H
#define WSGID_LOCK_LOCK_FILE_PRIV_H

#include <stdbool.h>

struct accept_mutex;
struct accept_mutex_settings;
struct err;

/* A new file without a name: in the directory, beside the file, or in memory
 * when place is NULL.  A file system of another machine is refused.  The
 * descriptor, or a negative errno and a reason in *err. */
int lock_file_create(const char *mechanism, const char *place, struct err *err);

/* The same file, opened anew.  The descriptor or a negative errno. */
int lock_file_reopen(int fd);

/* 0 when the descriptor can be a lock file, else a negative errno. */
int lock_file_check(int fd);

/* Show that two openings of the file exclude each other.  lock takes a
 * descriptor and LOCK_EX | LOCK_NB or LOCK_UN, as flock(2) does. */
int lock_file_prove(const char *mechanism, int fd,
	int (*lock)(int fd, int operation), struct err *err);

/* What both mechanisms do with m->fd: accept_mutex_mechanism's create,
 * export_fd and attach. */
int lock_file_mutex_create(struct accept_mutex *m,
	const struct accept_mutex_settings *settings, struct err *err);
int lock_file_mutex_export(struct accept_mutex *m);
int lock_file_mutex_attach(struct accept_mutex *m, struct err *err);

/* The name of a file system whose locks depend on another machine, or NULL;
 * magic is what statfs(2) says. */
const char *lock_file_remote(unsigned long magic);

#endif
