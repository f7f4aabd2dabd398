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

static char **
copy_environment(void)
{
	char **copy;
	size_t n = 0;

	while (environ[n] != NULL)
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(environ[i]);
		if (copy[i] != NULL)
			continue;
		while (i > 0)
			free(copy[--i]);
		free(copy);
		return NULL;
	}
	return copy;
}

int
title_init(int argc, char **argv)
{
	char **copy, *end;

	if (area.start != NULL || argc < 1 || argv[0] == NULL)
		return 0;
	end = contiguous_end(argv[0], argv);
	end = contiguous_end(end, environ);
	copy = copy_environment();
	if (copy == NULL)
		return -ENOMEM;
	environ = copy;
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
