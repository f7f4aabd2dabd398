/*
 * loader.c - why the dynamic loader refuses a program.  See loader.h.
 */
#include "pythons/loader.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
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

/* The directories that it was built with, which differ from system to system,
 * with a ':' between; it has those of LD_LIBRARY_PATH in front.  It is asked for
 * ours: who cannot be loaded has the same one. */
static void
list_own_places(struct buf *to)
{
	void *ourselves = dlopen(NULL, RTLD_LAZY);
	AUTO_FREE Dl_serinfo *list = NULL;
	Dl_serinfo size;

	if (ourselves == NULL ||
		dlinfo(ourselves, RTLD_DI_SERINFOSIZE, &size) < 0)
		return;
	list = malloc(size.dls_size);
	if (list != NULL &&
		dlinfo(ourselves, RTLD_DI_SERINFOSIZE, list) == 0 &&
		dlinfo(ourselves, RTLD_DI_SERINFO, list) == 0)
		for (unsigned i = 0; i < list->dls_cnt; i++)
			buf_printf(to, "%s%s", i > 0 ? ":" : "",
				list->dls_serpath[i].dls_name);
	(void)dlclose(ourselves);
}

static bool
is_in(const char *directory, size_t len, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(
		path, sizeof(path), "%.*s/%s", (int)len, directory, name);

	return n < (int)sizeof(path) && access(path, F_OK) == 0;
}

/* Also true where the loader alone knows what is meant, by a "$LIB" say: what is
 * called missing has to be it. */
static bool
is_in_one_of(const char *directories, const char *name)
{
	while (directories != NULL && *directories != '\0') {
		size_t len = strcspn(directories, ":;");

		if (len > 0 && (is_in(directories, len, name) ||
				       memchr(directories, '$', len) != NULL))
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

/* The loader itself is there, wherever it is. */
static bool
is_loader(const char *name)
{
	return strncmp(name, "ld-linux", 8) == 0 ||
	       strncmp(name, "ld64.so", 7) == 0 ||
	       strncmp(name, "ld.so", 5) == 0;
}

/* The first library that the loader does not find in the places that own has,
 * or in others; or NULL. */
static const char *
missing_of(const struct elf *e, const char *own)
{
	const char *name;

	for (size_t i = 0; (name = elf_dynamic(e, DT_NEEDED, i)) != NULL; i++)
		if (!is_in_one_of(run_path_of(e), name) && !is_cached(name) &&
			!is_in_one_of(own, name) && !is_loader(name))
			return name;
	return NULL;
}

struct refused {
	struct facts facts;
	struct elf elf;
	const char *file; /* that elf is of */
	char library[PATH_MAX];
	const char *name; /* of what it needs and is not there, or NULL */
	struct buf own;   /* places */
};

static void
look_at(struct refused *r, const char *file)
{
	elf_close(&r->elf);
	r->file = file;
	if (elf_open(&r->elf, file, NULL) == 0 && r->own.len > 0)
		r->name = missing_of(&r->elf, buf_text(&r->own));
}

/* Of a program in two halves the interpreter comes between them, and into it the
 * library is put. */
static void
find_missing(struct refused *r, const char *program)
{
	list_own_places(&r->own);
	if (facts_read(&r->facts, program, NULL) == 0 &&
		facts_is_inside(&r->facts) &&
		inside_library(program, r->library) == 0) {
		look_at(r, r->facts.executable);
		if (r->name == NULL)
			look_at(r, r->library);
	} else {
		look_at(r, program);
	}
}

/* --- what is said of it ----------------------------------------------------- */

/* Where it was looked for. */
static void
put_places(struct refused *r, struct buf *to)
{
	const char *run_path = run_path_of(&r->elf);

	if (run_path != NULL)
		buf_printf(to, "the run path of the program (%s), ", run_path);
	buf_printf(to, "/etc/ld.so.cache and %s", buf_text(&r->own));
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
put_remedies(const struct refused *r, struct buf *to)
{
	if (r->file == r->facts.executable)
		buf_add_text(to,
			"; install the package that has it, or this Python "
			"again");
	else if (strncmp(r->name, "libpython", strlen("libpython")) == 0)
		put_remedies_of_python(&r->facts, r->name, to);
	else
		buf_add_text(to,
			"; it is none of Python's: install the package that "
			"has it, or run \"scons install\" again if another "
			"version of it has taken its place");
}

static void
explain(struct refused *r, const char *program, struct buf *to)
{
	if (r->name != NULL) {
		buf_printf(to,
			"the loader refuses %s: it needs %s, looked for in ",
			r->file, r->name);
		put_places(r, to);
		put_remedies(r, to);
	} else if (r->file == r->library) {
		buf_printf(to,
			"the loader refuses to put %s into %s, for the reason "
			"in its own line before this one; where there is none: "
			"is that Python %s still, as when wsgid was built, and "
			"without capabilities or a SELinux domain of its own?  "
			"Run "
			"\"scons install\" again, or write "
			"\"LibPython shared\"",
			r->library, r->facts.executable, r->facts.abi);
	} else {
		buf_printf(to,
			"the loader refuses %s; \"ldd %s\" says what is "
			"missing",
			program, program);
	}
}

void
loader_explain(const char *program, char *to, size_t size)
{
	struct refused r = {0};
	struct buf text = {0};

	find_missing(&r, program);
	explain(&r, program, &text);
	snprintf(to, size, "%s", buf_text(&text));
	buf_fini(&text);
	buf_fini(&r.own);
	facts_fini(&r.facts);
	elf_close(&r.elf);
}
