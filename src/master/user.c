/*
 * user.c - as whom the children run.
 *
 * Only root can choose.  An application must not run as root by accident:
 * without a User it is the person behind sudo, else www-data or nobody, whoever
 * is there.  In a container, whose process 1 we are, root without a User is taken for
 * what was meant.  What was decided stands in the configuration afterwards,
 * where the children find it.
 */
#include "master/user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

static const char *
default_user(void)
{
	const char *sudo = getenv("SUDO_USER");
	const char *const candidates[] = {sudo, "www-data", "nobody"};

	for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
		struct account account;

		if (candidates[i] != NULL && candidates[i][0] != '\0' &&
			account_find_user(candidates[i], &account, NULL) == 0 &&
			account.uid != 0)
			return candidates[i];
	}
	return NULL;
}

/* A container's first process keeps the machine from its application. */
static void
allow_root(struct config *c, struct buf *notices)
{
	if (c->allow_root)
		return;
	buf_add_text(notices,
		"the application runs as root, as this is a container's first "
		"process; choose another with User\n");
	config_set(c, "AllowRoot", "On", "default");
}

static void
settle_default(struct config *c, struct buf *notices)
{
	const char *user = default_user();

	if (getpid() == 1 || c->allow_root) {
		config_set(c, "User", "root", "default");
		allow_root(c, notices);
	} else if (user != NULL)
		config_set(c, "User", user, "default");
	else
		config_blame(c, "User",
			"none is given, and there is neither www-data nor "
			"nobody on this machine; name one");
}

/* The account of User; false, and said, when there is none. */
static bool
find_user(struct config *c, struct account *ret)
{
	struct err err = {0};
	int rc = account_find_user(c->user, ret, &err);

	if (rc < 0)
		config_blame(c, "User", err.text);
	return rc == 0;
}

static bool
find_group(struct config *c, gid_t *ret)
{
	struct err err = {0};
	int rc = account_find_group(c->group, ret, &err);

	if (rc < 0)
		config_blame(c, "Group", err.text);
	return rc == 0;
}

static void
check_root(struct config *c, const struct account *account, struct buf *notices)
{
	struct err err = {0};

	if (account->uid != 0 || c->allow_root)
		return;
	if (getpid() == 1) {
		allow_root(c, notices);
		return;
	}
	err_setx(&err, EINVAL,
		"%s: an application that runs as root can do anything to this "
		"machine; choose another User, or say AllowRoot On",
		c->user);
	config_blame(c, "User", err.text);
}

static void
check_has_group(struct config *c, const struct account *account)
{
	struct err err = {0};

	if (account->listed || c->group != NULL)
		return;
	err_setx(&err, EINVAL,
		"%s is listed nowhere and so has no group: set Group", c->user);
	config_blame(c, "User", err.text);
}

/* Without the right to change, what is asked for must be what we are. */
static void
check_own_user(struct config *c, const struct account *account)
{
	char own[ACCOUNT_NAME];
	struct err err = {0};

	if (account->uid == geteuid())
		return;
	account_user_name(geteuid(), own);
	err_setx(&err, EPERM,
		"%s: only root can run children as another user, and this is "
		"%s; start wsgid as root or leave User out",
		c->user, own);
	config_blame(c, "User", err.text);
}

static void
check_own_group(struct config *c, gid_t gid)
{
	char own[ACCOUNT_NAME];
	struct err err = {0};

	if (gid == getegid())
		return;
	account_group_name(getegid(), own);
	err_setx(&err, EPERM,
		"%s: only root can run children with another group, and this "
		"is %s; start wsgid as root or leave Group out",
		c->group, own);
	config_blame(c, "Group", err.text);
}

void
user_settle(struct config *c, struct buf *notices)
{
	bool is_root = geteuid() == 0;
	struct account account;
	gid_t gid;

	if (c->user != NULL && find_user(c, &account)) {
		if (is_root) {
			check_root(c, &account, notices);
			check_has_group(c, &account);
		} else {
			check_own_user(c, &account);
		}
	} else if (c->user == NULL && is_root) {
		settle_default(c, notices);
	}
	if (c->group != NULL && find_group(c, &gid) && !is_root)
		check_own_group(c, gid);
}
