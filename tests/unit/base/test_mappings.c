/*
 * test_mappings.c - the pages of mapped files that a process puts away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mappings.h"

enum { SIZE = 1 << 20 };

/* A file of letters, mapped and read. */
static char *
map_letters(void)
{
	char name[] = "/tmp/wsgid-mappings-XXXXXX";
	char *letters = malloc(SIZE), *at;
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_non_null(letters);
	memset(letters, 'a', SIZE);
	assert_int_equal(write(fd, letters, SIZE), SIZE);
	at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_memory_equal(at, letters, SIZE);
	free(letters);
	close(fd);
	unlink(name);
	return at;
}

static void
skip_without_smaps(void)
{
	if (access("/proc/self/smaps", R_OK) == 0)
		return;
	print_message("skipped: a kernel without smaps\n");
	skip();
}

/* What the kernel counts of the mapping as this process's, in KiB. */
static long
resident_kib(const char *mapping)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	uintptr_t from = 0, start;
	long kib = -1, found;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%*x ", &start) == 1 &&
			strchr(line, '-') != NULL)
			from = start;
		if (from == (uintptr_t)mapping &&
			sscanf(line, "Rss: %ld", &found) == 1)
			kib = found;
	}
	fclose(f);
	return kib;
}

static void
test_what_was_only_read_is_put_away_and_comes_back(void **state)
{
	char *letters;

	(void)state;
	skip_without_smaps();
	letters = map_letters();
	assert_int_equal(mprotect(letters, SIZE, PROT_READ), 0);
	assert_int_equal(resident_kib(letters), SIZE / 1024);
	assert_int_equal(mappings_put_away(), 0);
	assert_int_equal(resident_kib(letters), 0);
	assert_int_equal(letters[SIZE - 1], 'a');
	munmap(letters, SIZE);
}

/* As the loader does with the addresses in a library. */
static void
test_what_was_written_before_it_became_read_only_stays(void **state)
{
	char *letters;

	(void)state;
	skip_without_smaps();
	letters = map_letters();
	letters[SIZE / 2] = 'b';
	assert_int_equal(mprotect(letters, SIZE, PROT_READ), 0);
	assert_int_equal(mappings_put_away(), 0);
	assert_int_equal(letters[SIZE / 2], 'b');
	munmap(letters, SIZE);
}

static void
test_what_may_be_written_stays(void **state)
{
	char *letters;

	(void)state;
	skip_without_smaps();
	letters = map_letters();
	assert_int_equal(mappings_put_away(), 0);
	assert_int_equal(resident_kib(letters), SIZE / 1024);
	munmap(letters, SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_was_only_read_is_put_away_and_comes_back),
		cmocka_unit_test(
			test_what_was_written_before_it_became_read_only_stays),
		cmocka_unit_test(test_what_may_be_written_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
