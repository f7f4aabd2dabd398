/*
 * title.c - what ps(1) shows of this process.
 *
 * The kernel shows the memory in which it once put the command line, and
 * goes on into the environment behind it when the last byte of the former
 * is no longer NUL.  So the title may be as long as both together.  That
 * memory is one for the process, hence the one static variable.
 */
#include "base/title.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	char *start;
	size_t size;
	char **environment; /* our copy, for as long as we live */
} area;

/* The end of the strings that lie behind one another from end on. */
static char *
contiguous_end(char *end, char **strings)
{
	for (size_t i = 0; strings[i] != NULL; i++)
		if (strings[i] == end)
			end += strlen(end) + 1;
	return end;
}

/* One block, the pointers first; it stays for the life of the process. */
static char **
copy_environment(void)
{
	size_t n = 0, size = sizeof(char *);
	char **copy, *to;

	for (; environ[n] != NULL; n++)
		size += sizeof(char *) + strlen(environ[n]) + 1;
	copy = malloc(size);
	if (copy == NULL)
		return NULL;
	to = (char *)(copy + n + 1);
	for (size_t i = 0; i < n; i++) {
		copy[i] = to;
		to = stpcpy(to, environ[i]) + 1;
	}
	copy[n] = NULL;
	return copy;
}

void
title_init_small(int argc, char **argv)
{
	if (area.start != NULL || argc < 1 || argv[0] == NULL)
		return;
	area.start = argv[0];
	area.size = (size_t)(contiguous_end(argv[0], argv) - argv[0]);
}

int
title_init(int argc, char **argv)
{
	char *end;

	if (area.start != NULL || argc < 1 || argv[0] == NULL)
		return 0;
	end = contiguous_end(argv[0], argv);
	end = contiguous_end(end, environ);
	area.environment = copy_environment();
	if (area.environment == NULL)
		return -ENOMEM;
	environ = area.environment;
	area.start = argv[0];
	area.size = (size_t)(end - argv[0]);
	return 0;
}

void
title_set(const char *format, ...)
{
	va_list args;
	int n;

	if (area.start == NULL)
		return;
	va_start(args, format);
	n = vsnprintf(area.start, area.size, format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n < area.size)
		memset(area.start + n, 0, area.size - (size_t)n);
}
