/*
 * program.h - where this program is, so that it can be started anew.
 */
#ifndef WSGID_BASE_PROGRAM_H
#define WSGID_BASE_PROGRAM_H

/* The path that this program was started by, absolute: after an upgrade it
 * leads to the new one, also where it is a symbolic link to one version of
 * several.  To be called before the working directory changes.  A new string,
 * or NULL when memory is short or /proc is not there. */
char *program_path(void);

#endif
