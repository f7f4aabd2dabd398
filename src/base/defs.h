/*
 * defs.h - the few words of C that every file here speaks.
 */
#ifndef WSGID_BASE_DEFS_H
#define WSGID_BASE_DEFS_H

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

/* An assertion that costs a system call, in the build of "scons maintainer=yes"
 * alone; what it asks has no effect. */
#ifdef WSGID_MAINTAINER
#define MAINTAINER_ASSERT(x) assert(x)
#else
#define MAINTAINER_ASSERT(x) ((void)0)
#endif

/* The structure that holds member, given a pointer to the member. */
#define CONTAINER_OF(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

/* A local that frees, or closes, what it holds when it goes out of scope.
 * Give ownership away by returning the value and setting the local to NULL,
 * or to -1. */
#define AUTO_FREE  __attribute__((cleanup(defs_free)))
#define AUTO_CLOSE __attribute__((cleanup(defs_close)))

static inline void
defs_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

static inline void
defs_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif
