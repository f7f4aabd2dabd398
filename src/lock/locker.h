/*
 * locker.h - a thread that waits for the accept mutex, so that the thread
 * that owns the ring never does.
 *
 * A child without the mutex still has parked connections to answer and
 * orders to obey.  So its ring watches the locker's descriptor as it watches
 * any other (one poll, armed again when it has fired and the lock was not
 * kept), asks when a worker becomes idle, and on "held" waits for the
 * listeners; once it has accepted, or has been told to retire, it releases.
 *
 * The thread runs C alone, takes no signal of the process and is started by
 * the first ask.  Before the application forks: locker_pause, and in the
 * parent locker_resume afterwards; the forked process destroys its copy.
 * All functions may be called by any thread and none of them waits for the
 * mutex.
 */
#ifndef WSGID_LOCK_LOCKER_H
#define WSGID_LOCK_LOCKER_H

struct accept_mutex;
struct err;
struct locker;

/* A locker for the mutex, which must outlive it and which nobody else in
 * this process locks.  0 and *ret, or a negative errno and a reason in
 * *err. */
int locker_create(
	struct locker **ret, struct accept_mutex *mutex, struct err *err);

/* The descriptor that is readable as long as the lock is held, or for ever
 * once the mutex is broken.  Not to be read from, only watched. */
int locker_fd(const struct locker *l);

/* Ask for the lock, in the name of whoever that is: who asked last has it, or
 * waits for it.  Asking again while asking, or with the lock held, changes
 * nothing else.  0, or a negative errno: there is no thread to be had
 * (-EAGAIN, ask again later) or what locker_held says. */
int locker_ask(struct locker *l, const void *who);

/* 1 when the lock is held, 0 when it is not, or the negative errno of a
 * broken mutex: accept_mutex_explain has the sentence, the child must go. */
int locker_held(struct locker *l);

/* Let the lock go if it is held, and stop asking if it is not: if it comes
 * meanwhile it is let go at once.  Takes effect a moment later, in the
 * thread, for it is the thread that has locked.  Nothing happens when somebody
 * else has asked since: then it is theirs. */
void locker_release(struct locker *l, const void *who);

/* End the thread, within milliseconds whatever it waits for, until as many
 * calls of locker_resume; a held lock is let go and what was asked for, or
 * held, is asked for then.  For that moment SIGURG is ours. */
void locker_pause(struct locker *l);

/* 0, or a negative errno as locker_ask. */
int locker_resume(struct locker *l);

/* End the thread as locker_pause does, and free the locker.  NULL is
 * allowed, and so is a copy in a forked process. */
void locker_destroy(struct locker *l);

#endif
