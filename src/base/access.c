/*
 * access.c - why a file cannot be read or written.
 *
 * The path is walked as the kernel walks it, symbolic links included, and
 * the kernel is asked about each step: only it knows about access lists and
 * security modules.  The mode is looked at afterwards, to say what would
 * help; where the mode would allow it, it is something else that does not.
 */
#include "base/access.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/account.h"
#include "base/defs.h"
#include "base/err.h"

enum { LINKS = 40 }; /* the kernel's limit */

struct walk {
	const char *path;    /* as given, for the sentence */
	bool to_write;       /* or to read */
	char done[PATH_MAX]; /* where we are: no links in it, no / behind it
	                      * unless it is all */
	char rest[PATH_MAX]; /* still to go; behind a name: empty or /... */
	int links;
};

static bool
is_in_group(gid_t gid)
{
	AUTO_FREE gid_t *groups = NULL;
	int n = getgroups(0, NULL);

	if (gid == getegid())
		return true;
	if (n <= 0)
		return false;
	groups = calloc((size_t)n, sizeof(*groups));
	if (groups == NULL)
		return false;
	n = getgroups(n, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* Which class of the mode speaks about us, and by which shift. */
static char
our_class(const struct stat *st, int *shift)
{
	if (st->st_uid == geteuid()) {
		*shift = 6;
		return 'u';
	}
	if (is_in_group(st->st_gid)) {
		*shift = 3;
		return 'g';
	}
	*shift = 0;
	return 'o';
}

static const char *
participle(const struct walk *w)
{
	return w->to_write ? "written" : "read";
}

/* A file that everybody may write is no remedy. */
static void
say_remedy(const struct walk *w, int missing, char class, char *to, size_t size)
{
	if ((missing & W_OK) != 0)
		snprintf(to, size,
			"give it to that user (chown), write elsewhere");
	else
		snprintf(to, size, "chmod %c+%s%s %s", class,
			missing & R_OK ? "r" : "", missing & X_OK ? "x" : "",
			w->done);
}

/* what is R_OK, W_OK and X_OK, which are the mode's own bits. */
static int
refused(const struct walk *w, int what, struct err *err)
{
	char user[ACCOUNT_NAME], owner[ACCOUNT_NAME], group[ACCOUNT_NAME];
	char remedy[PATH_MAX + 16];
	struct stat st;
	int shift, missing;
	char class;

	account_user_name(geteuid(), user);
	if (stat(w->done, &st) < 0)
		return err_set(err, errno, "%s cannot be %s by user %s: %s",
			w->path, participle(w), user, w->done);
	account_user_name(st.st_uid, owner);
	account_group_name(st.st_gid, group);
	class = our_class(&st, &shift);
	missing = what & ~(int)(st.st_mode >> shift);
	if (missing == 0)
		return err_setx(err, EACCES,
			"%s cannot be %s by user %s: %s is closed although "
			"its mode %04o (owner %s, group %s) allows it: look "
			"for an access list (getfacl), a security module or "
			"a mount that is not everybody's",
			w->path, participle(w), user, w->done,
			st.st_mode & 07777, owner, group);
	say_remedy(w, missing, class, remedy, sizeof(remedy));
	return err_setx(err, EACCES,
		"%s cannot be %s by user %s: %s has mode %04o (owner %s, "
		"group %s): %s, or choose another User",
		w->path, participle(w), user, w->done, st.st_mode & 07777,
		owner, group, remedy);
}

static bool
may(const char *path, int what)
{
	return faccessat(AT_FDCWD, path, what, AT_EACCESS) == 0;
}

/* Cut the next name off what is still to go; false at the end. */
static bool
next_name(struct walk *w, char name[NAME_MAX + 1], int *rc)
{
	const char *p = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(p, "/");

	*rc = 0;
	if (len == 0)
		return false;
	if (len > NAME_MAX) {
		*rc = -ENAMETOOLONG;
		return false;
	}
	memcpy(name, p, len);
	name[len] = '\0';
	memmove(w->rest, p + len, strlen(p + len) + 1);
	return true;
}

static void
go_up(char *done)
{
	char *slash = strrchr(done, '/');

	slash[slash == done ? 1 : 0] = '\0';
}

static int
missing_here(const struct walk *w, const char *here, struct err *err)
{
	if (w->links > 0)
		return err_setx(err, ENOENT,
			"%s does not exist: a symbolic link leads to %s, "
			"which is not there",
			w->path, here);
	if (strcmp(w->path, here) == 0)
		return err_setx(err, ENOENT, "%s does not exist", here);
	return err_setx(err, ENOENT, "%s does not exist: there is no %s",
		w->path, here);
}

/* here is a symbolic link: what it leads to is what is still to go. */
static int
follow(struct walk *w, const char *here, struct err *err)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t len;
	int n;

	if (++w->links > LINKS)
		return err_setx(err, ELOOP,
			"%s cannot be read: the symbolic link %s leads to "
			"itself",
			w->path, here);
	len = readlink(here, target, sizeof(target) - 1);
	if (len < 0)
		return err_set(
			err, errno, "%s cannot be read: %s", w->path, here);
	target[len] = '\0';
	n = snprintf(rest, sizeof(rest), "%s%s", target, w->rest);
	if (n < 0 || (size_t)n >= sizeof(rest))
		return err_set(err, ENAMETOOLONG, "%.300s", w->path);
	memcpy(w->rest, rest, (size_t)n + 1);
	if (*target == '/')
		strcpy(w->done, "/");
	return 0;
}

/* The last name is written into the directory that it will be in. */
static bool
is_to_be_made(const struct walk *w, int code)
{
	return code == ENOENT && w->to_write &&
	       w->rest[strspn(w->rest, "/")] == '\0';
}

/* One step from w->done, a directory, to name in it. */
static int
step(struct walk *w, const char *name, struct err *err)
{
	char here[PATH_MAX];
	struct stat st;
	int n, code;

	if (!may(w->done, X_OK))
		return refused(w, X_OK, err);
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		go_up(w->done);
		return 0;
	}
	n = snprintf(here, sizeof(here), "%s%s%s", w->done,
		w->done[1] != '\0' ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(here))
		return err_set(err, ENAMETOOLONG, "%.300s", w->path);
	code = lstat(here, &st) < 0 ? errno : 0;
	if (is_to_be_made(w, code))
		return 0;
	if (code == ENOENT)
		return missing_here(w, here, err);
	if (code != 0)
		return err_set(
			err, code, "%s cannot be read: %s", w->path, here);
	if (S_ISLNK(st.st_mode))
		return follow(w, here, err);
	if (!S_ISDIR(st.st_mode) && *w->rest != '\0')
		return err_setx(err, ENOTDIR,
			"%s does not exist: %s is not a directory", w->path,
			here);
	memcpy(w->done, here, (size_t)n + 1);
	return 0;
}

/* The walk begins at the root for a relative path too: the process stands
 * where it stands, but others come there by the whole path. */
static int
start(struct walk *w, const char *path, struct err *err)
{
	char here[PATH_MAX] = "";
	int n;

	/* "(unreachable)..." is what Linux says outside of our root. */
	if (*path != '/' &&
		(getcwd(here, sizeof(here)) == NULL || *here != '/'))
		return err_setx(err, ENOENT,
			"%s cannot be found: the current directory has been "
			"removed or is out of reach: write a path that begins "
			"with /",
			path);
	n = snprintf(w->rest, sizeof(w->rest), "%s/%s", here, path);
	if (n < 0 || (size_t)n >= sizeof(w->rest))
		return err_set(err, ENAMETOOLONG, "%.300s", path);
	strcpy(w->done, "/");
	return 0;
}

/* Walk to the end of the path. */
static int
walk(struct walk *w, struct err *err)
{
	char name[NAME_MAX + 1];
	int rc;

	while (next_name(w, name, &rc)) {
		rc = step(w, name, err);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? err_set(err, -rc, "%.300s", w->path) : 0;
}

/* A directory is looked into as well. */
static int
needed_for(const char *path, bool to_write)
{
	struct stat st;
	int what = to_write ? W_OK : R_OK;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? what | X_OK : what;
}

static int
explain(const char *path, bool to_write, struct err *err)
{
	AUTO_FREE struct walk *w = NULL;
	int rc, what;

	if (*path == '\0')
		return err_setx(err, ENOENT, "the path is empty");
	if (may(path, needed_for(path, to_write)))
		return 0;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_set(err, ENOMEM, "%s", path);
	w->path = path;
	w->to_write = to_write;
	rc = start(w, path, err);
	if (rc == 0)
		rc = walk(w, err);
	if (rc < 0)
		return rc;
	what = needed_for(w->done, to_write);
	/* Or somebody mended it meanwhile. */
	return may(w->done, what) ? 0 : refused(w, what, err);
}

int
access_explain(const char *path, struct err *err)
{
	return explain(path, false, err);
}

int
access_explain_writing(const char *path, struct err *err)
{
	return explain(path, true, err);
}

/* "package.module:callable" to "package/module", below the directory. */
static bool
module_path(char *to, size_t size, const char *directory, const char *name,
	const char *suffix)
{
	int len = (int)strcspn(name, ":"), before;
	int n = snprintf(
		to, size, "%s/%n%.*s%s", directory, &before, len, name, suffix);

	if (n < 0 || (size_t)n >= size)
		return false;
	for (char *p = to + before; p < to + before + len; p++)
		if (*p == '.')
			*p = '/';
	return true;
}

int
access_explain_module(const char *name, struct err *err)
{
	static const char *const suffixes[] = {".py", "/__init__.py"};
	char directory[PATH_MAX], path[PATH_MAX];

	if (getcwd(directory, sizeof(directory)) == NULL)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		if (!module_path(
			    path, sizeof(path), directory, name, suffixes[i]))
			continue;
		if (!may(path, R_OK) && errno == EACCES)
			return access_explain(path, err);
		/* Python has to list what it imports from. */
		if (may(path, R_OK) && !may(directory, R_OK | X_OK))
			return access_explain(directory, err);
	}
	return 0;
}
