/*
 * account.c - users and groups, as administrators write them.
 *
 * Only the _r functions of the C library are used: the others share one
 * static record, which a caller's own look-up would overwrite.  They want a
 * buffer whose size nobody knows in advance (a group has any number of
 * members), so it grows until it is enough.
 */
#include "base/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/str.h"

enum { FIRST_SIZE = 1024, LAST_SIZE = 16 * 1024 * 1024 };

/* "#33".  0, -EINVAL when it is no number, -ERANGE.  The last number of 32
 * bits means "unchanged" to chown(2) and setresuid(2) and is nobody's. */
static int
parse_number(const char *text, unsigned *ret)
{
	unsigned long long value;
	int rc = str_to_u64(str_of(text + 1), &value);

	if (rc < 0)
		return rc;
	if (value >= (uid_t)-1)
		return -ERANGE;
	*ret = (unsigned)value;
	return 0;
}

/* A name, or NULL and an id.  1 when found, 0 when not, or a negative
 * errno; *ret lives in *buffer, which the caller frees. */
static int
look_up_user(const char *name, uid_t uid, struct passwd *ret, char **buffer)
{
	for (size_t size = FIRST_SIZE; size <= LAST_SIZE; size *= 4) {
		struct passwd *found = NULL;
		char *more = realloc(*buffer, size);
		int rc;

		if (more == NULL)
			return -ENOMEM;
		*buffer = more;
		rc = name != NULL ? getpwnam_r(name, ret, more, size, &found)
				  : getpwuid_r(uid, ret, more, size, &found);
		if (rc == ERANGE)
			continue;
		/* Some name services report a missing name as an error. */
		if (rc == ENOENT || rc == ESRCH || rc == EBADF || rc == EPERM)
			return 0;
		return rc != 0 ? -rc : found != NULL;
	}
	return -ERANGE;
}

static int
look_up_group(const char *name, gid_t gid, struct group *ret, char **buffer)
{
	for (size_t size = FIRST_SIZE; size <= LAST_SIZE; size *= 4) {
		struct group *found = NULL;
		char *more = realloc(*buffer, size);
		int rc;

		if (more == NULL)
			return -ENOMEM;
		*buffer = more;
		rc = name != NULL ? getgrnam_r(name, ret, more, size, &found)
				  : getgrgid_r(gid, ret, more, size, &found);
		if (rc == ERANGE)
			continue;
		if (rc == ENOENT || rc == ESRCH || rc == EBADF || rc == EPERM)
			return 0;
		return rc != 0 ? -rc : found != NULL;
	}
	return -ERANGE;
}

static int
unknown(const char *what, const char *name, struct err *err)
{
	if (*name == '\0')
		return err_setx(err, EINVAL, "the %s is empty", what);
	if (strspn(name, "0123456789") == strlen(name))
		return err_setx(err, ENOENT,
			"there is no %s called %s; a number is written #%s",
			what, name, name);
	return err_setx(
		err, ENOENT, "there is no %s %s on this machine", what, name);
}

static int
bad_number(const char *what, const char *text, struct err *err)
{
	return err_setx(err, EINVAL,
		"%s is not a %s number: write # and digits, 4294967294 at most",
		text, what);
}

int
account_find_user(const char *user, struct account *ret, struct err *err)
{
	AUTO_FREE char *buffer = NULL;
	struct passwd entry;
	unsigned uid = 0;
	int rc;

	if (*user == '#' && parse_number(user, &uid) < 0)
		return bad_number("user", user, err);
	rc = look_up_user(*user == '#' ? NULL : user, uid, &entry, &buffer);
	if (rc < 0)
		return err_set(err, -rc, "looking up the user %s", user);
	if (rc == 0 && *user != '#')
		return unknown("user", user, err);

	*ret = (struct account){.uid = uid, .gid = (gid_t)-1};
	if (rc == 0) {
		snprintf(ret->name, sizeof(ret->name), "#%u", uid);
		return 0;
	}
	ret->uid = entry.pw_uid;
	ret->gid = entry.pw_gid;
	ret->listed = true;
	snprintf(ret->name, sizeof(ret->name), "%s", entry.pw_name);
	return 0;
}

int
account_find_group(const char *group, gid_t *ret, struct err *err)
{
	AUTO_FREE char *buffer = NULL;
	struct group entry;
	unsigned gid = 0;
	int rc;

	if (*group == '#') {
		if (parse_number(group, &gid) < 0)
			return bad_number("group", group, err);
		*ret = gid;
		return 0;
	}
	rc = look_up_group(group, 0, &entry, &buffer);
	if (rc < 0)
		return err_set(err, -rc, "looking up the group %s", group);
	if (rc == 0)
		return unknown("group", group, err);
	*ret = entry.gr_gid;
	return 0;
}

int
account_find_home(uid_t uid, char **ret)
{
	AUTO_FREE char *buffer = NULL;
	struct passwd entry;
	char *home;
	int rc = look_up_user(NULL, uid, &entry, &buffer);

	if (rc < 0)
		return rc;
	if (rc == 0 || entry.pw_dir == NULL || entry.pw_dir[0] == '\0')
		return -ENOENT;
	home = strdup(entry.pw_dir);
	if (home == NULL)
		return -ENOMEM;
	*ret = home;
	return 0;
}

void
account_user_name(uid_t uid, char to[ACCOUNT_NAME])
{
	AUTO_FREE char *buffer = NULL;
	struct passwd entry;

	if (look_up_user(NULL, uid, &entry, &buffer) == 1)
		snprintf(to, ACCOUNT_NAME, "%s", entry.pw_name);
	else
		snprintf(to, ACCOUNT_NAME, "#%u", uid);
}

void
account_group_name(gid_t gid, char to[ACCOUNT_NAME])
{
	AUTO_FREE char *buffer = NULL;
	struct group entry;

	if (look_up_group(NULL, gid, &entry, &buffer) == 1)
		snprintf(to, ACCOUNT_NAME, "%s", entry.gr_name);
	else
		snprintf(to, ACCOUNT_NAME, "#%u", gid);
}
