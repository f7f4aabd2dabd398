/*
 * test_envfile.c - lines of an EnvironmentFile, right and wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "config/envfile.h"
#include "reading.h"

/* The entries with "|" between them, or what is wrong behind the file's name. */
static const char *
read_text(const char *text)
{
	static char result[1024];
	char path[] = "/tmp/test_envfile.XXXXXX";
	struct err err = {0};
	char **entries = NULL;
	int fd = mkstemp(path);
	int rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	rc = envfile_read(&entries, path, &err);
	unlink(path);
	if (rc < 0)
		return strcpy(result, err.text + strlen(path));
	result[0] = '\0';
	for (size_t i = 0; entries[i] != NULL; i++) {
		strcat(result, i > 0 ? "|" : "");
		strcat(result, entries[i]);
	}
	free(entries);
	return result;
}

static void
test_lines_are_names_and_values(void **state)
{
	static const struct {
		const char *text, *entries;
	} table[] = {
		{"", ""},
		{"A=1\n\n# A=2\n ; A=3\nB_2=x y \t\n", "A=1|B_2=x y"},
		{"export A=1\r\nB=\r\n", "A=1|B="},
		{"A = 1", "A=1"},
		{"A=1 # one\nB=a#b\n", "A=1|B=a#b"},
		{"A= # one\nB=#b\nC=\t#\n", "A=|B=#b|C="},
		{"A='a \"$B\\n' # x\nB=\"c 'd' \\\"e\\\" \\$f\\n\"\n",
			"A=a \"$B\\n|B=c 'd' \"e\" $f\n"},
		{"A=\"two\nlines\"\nB=1\n", "A=two\nlines|B=1"},
		{"A==b=c\n", "A==b=c"},
		{"A=\"\\t\\d\\\\C:\\dir\"\n", "A=\t\\d\\C:\\dir"},
		{"\xef\xbb\xbf"
		 "A=1\n",
			"A=1"},
		{"A=\"x\"\r\nB='y' # z\r\n", "A=x|B=y"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(read_text(table[i].text), table[i].entries);
}

static void
test_a_mistake_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text, *said;
	} table[] = {
		{"A=1\nB\n", ":2: \"=\" is missing"},
		{"\n1A=1\n", ":2: what stands before \"=\" is no name"},
		{"=1\n", ":1: what stands before"},
		{"\nA=\"x\ny\nB=1\n", ":2: the quote has no end"},
		{"A=\"x\\", ":1: the quote has no end"},
		{"A='x'y\n", ":1: something stands behind the quoted value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_non_null(
			strstr(read_text(table[i].text), table[i].said));
}

static void
test_all_mistakes_of_a_file_are_told(void **state)
{
	static const char *const said[] = {
		".env:1: what stands before \"=\" is no name",
		".env:4: \"=\" is missing",
		".env:6: something stands behind the quoted value",
		".env:8: the quote has no end",
	};
	struct scratch s;
	struct config *c = config_create();

	(void)state;
	scratch_init(&s);
	assert_non_null(c);
	config_set(c, "EnvironmentFile",
		scratch_write(&s, ".env",
			"1A=\"x\ny=\nz\"\nB\nC=1\nD='x'y z\nE=1\nF='\n1\n"),
		"t");
	envfile_check(c);
	assert_int_equal(count_messages(c), ARRAY_LEN(said));
	assert_int_equal(count_fatal(c), ARRAY_LEN(said));
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		assert_non_null(strstr(config_message(c, i)->text, said[i]));
	config_destroy(c);
	scratch_fini(&s);
}

/* It would be the children that cannot be executed, and nobody would know which
 * of the values it is. */
static void
test_what_no_environment_can_hold_is_told(void **state)
{
	enum { MOST = 131071 };
	char *text = malloc(MOST + 3);
	const char *said;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', MOST + 2);
	memcpy(text, "\nA=", 3);
	text[MOST + 2] = '\0';
	said = read_text(text);
	assert_non_null(strstr(said, ":2: name and value are longer than"));
	free(text);
}

/* Least of all does one wait there. */
static void
test_what_is_no_file_is_told(void **state)
{
	char pipe[] = "/tmp/test_envfile.XXXXXX/pipe";
	char *slash = strrchr(pipe, '/');
	char **entries = NULL;
	struct err err = {0};

	(void)state;
	*slash = '\0';
	assert_non_null(mkdtemp(pipe));
	assert_int_equal(envfile_read(&entries, pipe, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is not a regular file"));
	*slash = '/';
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(envfile_read(&entries, pipe, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/pipe is not a regular file"));
	unlink(pipe);
	*slash = '\0';
	rmdir(pipe);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_names_and_values),
		cmocka_unit_test(test_a_mistake_is_told_with_its_line),
		cmocka_unit_test(test_all_mistakes_of_a_file_are_told),
		cmocka_unit_test(test_what_no_environment_can_hold_is_told),
		cmocka_unit_test(test_what_is_no_file_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
