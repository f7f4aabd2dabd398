/*
 * access.h - why a file cannot be read or written.
 *
 * "Permission denied" for /home/ann/site/app.wsgi does not say that it is
 * /home/ann that is closed, to www-data, who is not the administrator who
 * tried it out.  This says so.
 */
#ifndef WSGID_BASE_ACCESS_H
#define WSGID_BASE_ACCESS_H

struct err;

/* 0 when the calling process, as the user that it has become, can read path
 * (for a directory: list it and look into it).  Else a negative errno and a
 * sentence that names what is in the way: the first component, its mode and
 * owner, who is refused, and what to do.  A relative path starts where the
 * process is. */
int access_explain(const char *path, struct err *err);

/* The same where it is to be written: for what is not there yet, its directory
 * counts. */
int access_explain_writing(const char *path, struct err *err);

/* The same of a module, as Python looks for it in the current directory.  0
 * also when it is not there: it may be elsewhere on Python's path. */
int access_explain_module(const char *name, struct err *err);

#endif
