/*
 * inside.c - the files of a child inside the interpreter.  See inside.h.
 */
#include "pythons/inside.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pythons/elf.h"
#include "pythons/facts.h"

int
inside_library(const char *program, char to[PATH_MAX])
{
	static const char suffix[] = ".so";

	if (realpath(program, to) == NULL)
		return -errno;
	if (strlen(to) + sizeof(suffix) > PATH_MAX)
		return -ENAMETOOLONG;
	strcat(to, suffix);
	return 0;
}

/* The loader puts nothing into what has more rights than who starts it. */
static bool
gives_rights(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) != 0)
		return true;
	return geteuid() != 0 &&
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

static bool
is_as_built(const struct facts *f)
{
	char now[ELF_IDENTITY];

	return f->n_files > 0 &&
	       elf_identity(f->executable, now) == 0 &&
	       strcmp(now, f->files[0].identity) == 0;
}

/* Whoever can do without libpython has its functions for others. */
static bool
has_python_in_it(const char *path)
{
	struct elf e;
	bool has;

	if (elf_open(&e, path, NULL) < 0)
		return false;
	has = elf_defines(&e, "Py_InitializeFromConfig");
	elf_close(&e);
	return has;
}

const char *
inside_refusal(const struct facts *f)
{
	const char *path = f->executable;

	if (access(path, F_OK) < 0)
		return errno == EACCES ? "where this user may not look"
				       : "gone";
	if (access(path, X_OK) < 0)
		return "not executable";
	if (gives_rights(path))
		return "one with rights of its own (set-id or capabilities), "
		       "into which the loader puts nothing";
	if (!is_as_built(f) && !has_python_in_it(path))
		return "another one, which does not have all of Python in it";
	return NULL;
}
