/*
 * coredump.h - where the coredump of a child may be found.
 */
#ifndef WSGID_MASTER_COREDUMP_H
#define WSGID_MASTER_COREDUMP_H

#include <stddef.h>

struct config;

/* ", possible coredump in DIR": where kernel.core_pattern sends the coredump of
 * a process with that working directory. */
void coredump_place(
	const char *pattern, const char *dir, char *to, size_t size);

/* The same of a child with that configuration, on this machine. */
void coredump_say(const struct config *c, char *to, size_t size);

/* Say so when CoreDumpDirectory has no say. */
void coredump_warn(const struct config *c);

#endif
