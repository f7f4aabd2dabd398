/*
 * door.c - the file of the control socket, and who may come in by it.
 *
 * Root, the master's own user and the members of ControlGroup.  The file's
 * mode keeps all others out; who is behind a connection is asked once more,
 * because a file can be made accessible by mistake and a right be handed on.
 */
#include "master/door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/account.h"
#include "base/err.h"
#include "config/config.h"
#include "master/state.h"

enum { GROUPS = 65536 }; /* NGROUPS_MAX of the kernel */

gid_t
door_group(const struct config *c)
{
	gid_t group;

	if (c->control_group == NULL ||
		account_find_group(c->control_group, &group, NULL) < 0)
		return 0;
	return group;
}

int
door_no_member(const struct config *c, struct err *err)
{
	gid_t group = door_group(c);
	char user[ACCOUNT_NAME];

	if (geteuid() == 0 || group == getegid() || group_member(group))
		return err_setx(err, EPERM,
			"ControlGroup %s: giving files to a group is forbidden "
			"here: allow chown (CAP_CHOWN for root; @chown in "
			"SystemCallFilter= of a systemd unit)",
			c->control_group);
	account_user_name(geteuid(), user);
	return err_setx(err, EPERM,
		"ControlGroup %s: %s is no member of it, and only root may "
		"give files to groups of others",
		c->control_group, user);
}

/* The file has its mode already, and neither that nor this follows a link that
 * somebody has put in the way. */
static int
give_to_group(const char *path, const struct config *c, struct err *err)
{
	gid_t group;
	int rc;

	if (c->control_group == NULL)
		return 0;
	rc = account_find_group(c->control_group, &group, err);
	if (rc < 0)
		return rc;
	if (lchown(path, (uid_t)-1, group) == 0)
		return 0;
	if (errno != EPERM)
		return err_set(err, errno, "ControlGroup %s: %s",
			c->control_group, path);
	return door_no_member(c, err);
}

/* Whoever holds the pid file's lock may replace what is there; it is done by
 * a rename, so that in an upgrade there is one at any moment. */
int
door_open(struct control *control, int fd, const char *path,
	const struct config *c, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *temporary = address.sun_path;
	mode_t umask_before;
	struct stat st;
	int rc;

	if (strlen(path) + strlen(".new") >= sizeof(address.sun_path))
		return err_set(err, ENAMETOOLONG, "control socket %s", path);
	stpcpy(stpcpy(temporary, path), ".new");
	unlink(temporary);
	umask_before = umask(c->control_group != NULL ? 0117 : 0177);
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(umask_before);
	if (rc < 0)
		return err_set(err, errno, "control socket %s", path);
	rc = give_to_group(temporary, c, err);
	if (rc == 0 &&
		(listen(fd, CONTROL_CLIENTS) < 0 || lstat(temporary, &st) < 0 ||
			rename(temporary, path) < 0))
		rc = err_set(err, errno, "control socket %s", path);
	if (rc < 0) {
		unlink(temporary);
		return rc;
	}
	control->device = st.st_dev;
	control->inode = st.st_ino;
	return 0;
}

/* Unless another master has put its own in the place. */
void
door_remove(const struct control *control)
{
	struct stat st;

	if (lstat(control->path, &st) == 0 && st.st_dev == control->device &&
		st.st_ino == control->inode)
		unlink(control->path);
}

static bool
is_member(int fd, gid_t group)
{
	socklen_t size = GROUPS * sizeof(gid_t);
	AUTO_FREE gid_t *groups = malloc(size);

	if (groups == NULL ||
		getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool
door_admits(int fd, const struct config *c, uid_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	gid_t group = door_group(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	*uid = peer.uid;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	return group != 0 && (peer.gid == group || is_member(fd, group));
}
