/*
 * test_title.c - the title as the kernel shows it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/title.h"

static void
assert_shown(const char *text)
{
	char shown[65536];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, shown, sizeof(shown) - 1);

	close(fd);
	assert_true(n >= 0);
	shown[n] = '\0';
	assert_string_equal(shown, text);
}

static void
test_ps_shows_the_title(void **state)
{
	(void)state;
	title_set("wsgid: master [%s]", "shop");
	assert_shown("wsgid: master [shop]");
	title_set("x");
	assert_shown("x");
}

static void
test_the_environment_survives_a_long_title(void **state)
{
	char text[60000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	title_set("%s", text);
	assert_string_equal(getenv("TITLE_TEST"), "still here");
	title_set("short again");
	assert_shown("short again");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ps_shows_the_title),
		cmocka_unit_test(test_the_environment_survives_a_long_title),
	};

	/* A variable of the process's own memory needs a fresh start. */
	if (getenv("TITLE_TEST") == NULL) {
		setenv("TITLE_TEST", "still here", 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	title_set("nothing happens yet");
	if (title_init(argc, argv) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
