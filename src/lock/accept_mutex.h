/*
 * accept_mutex.h - the lock that children take in turn before they accept.
 *
 * Idle children all wait on the same listening sockets.  With more than one
 * socket they should not all wait at once, or a new connection wakes several
 * of them for nothing.  Apache has them queue on one mutex instead: its
 * holder alone waits for a connection, accepts it, and lets go before it
 * serves.  The words are Apache's, so that "Mutex flock" means here what it
 * means there.
 *
 * Children are programs of their own, and unprivileged ones, so what they
 * share must survive an exec and be opened by the master for them.  The
 * master: sweep once at its start, create, export one descriptor for each
 * child (a descriptor of its own; two children must not share one), bury
 * every child that has died, destroy when the last child that attached is
 * gone.  The child: attach, before or after it has given up its privileges;
 * then lock and unlock, always by the same thread, and never by the thread
 * that owns a ring: locker.h has one for it.  A process that the application
 * forks destroys its copy without further ado.
 *
 * What happens when the holder dies, and what must be trusted:
 *   none      everybody holds it; nothing to lose
 *   pthread   the kernel marks it, the next one takes it over
 *   fcntl, flock, sysvsem   the kernel lets go
 *   posixsem  nobody notices: accept_mutex_bury is needed
 * A child can hold any of them for good.  With pthread, posixsem and sysvsem
 * it can also change it under its siblings, so these trust the application.
 * No mechanism needs /dev/shm; shared memory is a memfd.
 *
 * This module knows processes and locks.  It does not know listeners, the
 * scoreboard or any policy ("Mutex default" is decided by the role that
 * knows the listeners), and it never logs.
 */
#ifndef WSGID_LOCK_ACCEPT_MUTEX_H
#define WSGID_LOCK_ACCEPT_MUTEX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct accept_mutex;
struct err;

struct accept_mutex_settings {
	const char *mechanism; /* "none", "pthread", ...; in any case */

	/* For fcntl and flock: a directory, or the beginning of a file's name;
	 * the file has no name any more when create returns.  NULL: the file is
	 * in memory, which is as good and needs no file system. */
	const char *file;

	/* Where sysvsem notes what it holds, and under which name; the two that
	 * accept_mutex_sweep will be given.  The process must have them for
	 * itself (the pid file's lock).  NULL: a SIGKILL leaves a semaphore. */
	const char *run_directory;
	const char *name;

	/* Who will lock: the children's User and Group; -1: as the creator. */
	uid_t user;
	gid_t group;
};

/* Create the mutex and prove that it locks.  0 and *ret, or a negative errno
 * and a reason in *err; for a mechanism that is not to be had (-EINVAL) the
 * reason lists those that are. */
int accept_mutex_create(struct accept_mutex **ret,
	const struct accept_mutex_settings *settings, struct err *err);

/* A new descriptor that stands for the mutex, close-on-exec, for one child to
 * inherit or to be sent; the caller closes its own copy.  Any mechanism has
 * one.  To be called while still as privileged as the creator.  The
 * descriptor or a negative errno. */
int accept_mutex_export(struct accept_mutex *m);

/* In the child: the mutex behind an exported descriptor, which belongs to
 * *ret from now on.  0, or a negative errno and a reason in *err; the
 * descriptor is still the caller's then. */
int accept_mutex_attach(struct accept_mutex **ret, const char *mechanism,
	int fd, struct err *err);

/* Wait for the mutex.  0 when it is held; -EINTR when a signal came first;
 * another negative errno when the mutex is broken: the child must exit and
 * the master make a new one, accept_mutex_explain has the sentence. */
int accept_mutex_lock(struct accept_mutex *m);

/* Let go.  0 or a negative errno, as above. */
int accept_mutex_unlock(struct accept_mutex *m);

/* From another thread, before it sends the waiting one a signal without
 * SA_RESTART: makes sure that the wait takes notice.  A signal that comes
 * just before the wait begins is lost, so repeat both until the thread has
 * answered. */
void accept_mutex_interrupt(struct accept_mutex *m);

/* In the master, when a child that had this mutex has been reaped, and before
 * another one is started: let go for it if it was the holder.  Never waits.
 * It is no harm where the mechanism needs no help. */
void accept_mutex_bury(struct accept_mutex *m, pid_t pid);

/* In a child that has learned that the master is gone: remove what otherwise
 * stays in the kernel.  Locking fails from then on, for all children. */
void accept_mutex_orphan(struct accept_mutex *m);

/* Set *err to the sentence for what lock or unlock returned; returns code. */
int accept_mutex_explain(
	const struct accept_mutex *m, int code, struct err *err);

/* Free the mutex; in its creator also what the kernel keeps for it.  NULL is
 * allowed, and so is a copy in a forked process, which lets nothing go. */
void accept_mutex_destroy(struct accept_mutex *m);

/* The mechanism in use. */
const char *accept_mutex_mechanism(const struct accept_mutex *m);

/* In a new master, once it has the pid file's lock and before it creates:
 * remove what a killed one has left in the kernel, whatever its name was and
 * whatever mechanism is in use now.  Not while a predecessor's children still accept (an upgrade).
 * How many were removed, or a negative errno. */
int accept_mutex_sweep(const char *run_directory, const char *name);
/* The same when these children have gone: mine, which may be NULL, stays. */
int accept_mutex_sweep_others(const struct accept_mutex *mine,
	const char *run_directory, const char *name);

/* Does the mechanism work on this machine?  It is tried out.  0, or a
 * negative errno and the reason in *err. */
int accept_mutex_probe(const char *mechanism, struct err *err);

/* Can a child change it under its siblings, or remove it?  See above. */
bool accept_mutex_trusts(const char *mechanism);

/* The mechanisms that work here, for "wsgid -V"; NULL after the last one.
 * Each call tries them out. */
const char *accept_mutex_name(size_t i);

#endif
