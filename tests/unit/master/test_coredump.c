/*
 * test_coredump.c - where the kernel sends coredumps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/defs.h"
#include "master/coredump.h"

static void
test_the_place_follows_from_core_pattern(void **state)
{
	static const struct {
		const char *pattern, *said;
	} rows[] = {
		{"core", ", possible coredump in /srv/dumps"},
		{"core.%p", ", possible coredump in /srv/dumps"},
		{"%e/core", ", possible coredump in /srv/dumps/%e"},
		{"/var/crash/core.%e.%p", ", possible coredump in /var/crash"},
		{"/core", ", possible coredump in /"},
		{"|/usr/lib/systemd/systemd-coredump %P %u",
			", possible coredump given to "
			"/usr/lib/systemd/systemd-coredump"},
		{"| /bin/eat", ", possible coredump given to /bin/eat"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char said[200];

		coredump_place(
			rows[i].pattern, "/srv/dumps", said, sizeof(said));
		assert_string_equal(said, rows[i].said);
	}
}

static void
test_a_place_that_is_too_long_is_cut(void **state)
{
	char said[32];

	(void)state;
	coredump_place(
		"core", "/a/very/long/name/of/a/directory", said, sizeof(said));
	assert_string_equal(said, ", possible coredump in /a/very/");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_place_follows_from_core_pattern),
		cmocka_unit_test(test_a_place_that_is_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
