/*
 * enter.c - the way into a Python.  See enter.h.
 *
 * Python itself would only say that it does not start, or take another prefix
 * than it was told, and complain of encodings.
 */
#include "pythons/enter.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/access.h"
#include "base/err.h"
#include "base/file.h"
#include "pythons/facts.h"
#include "pythons/home.h"

static int
check_stdlib(const struct facts *facts, struct err *err)
{
	struct err why = {0};
	int rc = access_explain(facts->stdlib, &why);

	if (rc == -ENOENT)
		return err_setx(err, ENOENT,
			"the standard library of Python %s (%s), %s, is not "
			"there any more: install this Python again, or run "
			"\"scons install\" for the one that is there now",
			facts->abi, facts->executable, facts->stdlib);
	if (rc < 0)
		return err_setx(err, -rc,
			"the standard library of Python %s (%s): %s",
			facts->abi, facts->executable, why.text);
	return 0;
}

/* Where nothing may be executed nothing is seen to be executable, and modules in
 * C would not load either. */
static bool
is_on_noexec(const char *home)
{
	char python[PATH_MAX];
	struct statvfs fs;

	snprintf(python, sizeof(python), "%s/bin/python", home);
	return statvfs(python, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0;
}

static int
refuse_home(const char *home, int rc, const char *why, struct err *err)
{
	if (is_on_noexec(home))
		return err_setx(err, -rc,
			"%s: its bin/python is on a file system that is "
			"mounted noexec, where neither that nor a module in C "
			"can be used: mount it without, or have the "
			"environment elsewhere",
			home);
	return err_setx(err, -rc,
		"%s: there is no bin/python that this user can run%s%s; make "
		"the environment anew",
		home, why[0] != '\0' ? ": " : "", why);
}

static int
enter_home(struct entrance *e, const char *home, const struct facts *facts,
	struct err *err)
{
	struct err why = {0};
	struct home h;
	int rc = 0;

	/* To be listed it need not be. */
	if (access(home, X_OK) < 0)
		rc = access_explain(home, err);
	if (rc == 0)
		rc = home_read(&h, home, err);
	if (rc < 0)
		return rc;
	rc = home_interpreter(home, h.is_venv, facts->abi, e->executable);
	if (rc == 0)
		rc = access_explain(e->executable, &why);
	if (!h.is_venv) {
		e->prefix = home;
		if (rc < 0) /* an installation need not have one */
			snprintf(e->executable, sizeof(e->executable), "%s",
				facts->executable);
		return 0;
	}
	return rc < 0 ? refuse_home(home, rc, why.text, err) : 0;
}

/* Without "//", "/./" and "/../", by its letters alone, as an interpreter writes
 * its own name; as it is where that would lead to another file, through a
 * link. */
static void
tidy(char path[PATH_MAX])
{
	char made[PATH_MAX] = "", *end = made;
	const char *from = path;

	if (path[0] != '/' || strlen(path) >= sizeof(made))
		return;
	while (*(from += strspn(from, "/")) != '\0') {
		size_t len = strcspn(from, "/");

		if (len == 2 && memcmp(from, "..", 2) == 0) {
			while (end > made && *--end != '/')
				continue;
		} else if (len != 1 || *from != '.') {
			*end++ = '/';
			memcpy(end, from, len);
			end += len;
		}
		*end = '\0';
		from += len;
	}
	if (file_is_same(path, made))
		strcpy(path, made);
}

/* It reports the name that it was started by, python3 too. */
static int
enter_interpreter(struct entrance *e, const char *python,
	const struct facts *facts, struct err *err)
{
	char home[PATH_MAX];
	int rc = access_explain(python, err);

	/* Whose home cannot be seen would be one without. */
	if (rc == 0 && home_of_interpreter(python, home))
		rc = enter_home(e, home, facts, err);
	snprintf(e->executable, sizeof(e->executable), "%s", python);
	tidy(e->executable);
	return rc;
}

int
enter_python(struct entrance *ret, const char *python, const char *home,
	const struct facts *facts, struct err *err)
{
	int rc;

	*ret = (struct entrance){0};
	rc = check_stdlib(facts, err);
	if (rc < 0)
		return rc;
	if (home != NULL) {
		ret->about = "WSGIPythonHome";
		rc = enter_home(ret, home, facts, err);
		tidy(ret->executable);
		return rc;
	}
	/* A version stands for the interpreter of the build. */
	if (python == NULL || python[0] != '/') {
		snprintf(ret->executable, sizeof(ret->executable), "%s",
			facts->executable);
		return 0;
	}
	ret->about = "Python";
	return enter_interpreter(ret, python, facts, err);
}
