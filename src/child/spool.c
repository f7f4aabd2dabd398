/*
 * spool.c - a body on its way to the application, in a file without a name.
 * See spool.h.
 */
#include "child/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"

/* Not every file system has files that never had a name. */
static int
open_in(const char *directory)
{
	char path[4096];
	int fd = open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd >= 0 ? fd : -errno;
	if (snprintf(path, sizeof(path), "%s/wsgid-body.XXXXXX", directory) >=
		(int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

int
spool_open(struct spool *s)
{
	const char *const places[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int fd = -ENOENT, rc;

	for (size_t i = 0; fd < 0 && i < ARRAY_LEN(places); i++)
		if (places[i] != NULL && places[i][0] != '\0')
			fd = open_in(places[i]);
	if (fd < 0)
		return fd;
	rc = fd_lift(fd);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*s = (struct spool){.fd = rc};
	return 0;
}

void
spool_close(struct spool *s)
{
	fd_close(&s->fd);
	*s = SPOOL_NONE;
}

int
spool_add(struct spool *s, const void *data, size_t len)
{
	const char *p = data;
	uint64_t at = s->len;

	while (len > 0) {
		ssize_t n = pwrite(s->fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	s->len = at;
	return 0;
}

uint64_t
spool_left(const struct spool *s)
{
	return s->fd >= 0 ? s->len - s->at : 0;
}

ssize_t
spool_peek(const struct spool *s, void *data, size_t len)
{
	ssize_t n;

	if (len > spool_left(s))
		len = (size_t)spool_left(s);
	if (len == 0)
		return 0;
	do
		n = pread(s->fd, data, len, (off_t)s->at);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return -EIO; /* somebody has made it shorter */
	return n < 0 ? -errno : n;
}

void
spool_pass(struct spool *s, size_t len)
{
	s->at += len;
}
