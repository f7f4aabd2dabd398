/*
 * workdir.c - the directory that the program was started in.  See workdir.h.
 */
#include "base/workdir.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/file.h"

#define VARIABLE "WSGID_WORKDIR"

static char name[PATH_MAX];

static bool
is_another_name(const char *path)
{
	AUTO_FREE char *own = getcwd(NULL, 0);

	return path[0] == '/' && own != NULL && strcmp(path, own) != 0 &&
	       file_is_same(path, ".");
}

void
workdir_note(void)
{
	const char *left = getenv(VARIABLE), *shell = getenv("PWD");
	const char *found = "";

	if (left != NULL && left[0] == '/')
		found = left;
	else if (shell != NULL && is_another_name(shell))
		found = shell;
	if (strlen(found) < sizeof(name))
		strcpy(name, found);
	workdir_keep();
}

const char *
workdir_name(void)
{
	return name[0] != '\0' ? name : NULL;
}

char *
workdir_now(void)
{
	char *now = name[0] != '\0' ? realpath(name, NULL) : NULL;

	return now != NULL ? now : getcwd(NULL, 0);
}

int
workdir_bequeath(void)
{
	if (name[0] == '\0')
		return 0;
	return setenv(VARIABLE, name, 1) < 0 ? -errno : 0;
}

void
workdir_keep(void)
{
	unsetenv(VARIABLE);
}
