/*
 * loader.c - why the dynamic loader refuses a program.  See loader.h.
 */
#include "pythons/loader.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/access.h"
#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "pythons/elf.h"
#include "pythons/facts.h"
#include "pythons/inside.h"

enum { CACHE_MAX = 16 * 1024 * 1024 };

/* --- where the loader looks ------------------------------------------------- */

static bool
is_in(const char *directory, size_t len, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(
		path, sizeof(path), "%.*s/%s", (int)len, directory, name);

	return n < (int)sizeof(path) && access(path, F_OK) == 0;
}

static bool
is_in_one_of(const char *directories, const char *name)
{
	while (directories != NULL && *directories != '\0') {
		size_t len = strcspn(directories, ":;");

		if (len > 0 && is_in(directories, len, name))
			return true;
		directories += len + (directories[len] != '\0');
	}
	return false;
}

/* The cache has the paths as texts, a NUL around each.  One that is there no
 * more is of no use to the loader. */
static bool
is_cached_in(struct str cache, const char *name)
{
	size_t size = strlen(name) + 1; /* with its NUL */
	const char *at;

	while ((at = memmem(cache.p, cache.len, name, size)) != NULL) {
		const char *path = at;

		while (path > cache.p && path[-1] != '\0')
			path--;
		if (path < at && at[-1] == '/' && access(path, F_OK) == 0)
			return true;
		cache.len -= (size_t)(at + size - cache.p);
		cache.p = at + size;
	}
	return false;
}

static bool
is_cached(const char *name)
{
	AUTO_CLOSE int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = NULL;
	size_t len;

	return fd >= 0 && fd_read_whole(fd, CACHE_MAX, &text, &len) == 0 &&
	       is_cached_in((struct str){text, len}, name);
}

static const char *
run_path_of(const struct elf *e)
{
	const char *path = elf_dynamic(e, DT_RUNPATH, 0);

	return path != NULL ? path : elf_dynamic(e, DT_RPATH, 0);
}

/* The first library that the loader does not find, or NULL. */
static const char *
missing_of(const struct elf *e)
{
	const char *name;

	for (size_t i = 0; (name = elf_dynamic(e, DT_NEEDED, i)) != NULL; i++)
		if (!is_in_one_of(getenv("LD_LIBRARY_PATH"), name) &&
			!is_in_one_of(run_path_of(e), name) &&
			!is_cached(name) &&
			!is_in_one_of("/lib:/usr/lib:/lib64:/usr/lib64", name))
			return name;
	return NULL;
}

/* --- what is said of it ----------------------------------------------------- */

/* Where it was looked for, in the loader's order. */
static void
put_places(const struct elf *e, struct buf *to)
{
	const char *more = getenv("LD_LIBRARY_PATH");
	const char *run_path = run_path_of(e);

	if (more != NULL && more[0] != '\0')
		buf_printf(to, "LD_LIBRARY_PATH (%s), ", more);
	if (run_path != NULL)
		buf_printf(to, "the run path of the program (%s), ", run_path);
	buf_add_text(to, "/etc/ld.so.cache, /lib and /usr/lib");
}

static void
put_ways_to(const char *library, int directory, struct buf *to)
{
	buf_printf(to,
		": tell the loader (\"echo %.*s >/etc/ld.so.conf.d/"
		"wsgid-python.conf && ldconfig\"), start wsgid with "
		"LD_LIBRARY_PATH=%.*s, or build with \"scons rpath=yes "
		"install\"",
		directory, library, directory, library);
}

/* Only what is below /usr/lib is of a package. */
static void
put_ways_back(const char *library, const char *name, struct buf *to)
{
	buf_add_text(to, ", where it is not any more: install ");
	if (strncmp(library, "/usr/lib", strlen("/usr/lib")) == 0)
		buf_printf(to, "it, which is Debian's package %.*s",
			(int)(strstr(name, ".so") - name), name);
	else
		buf_add_text(to, "this Python again");
	buf_add_text(to, ", or run \"scons install\" again");
}

/* Where the library was at the build it still is, or it has to come back; or
 * nobody knows. */
static void
put_remedies_of_python(const struct facts *f, const char *name, struct buf *to)
{
	const char *slash =
		f->library != NULL ? strrchr(f->library, '/') : NULL;
	struct err why = {0};

	if (slash == NULL || strstr(name, ".so") == NULL)
		return;
	if (access(f->library, F_OK) < 0 && errno == EACCES &&
		access_explain(f->library, &why) < 0) {
		buf_printf(to, "; the build's own is out of reach: %s", why.text);
		return;
	}
	buf_printf(to, "; the build found it at %s", f->library);
	if (access(f->library, F_OK) == 0)
		put_ways_to(f->library, (int)(slash - f->library), to);
	else
		put_ways_back(f->library, name, to);
}

static void
put_remedies(const struct facts *f, const char *name, struct buf *to)
{
	if (strncmp(name, "libpython", strlen("libpython")) == 0)
		put_remedies_of_python(f, name, to);
	else
		buf_add_text(to,
			"; it is none of Python's: install the package that "
			"has it, or run \"scons install\" again if another "
			"version of it has taken its place");
}

void
loader_explain(const char *program, char *to, size_t size)
{
	struct facts facts = {0};
	struct elf e = {0};
	struct buf text = {0};
	char library[PATH_MAX];
	const char *file = program, *name = NULL;

	if (facts_read(&facts, program, NULL) == 0 && facts_is_inside(&facts) &&
		inside_library(program, library) == 0)
		file = library;
	if (elf_open(&e, file, NULL) == 0)
		name = missing_of(&e);
	if (name == NULL && file == library) {
		buf_printf(&text,
			"the loader refuses to put %s into %s; is that Python "
			"%s still, as when wsgid was built, and without "
			"capabilities or a SELinux domain of its own?  Run "
			"\"scons install\" again, or write \"LibPython shared\"",
			library, facts.executable, facts.abi);
	} else if (name == NULL) {
		buf_printf(&text,
			"the loader refuses %s; \"ldd %s\" says what is "
			"missing",
			program, program);
	} else {
		buf_printf(&text,
			"the loader refuses %s: it needs %s, looked "
			"for in ",
			file, name);
		put_places(&e, &text);
		put_remedies(&facts, name, &text);
	}
	snprintf(to, size, "%s", buf_text(&text));
	buf_fini(&text);
	facts_fini(&facts);
	elf_close(&e);
}
