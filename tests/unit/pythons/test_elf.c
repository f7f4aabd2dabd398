/*
 * test_elf.c - files that are whole, cut short, and none at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "pythons/elf.h"

__attribute__((section(".wsgid.test"), used)) const char section[] = "words";

static void
test_a_section_is_found_by_its_name(void **state)
{
	struct elf e;
	struct err err = {0};

	(void)state;
	assert_int_equal(elf_open(&e, "/proc/self/exe", &err), 0);
	assert_string_equal(elf_section(&e, ".wsgid.test").p, "words");
	assert_int_equal(elf_section(&e, ".wsgid.test").len, sizeof(section));
	assert_null(elf_section(&e, ".wsgid").p);
	elf_close(&e);
}

static void
test_libraries_that_are_needed_are_listed(void **state)
{
	bool found = false;
	const char *name;
	struct elf e;

	(void)state;
	assert_int_equal(elf_open(&e, "/proc/self/exe", NULL), 0);
	/* Needed, and had by nobody. */
	assert_false(elf_defines(&e, "elf_open_of_nobody"));
	assert_false(elf_defines(&e, "strcmp"));
	for (size_t i = 0; (name = elf_dynamic(&e, DT_NEEDED, i)) != NULL; i++)
		found |= strncmp(name, "libcmocka", 9) == 0;
	assert_true(found);
	elf_close(&e);
}

static void
test_what_is_no_program_is_a_sentence(void **state)
{
	struct err err = {0};
	struct elf e;

	(void)state;
	assert_int_equal(elf_open(&e, "/etc/passwd", &err), -ENOEXEC);
	assert_string_equal(err.text, "/etc/passwd is no program");
	assert_int_equal(elf_open(&e, "/nonexistent", &err), -ENOENT);
	assert_true(elf_open(&e, "/dev/null", &err) < 0);
}

/* A copy of this test that ends at any place, or has one byte changed. */
static void
try_copy(const char *data, size_t len, size_t changed)
{
	char path[] = "/tmp/test_elf.XXXXXX";
	int fd = mkstemp(path);
	struct elf e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	if (changed < len)
		assert_int_equal(pwrite(fd, "\xff", 1, (off_t)changed), 1);
	close(fd);
	if (elf_open(&e, path, NULL) == 0) {
		(void)elf_section(&e, ".wsgid.test");
		(void)elf_dynamic(&e, DT_NEEDED, 1000);
		elf_close(&e);
	}
	unlink(path);
}

static void
test_no_file_is_trusted(void **state)
{
	static char data[4 * 1024 * 1024];
	FILE *f = fopen("/proc/self/exe", "r");
	size_t len;

	(void)state;
	assert_non_null(f);
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	for (size_t cut = 0; cut < 80; cut++)
		try_copy(data, cut, len);
	for (size_t i = 1; i < 20; i++)
		try_copy(data, len * i / 20, len);
	for (size_t i = 4; i < sizeof(Elf64_Ehdr); i++)
		try_copy(data, len, i);
}

static void
test_another_class_is_named(void **state)
{
	static const unsigned char head[64] = {0x7f, 'E', 'L', 'F',
		sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64, 1, 1};
	char path[] = "/tmp/test_elf.XXXXXX";
	int fd = mkstemp(path);
	struct err err = {0};
	struct elf e;

	(void)state;
	assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
	close(fd);
	assert_int_equal(elf_open(&e, path, &err), -ENOEXEC);
	assert_non_null(strstr(err.text,
		sizeof(void *) == 8 ? "is 32-bit, and wsgid is 64-bit"
				    : "is 64-bit, and wsgid is 32-bit"));
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_section_is_found_by_its_name),
		cmocka_unit_test(test_libraries_that_are_needed_are_listed),
		cmocka_unit_test(test_what_is_no_program_is_a_sentence),
		cmocka_unit_test(test_no_file_is_trusted),
		cmocka_unit_test(test_another_class_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
