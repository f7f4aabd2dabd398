/*
 * tokens.c - what the Server field says.  See tokens.h.
 */
#include "child/tokens.h"

#include <stdio.h>
#include <string.h>

#include "config/config.h"

/* The length of the first so many numbers of "1.2.3". */
static int
numbers(const char *version, int n)
{
	const char *p = version;

	while (n-- > 0 && *p != '\0')
		p += strcspn(p, ".") + (n > 0 && strchr(p, '.') != NULL);
	return (int)(p - version);
}

void
tokens_write(char to[TOKENS_SIZE], int tokens, const char *version,
	const char *python)
{
	int len = (int)strlen(version);

	switch (tokens) {
	case CONFIG_TOKENS_PROD:
	case CONFIG_TOKENS_PRODUCT_ONLY:
		snprintf(to, TOKENS_SIZE, "wsgid");
		return;
	case CONFIG_TOKENS_MAJOR:
		len = numbers(version, 1);
		break;
	case CONFIG_TOKENS_MINOR:
		len = numbers(version, 2);
		break;
	case CONFIG_TOKENS_OS:
		snprintf(to, TOKENS_SIZE, "wsgid/%s (Linux)", version);
		return;
	case CONFIG_TOKENS_FULL:
		snprintf(to, TOKENS_SIZE, "wsgid/%s (Linux) Python/%s", version,
			python);
		return;
	default: /* Min, Minimal */
		break;
	}
	snprintf(to, TOKENS_SIZE, "wsgid/%.*s", len, version);
}
