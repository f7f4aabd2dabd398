/*
 * privileges.c - from root to the user that applications run as.
 *
 * Apache's order: setgid, initgroups, setuid.  Groups first, because only
 * root may change them; setgid before initgroups, because some systems let
 * setgid reset the supplementary groups.  Afterwards it is tried whether
 * root can be had again, because the system calls succeed in odd setups
 * (securebits, user namespaces) without having done what is meant.
 *
 * Left as they are, on purpose:
 * - "dumpable", which the kernel takes away with the change of user.  Apache
 *   gives it back only with CoreDumpDirectory, and so does coredump.c.
 *   Without it no other process of the same user can attach to the child and
 *   take its descriptors, which root opened (a port below 1024, logs), and
 *   /proc/PID belongs to root: the application can list /proc/self/fd but
 *   not read its own environ or io there, as under Apache and gunicorn.
 *   Programs that the application executes are ordinary again.
 * - no_new_privs stays off: applications call sudo helpers and sendmail.
 * - capabilities need no care: the kernel drops them with the last user id
 *   that is 0, and the try afterwards covers securebits that forbid it.
 */
#include "base/privileges.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/account.h"
#include "base/err.h"

static int
find_group(const struct account *account, const char *user, const char *group,
	gid_t *ret, struct err *err)
{
	if (group != NULL)
		return account_find_group(group, ret, err);
	if (!account->listed)
		return err_setx(err, EINVAL,
			"User %s is listed nowhere and so has no group: set "
			"Group",
			user);
	*ret = account->gid;
	return 0;
}

/* The user's groups, or none but gid for a number that has no name. */
static int
set_groups(const struct account *account, gid_t gid, struct err *err)
{
	int rc = account->listed ? initgroups(account->name, gid)
				 : setgroups(1, &gid);

	/* Who stays root has those that he was started with, where he may not
	 * change them: in a container, most likely. */
	if (rc == 0 ||
		(errno == EPERM && account->uid == 0 && gid == account->gid))
		return 0;
	if (errno == EPERM)
		return err_setx(err, EPERM,
			"the groups of user %s cannot be set: wsgid lacks "
			"CAP_SETGID, or its user namespace denies setgroups",
			account->name);
	return err_set(err, errno, "the groups of user %s", account->name);
}

static int
explain(int code, const char *what, const char *name, struct err *err)
{
	if (code == EPERM)
		return err_setx(err, code,
			"cannot become %s %s: wsgid runs as root, but without "
			"CAP_SETUID and CAP_SETGID",
			what, name);
	if (code == EINVAL)
		return err_setx(err, code,
			"cannot become %s %s: the user namespace of this "
			"container has no such number",
			what, name);
	if (code == EAGAIN)
		return err_setx(err, code,
			"cannot become %s %s: too many processes: raise the "
			"limit (ulimit -u, LimitNPROC=)",
			what, name);
	return err_set(err, code, "becoming %s %s", what, name);
}

static bool
can_return(void)
{
	uid_t real, effective, saved;
	gid_t group_real, group_effective, group_saved;

	/* If one of these succeeds we are root again, and the caller leaves. */
	if (setuid(0) == 0 || seteuid(0) == 0)
		return true;
	if (getresuid(&real, &effective, &saved) < 0 ||
		getresgid(&group_real, &group_effective, &group_saved) < 0)
		return true;
	return real != effective || real != saved ||
	       group_real != group_effective || group_real != group_saved;
}

int
privileges_drop(const char *user, const char *group, struct err *err)
{
	char group_name[ACCOUNT_NAME];
	struct account account;
	gid_t gid = 0;
	int rc;

	if (user == NULL || geteuid() != 0)
		return 0;
	rc = account_find_user(user, &account, err);
	if (rc == 0)
		rc = find_group(&account, user, group, &gid, err);
	if (rc < 0)
		return rc;

	if (setgid(gid) < 0) {
		rc = errno;
		account_group_name(gid, group_name);
		return explain(rc, "group", group_name, err);
	}
	rc = set_groups(&account, gid, err);
	if (rc < 0)
		return rc;
	if (setuid(account.uid) < 0)
		return explain(errno, "user", account.name, err);
	if (account.uid != 0 && can_return())
		return err_setx(err, EPERM,
			"user %s could become root again: wsgid was started "
			"with securebits or capabilities that outlive a "
			"change of user",
			account.name);
	return 0;
}
