/*
 * home.c - what WSGIPythonHome names.  See home.h.
 */
#include "pythons/home.h"

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
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "pythons/facts.h"

enum { CFG_MAX = 64 * 1024 };

static bool
is_there(
	const char *format, const char *one, const char *two, const char *three)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), format, one, two, three);
	return access(path, F_OK) == 0;
}

bool
home_has_library(const char *path, const char *abi)
{
	return is_there("%s/%s/python%s/os.py", path, "lib", abi) ||
	       is_there("%s/%s/python%s/os.py", path, "lib64", abi) ||
	       is_there("%s/%s/python%s.zip", path, "lib", abi);
}

/* --- pyvenv.cfg ------------------------------------------------------------- */

/* The value of "key = value", whatever the case of the key, or an empty one. */
static struct str
value_of(struct str text, const char *key)
{
	while (text.len > 0) {
		const char *end = memchr(text.p, '\n', text.len);
		struct str line = {text.p,
			end != NULL ? (size_t)(end - text.p) : text.len};
		const char *equals = memchr(line.p, '=', line.len);
		size_t used = line.len + (end != NULL);

		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (equals != NULL) {
			struct str name = {line.p, (size_t)(equals - line.p)};

			if (str_equal_nocase(str_trim(name), str_of(key)))
				return str_trim((struct str){
					equals + 1, line.len - name.len - 1});
		}
		text.p += used;
		text.len -= used;
	}
	return (struct str){0};
}

/* "3.11" of "3.11.2" or "3.11.2.final.0"; false for anything else. */
static bool
take_abi(struct str version, char to[HOME_ABI])
{
	size_t len = 0, dots = 0;

	for (; len < version.len; len++) {
		char c = version.p[len];

		if (c == '.' && dots++ == 1)
			break;
		if (c != '.' && (c < '0' || c > '9'))
			break;
	}
	if (dots == 0 || len < 3 || len + 2 > HOME_ABI)
		return false;
	memcpy(to, version.p, len);
	to[len] = '\0';
	return true;
}

static int
take_cfg(struct home *h, const char *path, struct str text, struct err *err)
{
	struct str base = value_of(text, "home");
	struct str version = value_of(text, "version_info");
	char with_t[HOME_ABI + 1];

	if (version.len == 0)
		version = value_of(text, "version");
	if (base.len == 0 || base.len >= sizeof(h->base))
		return err_setx(err, EINVAL,
			"%s: its pyvenv.cfg has no \"home = ...\": make the "
			"environment anew",
			path);
	memcpy(h->base, base.p, base.len);
	h->base[base.len] = '\0';
	if (h->base[0] != '/')
		return err_setx(err, EINVAL,
			"%s: its pyvenv.cfg says \"home = %s\", and from where "
			"that is meant nobody knows: make the environment anew",
			path, h->base);
	/* Python itself can do without. */
	if (version.len > 0 && !take_abi(version, h->abi))
		return err_setx(err, EINVAL,
			"%s: its pyvenv.cfg does not say of which version it "
			"is: make the environment anew",
			path);
	snprintf(with_t, sizeof(with_t), "%st", h->abi);
	if (h->abi[0] != '\0' &&
		is_there("%s/%s/python%s", path, "lib", with_t))
		strcat(h->abi, "t");
	return 0;
}

/* 1: it is one; 0: it is none. */
static int
read_cfg(struct home *h, const char *path, struct err *err)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = -1;
	char file[PATH_MAX + 16];
	struct stat st;
	size_t len;
	int rc;

	snprintf(file, sizeof(file), "%s/pyvenv.cfg", path);
	/* It may be anybody's: a pipe would have us wait for who writes to it. */
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s", file);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_setx(err, EINVAL, "%s is not a regular file", file);
	rc = fd_read_whole(fd, CFG_MAX, &text, &len);
	if (rc == -EFBIG)
		return err_setx(err, EFBIG,
			"%s is larger than %d bytes: it is none that an "
			"environment has; make the environment anew",
			file, CFG_MAX);
	if (rc < 0)
		return err_set(err, -rc, "%s", file);
	rc = take_cfg(h, path, (struct str){text, len}, err);
	return rc < 0 ? rc : 1;
}

/* --- what there is ---------------------------------------------------------- */

static int
check_directory(const char *path, struct err *err)
{
	struct stat st;
	const char *slash;

	if (stat(path, &st) < 0)
		return errno == EACCES ? access_explain(path, err)
				       : err_set(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return 0;
	slash = strstr(path, "/bin/");
	if (slash == path && (st.st_mode & 0111) != 0)
		return err_setx(err, ENOTDIR,
			"%s is no directory but a program; write \"Python "
			"%s\"",
			path, path);
	if (slash != NULL && slash != path && (st.st_mode & 0111) != 0)
		return err_setx(err, ENOTDIR,
			"%s is no directory but a program; write "
			"\"WSGIPythonHome %.*s\"",
			path, (int)(slash - path), path);
	return err_setx(err, ENOTDIR, "%s is no directory", path);
}

int
home_read(struct home *ret, const char *path, struct err *err)
{
	struct home h = {0};
	int rc = check_directory(path, err);

	if (rc == 0)
		rc = read_cfg(&h, path, err);
	if (rc < 0)
		return rc;
	h.is_venv = rc == 1;
	*ret = h;
	return 0;
}

bool
home_is_prefix_of(const char *path, const struct facts *f)
{
	return file_is_same(path, f->base_prefix);
}

bool
home_is_made_of(const struct home *h, const struct facts *f)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/..", h->base);
	if (file_is_same(path, f->base_prefix))
		return true;
	snprintf(path, sizeof(path), "%s/python%s", h->base, f->abi);
	return file_is_same(path, f->executable);
}

/* --- interpreters ----------------------------------------------------------- */

bool
home_of_interpreter(const char *python, char to[PATH_MAX])
{
	const char *bin = strrchr(python, '/');
	const char *end = bin != NULL
				  ? memrchr(python, '/', (size_t)(bin - python))
				  : NULL;
	int n;

	if (end == NULL || end == python ||
		strncmp(bin + 1, "python", strlen("python")) != 0)
		return false;
	n = snprintf(to, PATH_MAX, "%.*s", (int)(end - python), python);
	return n < PATH_MAX && is_there("%s/%s%s", to, "pyvenv.cfg", "");
}

int
home_interpreter(
	const char *path, bool is_venv, const char *abi, char to[PATH_MAX])
{
	const char *const versions[] = {abi, "3", ""};
	int why = ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		/* An environment has one Python, an installation several. */
		const char *version =
			versions[is_venv ? ARRAY_LEN(versions) - 1 - i : i];
		int n = snprintf(
			to, PATH_MAX, "%s/bin/python%s", path, version);

		if (n < PATH_MAX && access(to, X_OK) == 0)
			return 0;
		if (errno != ENOENT)
			why = errno;
	}
	return -why;
}
