/*
 * sysvsem.c - accept mutex by a System V semaphore.
 *
 * Every operation is undone by the kernel when the process dies (SEM_UNDO).
 * What dies with nobody is the semaphore itself: killed processes leave it
 * in the kernel.  So it has a random key, and before it is made an empty
 * file of the run directory is named after that key; the next master there,
 * whatever its name, removes what it finds noted by those that are dead.
 * Without a run directory nobody could tell whose a semaphore was.  Children
 * are told the number of the semaphore in a sealed memfd.
 *
 * The semaphore belongs to the children's user, as Apache's does: only so
 * may they use it.  That user can also remove it, and so does systemd-logind
 * with RemoveIPC when the user logs out.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pidfile.h"
#include "lock/accept_mutex_priv.h"
#include "lock/memory_priv.h"

enum { TRIES = 16, KEY_DIGITS = 8 };

/* The caller of semctl(2) declares this. */
union semun {
	int val;
	struct semid_ds *buf;
};

/* What the memfd holds. */
struct content {
	char name[MEMORY_NAME];
	int id;
};

struct sysvsem {
	struct accept_mutex base;
	int id;
	char *note; /* the path of the empty file, or NULL */
};

static struct sysvsem *
sysvsem_of(struct accept_mutex *m)
{
	return (struct sysvsem *)m;
}

static void
remove_note(struct sysvsem *s)
{
	if (s->note != NULL)
		unlink(s->note);
	free(s->note);
	s->note = NULL;
}

/* Note a new key. */
static int
make_note(struct sysvsem *s, const struct accept_mutex_settings *settings,
	key_t *ret)
{
	unsigned key;
	int fd, rc;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	key |= 1; /* IPC_PRIVATE is 0 */
	if (asprintf(&s->note, "%s/%s.sem.%0*x", settings->run_directory,
		    settings->name, KEY_DIGITS, key) < 0) {
		s->note = NULL;
		return -ENOMEM;
	}
	fd = open(s->note, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = -errno;
		free(s->note);
		s->note = NULL;
		return rc;
	}
	close(fd);
	*ret = (key_t)key;
	return 0;
}

static int
get_semaphore(struct sysvsem *s, const struct accept_mutex_settings *settings,
	struct err *err)
{
	bool noted = settings->run_directory != NULL && settings->name != NULL;
	key_t key = IPC_PRIVATE;
	int rc;

	for (int i = 0; i < TRIES; i++) {
		rc = noted ? make_note(s, settings, &key) : 0;
		if (rc < 0 && rc != -EEXIST)
			return err_set(err, -rc,
				"Mutex sysvsem: its note in %s cannot be made",
				settings->run_directory);
		if (rc < 0)
			continue;
		s->id = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
		if (s->id >= 0)
			return 0;
		rc = -errno;
		remove_note(s);
		if (rc != -EEXIST)
			return accept_mutex_explain(&s->base, rc, err);
	}
	return err_set(err, EEXIST, "Mutex sysvsem: a key");
}

static int
give_to(int id, uid_t user, gid_t group)
{
	struct semid_ds ds;
	union semun arg = {.buf = &ds};

	if (semctl(id, 0, IPC_STAT, arg) < 0)
		return -errno;
	if (user != (uid_t)-1)
		ds.sem_perm.uid = user;
	if (group != (gid_t)-1)
		ds.sem_perm.gid = group;
	ds.sem_perm.mode = 0600;
	return semctl(id, 0, IPC_SET, arg) < 0 ? -errno : 0;
}

static int
fill_memory(struct accept_mutex *m)
{
	struct content content = {.id = sysvsem_of(m)->id};

	m->fd = memory_create(m->how->name, sizeof(content));
	if (m->fd < 0)
		return m->fd;
	strcpy(content.name, m->how->name);
	if (pwrite(m->fd, &content, sizeof(content), 0) != sizeof(content))
		return -EIO;
	return memory_seal(m->fd, true);
}

static void
sysvsem_destroy(struct accept_mutex *m)
{
	struct sysvsem *s = sysvsem_of(m);

	if (m->created)
		semctl(s->id, 0, IPC_RMID);
	remove_note(s);
}

static const char *
sysvsem_explain(int code)
{
	switch (code) {
	case EIDRM:
	case EINVAL:
		return "the semaphore has been removed, by ipcrm or by "
		       "systemd-logind's RemoveIPC when the children's user "
		       "logged out; it is made anew with the next children, "
		       "and Mutex pthread has nothing to remove";
	case ENOSPC:
		return "the machine has no semaphore left; ipcs -s shows "
		       "whose they are, the sysctl kernel.sem is the limit";
	case ENOSYS:
		return "System V semaphores are not available here, as in "
		       "some containers; choose another mechanism";
	case EACCES:
		return "the semaphore does not belong to the children's "
		       "user";
	default:
		return NULL;
	}
}

static int
sysvsem_create(struct accept_mutex *m,
	const struct accept_mutex_settings *settings, struct err *err)
{
	struct sysvsem *s = sysvsem_of(m);
	union semun one = {.val = 1};
	int rc = get_semaphore(s, settings, err);

	if (rc < 0)
		return rc;
	if (semctl(s->id, 0, SETVAL, one) < 0)
		rc = -errno;
	if (rc == 0)
		rc = give_to(s->id, settings->user, settings->group);
	if (rc == 0)
		rc = fill_memory(m);
	if (rc < 0) {
		semctl(s->id, 0, IPC_RMID);
		remove_note(s);
		fd_close(&m->fd);
		return accept_mutex_explain(m, rc, err);
	}
	return 0;
}

static int
sysvsem_export(struct accept_mutex *m)
{
	return memory_export(m->fd);
}

static int
sysvsem_attach(struct accept_mutex *m, struct err *err)
{
	struct content content;
	int rc = memory_check(m->fd, m->how->name, sizeof(content));

	if (rc == 0 &&
		pread(m->fd, &content, sizeof(content), 0) != sizeof(content))
		rc = -EIO;
	if (rc < 0)
		return err_set(err, -rc, "Mutex %s: descriptor %d",
			m->how->name, m->fd);
	sysvsem_of(m)->id = content.id;
	return 0;
}

static int
operate(struct accept_mutex *m, short by)
{
	struct sembuf operation = {.sem_op = by, .sem_flg = SEM_UNDO};

	if (semop(sysvsem_of(m)->id, &operation, 1) == 0)
		return 0;
	/* Removed: while waiting, or before. */
	return errno == EINVAL ? -EIDRM : -errno;
}

static int
sysvsem_lock(struct accept_mutex *m)
{
	return operate(m, -1);
}

static int
sysvsem_unlock(struct accept_mutex *m)
{
	return operate(m, 1);
}

static void
sysvsem_orphan(struct accept_mutex *m)
{
	semctl(sysvsem_of(m)->id, 0, IPC_RMID);
}

/* Take "NAME.sem.KEY" apart.  The key, or 0 for another file. */
static key_t
read_note(const char *file, char name[NAME_MAX + 1])
{
	static const char hexadecimal[] = "0123456789abcdef";
	size_t len = strlen(file), tail = strlen(".sem.") + KEY_DIGITS;
	const char *end = file + len - tail, *key = file + len - KEY_DIGITS;

	if (len <= tail || len > NAME_MAX || strncmp(end, ".sem.", 5) != 0 ||
		strspn(key, hexadecimal) != KEY_DIGITS)
		return 0;
	memcpy(name, file, (size_t)(end - file));
	name[end - file] = '\0';
	return (key_t)strtoul(key, NULL, 16);
}

/* Is there a server of this name?  In doubt there is. */
static bool
lives(const char *run_directory, const char *name)
{
	AUTO_FREE char *path = NULL;
	pid_t pid;

	if (asprintf(&path, "%s/%s.pid", run_directory, name) < 0) {
		path = NULL;
		return true;
	}
	pid = pidfile_holder(path);
	return pid != 0 && pid != -ESRCH;
}

/* Remove the semaphore, if it is what we would have made.  The number of
 * semaphores removed. */
static int
remove_semaphore(key_t key)
{
	struct semid_ds ds;
	union semun arg = {.buf = &ds};
	int id = semget(key, 0, 0);

	if (id < 0 || semctl(id, 0, IPC_STAT, arg) < 0)
		return 0;
	if (ds.sem_perm.cuid != geteuid() || ds.sem_nsems != 1)
		return 0;
	return semctl(id, 0, IPC_RMID) == 0;
}

static bool
is_note_of(const struct accept_mutex *m, const char *file)
{
	const char *note = m != NULL && m->how == &accept_mutex_sysvsem
				   ? ((const struct sysvsem *)m)->note
				   : NULL;

	return note != NULL && strcmp(strrchr(note, '/') + 1, file) == 0;
}

int
sysvsem_sweep(const char *run_directory, const char *name,
	const struct accept_mutex *but)
{
	DIR *directory = opendir(run_directory);
	char whose[NAME_MAX + 1];
	struct dirent *entry;
	int removed = 0;
	key_t key;

	if (directory == NULL)
		return -errno;
	while ((entry = readdir(directory)) != NULL) {
		key = read_note(entry->d_name, whose);
		if (key == 0 || is_note_of(but, entry->d_name) ||
			(strcmp(whose, name) != 0 &&
				lives(run_directory, whose)))
			continue;
		removed += remove_semaphore(key);
		unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
	return removed;
}

const struct accept_mutex_mechanism accept_mutex_sysvsem = {
	.name = "sysvsem",
	.trusts = true,
	.size = sizeof(struct sysvsem),
	.create = sysvsem_create,
	.export_fd = sysvsem_export,
	.attach = sysvsem_attach,
	.lock = sysvsem_lock,
	.unlock = sysvsem_unlock,
	.orphan = sysvsem_orphan,
	.explain = sysvsem_explain,
	.destroy = sysvsem_destroy,
};
