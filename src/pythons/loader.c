/*
 * loader.c - why the dynamic loader refuses a program.  See loader.h.
 */
#include "pythons/loader.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "pythons/elf.h"
#include "pythons/facts.h"

static const char *
needed_python(const struct elf *e)
{
	const char *name;

	for (size_t i = 0; (name = elf_dynamic(e, DT_NEEDED, i)) != NULL; i++)
		if (strncmp(name, "libpython", 9) == 0)
			return name;
	return NULL;
}

/* Where it was looked for, in the loader's order. */
static void
put_places(const struct elf *e, struct buf *to)
{
	const char *more = getenv("LD_LIBRARY_PATH");
	const char *run_path = elf_dynamic(e, DT_RUNPATH, 0);

	if (run_path == NULL)
		run_path = elf_dynamic(e, DT_RPATH, 0);
	if (more != NULL && more[0] != '\0')
		buf_printf(to, "LD_LIBRARY_PATH (%s), ", more);
	if (run_path != NULL)
		buf_printf(to, "the run path of the program (%s), ", run_path);
	buf_add_text(to, "/etc/ld.so.cache, /lib and /usr/lib");
}

/* Where the library was at the build it still is, or it has to come back. */
static void
put_remedies(const struct facts *f, const char *name, struct buf *to)
{
	const char *slash =
		f->library != NULL ? strrchr(f->library, '/') : NULL;
	const char *suffix = strstr(name, ".so");

	if (slash == NULL || suffix == NULL)
		return;
	buf_printf(to, "; the build found it at %s", f->library);
	if (access(f->library, F_OK) == 0)
		buf_printf(to,
			": tell the loader (\"echo %.*s >/etc/ld.so.conf.d/"
			"wsgid-python.conf && ldconfig\"), start wsgid with "
			"LD_LIBRARY_PATH=%.*s, or build with \"scons rpath=yes "
			"install\"",
			(int)(slash - f->library), f->library,
			(int)(slash - f->library), f->library);
	else
		buf_printf(to,
			", where it is not any more: install it, which is "
			"Debian's package %.*s, or run \"scons install\" again",
			(int)(suffix - name), name);
}

void
loader_explain(const char *program, char *to, size_t size)
{
	struct facts facts = {0};
	struct elf e = {0};
	struct buf text = {0};
	const char *name = NULL;

	if (elf_open(&e, program, NULL) == 0)
		name = needed_python(&e);
	(void)facts_read(&facts, program, NULL);
	if (name == NULL) {
		buf_printf(&text,
			"the loader refuses %s; \"ldd %s\" says what is "
			"missing",
			program, program);
	} else {
		buf_printf(&text,
			"the loader refuses %s: it needs %s, looked "
			"for in ",
			program, name);
		put_places(&e, &text);
		put_remedies(&facts, name, &text);
	}
	snprintf(to, size, "%s", buf_text(&text));
	buf_fini(&text);
	facts_fini(&facts);
	elf_close(&e);
}
