/*
 * test_wanted.c - the name of the server that a line of wsgid would start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "config/config.h"
#include "wsgictl/wanted.h"

enum { WORDS = 8 };

static void
test_names_and_places(void **state)
{
	static const struct {
		const char *words[WORDS], *name, *directory, *pid_file;
	} cases[] = {
		{{"shop:app"}, "8000", NULL, NULL},
		{{"-b", "127.0.0.1:9000", "shop:app"}, "9000", NULL, NULL},
		{{"--listen=9000", "--run-directory", "/r", "shop:app"}, "9000",
			"/r", NULL},
		{{"-b", "unix:/run/shop.sock", "a:b"}, "shop", NULL, NULL},
		/* The file is not there; its name is that of the server. */
		{{"--pid-file", "/p", "--daemon", "-w", "2", "a:b"}, "8000",
			NULL, "/p"},
		/* What wsgid will not understand is its business. */
		{{"--frobnicate", "-b", "9000"}, "9000", NULL, NULL},
		{{"-b"}, "8000", NULL, NULL},
		{{"-D"}, "8000", NULL, NULL},
		{{"-c"}, "8000", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		struct config *c;
		size_t n = 0;

		while (cases[i].words[n] != NULL)
			n++;
		c = wanted_config(cases[i].words, n, &err);
		assert_non_null(c);
		assert_string_equal(c->name, cases[i].name);
		if (cases[i].directory != NULL)
			assert_string_equal(
				c->run_directory, cases[i].directory);
		else
			assert_null(c->run_directory);
		if (cases[i].pid_file != NULL)
			assert_string_equal(c->pid_file, cases[i].pid_file);
		config_destroy(c);
	}
}

static void
test_values_may_be_attached(void **state)
{
	char path[] = "/tmp/test_wanted.XXXXXX", option[64];
	const char *const words[] = {option, "-DDIR=/r"};
	int fd = mkstemp(path);
	struct err err = {0};
	struct config *c;

	(void)state;
	assert_true(dprintf(fd, "RunDirectory ${DIR}\n") > 0);
	close(fd);
	snprintf(option, sizeof(option), "-c%s", path);
	c = wanted_config(words, ARRAY_LEN(words), &err);
	assert_non_null(c);
	assert_string_equal(c->file, path);
	assert_string_equal(c->run_directory, "/r");
	config_destroy(c);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_places),
		cmocka_unit_test(test_values_may_be_attached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
