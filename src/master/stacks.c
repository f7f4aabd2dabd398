/*
 * stacks.c - which lines of a child's are the stacks of its threads?  See
 * stacks.h.
 *
 * As faulthandler writes them: a heading for each thread, its calls indented,
 * an empty line between two threads; before and behind them what is said of a
 * crash alone.  An application that prints the like is not told from it.
 */
#include "master/stacks.h"

#include <stddef.h>
#include <string.h>

#include "base/defs.h"

static const struct str headings[] = {
	STR("Fatal Python error: "),
	STR("Thread 0x"),
	STR("Current thread 0x"),
	STR("Current thread's C stack trace "),
};

/* Behind one of those. */
static const struct str others[] = {
	STR("  "),
	STR("Stack (most recent call first):"),
	STR("Python runtime state: "),
	STR("Extension modules: "),
};

static bool
begins_with(struct str line, const struct str *beginnings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (line.len >= beginnings[i].len &&
			memcmp(line.p, beginnings[i].p, beginnings[i].len) == 0)
			return true;
	return false;
}

bool
stacks_has(bool *within, struct str line)
{
	*within = begins_with(line, headings, ARRAY_LEN(headings)) ||
		  (*within &&
			  (line.len == 0 ||
				  begins_with(line, others, ARRAY_LEN(others))));
	return *within;
}
