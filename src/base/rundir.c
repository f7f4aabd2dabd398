/*
 * rundir.c - where a server leaves its files.  See rundir.h.
 */
#include "base/rundir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
rundir_place(enum rundir_place place)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY");
	const char *user = getenv("XDG_RUNTIME_DIR");
	char *path;

	switch (place) {
	case RUNDIR_RUNTIME:
		/* A list with colons where the unit names several. */
		if (runtime != NULL && runtime[0] == '/')
			return strndup(runtime, strcspn(runtime, ":"));
		break;
	case RUNDIR_SYSTEM:
		return strdup("/run/wsgid");
	case RUNDIR_USER:
		if (user != NULL && user[0] == '/' &&
			asprintf(&path, "%s/wsgid", user) >= 0)
			return path;
		break;
	case RUNDIR_PLACES:
		break;
	}
	return NULL;
}
