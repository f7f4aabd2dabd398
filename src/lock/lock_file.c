/*
 * lock_file.c - the file that fcntl and flock lock.
 *
 * It never has a name where O_TMPFILE is known, so even a master killed in
 * the middle leaves nothing behind.
 */
#include "lock/lock_file_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "lock/accept_mutex_priv.h"
#include "lock/memory_priv.h"

const char *
lock_file_remote(unsigned long magic)
{
	/* Numbers from statfs(2) and the kernel's magic.h. */
	static const struct {
		unsigned long magic;
		const char *name;
	} table[] = {
		{0x6969, "NFS"},
		{0x517b, "SMB"},
		{0xff534d42, "CIFS"},
		{0xfe534d42, "SMB"},
		{0x5346414f, "AFS"},
		{0x6b414653, "AFS"},
		{0x73757245, "Coda"},
		{0x564c, "NCP"},
		{0x01021997, "9P"},
		{0x00c36400, "Ceph"},
		{0x0bd00bd0, "Lustre"},
		{0x01161970, "GFS2"},
		{0x7461636f, "OCFS2"},
		{0x47504653, "GPFS"},
	};

	/* f_type is a signed int on some machines. */
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if ((magic & 0xffffffffUL) == table[i].magic)
			return table[i].name;
	return NULL;
}

/* Split the place into the directory and the beginning of the name. */
static int
find_place(const char *place, char directory[PATH_MAX], const char **start)
{
	const char *slash = strrchr(place, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - place);
	struct stat st;

	*start = "accept";
	if (strlen(place) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (stat(place, &st) == 0 && S_ISDIR(st.st_mode)) {
		strcpy(directory, place);
		return 0;
	}
	if (slash == NULL) {
		strcpy(directory, ".");
		*start = place;
		return 0;
	}
	if (slash[1] == '\0')
		return -ENOENT;
	snprintf(directory, PATH_MAX, "%.*s", len == 0 ? 1 : (int)len, place);
	*start = slash + 1;
	return 0;
}

static int
open_named(const char *directory, const char *start)
{
	char path[PATH_MAX + NAME_MAX];
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/%s.XXXXXX", directory, start);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int
open_in(const char *place)
{
	char directory[PATH_MAX];
	const char *start;
	int fd, rc;

	rc = find_place(place, directory, &start);
	if (rc < 0)
		return rc;
	fd = open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	return fd >= 0 ? fd : open_named(directory, start);
}

int
lock_file_create(const char *mechanism, const char *place, struct err *err)
{
	const char *remote;
	struct statfs fs;
	int fd;

	if (place == NULL) {
		fd = memory_create(mechanism, 0);
		if (fd < 0)
			return err_set(err, -fd, "Mutex %s: a file in memory",
				mechanism);
		return fd;
	}
	fd = open_in(place);
	if (fd < 0)
		return err_set(err, -fd,
			"Mutex %s: a lock file at %s cannot be made", mechanism,
			place);
	if (fstatfs(fd, &fs) == 0 &&
		(remote = lock_file_remote((unsigned long)fs.f_type)) != NULL) {
		close(fd);
		return err_setx(err, EOPNOTSUPP,
			"Mutex %s %s: this is on %s, where locks depend on "
			"another machine; name a directory of a local file "
			"system, or none",
			mechanism, place, remote);
	}
	return fd;
}

int
lock_file_reopen(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int
lock_file_check(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (flags & O_ACCMODE) != O_RDWR)
		return -EINVAL;
	return 0;
}

int
lock_file_prove(const char *mechanism, int fd,
	int (*lock)(int fd, int operation), struct err *err)
{
	AUTO_CLOSE int other = lock_file_reopen(fd);
	int rc;

	if (other < 0)
		return err_set(err, -other,
			"Mutex %s: the file must be opened anew for each "
			"child, and /proc/self/fd/%d cannot be; is /proc "
			"mounted?",
			mechanism, fd);
	rc = lock(fd, LOCK_EX | LOCK_NB);
	if (rc < 0)
		return err_set(err, -rc, "Mutex %s", mechanism);
	rc = lock(other, LOCK_EX | LOCK_NB);
	lock(fd, LOCK_UN);
	if (rc == 0)
		return err_setx(err, EOPNOTSUPP,
			"Mutex %s: this file system grants the lock twice; "
			"name a directory of another one, or none",
			mechanism);
	return 0;
}

/* --- of a mutex --------------------------------------------------------------- */

int
lock_file_mutex_create(struct accept_mutex *m,
	const struct accept_mutex_settings *settings, struct err *err)
{
	int fd = lock_file_create(m->how->name, settings->file, err);

	if (fd < 0)
		return fd;
	m->fd = fd;
	return 0;
}

int
lock_file_mutex_export(struct accept_mutex *m)
{
	return lock_file_reopen(m->fd);
}

int
lock_file_mutex_attach(struct accept_mutex *m, struct err *err)
{
	int rc = lock_file_check(m->fd);

	if (rc < 0)
		return err_set(err, -rc, "Mutex %s: descriptor %d",
			m->how->name, m->fd);
	return 0;
}
