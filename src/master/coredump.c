/*
 * coredump.c - where the coredump of a child may be found.
 *
 * The kernel tells whether there is one and not where: that is for
 * kernel.core_pattern to say, which is a program, an absolute path, or a name
 * in the working directory of whoever crashed.
 */
#include "master/coredump.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/log.h"
#include "config/config.h"

void
coredump_place(const char *pattern, const char *dir, char *to, size_t size)
{
	const char *slash = strrchr(pattern, '/');

	if (pattern[0] == '|') {
		pattern += 1 + strspn(pattern + 1, " ");
		snprintf(to, size, ", possible coredump given to %.*s",
			(int)strcspn(pattern, " "), pattern);
	} else if (pattern[0] == '/') {
		snprintf(to, size, ", possible coredump in %.*s",
			slash == pattern ? 1 : (int)(slash - pattern), pattern);
	} else if (slash != NULL) {
		snprintf(to, size, ", possible coredump in %s/%.*s", dir,
			(int)(slash - pattern), pattern);
	} else {
		snprintf(to, size, ", possible coredump in %s", dir);
	}
}

/* "core" where it cannot be read, which is the kernel's own default. */
static void
read_pattern(char *to, size_t size)
{
	if (kernel_read_line("/proc/sys/kernel/core_pattern", to, size) <= 0)
		snprintf(to, size, "core");
}

void
coredump_say(const struct config *c, char *to, size_t size)
{
	char pattern[PATH_MAX], cwd[PATH_MAX];
	const char *dir = c->core_dump_directory;

	read_pattern(pattern, sizeof(pattern));
	if (dir == NULL)
		dir = c->directory;
	if (dir == NULL)
		dir = getcwd(cwd, sizeof(cwd));
	coredump_place(
		pattern, dir != NULL ? dir : "its working directory", to, size);
}

void
coredump_warn(const struct config *c)
{
	char pattern[PATH_MAX];

	if (c->core_dump_directory == NULL)
		return;
	read_pattern(pattern, sizeof(pattern));
	if (pattern[0] == '|' || pattern[0] == '/')
		log_warnx("master",
			"CoreDumpDirectory %s: no coredump will be there, "
			"because kernel.core_pattern is \"%s\"",
			c->core_dump_directory, pattern);
}
