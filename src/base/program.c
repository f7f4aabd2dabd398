/*
 * program.c - where this program is, so that it can be started anew.
 *
 * /proc/self/exe is no answer: it has symbolic links resolved, and says
 * "(deleted)" once the file was replaced.  What execve(2) was given is, and
 * the kernel keeps it (AT_EXECFN); it only has to be checked, for who was
 * executed by a descriptor has the name of that descriptor there.
 */
#include "base/program.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/file.h"

static bool
is_this_program(const char *path)
{
	return strncmp(path, "/proc/", 6) != 0 &&
	       strncmp(path, "/dev/", 5) != 0 &&
	       file_is_same(path, "/proc/self/exe");
}

char *
program_path(void)
{
	const char *given = (const char *)getauxval(AT_EXECFN);
	char directory[PATH_MAX], *path = NULL;
	ssize_t n;

	if (given != NULL && is_this_program(given)) {
		if (given[0] == '/')
			return strdup(given);
		if (getcwd(directory, sizeof(directory)) != NULL)
			return asprintf(&path, "%s/%s", directory, given) < 0
				       ? NULL
				       : path;
	}
	n = readlink("/proc/self/exe", directory, sizeof(directory) - 1);
	return n > 0 ? strndup(directory, (size_t)n) : NULL;
}
