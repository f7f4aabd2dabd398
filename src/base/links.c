/*
 * links.c - files that root opens where others may have put links.  See links.h.
 *
 * The way is walked link by link, to a path that has none.  Where others may write
 * on the way that path is opened, and the kernel is told to meet no link, as what
 * was found may be another a moment later.
 */
#include "base/links.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/account.h"
#include "base/err.h"

enum { LINKS_MAX = 40 }; /* the kernel's */

/* A link of somebody's whose target is not reached yet. */
struct pending {
	uid_t owner;
	size_t left; /* of the rest, when it is */
};

struct walk {
	char at[PATH_MAX];   /* no link is in it, but the kernel's own in /proc */
	char rest[PATH_MAX]; /* names, each with a '/' before it */
	char link[PATH_MAX]; /* the last one that was not root's */
	struct pending pending[LINKS_MAX];
	size_t n_pending;
	int links;
	bool shared; /* others than root can have changed something of it */
	bool ends_in_proc;
};

/* As openat2(2); -ENOSYS also where a container's seccomp profile is older than
 * that. */
static int
open_without_links(const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags,
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd < 0)
		return errno == EPERM ? -ENOSYS : -errno;
	return (int)fd;
}

static void
step_back(struct walk *w)
{
	char *last = strrchr(w->at, '/');

	if (last != NULL)
		*last = '\0';
}

/* The next name of the way: its length, 0 at the end, or -ENAMETOOLONG. */
static int
take_name(struct walk *w, char name[NAME_MAX + 1])
{
	const char *from = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(from, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, from, len);
	name[len] = '\0';
	memmove(w->rest, from + len, strlen(from + len) + 1);
	return (int)len;
}

static int
follow(struct walk *w, const struct stat *link)
{
	char target[PATH_MAX], tail[PATH_MAX];
	ssize_t n = readlink(w->at, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	target[n] = '\0';
	strcpy(tail, w->rest);
	if (link->st_uid != 0) {
		w->pending[w->n_pending++] =
			(struct pending){link->st_uid, strlen(tail)};
		strcpy(w->link, w->at);
		w->shared = true;
	}
	if (snprintf(w->rest, sizeof(w->rest), "/%s%s", target, tail) >=
		(int)sizeof(w->rest))
		return -ENAMETOOLONG;
	if (target[0] == '/')
		w->at[0] = '\0';
	else
		step_back(w);
	return 0;
}

static int
refuse(const struct walk *w, uid_t uid, struct err *err)
{
	char owner[ACCOUNT_NAME];

	account_user_name(uid, owner);
	return err_setx(err, ELOOP,
		"%s is a symbolic link of user %s, which root follows only to "
		"what is of user %s as well: name what it leads to, or give "
		"the link to root (chown -h)",
		w->link, owner, owner);
}

/* st: of what is here; NULL: there is nothing yet. */
static int
arrive(struct walk *w, const struct stat *st, struct err *err)
{
	while (w->n_pending > 0) {
		const struct pending *p = &w->pending[w->n_pending - 1];

		if (strlen(w->rest) > p->left)
			break;
		if (st == NULL || st->st_uid != p->owner)
			return refuse(w, p->owner, err);
		w->n_pending--;
	}
	if (st != NULL && S_ISDIR(st->st_mode) &&
		(st->st_uid != 0 || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0))
		w->shared = true;
	return 0;
}

static int
go_to(struct walk *w, const char *name)
{
	size_t len = strlen(w->at);

	if (strcmp(name, "..") == 0)
		step_back(w);
	else if (strcmp(name, ".") != 0 &&
		 snprintf(w->at + len, sizeof(w->at) - len, "/%s", name) >=
			 (int)(sizeof(w->at) - len))
		return -ENAMETOOLONG;
	return 0;
}

/* The kernel's links in /proc lead to what may have no name. */
static bool
is_end_in_proc(const struct walk *w)
{
	return w->rest[0] == '\0' && strncmp(w->at, "/proc/", 6) == 0;
}

static int
go_on(struct walk *w, const char *name, struct err *err)
{
	int rc = go_to(w, name);
	struct stat st;

	if (rc < 0)
		return rc;
	if (lstat(w->at[0] != '\0' ? w->at : "/", &st) < 0)
		return errno == ENOENT && w->rest[0] == '\0'
			       ? arrive(w, NULL, err)
			       : -errno;
	if (!S_ISLNK(st.st_mode))
		return arrive(w, &st, err);
	w->ends_in_proc = is_end_in_proc(w);
	return w->ends_in_proc ? arrive(w, &st, err) : follow(w, &st);
}

static int
walk(struct walk *w, const char *path, struct err *err)
{
	char name[NAME_MAX + 1];
	int rc;

	if (strlen(path) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	strcpy(w->rest, path);
	if (path[0] != '/') {
		if (getcwd(w->at, sizeof(w->at)) == NULL)
			return -errno;
		w->shared = true;
	}
	while (!w->ends_in_proc && (rc = take_name(w, name)) != 0) {
		if (rc > 0)
			rc = go_on(w, name, err);
		if (rc < 0)
			return rc;
	}
	return w->n_pending == 0
		       ? 0
		       : refuse(w, w->pending[w->n_pending - 1].owner, err);
}

static int
open_plainly(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);

	return fd < 0 ? -errno : fd;
}

static int
open_found(const struct walk *w, const char *path, int flags, mode_t mode)
{
	int fd;

	if (!w->shared)
		return open_plainly(path, flags, mode);
	if (w->ends_in_proc)
		return open_plainly(w->at, flags, mode);
	fd = open_without_links(w->at, flags, mode);
	return fd == -ENOSYS ? open_plainly(w->at, flags | O_NOFOLLOW, mode)
			     : fd;
}

static int
walk_and_open(const char *path, int flags, mode_t mode, struct err *err)
{
	struct walk w = {0};
	int rc = walk(&w, path, err);

	return rc < 0 ? rc : open_found(&w, path, flags, mode);
}

int
links_open(const char *path, int flags, mode_t mode, struct err *err)
{
	struct err why = {0};
	int rc;

	flags |= O_CLOEXEC;
	if (geteuid() != 0) {
		rc = open_plainly(path, flags, mode);
	} else {
		rc = open_without_links(path, flags, mode);
		if (rc == -ELOOP || rc == -ENOSYS)
			rc = walk_and_open(path, flags, mode, &why);
	}
	if (rc == -ELOOP && why.code == ELOOP)
		return err_setx(err, ELOOP, "%s", why.text);
	return rc == -ELOOP ? err_set(err, ELOOP, "%s", path) : rc;
}
