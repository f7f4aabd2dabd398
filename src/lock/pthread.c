/*
 * pthread.c - accept mutex by a robust pthread mutex in shared memory.
 *
 * When its holder dies the kernel says so to the next one, who must declare
 * it consistent before it lets go, or the mutex is unusable for ever.  The
 * owner is a thread: who locks must unlock.
 *
 * A wait for such a mutex is not ended by a signal: the library waits again.
 * But it waits again until the same time, which the kernel reads from our
 * memory each time; so accept_mutex_interrupt moves that time into the past
 * and the signal that follows makes the kernel look.  A library that kept a
 * copy would notice when the wait ends by itself, PATIENCE later.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "lock/accept_mutex_priv.h"
#include "lock/memory_priv.h"

enum { PATIENCE = 1 /* seconds */ };

/* What is shared. */
struct content {
	char name[MEMORY_NAME];
	pthread_mutex_t mutex;
};

struct robust {
	struct accept_mutex base;
	struct content *content;
	struct timespec until; /* of the monotonic clock; 0: interrupted */
};

static struct robust *
robust_of(struct accept_mutex *m)
{
	return (struct robust *)m;
}

static int
map(struct robust *r)
{
	void *memory;
	int rc = memory_map(
		r->base.fd, r->base.how->name, sizeof(struct content), &memory);

	if (rc == 0)
		r->content = memory;
	return rc;
}

static int
init_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;
	int rc = pthread_mutexattr_init(&attr);

	if (rc != 0)
		return -rc;
	rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (rc == 0)
		rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (rc == 0)
		rc = pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	if (rc == 0)
		rc = pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return -rc;
}

static void
robust_destroy(struct accept_mutex *m)
{
	struct robust *r = robust_of(m);

	/* The mutex itself is left alone: others may still be in it. */
	if (r->content != NULL)
		munmap(r->content, sizeof(*r->content));
	r->content = NULL;
}

static int
robust_create(struct accept_mutex *m,
	const struct accept_mutex_settings *settings, struct err *err)
{
	struct robust *r = robust_of(m);
	int rc;

	(void)settings;
	m->fd = memory_create(m->how->name, sizeof(struct content));
	if (m->fd < 0)
		return err_set(
			err, -m->fd, "Mutex %s: shared memory", m->how->name);
	rc = memory_seal(m->fd, false);
	if (rc == 0)
		rc = map(r);
	if (rc == 0)
		rc = init_mutex(&r->content->mutex);
	if (rc < 0) {
		robust_destroy(m);
		fd_close(&m->fd);
		return err_set(err, -rc, "Mutex %s", m->how->name);
	}
	return 0;
}

static int
robust_export(struct accept_mutex *m)
{
	return memory_export(m->fd);
}

static int
robust_attach(struct accept_mutex *m, struct err *err)
{
	int rc = map(robust_of(m));

	if (rc < 0)
		return err_set(err, -rc, "Mutex %s: descriptor %d",
			m->how->name, m->fd);
	return 0;
}

static int
take_over(pthread_mutex_t *mutex)
{
	int rc = pthread_mutex_consistent(mutex);

	if (rc != 0)
		pthread_mutex_unlock(mutex);
	return -rc;
}

static int
robust_lock(struct accept_mutex *m)
{
	struct robust *r = robust_of(m);
	struct timespec now;
	int rc;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		r->until.tv_nsec = now.tv_nsec;
		__atomic_store_n(&r->until.tv_sec, now.tv_sec + PATIENCE,
			__ATOMIC_RELAXED);
		rc = pthread_mutex_clocklock(
			&r->content->mutex, CLOCK_MONOTONIC, &r->until);
		if (rc == EOWNERDEAD)
			return take_over(&r->content->mutex);
		if (rc != ETIMEDOUT)
			return -rc;
		if (__atomic_load_n(&r->until.tv_sec, __ATOMIC_RELAXED) == 0)
			return -EINTR;
	}
}

static void
robust_interrupt(struct accept_mutex *m)
{
	__atomic_store_n(&robust_of(m)->until.tv_sec, 0, __ATOMIC_RELAXED);
}

static int
robust_unlock(struct accept_mutex *m)
{
	return -pthread_mutex_unlock(&robust_of(m)->content->mutex);
}

static void *
die_holding(void *mutex)
{
	pthread_mutex_lock(mutex);
	return NULL;
}

/* Emulators of a processor may not know robust futexes. */
static int
robust_prove(struct accept_mutex *m, struct err *err)
{
	pthread_mutex_t *mutex = &robust_of(m)->content->mutex;
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, die_holding, mutex);

	if (rc != 0)
		return err_set(err, rc, "Mutex %s: thread", m->how->name);
	pthread_join(thread, NULL);
	rc = pthread_mutex_trylock(mutex);
	if (rc != EOWNERDEAD)
		return err_setx(err, EOPNOTSUPP,
			"Mutex %s: this kernel does not tell that a holder "
			"has died; choose another mechanism",
			m->how->name);
	rc = take_over(mutex);
	if (rc == 0)
		rc = -pthread_mutex_unlock(mutex);
	return rc < 0 ? err_set(err, -rc, "Mutex %s", m->how->name) : 0;
}

static const char *
robust_explain(int code)
{
	switch (code) {
	case ENOTRECOVERABLE:
	case EINVAL:
	case EPERM:
		return "its memory has been overwritten; the application "
		       "runs in processes that can do so";
	default:
		return NULL;
	}
}

const struct accept_mutex_mechanism accept_mutex_pthread = {
	.name = "pthread",
	.trusts = true,
	.size = sizeof(struct robust),
	.create = robust_create,
	.export_fd = robust_export,
	.attach = robust_attach,
	.lock = robust_lock,
	.unlock = robust_unlock,
	.interrupt = robust_interrupt,
	.prove = robust_prove,
	.explain = robust_explain,
	.destroy = robust_destroy,
};
