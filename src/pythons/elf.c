/*
 * elf.c - what an ELF file says of itself.  See elf.h.
 *
 * The file is somebody else's and may be anything: every offset in it is
 * looked at before it is followed.
 */
#include "pythons/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/defs.h"
#include "base/err.h"

enum { OUR_CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32 };

static const ElfW(Ehdr) * header(const struct elf *e)
{
	return (const ElfW(Ehdr) *)(const void *)e->data;
}

static int
check_kind(const struct elf *e, const char *path, struct err *err)
{
	if (e->size < EI_NIDENT || memcmp(e->data, ELFMAG, SELFMAG) != 0)
		return err_setx(err, ENOEXEC, "%s is no program", path);
	if (e->data[EI_CLASS] != OUR_CLASS)
		return err_setx(err, ENOEXEC,
			"%s is %d-bit, and wsgid is %d-bit", path,
			32 * e->data[EI_CLASS], 32 * OUR_CLASS);
	if (e->size < sizeof(ElfW(Ehdr)) ||
		header(e)->e_shentsize != sizeof(ElfW(Shdr)))
		return err_setx(err, ENOEXEC, "%s is cut short", path);
	return 0;
}

int
elf_open(struct elf *ret, const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf e = {0};
	struct stat st;
	void *data;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_setx(err, ENOEXEC, "%s is no program", path);
	e.size = (size_t)st.st_size;
	data = mmap(NULL, e.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_set(err, errno, "%s", path);
	e.data = data;
	rc = check_kind(&e, path, err);
	if (rc < 0)
		elf_close(&e);
	else
		*ret = e;
	return rc;
}

void
elf_close(struct elf *e)
{
	if (e->data != NULL)
		munmap((void *)(uintptr_t)e->data, e->size);
	*e = (struct elf){0};
}

/* Sections whose table or bytes are outside of the file are not there. */
static const ElfW(Shdr) * section_at(const struct elf *e, size_t i)
{
	size_t at = header(e)->e_shoff, n = header(e)->e_shnum;

	if (i >= n || at > e->size || n > (e->size - at) / sizeof(ElfW(Shdr)) ||
		at % sizeof(void *) != 0)
		return NULL;
	return (const ElfW(Shdr) *)(const void *)(e->data + at) + i;
}

static struct str
bytes_of(const struct elf *e, const ElfW(Shdr) * s)
{
	if (s == NULL || s->sh_type == SHT_NOBITS || s->sh_offset > e->size ||
		s->sh_size > e->size - s->sh_offset)
		return (struct str){0};
	return (struct str){(const char *)e->data + s->sh_offset, s->sh_size};
}

/* A text in a table of texts, or NULL. */
static const char *
text_at(struct str table, size_t at)
{
	if (at >= table.len ||
		memchr(table.p + at, '\0', table.len - at) == NULL)
		return NULL;
	return table.p + at;
}

struct str
elf_section(const struct elf *e, const char *name)
{
	struct str names = bytes_of(e, section_at(e, header(e)->e_shstrndx));
	const ElfW(Shdr) * s;

	for (size_t i = 0; (s = section_at(e, i)) != NULL; i++) {
		const char *its = text_at(names, s->sh_name);

		if (its != NULL && strcmp(its, name) == 0)
			return bytes_of(e, s);
	}
	return (struct str){0};
}

const char *
elf_dynamic(const struct elf *e, long tag, size_t i)
{
	struct str entries = elf_section(e, ".dynamic");
	struct str texts = elf_section(e, ".dynstr");
	ElfW(Dyn) entry;

	for (; entries.len >= sizeof(entry);
		entries.p += sizeof(entry), entries.len -= sizeof(entry)) {
		memcpy(&entry, entries.p, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == tag && i-- == 0)
			return text_at(texts, entry.d_un.d_val);
	}
	return NULL;
}

bool
elf_defines(const struct elf *e, const char *symbol)
{
	struct str symbols = elf_section(e, ".dynsym");
	struct str texts = elf_section(e, ".dynstr");
	ElfW(Sym) one;

	for (; symbols.len >= sizeof(one);
		symbols.p += sizeof(one), symbols.len -= sizeof(one)) {
		const char *name;

		memcpy(&one, symbols.p, sizeof(one));
		name = text_at(texts, one.st_name);
		if (one.st_shndx != SHN_UNDEF && name != NULL &&
			strcmp(name, symbol) == 0)
			return true;
	}
	return false;
}

static void
put_hex(struct str bytes, char *to, size_t size)
{
	for (size_t i = 0; i < bytes.len && size > 2; i++, to += 2, size -= 2)
		snprintf(to, size, "%02x", (unsigned char)bytes.p[i]);
}

/* The section is one note: three numbers, its owner's name, its value. */
static struct str
build_id(const struct elf *e)
{
	struct str note = elf_section(e, ".note.gnu.build-id");
	size_t before = sizeof(ElfW(Nhdr)) + sizeof(ELF_NOTE_GNU);
	ElfW(Nhdr) head;

	if (note.len < before)
		return (struct str){0};
	memcpy(&head, note.p, sizeof(head));
	if (head.n_type != NT_GNU_BUILD_ID || head.n_descsz > note.len - before)
		return (struct str){0};
	return (struct str){note.p + before, head.n_descsz};
}

int
elf_identity(const char *path, char to[ELF_IDENTITY])
{
	struct str id = {0};
	struct elf e = {0};
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (elf_open(&e, path, NULL) == 0)
		id = build_id(&e);
	if (id.len > 0) {
		size_t n = (size_t)snprintf(to, ELF_IDENTITY, "build-id:");

		put_hex(id, to + n, ELF_IDENTITY - n);
	} else {
		snprintf(to, ELF_IDENTITY, "size:%lld:%lld",
			(long long)st.st_size, (long long)st.st_mtime);
	}
	elf_close(&e);
	return 0;
}
