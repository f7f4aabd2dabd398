/*
 * privileges.h - from root to the user that applications run as.
 */
#ifndef WSGID_BASE_PRIVILEGES_H
#define WSGID_BASE_PRIVILEGES_H

struct err;

/* Become user and group ("www-data", "#33") for good, with the user's
 * supplementary groups; group NULL means the user's primary group.  Nothing
 * happens when user is NULL or the process is not root's.  0, or a negative
 * errno and a sentence; after a failure the process may be half way, and
 * must not go on. */
int privileges_drop(const char *user, const char *group, struct err *err);

#endif
