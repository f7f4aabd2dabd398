/*
 * versions.c - versions of Python, as names have them.  See versions.h.
 */
#include "pythons/versions.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "python"

/* "3.9.18" to 3 and 9; false for what is no version. */
static bool
parse(const char *version, int *major, int *minor)
{
	return sscanf(version, "%4d.%4d", major, minor) == 2;
}

bool
version_is_supported(const char *version)
{
	int major, minor, oldest_major, oldest_minor;

	(void)parse(VERSIONS_OLDEST, &oldest_major, &oldest_minor);
	if (!parse(version, &major, &minor))
		return strcmp(version, "2") != 0;
	return major > oldest_major ||
	       (major == oldest_major && minor >= oldest_minor);
}

void
version_of_interpreter(const char *path, char to[PATH_MAX])
{
	char *name = realpath(path, to) != NULL ? strrchr(to, '/') : NULL;

	if (name != NULL && strncmp(name, "/" PREFIX, strlen("/" PREFIX)) == 0)
		memmove(to, name + strlen("/" PREFIX),
			strlen(name + strlen("/" PREFIX)) + 1);
	else
		to[0] = '\0';
}

/* "python3.11" and "python3.13t", not "python3", "python3.11-config". */
static int
is_versioned(const struct dirent *entry)
{
	const char *p = entry->d_name;

	if (strlen(p) >= strlen(PREFIX) + VERSION_SIZE ||
		strncmp(p, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	p += strlen(PREFIX);
	if (strspn(p, "0123456789") == 0)
		return 0;
	p += strspn(p, "0123456789");
	if (*p != '.' || strspn(p + 1, "0123456789") == 0)
		return 0;
	p += 1 + strspn(p + 1, "0123456789");
	return p[*p == 't' ? 1 : 0] == '\0';
}

static bool
is_there(const char *directory, const char *name, const char *below)
{
	char path[PATH_MAX];
	int n = snprintf(
		path, sizeof(path), "%s/%s%s", directory, name, below);

	return n < (int)sizeof(path) && access(path, F_OK) == 0;
}

void
versions_find(struct versions *ret, const char *directory, const char *below)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, is_versioned, versionsort);

	ret->n = 0;
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (ret->n < VERSIONS_MAX && is_there(directory, name, below))
			strcpy(ret->list[ret->n++], name + strlen(PREFIX));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}
