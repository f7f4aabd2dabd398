/*
 * facts.c - what a program of the children was built with.  See facts.h.
 */
#include "pythons/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "base/err.h"
#include "pythons/elf.h"

static const char **
field(struct facts *f, const char *key)
{
	const struct {
		const char *key;
		const char **value;
	} fields[] = {
		{"version", &f->version},
		{"abi", &f->abi},
		{"soabi", &f->soabi},
		{"executable", &f->executable},
		{"base_prefix", &f->base_prefix},
		{"stdlib", &f->stdlib},
		{"linkage", &f->linkage},
		{"library", &f->library},
		{"places", &f->places},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(fields[i].key, key) == 0)
			return fields[i].value;
	return NULL;
}

static void
take_file(struct facts *f, char *value)
{
	char *path = strchr(value, ' ');

	if (path == NULL || f->n_files == FACTS_FILES)
		return;
	*path++ = '\0';
	f->files[f->n_files++] = (struct facts_file){value, path};
}

/* A word that is not known is a newer build's. */
static void
take_line(struct facts *f, char *line)
{
	char *value = strchr(line, ' ');
	const char **to;

	if (value == NULL)
		return;
	*value++ = '\0';
	to = field(f, line);
	if (to != NULL)
		*to = value;
	else if (strcmp(line, "file") == 0)
		take_file(f, value);
}

int
facts_parse(struct facts *ret, struct str text, struct err *err)
{
	struct facts f = {.text = strndup(text.p, text.len)};
	char *rest = f.text, *line;

	if (f.text == NULL)
		return err_set(err, ENOMEM, "facts of a program");
	while ((line = strsep(&rest, "\n")) != NULL)
		take_line(&f, line);
	if (f.version == NULL || f.abi == NULL || f.executable == NULL ||
		f.base_prefix == NULL || f.stdlib == NULL ||
		f.linkage == NULL || f.library == NULL || f.soabi == NULL) {
		facts_fini(&f);
		return err_setx(err, ENOEXEC,
			"does not say which Python it was built with");
	}
	*ret = f;
	return 0;
}

int
facts_read(struct facts *ret, const char *program, struct err *err)
{
	struct err why = {0};
	struct elf e;
	struct str text;
	int rc = elf_open(&e, program, err);

	if (rc < 0)
		return rc;
	text = elf_section(&e, FACTS_SECTION);
	if (text.p == NULL)
		text = STR("");
	rc = facts_parse(ret, text, &why);
	elf_close(&e);
	return rc < 0 ? err_setx(err, -rc,
				"%s %s: it is no program of wsgid's children",
				program, why.text)
		      : 0;
}

void
facts_fini(struct facts *f)
{
	free(f->text);
	*f = (struct facts){0};
}

bool
facts_is_shared(const struct facts *f)
{
	return strcmp(f->linkage, "shared") == 0;
}

bool
facts_is_inside(const struct facts *f)
{
	return strcmp(f->linkage, "interpreter") == 0;
}

const char *
facts_library(const struct facts *f)
{
	if (facts_is_inside(f))
		return "inside the interpreter";
	return facts_is_shared(f) ? "shared libpython" : "static libpython";
}

const char *
facts_changed(const struct facts *f)
{
	for (size_t i = 0; i < f->n_files; i++) {
		char now[ELF_IDENTITY];

		if (elf_identity(f->files[i].path, now) < 0 ||
			strcmp(now, f->files[i].identity) != 0)
			return f->files[i].path;
	}
	return NULL;
}
