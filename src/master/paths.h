/*
 * paths.h - can the files be made that a configuration names?
 */
#ifndef WSGID_MASTER_PATHS_H
#define WSGID_MASTER_PATHS_H

struct config;
struct err;

/* Files that cannot be made become messages of the configuration; running as of
 * master_settle. */
void paths_check(struct config *c, const struct config *running);

/* 0, or -ENOENT and a sentence when the directory of path is missing, and the
 * server does not make it. */
int paths_check_parent(
	const struct config *c, const char *path, struct err *err);

#endif
