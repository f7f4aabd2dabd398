/*
 * elf.h - what an ELF file says of itself.
 *
 * Enough to name a program or library without running it: what was written
 * into it at its link, what it needs, where it looks for that.  Only files of
 * this machine's own kind are read; of others the kind is told.
 */
#ifndef WSGID_PYTHONS_ELF_H
#define WSGID_PYTHONS_ELF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct err;

struct elf {
	const unsigned char *data; /* mapped */
	size_t size;
};

enum { ELF_IDENTITY = 96 };

/* 0, or a negative errno and a sentence: -ENOEXEC for what is no ELF file, or
 * one of another kind of machine. */
int elf_open(struct elf *ret, const char *path, struct err *err);
void elf_close(struct elf *e);

/* The bytes of a section; p is NULL when there is none of this name. */
struct str elf_section(const struct elf *e, const char *name);

/* The i-th text of a tag of the dynamic section (DT_NEEDED, DT_RUNPATH), good
 * until elf_close; NULL behind the last one. */
const char *elf_dynamic(const struct elf *e, long tag, size_t i);

/* Is there a symbol of this name that others may use, and not only need? */
bool elf_defines(const struct elf *e, const char *symbol);

/* One word that another build of the same file has not: tools/scons/elf.py has
 * the same.  0 or a negative errno. */
int elf_identity(const char *path, char to[ELF_IDENTITY]);

#endif
