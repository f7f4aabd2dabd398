/*
 * refuse.c - why no program fits what was asked for, and what to do.
 *
 * Who reads it does what it says: so it looks at what there is first.  It runs
 * nothing, and what cannot be seen without that it does not tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/access.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/file.h"
#include "pythons/choose_priv.h"
#include "pythons/home.h"
#include "pythons/versions.h"

static bool
can_run(const char *path)
{
	return access(path, X_OK) == 0;
}

/* --- what wsgid was built for ------------------------------------------------ */

/* Has another program of the same Python come before? */
static bool
is_twin(const struct search *s, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(s->programs[j].facts.executable,
			    s->programs[i].facts.executable) == 0)
			return true;
	return false;
}

/* "3.11 (/usr/bin/python3.11) and 3.13 (...)": of each Python once. */
static const char *
put_built(const struct search *s, struct buf *to)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct facts *f = &s->programs[i].facts;

		if (!is_twin(s, i))
			buf_printf(to, "%sPython %s (%s)",
				to->len > 0 ? " and " : "", f->abi,
				f->executable);
	}
	return buf_text(to);
}

/* How to have one more, by its interpreter.  One of the same version takes the
 * place of the one there is, and the first stays first: it serves who asks for
 * none.  Those that are gone no build can take. */
static const char *
put_line(const struct search *s, const char *more, const char *abi,
	struct buf *to)
{
	const char *comma = "";
	bool put = false;

	buf_add_text(to, "scons python=");
	for (size_t i = 0; i < s->n; i++) {
		const struct facts *f = &s->programs[i].facts;
		bool is_same = strcmp(f->abi, abi) == 0;

		if (is_twin(s, i) || (!is_same && !can_run(f->executable)))
			continue;
		buf_printf(to, "%s%s", comma, is_same ? more : f->executable);
		comma = ",";
		put |= is_same;
	}
	if (!put)
		buf_printf(to, "%s%s", comma, more);
	buf_add_text(to, " install");
	return buf_text(to);
}

static bool
can_be_built(const char *interpreter, const char *abi)
{
	return version_is_supported(abi) && can_run(interpreter);
}

/* "; for this one run ...", where that can be done. */
static const char *
put_remedy(const struct search *s, const char *interpreter, const char *abi,
	struct buf *to)
{
	if (!version_is_supported(abi)) {
		buf_add_text(
			to, "; wsgid needs " VERSIONS_OLDEST " or newer");
	} else if (can_run(interpreter)) {
		buf_add_text(to, "; for this one run \"");
		(void)put_line(s, interpreter, abi, to);
		buf_add_text(to, "\"");
	}
	return buf_text(to);
}

/* --- Python ----------------------------------------------------------------- */

/* "3" can be any of them: which one would change with what is installed. */
static bool
is_whole(const char *version)
{
	return strchr(version, '.') != NULL;
}

int
refuse_version(const struct search *s, const char *text, struct err *err)
{
	struct buf built = {0};
	int rc;

	(void)put_built(s, &built);
	if (!version_is_supported(text))
		rc = err_setx(err, EINVAL,
			"%s: wsgid was built for %s; wsgid "
			"needs " VERSIONS_OLDEST " or newer",
			text, buf_text(&built));
	else if (!is_whole(text) && s->n > 0)
		rc = err_setx(err, EINVAL,
			"%s is not the whole of a version: write %s, say, or "
			"the path of an interpreter; wsgid was built for %s",
			text, s->programs[0].facts.abi, buf_text(&built));
	else
		rc = err_setx(err, EINVAL,
			"%s: wsgid was built for %s; for another one run "
			"\"scons python=PATH install\"",
			text, buf_text(&built));
	buf_fini(&built);
	return rc;
}

/* Whatever a build would be told to take. */
static bool
is_called_python(const char *path)
{
	char real[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (strstr(slash != NULL ? slash : path, "python") != NULL)
		return true;
	return realpath(path, real) != NULL &&
	       strstr(strrchr(real, '/'), "python") != NULL;
}

/* As the shims of pyenv and asdf are, and wrappers that set something first. */
static bool
is_script(const char *path)
{
	AUTO_CLOSE int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char start[2];

	return fd >= 0 && read(fd, start, 2) == 2 && memcmp(start, "#!", 2) == 0;
}

/* 0, or what it is instead of a program. */
static int
check_file(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return err_setx(err, EISDIR,
			"%s is a directory, and Python names an interpreter, "
			"as in %s/bin/python3; a directory is for "
			"WSGIPythonHome",
			path, path);
	if (!S_ISREG(st.st_mode))
		return err_setx(err, EINVAL,
			"%s is a pipe, a socket or a device, and Python names "
			"an interpreter",
			path);
	return 0;
}

int
refuse_program(const char *path, int code, struct err *err)
{
	int rc = access_explain(path, err);

	if (rc == 0)
		rc = check_file(path, err);
	return rc == 0 || rc == -ENOENT ? err_set(err, code, "%s", path) : rc;
}

int
refuse_interpreter(const struct search *s, const char *path, struct err *err)
{
	struct buf built = {0}, remedy = {0};
	char abi[PATH_MAX];
	int rc = check_file(path, err);

	if (rc < 0)
		return rc;
	version_of_interpreter(path, abi);
	(void)put_built(s, &built);
	if (!is_called_python(path))
		rc = err_setx(err, EINVAL,
			"%s: it is not called python, as an interpreter is; "
			"wsgid was built for %s",
			path, buf_text(&built));
	else if (is_script(path))
		rc = err_setx(err, EINVAL,
			"%s is a script that starts an interpreter, as a shim "
			"of pyenv does; give the path of that one, which \"%s "
			"-c 'import sys; print(sys.executable)'\" says",
			path, path);
	else if (!version_is_supported(abi))
		rc = err_setx(err, EINVAL,
			"%s is Python %s, and wsgid needs " VERSIONS_OLDEST
			" or newer; it was built for %s",
			path, abi, buf_text(&built));
	else
		rc = err_setx(err, EINVAL, "%s: wsgid was built for %s%s", path,
			buf_text(&built), put_remedy(s, path, abi, &remedy));
	buf_fini(&built);
	buf_fini(&remedy);
	return rc;
}

int
refuse_contradiction(const struct search *s, const char *path,
	const struct program *p, struct err *err)
{
	return err_setx(err, EINVAL,
		"%s is of Python %s, and Python says %s: leave one of the two "
		"out",
		path, p->facts.abi, s->wanted->python);
}

/* --- environments ------------------------------------------------------------ */

/* What makes an environment that can be served: the Python that is in the place
 * of the old one, if wsgid was built for it, else another one.  NULL: all are
 * gone. */
static const char *
maker_of_venv(const struct search *s, const char *base)
{
	const char *maker = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct facts *f = &s->programs[i].facts;
		char there[PATH_MAX + 32];

		snprintf(there, sizeof(there), "%s/python%s", base, f->abi);
		if (can_run(there) && file_is_same(there, f->executable))
			return f->executable;
		if (maker == NULL && can_run(f->executable))
			maker = f->executable;
	}
	return maker;
}

/* "--upgrade" would leave the environment's links as they are, to nowhere. */
static const char *
put_anew(const struct search *s, const char *path, const char *base,
	struct buf *to)
{
	const char *maker = maker_of_venv(s, base);

	buf_add_text(to, "make the environment anew with \"");
	buf_printf(to, "%s -m venv --clear %s\", and install its packages again",
		maker != NULL ? maker : "python3", path);
	return buf_text(to);
}

/* Where no interpreter has a version in its name nobody can tell. */
static bool
is_gone(const char *python, const char *base, const struct versions *there)
{
	char unnamed[PATH_MAX + 16];

	snprintf(unnamed, sizeof(unnamed), "%s/python3", base);
	return !can_run(python) && (there->n > 0 || !can_run(unnamed));
}

/* The Python that it was made of: no build takes it any more. */
static int
refuse_gone(const struct search *s, const char *path, const struct home *h,
	const struct versions *there, struct err *err)
{
	struct buf text = {0};
	int rc;

	buf_printf(&text, "%s was made of the Python%s%s in %s, which ", path,
		h->abi[0] != '\0' ? " " : "", h->abi, h->base);
	if (there->n > 0)
		buf_printf(&text,
			"has been upgraded since (there is Python %s now): ",
			there->list[there->n - 1]);
	else
		buf_add_text(&text, "is not there any more: ");
	rc = err_setx(
		err, ENOENT, "%s", put_anew(s, path, h->base, &text));
	buf_fini(&text);
	return rc;
}

/* The same version is there, but it is another installation: its modules may
 * be built differently, and its site-packages are others. */
static int
refuse_other_prefix(const struct search *s, const char *path, const char *base,
	const char *python, const struct program *p, struct err *err)
{
	struct buf remedy = {0};
	int rc;

	if (can_run(python)) {
		buf_add_text(&remedy, "run \"");
		(void)put_line(s, python, p->facts.abi, &remedy);
		buf_add_text(&remedy, "\", or ");
	}
	rc = err_setx(err, EINVAL,
		"%s is of the Python %s in %s, and wsgid was built for the one "
		"in %s (%s); %smake the environment with \"%s -m venv\"",
		path, p->facts.abi, base, p->facts.base_prefix,
		p->facts.executable, buf_text(&remedy), p->facts.executable);
	buf_fini(&remedy);
	return rc;
}

static int
refuse_other_version(const struct search *s, const char *path,
	const struct home *h, const char *python, struct err *err)
{
	struct buf built = {0}, remedy = {0}, anew = {0};
	int rc;

	rc = err_setx(err, EINVAL,
		"%s is an environment of Python %s (%s), and wsgid was built "
		"for %s%s%s%s",
		path, h->abi, h->base, put_built(s, &built),
		put_remedy(s, python, h->abi, &remedy),
		can_be_built(python, h->abi) ? ", or " : ": ",
		put_anew(s, path, h->base, &anew));
	buf_fini(&built);
	buf_fini(&remedy);
	buf_fini(&anew);
	return rc;
}

int
refuse_venv(const struct search *s, const char *path, const struct home *h,
	const struct program *near, struct err *err)
{
	char python[PATH_MAX + 32];
	struct versions there;
	struct err why = {0};

	snprintf(python, sizeof(python), "%s/python%s", h->base,
		near != NULL ? near->facts.abi : h->abi);
	if (access(python, F_OK) < 0 && errno == EACCES &&
		access_explain(python, &why) < 0)
		return err_setx(err, EACCES,
			"%s was made of the Python in %s, which cannot be "
			"looked at: %s",
			path, h->base, why.text);
	versions_find(&there, h->base, "");
	if (is_gone(python, h->base, &there))
		return refuse_gone(s, path, h, &there, err);
	return near != NULL
		       ? refuse_other_prefix(s, path, h->base, python, near, err)
		       : refuse_other_version(s, path, h, python, err);
}

/* --- installations ----------------------------------------------------------- */

/* "2.7 and 3.8": of which lib/pythonX.Y is there. */
static void
find_libraries(struct versions *ret, const char *path)
{
	char lib[PATH_MAX + 8];

	snprintf(lib, sizeof(lib), "%s/lib", path);
	versions_find(ret, lib, "/os.py");
	if (ret->n > 0)
		return;
	snprintf(lib, sizeof(lib), "%s/lib64", path);
	versions_find(ret, lib, "/os.py");
}

static int
refuse_other_installation(const struct search *s, const char *path,
	const struct versions *its, struct err *err)
{
	struct buf versions = {0}, built = {0}, remedy = {0};
	const char *newest = its->list[its->n - 1];
	char python[PATH_MAX + 32];
	int rc;

	for (size_t i = 0; i < its->n; i++)
		buf_printf(&versions, "%s%s", i > 0 ? " and " : "",
			its->list[i]);
	snprintf(python, sizeof(python), "%s/bin/python%s", path, newest);
	rc = err_setx(err, EINVAL,
		"%s is an installation of Python %s, and wsgid was built for "
		"%s%s",
		path, buf_text(&versions), put_built(s, &built),
		put_remedy(s, python, newest, &remedy));
	buf_fini(&versions);
	buf_fini(&built);
	buf_fini(&remedy);
	return rc;
}

static int
refuse_plain_directory(const struct search *s, const char *path, struct err *err)
{
	struct buf built = {0};
	int rc = err_setx(err, EINVAL,
		"%s has neither a pyvenv.cfg, as a virtual environment has, "
		"nor lib/python%s, as an installation has; wsgid was built "
		"for %s",
		path, s->programs[0].facts.abi, put_built(s, &built));

	buf_fini(&built);
	return rc;
}

int
refuse_prefix(const struct search *s, const char *path,
	const struct program *near, struct err *err)
{
	char bin[PATH_MAX + 8], python[PATH_MAX + 32];
	struct versions its;

	find_libraries(&its, path);
	if (near == NULL)
		return its.n > 0
			       ? refuse_other_installation(s, path, &its, err)
			       : refuse_plain_directory(s, path, err);
	snprintf(
		bin, sizeof(bin), "%s/bin", strcmp(path, "/") != 0 ? path : "");
	snprintf(python, sizeof(python), "%s/python%s", bin, near->facts.abi);
	return refuse_other_prefix(s, path, bin, python, near, err);
}
