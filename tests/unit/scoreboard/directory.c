/*
 * directory.c - a run directory for a test.  See directory.h.
 */
#include "directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/tree.h"

int
directory_make(void **state)
{
	char path[] = "/tmp/wsgid-test.XXXXXX";

	if (mkdtemp(path) == NULL)
		return -1;
	*state = strdup(path);
	return *state != NULL ? 0 : -1;
}

int
directory_remove(void **state)
{
	int rc = tree_remove(*state);

	free(*state);
	return rc;
}

const char *
directory_path(const char *dir, const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

bool
directory_has(const char *dir, const char *name)
{
	struct stat st;

	return lstat(directory_path(dir, name), &st) == 0;
}

size_t
directory_count(const char *dir)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2; /* "." and ".." */
}

void
directory_put(const char *dir, const char *name, const void *data, size_t len)
{
	int fd = open(
		directory_path(dir, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}
