/*
 * test_memory.c - how much of a process is in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"

static void
test_clean_and_dirty_are_added_up(void **state)
{
	struct memory m = {1, 1};

	(void)state;
	assert_int_equal(
		memory_parse("55d0-7fff ---p 00000000 00:00 0 [rollup]\n"
			     "Rss:              1000 kB\n"
			     "Shared_Clean:      300 kB\n"
			     "Shared_Dirty:        4 kB\n"
			     "Private_Clean:      20 kB\n"
			     "Private_Dirty:     500 kB\n"
			     "Private_Hugetlb:     7 kB\n",
			&m),
		0);
	assert_int_equal(m.private_kib, 520);
	assert_int_equal(m.shared_kib, 304);
	assert_int_equal(memory_parse("", &m), -EBADMSG);
	assert_int_equal(m.private_kib, 520);
}

static void
test_what_a_process_writes_to_is_private(void **state)
{
	enum { KIB = 8192 };
	struct memory before, after;
	int rc = memory_read(getpid(), &before);
	char *own;

	(void)state;
	if (rc == -ENOENT) {
		print_message("skipped: a kernel without smaps\n");
		skip();
	}
	assert_int_equal(rc, 0);
	own = mmap(NULL, KIB * 1024, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(own, MAP_FAILED);
	memset(own, 1, KIB * 1024);
	assert_int_equal(memory_read(getpid(), &after), 0);
	munmap(own, KIB * 1024);
	assert_true(after.private_kib - before.private_kib >= KIB / 2);
	assert_true(after.shared_kib > 0);
}

static void
test_a_process_that_is_gone_has_none(void **state)
{
	struct memory m;

	(void)state;
	assert_true(memory_read(INT32_MAX, &m) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_and_dirty_are_added_up),
		cmocka_unit_test(test_what_a_process_writes_to_is_private),
		cmocka_unit_test(test_a_process_that_is_gone_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
