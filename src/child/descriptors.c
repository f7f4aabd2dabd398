/*
 * descriptors.c - are the server's descriptors still its own?  See
 * descriptors.h.
 */
#include "child/descriptors.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/err.h"

struct known {
	int fd;
	struct stat is;
};

struct descriptors {
	size_t n, most;
	struct known each[];
};

int
descriptors_create(struct descriptors **ret, size_t most, struct err *err)
{
	struct descriptors *d =
		calloc(1, sizeof(*d) + most * sizeof(struct known));

	if (d == NULL)
		return err_set(err, ENOMEM, "descriptors");
	d->most = most;
	*ret = d;
	return 0;
}

void
descriptors_destroy(struct descriptors *d)
{
	free(d);
}

void
descriptors_add(struct descriptors *d, int fd)
{
	struct known *k = &d->each[d->n];

	assert(d->n < d->most);
	k->fd = fd;
	if (fd >= 0 && fstat(fd, &k->is) == 0)
		d->n++;
}

static bool
is_lost(const struct known *k)
{
	struct stat now;

	return fstat(k->fd, &now) < 0 || now.st_dev != k->is.st_dev ||
	       now.st_ino != k->is.st_ino;
}

int
descriptors_find_lost(const struct descriptors *d)
{
	for (size_t i = 0; d != NULL && i < d->n; i++)
		if (is_lost(&d->each[i]))
			return d->each[i].fd;
	return -1;
}

bool
descriptors_is_lost(const struct descriptors *d, int fd)
{
	for (size_t i = 0; d != NULL && i < d->n; i++)
		if (d->each[i].fd == fd)
			return is_lost(&d->each[i]);
	return false;
}
