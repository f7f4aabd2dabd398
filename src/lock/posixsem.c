/*
 * posixsem.c - accept mutex by a POSIX semaphore in shared memory.
 *
 * A semaphore knows no holder, so it cannot tell that its holder has died.
 * Here it is only the place to wait; who holds the mutex is the word beside
 * it.  A token in the semaphore is a hint to look at the word, so one too
 * many costs one look, and one that died with its taker costs PATIENCE:
 * nobody waits longer than that without looking.
 *
 * The master writes the word and nothing else.  It must not give a token
 * for a dead child: the library ends a process that finds a semaphore
 * overwritten, and a child can overwrite this one.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "lock/accept_mutex_priv.h"
#include "lock/memory_priv.h"

enum {
	NOBODY = 0,
	PATIENCE_NS = 250000000,
	TOKENS_MAX = 1000, /* taken one after the other while it is held */
};

/* What is shared. */
struct content {
	char name[MEMORY_NAME];
	sem_t tokens;
	pid_t holder;
};

struct semaphore {
	struct accept_mutex base;
	struct content *content;
};

static struct content *
content_of(struct accept_mutex *m)
{
	return ((struct semaphore *)m)->content;
}

static int
map(struct accept_mutex *m)
{
	void *memory;
	int rc = memory_map(
		m->fd, m->how->name, sizeof(struct content), &memory);

	if (rc == 0)
		((struct semaphore *)m)->content = memory;
	return rc;
}

/* Make *holder to; false when it is not from. */
static bool
change_holder(pid_t *holder, pid_t from, pid_t to)
{
	return __atomic_compare_exchange_n(
		holder, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void
posixsem_destroy(struct accept_mutex *m)
{
	/* The semaphore itself is left alone: others may wait at it. */
	if (content_of(m) != NULL)
		munmap(content_of(m), sizeof(struct content));
	((struct semaphore *)m)->content = NULL;
}

static int
posixsem_create(struct accept_mutex *m,
	const struct accept_mutex_settings *settings, struct err *err)
{
	int rc;

	(void)settings;
	m->fd = memory_create(m->how->name, sizeof(struct content));
	if (m->fd < 0)
		return err_set(
			err, -m->fd, "Mutex %s: shared memory", m->how->name);
	rc = memory_seal(m->fd, false);
	if (rc == 0)
		rc = map(m);
	if (rc == 0 && sem_init(&content_of(m)->tokens, 1, 1) < 0)
		rc = -errno;
	if (rc < 0) {
		posixsem_destroy(m);
		fd_close(&m->fd);
		return err_set(err, -rc, "Mutex %s", m->how->name);
	}
	return 0;
}

static int
posixsem_export(struct accept_mutex *m)
{
	return memory_export(m->fd);
}

static int
posixsem_attach(struct accept_mutex *m, struct err *err)
{
	int rc = map(m);

	if (rc < 0)
		return err_set(err, -rc, "Mutex %s: descriptor %d",
			m->how->name, m->fd);
	return 0;
}

static struct timespec
end_of_patience(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PATIENCE_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return until;
}

static int
posixsem_lock(struct accept_mutex *m)
{
	struct content *content = content_of(m);
	struct timespec until;
	int in_vain = 0;

	do {
		until = end_of_patience();
		if (sem_clockwait(&content->tokens, CLOCK_MONOTONIC, &until) ==
			0)
			in_vain++;
		else if (errno == ETIMEDOUT)
			in_vain = 0;
		else
			return -errno;
		/* Deaths leave a token too many, and not a thousand. */
		if (in_vain > TOKENS_MAX)
			return -EINVAL;
	} while (!change_holder(&content->holder, NOBODY, m->home));
	return 0;
}

static int
posixsem_unlock(struct accept_mutex *m)
{
	struct content *content = content_of(m);

	if (!change_holder(&content->holder, m->home, NOBODY))
		return -EPERM;
	return sem_post(&content->tokens) < 0 ? -errno : 0;
}

static void
posixsem_bury(struct accept_mutex *m, pid_t pid)
{
	change_holder(&content_of(m)->holder, pid, NOBODY);
}

static const char *
posixsem_explain(int code)
{
	switch (code) {
	case EPERM:
	case EINVAL:
	case EOVERFLOW:
		return "its memory has been overwritten; the application "
		       "runs in processes that can do so";
	default:
		return NULL;
	}
}

const struct accept_mutex_mechanism accept_mutex_posixsem = {
	.name = "posixsem",
	.trusts = true,
	.size = sizeof(struct semaphore),
	.create = posixsem_create,
	.export_fd = posixsem_export,
	.attach = posixsem_attach,
	.lock = posixsem_lock,
	.unlock = posixsem_unlock,
	.bury = posixsem_bury,
	.explain = posixsem_explain,
	.destroy = posixsem_destroy,
};
