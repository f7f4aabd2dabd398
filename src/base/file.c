/*
 * file.c - are two names of the same file?  See file.h.
 */
#include "base/file.h"

#include <sys/stat.h>

static bool
are_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool
file_is_same(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && are_same(&a, &b);
}

bool
file_is_at(const char *path, int fd)
{
	struct stat named, held;

	return stat(path, &named) == 0 && fstat(fd, &held) == 0 &&
	       are_same(&named, &held);
}
