/*
 * memory.h - how much of a process is in memory, by itself and with others.
 */
#ifndef WSGID_BASE_MEMORY_H
#define WSGID_BASE_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

struct memory {
	long private_kib; /* what nobody else has mapped */
	long shared_kib;  /* the text of programs and libraries, mostly */
};

/* Of a process.  0 or a negative errno: -EACCES for somebody else's. */
int memory_read(pid_t pid, struct memory *ret);

/* The same from the text of its smaps_rollup; -EBADMSG when it is none. */
int memory_parse(const char *smaps, struct memory *ret);

/* The resident size of this process in bytes, which is not less than what is
 * private, and cheap to have; or a negative errno. */
int64_t memory_resident(void);

#endif
