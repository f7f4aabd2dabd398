/*
 * links.c - files that root opens where others may have put links.  See links.h.
 *
 * Nothing is decided by looking at what others can change meanwhile: the kernel is
 * told to meet no link, or opens with their rights.  Only root's own directories
 * are looked through, for the first one that is not.
 */
#include "base/links.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/account.h"
#include "base/defs.h"
#include "base/err.h"

enum {
	LINKS_MAX = 40, /* the kernel's */
	NO_GROUP = 65534
};

struct walk {
	char way[PATH_MAX]; /* no link is in what is walked, but one of /proc */
	size_t walked;
	struct stat here; /* the directory there, as it was when it was reached */
	int links;
	struct account owner; /* whose directories are walked, besides root's */
};

static int
open_plainly(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);

	return fd < 0 ? -errno : fd;
}

/* Not before Linux 5.6, nor with old seccomp profiles of containers. */
static bool
has_openat2(void)
{
	return syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) < 0 &&
	       errno == EINVAL;
}

/* -ELOOP where there is a link.  Without openat2(2) only one at the end is met so,
 * and the links of directories lead anywhere. */
static int
open_without_links(const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags,
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	int rc = fd < 0 ? -errno : (int)fd;

	return fd < 0 && !has_openat2()
		       ? open_plainly(path, flags | O_NOFOLLOW, mode)
		       : rc;
}

/* What is only ours, whoever says it: the path or the link at its end.  Or NULL. */
static const char *
find_standard(const char *path)
{
	static const char *const names[] = {"/dev/stderr", "/dev/stdout",
		"/dev/null", "/proc/self/fd/1", "/proc/self/fd/2", "/dev/fd/1",
		"/dev/fd/2"};
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(path, names[i]) == 0 ||
			strcmp(target, names[i]) == 0)
			return names[i];
	return NULL;
}

static bool
is_of_one(const struct stat *st, uid_t uid, gid_t gid)
{
	return st->st_uid == uid && (st->st_mode & S_IWOTH) == 0 &&
	       ((st->st_mode & S_IWGRP) == 0 || st->st_gid == gid);
}

/* Only root and w->owner can change what the next name leads to.  A directory in a
 * sticky one of root's, as /tmp, is also its own owner's, and judged next. */
static bool
is_kept(const struct walk *w, bool is_folder)
{
	const struct stat *here = &w->here;

	return is_of_one(here, 0, (gid_t)-1) ||
	       is_of_one(here, w->owner.uid, w->owner.gid) ||
	       (here->st_uid == 0 && (here->st_mode & S_ISVTX) != 0 &&
		       is_folder);
}

/* Those of /proc lead to what may have no name. */
static bool
is_kernels(const struct stat *link)
{
	struct stat proc;

	return lstat("/proc/self", &proc) == 0 && proc.st_dev == link->st_dev;
}

static int
begin(struct walk *w)
{
	w->walked = 1;
	return lstat("/", &w->here) < 0 ? -errno : 0;
}

/* Where a relative path begins is walked to as well. */
static int
prepare(struct walk *w, const char *path)
{
	size_t len, size = sizeof(w->way);

	if (path[0] != '/' && getcwd(w->way, size) == NULL)
		return -errno;
	len = strlen(w->way);
	if (snprintf(w->way + len, size - len, "%s%s", len > 0 ? "/" : "",
		    path) >= (int)(size - len))
		return -ENAMETOOLONG;
	return begin(w);
}

/* The link is from..end of the way, and its target takes its place. */
static int
follow(struct walk *w, size_t from, size_t end)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n;

	strcpy(rest, w->way + end);
	w->way[end] = '\0';
	n = readlink(w->way, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	target[n] = '\0';
	if (target[0] == '/')
		from = 0;
	if (snprintf(w->way + from, sizeof(w->way) - from, "%s%s", target,
		    rest) >= (int)(sizeof(w->way) - from))
		return -ENAMETOOLONG;
	return from == 0 ? begin(w) : 0;
}

static int
look(struct walk *w, size_t end, struct stat *ret)
{
	char next = w->way[end];
	int rc;

	w->way[end] = '\0';
	rc = lstat(w->way, ret) < 0 ? -errno : 0;
	w->way[end] = next;
	return rc;
}

/* 1 when w->here is a directory that others than root and w->owner can change, 0
 * when there is none on the way, or a negative errno. */
static int
walk(struct walk *w)
{
	for (;;) {
		size_t from = w->walked + strspn(w->way + w->walked, "/");
		size_t end = from + strcspn(w->way + from, "/");
		struct stat next;
		int rc;

		if (end == from)
			return S_ISDIR(w->here.st_mode) && !is_kept(w, false);
		rc = look(w, end, &next);
		if (!is_kept(w, rc == 0 && S_ISDIR(next.st_mode)))
			return 1;
		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		if (!S_ISLNK(next.st_mode)) {
			w->walked = end;
			w->here = next;
		} else if (w->way[end] == '\0' && is_kernels(&next)) {
			return 0;
		} else if ((rc = follow(w, from, end)) < 0) {
			return rc;
		}
	}
}

static int
take_rights(const struct account *account)
{
	if (prctl(PR_GET_SECUREBITS) & SECBIT_NO_SETUID_FIXUP)
		return -EPERM; /* root's capabilities would stay */
	if (setgroups(0, NULL) < 0 ||
		setegid(account->listed ? account->gid : NO_GROUP) < 0 ||
		seteuid(account->uid) < 0)
		return -errno;
	return 0;
}

/* Root is still the real or the saved user, so nothing can fail but the groups that
 * could not be left (EPERM). */
static void
take_back(const gid_t *groups, int n, gid_t group, int dumpable)
{
	int rc = seteuid(0);

	if (rc == 0)
		rc = setegid(group);
	if (rc == 0 && setgroups((size_t)n, groups) < 0 && errno != EPERM)
		rc = -1;
	assert(rc == 0);
	if (dumpable == 1)
		(void)prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
}

/* By the effective user, not by setfsuid(2): that leaves CAP_SYS_PTRACE, by which
 * all links in /proc can be followed. */
static int
open_as_owner(const struct walk *w, bool follow_links, int flags, mode_t mode)
{
	int n = getgroups(0, NULL), dumpable = prctl(PR_GET_DUMPABLE), rc;
	AUTO_FREE gid_t *groups = calloc((size_t)n + 1, sizeof(*groups));
	gid_t group = getegid();

	if (groups == NULL || getgroups(n, groups) != n)
		return -ENOMEM;
	rc = take_rights(&w->owner);
	if (rc == 0)
		rc = (follow_links ? open_plainly : open_without_links)(
			w->way, flags, mode);
	take_back(groups, n, group, dumpable);
	return rc;
}

static int
refuse(const struct walk *w, const char *path, struct err *err)
{
	return err_setx(err, ELOOP,
		"%s: a symbolic link on its way is in or below %.*s, where "
		"others than user %s may write, so it is not followed: let "
		"only that user write there, or name the file itself",
		path, (int)w->walked, w->way, w->owner.name);
}

/* w->here is somebody's, and there are links from there on.  Where a second user's
 * directory follows, his would lead to what is the first one's. */
static int
follow_as_owner(struct walk *w, const char *path, int flags, mode_t mode,
	struct err *err)
{
	char number[ACCOUNT_NAME], folder[PATH_MAX];
	int rc, shared;

	snprintf(number, sizeof(number), "#%u", (unsigned)w->here.st_uid);
	snprintf(folder, sizeof(folder), "%.*s", (int)w->walked, w->way);
	rc = account_find_user(number, &w->owner, err);
	if (rc < 0)
		return rc;
	if (w->owner.uid == 0)
		return refuse(w, path, err);
	shared = walk(w);
	rc = shared < 0 ? shared : open_as_owner(w, shared == 0, flags, mode);
	if (shared > 0 && rc == -ELOOP)
		return refuse(w, path, err);
	if (rc != -EACCES && rc != -EPERM && rc != -ELOOP)
		return rc;
	return err_setx(err, ELOOP,
		"%s: a symbolic link on its way is in or below %s of user %s, "
		"so it is opened as that user: %s; let the directory be "
		"root's, or name the file itself",
		path, folder, w->owner.name, strerror(-rc));
}

static int
open_through_links(const char *path, int flags, mode_t mode, struct err *err)
{
	const char *standard = find_standard(path);
	struct walk w = {.owner = {.uid = 0, .gid = (gid_t)-1}};
	int rc;

	if (standard != NULL)
		return open_plainly(standard, flags, mode);
	rc = prepare(&w, path);
	if (rc == 0)
		rc = walk(&w);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return open_plainly(path, flags, mode);
	rc = open_without_links(w.way, flags, mode);
	return rc == -ELOOP ? follow_as_owner(&w, path, flags, mode, err) : rc;
}

int
links_open(const char *path, int flags, mode_t mode, struct err *err)
{
	struct err why = {0};
	int rc;

	flags |= O_CLOEXEC;
	if (geteuid() != 0)
		rc = open_plainly(path, flags, mode);
	else if ((rc = open_without_links(path, flags, mode)) == -ELOOP)
		rc = open_through_links(path, flags, mode, &why);
	if (rc == -ELOOP && why.code == ELOOP)
		return err_setx(err, ELOOP, "%s", why.text);
	return rc == -ELOOP ? err_set(err, ELOOP, "%s", path) : rc;
}
