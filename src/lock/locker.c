/*
 * locker.c - a thread that waits for the accept mutex.
 *
 * What is wanted and what is held are two booleans under a guard; the thread
 * makes the second follow the first.  A release that is followed by an ask
 * before the thread has woken lets go and queues again, so that no child
 * keeps the mutex from its siblings.
 *
 * The wait for the mutex is ended by a signal with an empty handler.  It is
 * SIGURG for the reasons for which Go's runtime uses it: it is ignored by
 * default, so a stray one does no harm, and hardly any program has a use for
 * it.  The handler is there only for that moment.  A signal that arrives
 * just before the wait begins is lost, so it is repeated until the thread
 * has answered.
 */
#include "lock/locker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/thread.h"
#include "lock/accept_mutex.h"

enum {
	INTERRUPT = SIGURG,
	REPEAT_NS = 2000000,
	STACK = 128 * 1024, /* the application's thread-locals are in it */
};

struct locker {
	struct accept_mutex *mutex;
	int fd;
	pid_t home; /* elsewhere this is a forked copy, without a thread */

	pthread_mutex_t guard; /* of all that follows */
	pthread_cond_t changed;
	pthread_t thread;
	const void *who; /* has asked last */
	int paused;      /* how often */
	int broken;      /* the negative errno, or 0 */
	bool wanted;     /* asked for and not released */
	bool held;       /* the thread has it and fd says so */
	bool waiting;    /* the thread is in accept_mutex_lock */
	bool running;    /* there is a thread to join */
	bool stopping;   /* it has been told to end */
	bool gone;       /* it has left the loop */
};

static ssize_t
set_readable(struct locker *l, bool on)
{
	uint64_t count = 1;

	return on ? write(l->fd, &count, sizeof(count))
		  : read(l->fd, &count, sizeof(count));
}

/* False when nobody hears of it: the application has closed the descriptor. */
static bool
set_held(struct locker *l, bool held)
{
	bool told = l->held == held || set_readable(l, held) > 0;

	l->held = held && told;
	return told;
}

static void
set_broken(struct locker *l, int code)
{
	(void)set_held(l, false);
	l->broken = code;
	(void)set_readable(l, true);
}

/* Queue for the mutex once, and keep it as long as it is wanted. */
static void
take_turn(struct locker *l)
{
	int rc;

	l->waiting = true;
	pthread_mutex_unlock(&l->guard);
	rc = accept_mutex_lock(l->mutex);
	pthread_mutex_lock(&l->guard);
	l->waiting = false;

	if (rc == -EINTR)
		return;
	if (rc < 0) {
		set_broken(l, rc);
		return;
	}
	/* One that nobody knows of would never be let go. */
	if (l->wanted && !l->stopping && !set_held(l, true))
		l->broken = -EBADF;
	while (l->held && !l->stopping)
		pthread_cond_wait(&l->changed, &l->guard);
	(void)set_held(l, false);

	pthread_mutex_unlock(&l->guard);
	rc = accept_mutex_unlock(l->mutex);
	pthread_mutex_lock(&l->guard);
	if (rc < 0)
		set_broken(l, rc);
}

static void *
run(void *arg)
{
	struct locker *l = arg;

	pthread_setname_np(pthread_self(), "accept-mutex");
	pthread_mutex_lock(&l->guard);
	while (!l->stopping && l->broken == 0) {
		if (l->wanted)
			take_turn(l);
		else
			pthread_cond_wait(&l->changed, &l->guard);
	}
	l->gone = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->guard);
	return NULL;
}

static int
start(struct locker *l)
{
	int rc;

	l->gone = false;
	rc = thread_start_helper(&l->thread, STACK, INTERRUPT, run, l);
	l->running = rc == 0;
	return rc;
}

static int
start_if_needed(struct locker *l)
{
	if (l->broken < 0)
		return l->broken;
	if (!l->wanted || l->running || l->paused > 0)
		return 0;
	return start(l);
}

static void
do_nothing(int signal_number)
{
	(void)signal_number;
}

static void
wait_a_moment(struct locker *l)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += REPEAT_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&l->changed, &l->guard, &until);
}

static void
interrupt(struct locker *l)
{
	struct sigaction empty = {.sa_handler = do_nothing}, old;

	sigaction(INTERRUPT, &empty, &old);
	while (!l->gone) {
		accept_mutex_interrupt(l->mutex);
		pthread_kill(l->thread, INTERRUPT);
		wait_a_moment(l);
	}
	sigaction(INTERRUPT, &old, NULL);
}

/* Whoever comes second waits for the first. */
static void
stop(struct locker *l)
{
	if (!l->running)
		return;
	if (l->stopping) {
		while (l->running)
			pthread_cond_wait(&l->changed, &l->guard);
		return;
	}
	l->stopping = true;
	pthread_cond_broadcast(&l->changed);
	while (!l->gone && !l->waiting)
		pthread_cond_wait(&l->changed, &l->guard);
	if (!l->gone)
		interrupt(l);
	pthread_mutex_unlock(&l->guard);
	pthread_join(l->thread, NULL);
	pthread_mutex_lock(&l->guard);
	l->running = false;
	l->stopping = false;
	pthread_cond_broadcast(&l->changed);
}

static int
init_synchronisation(struct locker *l)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc != 0)
		return -rc;
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (rc != 0)
		return -rc;
	rc = pthread_mutex_init(&l->guard, NULL);
	if (rc != 0)
		pthread_cond_destroy(&l->changed);
	return -rc;
}

int
locker_create(struct locker **ret, struct accept_mutex *mutex, struct err *err)
{
	struct locker *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return err_set(err, ENOMEM, "accept mutex");
	l->mutex = mutex;
	l->home = getpid();
	l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = l->fd < 0 ? -errno : init_synchronisation(l);
	if (rc < 0) {
		fd_close(&l->fd);
		free(l);
		return err_set(err, -rc, "accept mutex");
	}
	*ret = l;
	return 0;
}

int
locker_fd(const struct locker *l)
{
	return l->fd;
}

int
locker_ask(struct locker *l, const void *who)
{
	int rc;

	pthread_mutex_lock(&l->guard);
	l->who = who;
	l->wanted = true;
	pthread_cond_broadcast(&l->changed);
	rc = start_if_needed(l);
	pthread_mutex_unlock(&l->guard);
	return rc;
}

int
locker_held(struct locker *l)
{
	int held;

	pthread_mutex_lock(&l->guard);
	held = l->broken < 0 ? l->broken : l->held;
	pthread_mutex_unlock(&l->guard);
	return held;
}

void
locker_release(struct locker *l, const void *who)
{
	pthread_mutex_lock(&l->guard);
	if (l->who == who) {
		l->wanted = false;
		set_held(l, false);
		pthread_cond_broadcast(&l->changed);
	}
	pthread_mutex_unlock(&l->guard);
}

void
locker_pause(struct locker *l)
{
	pthread_mutex_lock(&l->guard);
	l->paused++;
	stop(l);
	pthread_mutex_unlock(&l->guard);
}

int
locker_resume(struct locker *l)
{
	int rc;

	pthread_mutex_lock(&l->guard);
	l->paused--;
	rc = start_if_needed(l);
	pthread_mutex_unlock(&l->guard);
	return rc;
}

void
locker_destroy(struct locker *l)
{
	if (l == NULL)
		return;
	if (l->home == getpid()) {
		locker_pause(l);
		pthread_cond_destroy(&l->changed);
		pthread_mutex_destroy(&l->guard);
	}
	fd_close(&l->fd);
	free(l);
}
