/*
 * test_rundir.c - the places, by what the environment says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/rundir.h"

static void
set(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void
test_the_environment_names_the_places(void **state)
{
	static const struct {
		const char *runtime, *user;
		const char *places[RUNDIR_PLACES];
	} cases[] = {
		{NULL, NULL, {NULL, "/run/wsgid", NULL}},
		{"/run/shop", NULL, {"/run/shop", "/run/wsgid", NULL}},
		{"/run/a:/run/b", "/run/user/7",
			{"/run/a", "/run/wsgid", "/run/user/7/wsgid"}},
		/* What is no absolute path is nobody's promise. */
		{"run/shop", "", {NULL, "/run/wsgid", NULL}},
		{"", "user", {NULL, "/run/wsgid", NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		set("RUNTIME_DIRECTORY", cases[i].runtime);
		set("XDG_RUNTIME_DIR", cases[i].user);
		for (int place = 0; place < RUNDIR_PLACES; place++) {
			char *path = rundir_place((enum rundir_place)place);

			if (cases[i].places[place] == NULL)
				assert_null(path);
			else
				assert_string_equal(
					path, cases[i].places[place]);
			free(path);
		}
	}
	assert_null(rundir_place(RUNDIR_PLACES));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_environment_names_the_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
