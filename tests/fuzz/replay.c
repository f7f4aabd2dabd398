/*
 * replay.c - a fuzz target as a unit test: the inputs that are kept.
 *
 * The program is called fuzz_NAME; its inputs are the files of
 * tests/fuzz/corpus/NAME and, if there is one, tests/fuzz/regressions/NAME.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fuzz.h"

/* Into memory that ends where the input does, for a sanitizer. */
static void
replay(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *data;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	data = malloc((size_t)st.st_size + (st.st_size == 0));
	assert_non_null(data);
	assert_int_equal(
		fread(data, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	fclose(f);
	printf("%s\n", path);
	(void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
}

static unsigned
replay_all(const char *kind)
{
	const char *name = strrchr(program_invocation_name, '/');
	char directory[256], path[600];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	name = name != NULL ? name + 1 : program_invocation_name;
	snprintf(directory, sizeof(directory), "tests/fuzz/%s/%s", kind,
		name + strlen("fuzz_"));
	dir = opendir(directory);
	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		replay(path);
		n++;
	}
	closedir(dir);
	return n;
}

static void
test_inputs_that_were_found_by_fuzzing_do_no_harm(void **state)
{
	(void)state;
	assert_true(replay_all("corpus") > 0);
	(void)replay_all("regressions");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_inputs_that_were_found_by_fuzzing_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
