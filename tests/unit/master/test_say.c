/*
 * test_say.c - how a death is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "fixture.h"

static void
test_deaths_are_told_as_apache_does(void **state)
{
	static const struct {
		int status;
		const char *text;
	} cases[] = {
		{SIGSEGV, "exit signal Segmentation fault (11)"},
		{SIGSEGV | 0x80, "exit signal Segmentation fault (11)"},
		{SIGKILL, "exit signal Killed (9)"},
		{SIGTERM, "exit signal Terminated (15)"},
		{64, "exit signal unknown (64)"},
		{0, "exit status 0"},
		{78 << 8, "exit status 78"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];

		say_death(cases[i].status, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deaths_are_told_as_apache_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
