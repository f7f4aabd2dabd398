/*
 * tokens.h - what the Server field of a response says: ServerTokens.
 */
#ifndef WSGID_CHILD_TOKENS_H
#define WSGID_CHILD_TOKENS_H

#include <stddef.h>

enum { TOKENS_SIZE = 128 };

/* Write it as the directive's value, an enum config_server_tokens, wants it:
 * "wsgid", "wsgid/1.2.3 (Linux) Python/3.11.2".  version and python are three
 * numbers. */
void tokens_write(char to[TOKENS_SIZE], int tokens, const char *version,
	const char *python);

#endif
