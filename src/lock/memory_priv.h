/*
 * memory_priv.h - a few bytes that the master and its children share.
 *
 * A memfd: it crosses an exec as a descriptor, needs no file system and is
 * gone with its last user.  Its size is sealed, so that no child can make
 * the others' next access a SIGBUS.  It begins with the mechanism's name,
 * so that a wrong descriptor is noticed.
 */
#ifndef WSGID_LOCK_MEMORY_PRIV_H
#define WSGID_LOCK_MEMORY_PRIV_H

#include <stdbool.h>
#include <stddef.h>

enum { MEMORY_NAME = 16 }; /* room for the name, at the start */

/* A new one, of zeros but for the name; size is 0 for an empty file, or at
 * least MEMORY_NAME.  The descriptor or a negative errno. */
int memory_create(const char *mechanism, size_t size);

/* Nobody can change the size from now on; nor, if so told, the content. */
int memory_seal(int fd, bool content);

/* 0 when fd is such memory of this mechanism and size, else a negative
 * errno. */
int memory_check(int fd, const char *mechanism, size_t size);

/* Map it, checked; processes forked from this one do not have the mapping.
 * 0 and *ret, or a negative errno. */
int memory_map(int fd, const char *mechanism, size_t size, void **ret);

/* Another descriptor of it, close-on-exec, or a negative errno. */
int memory_export(int fd);

#endif
