/*
 * loader.h - why the dynamic loader refuses a program.
 *
 * It ends such a process before main, with status 127, so nobody in there can
 * explain; here it is told from the file what was needed and where that was
 * looked for.
 */
#ifndef WSGID_PYTHONS_LOADER_H
#define WSGID_PYTHONS_LOADER_H

#include <stddef.h>

enum { LOADER_STATUS = 127 };

/* A sentence about the program and the library that it does not find. */
void loader_explain(const char *program, char *to, size_t size);

#endif
