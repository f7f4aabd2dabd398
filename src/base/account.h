/*
 * account.h - users and groups, as administrators write them.
 *
 * "www-data", or "#33" for a number, as Apache's User and Group take them.
 * The master checks with this what a child is about to become, so that a
 * typing error is one sentence at the start instead of children that die.
 */
#ifndef WSGID_BASE_ACCOUNT_H
#define WSGID_BASE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

enum { ACCOUNT_NAME = 64 };

struct account {
	uid_t uid;
	gid_t gid;               /* the primary group, if listed */
	bool listed;             /* false: "#12345" of which nobody knows */
	char name[ACCOUNT_NAME]; /* if listed; else "#12345" */
};

/* 0, or a negative errno and a sentence; -ENOENT for a name that nobody
 * knows.  A number is always taken: it needs no name. */
int account_find_user(const char *user, struct account *ret, struct err *err);
int account_find_group(const char *group, gid_t *ret, struct err *err);

/* The home directory of a user, for the caller to free.  0 or a negative errno:
 * -ENOENT when nobody knows one. */
int account_find_home(uid_t uid, char **ret);

/* What to call a user or group in a message: its name, or "#12345". */
void account_user_name(uid_t uid, char to[ACCOUNT_NAME]);
void account_group_name(gid_t gid, char to[ACCOUNT_NAME]);

#endif
