/*
 * enter.c - the way into a Python.  See enter.h.
 *
 * Python itself would only say that it does not start, or take another prefix
 * than it was told, and complain of encodings.
 */
#include "pythons/enter.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/access.h"
#include "base/err.h"
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
	rc = home_interpreter(home, facts->abi, e->executable);
	if (rc == 0)
		rc = access_explain(e->executable, &why);
	if (!h.is_venv) {
		e->prefix = home;
		if (rc < 0) /* an installation need not have one */
			snprintf(e->executable, sizeof(e->executable), "%s",
				facts->executable);
		return 0;
	}
	if (rc < 0)
		return err_setx(err, -rc,
			"%s: there is no bin/python that this user can "
			"run%s%s; make the environment anew",
			home, why.text[0] != '\0' ? ": " : "", why.text);
	return 0;
}

int
enter_python(struct entrance *ret, const char *python, const char *home,
	const struct facts *facts, struct err *err)
{
	char its[PATH_MAX];
	int rc;

	*ret = (struct entrance){0};
	rc = check_stdlib(facts, err);
	if (rc < 0)
		return rc;
	if (home != NULL) {
		ret->about = "WSGIPythonHome";
		return enter_home(ret, home, facts, err);
	}
	/* A version stands for the interpreter of the build. */
	if (python == NULL || python[0] != '/') {
		snprintf(ret->executable, sizeof(ret->executable), "%s",
			facts->executable);
		return 0;
	}
	/* Whose home cannot be seen would be one without. */
	ret->about = "Python";
	rc = access_explain(python, err);
	if (rc == 0 && home_of_interpreter(python, its))
		return enter_home(ret, its, facts, err);
	snprintf(ret->executable, sizeof(ret->executable), "%s", python);
	return rc;
}
