/*
 * user.c - as whom the children run.
 *
 * Only root can choose.  An application must not run as root by accident:
 * without a User it is the person behind sudo, else www-data, else nobody.
 * In a container, whose process 1 we are, root without a User is taken for
 * what was meant.  What was decided stands in the configuration afterwards,
 * where the children find it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/machine.h"
#include "master/state.h"

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

static int
settle_default(struct config *c, struct buf *notices, struct err *err)
{
	const char *user;

	if (getpid() == 1 || c->allow_root) {
		if (!c->allow_root)
			buf_add_text(notices,
				"the application runs as root, since "
				"this is a container's first process and no "
				"User is given\n");
		config_set(c, "AllowRoot", "On", "default");
		config_set(c, "User", "root", "default");
		return 0;
	}
	user = default_user();
	if (user == NULL)
		return err_setx(err, EINVAL,
			"User: none is given, and there is neither www-data "
			"nor nobody on this machine; name one with User");
	config_set(c, "User", user, "default");
	return 0;
}

static int
check_given(const struct config *c, struct err *err)
{
	struct account account;
	int rc = account_find_user(c->user, &account, err);

	if (rc < 0)
		return rc;
	if (account.uid == 0 && !c->allow_root)
		return err_setx(err, EINVAL,
			"User %s: an application that runs as root can do "
			"anything to this machine; choose another User, or "
			"say AllowRoot On",
			c->user);
	return 0;
}

/* Without the right to change, what is asked for must be what we are. */
static int
check_unprivileged(const struct config *c, struct err *err)
{
	struct account account;
	char own[ACCOUNT_NAME];
	gid_t gid;
	int rc;

	if (c->user != NULL) {
		rc = account_find_user(c->user, &account, err);
		if (rc < 0)
			return rc;
		account_user_name(geteuid(), own);
		if (account.uid != geteuid())
			return err_setx(err, EPERM,
				"User %s: only root can run children as "
				"another user, and this is %s; start wsgid as "
				"root or leave User out",
				c->user, own);
	}
	if (c->group != NULL) {
		rc = account_find_group(c->group, &gid, err);
		if (rc < 0)
			return rc;
		account_group_name(getegid(), own);
		if (gid != getegid())
			return err_setx(err, EPERM,
				"Group %s: only root can run children with "
				"another group, and this is %s; start wsgid as "
				"root or leave Group out",
				c->group, own);
	}
	return 0;
}

int
user_settle(struct config *c, struct buf *notices, struct err *err)
{
	gid_t gid;
	int rc;

	if (geteuid() != 0)
		return check_unprivileged(c, err);
	rc = c->user != NULL ? check_given(c, err)
			     : settle_default(c, notices, err);
	if (rc == 0 && c->group != NULL)
		rc = account_find_group(c->group, &gid, err);
	return rc;
}

int
master_settle(struct config *c, struct buf *notices, struct err *err)
{
	struct config_machine machine = {.cpus = machine_cpus("")};
	int other = user_settle(c, notices, err);
	int rc = config_settle(c, &machine);

	if (other == 0)
		other = generation_check_listens(c, err);
	return rc < 0 ? rc : other;
}
