/*
 * inside.c - the file that the loader puts in front of an interpreter.  See
 * inside.h.
 */
#include "pythons/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
inside_library(const char *program, char to[PATH_MAX])
{
	static const char suffix[] = ".so";

	if (realpath(program, to) == NULL)
		return -errno;
	if (strlen(to) + sizeof(suffix) > PATH_MAX)
		return -ENAMETOOLONG;
	strcat(to, suffix);
	return 0;
}
