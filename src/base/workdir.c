/*
 * workdir.c - the directory that the program was started in.  See workdir.h.
 */
#include "base/workdir.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static char name[PATH_MAX];

void
workdir_note(void)
{
	const char *given = getenv("PWD");
	size_t len = given != NULL && given[0] == '/' ? strlen(given) : 0;

	name[0] = '\0';
	if (len > 0 && len < sizeof(name) && file_is_same(given, "."))
		memcpy(name, given, len + 1);
}

void
workdir_follow(void)
{
	if (name[0] != '\0')
		(void)!chdir(name);
}
