/*
 * mappings.h - the programs and libraries that a process has mapped.
 */
#ifndef WSGID_BASE_MAPPINGS_H
#define WSGID_BASE_MAPPINGS_H

/* For a process that has done its work and goes on waiting: what it has read of
 * files that it maps is not counted as its memory until it reads it again, from
 * the kernel's cache as a rule.  Nothing that was written goes.  Another thread
 * could change a mapping meanwhile: there must be none.  0 or a negative errno:
 * without /proc. */
int mappings_put_away(void);

#endif
