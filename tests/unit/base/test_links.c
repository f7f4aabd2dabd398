/*
 * test_links.c - files that root opens where others may have put links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/links.h"
#include "support/skip.h"

enum { ANN = 54321, BOB = 54322 };

static void
make_link(const char *target, const char *name, uid_t owner)
{
	assert_int_equal(symlink(target, name), 0);
	(void)!lchown(name, owner, (gid_t)-1);
}

static void
make_file(const char *name, uid_t owner)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)!fchown(fd, owner, (gid_t)-1);
	close(fd);
}

static void
make_folder(const char *name, uid_t owner)
{
	assert_int_equal(mkdir(name, 0755), 0);
	(void)!chown(name, owner, (gid_t)-1);
}

/* Root's, with "ann" and "bob" of those, who have a file "own" each. */
static int
enter_folder(void **state)
{
	char folder[] = "/tmp/wsgid-test-links-XXXXXX";

	if (mkdtemp(folder) == NULL || chdir(folder) < 0)
		return -1;
	*state = strdup(folder);
	make_file("secret", 0);
	make_folder("ann", ANN);
	make_folder("bob", BOB);
	make_file("ann/own", ANN);
	make_file("bob/own", BOB);
	return *state == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", (char *)*state);
	free(*state);
	return chdir("/") < 0 || system(command) != 0 ? -1 : 0;
}

/* With the file made where it was not. */
static int
opened(const char *folder, const char *name, struct err *err)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = links_open(path, O_WRONLY | O_CREAT | O_APPEND, 0640, err);
	if (fd < 0)
		return fd;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	return 0;
}

static void
test_a_link_of_others_leads_to_what_is_theirs(void **state)
{
	static const struct {
		const char *target, *name;
		uid_t owner;
		bool opened;
	} cases[] = {
		{"own", "ann/same", ANN, true},
		{"../ann/own", "ann/roundabout", ANN, true},
		{"./own", "ann/dot", ANN, true},
		{"same", "ann/twice", ANN, true},
		{"../secret", "ann/roots", ANN, false},
		{"/etc/passwd", "ann/passwd", ANN, false},
		{"/etc/passwd/", "ann/slash", ANN, false},
		{"roots", "ann/roots_twice", ANN, false},
		{"../bob/own", "ann/bobs", ANN, false},
		{"../new", "ann/to_be_made", ANN, false},
		{"..", "ann/up", ANN, false},
		{"/", "ann/top", ANN, false},
		{"../secret", "ann/by_root", 0, true},
		{"/proc/self/fd/2", "ann/stderr_by_root", 0, true},
		{"/proc/self/fd/2", "ann/stderr", ANN, false},
	};

	if (geteuid() != 0)
		SKIP("only root can make links of others");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		int rc;

		make_link(cases[i].target, cases[i].name, cases[i].owner);
		rc = opened(*state, cases[i].name, &err);
		if (rc != (cases[i].opened ? 0 : -ELOOP))
			fail_msg("%s: %d, %s", cases[i].name, rc, err.text);
	}
	assert_int_equal(access("new", F_OK), -1);
}

static void
test_a_folder_is_entered_by_a_link_of_others_if_it_is_theirs(void **state)
{
	struct err err = {0};
	char says[512];

	if (geteuid() != 0)
		SKIP("only root can make links of others");
	make_folder("ann/release", ANN);
	make_folder("logs", 0);
	make_link("release", "ann/current", ANN);
	make_link("../logs", "ann/logs", ANN);
	make_link("ann/current", "site", 0);
	assert_int_equal(opened(*state, "ann/current/new", &err), 0);
	assert_int_equal(opened(*state, "site/newer", &err), 0);
	assert_int_equal(access("ann/release/newer", F_OK), 0);
	assert_int_equal(opened(*state, "ann/logs/new", &err), -ELOOP);
	snprintf(says, sizeof(says),
		"%s/ann/logs is a symbolic link of user #54321, which root "
		"follows only to what is of user #54321 as well: name what it "
		"leads to, or give the link to root (chown -h)",
		(char *)*state);
	assert_string_equal(err.text, says);
	assert_int_equal(access("logs/new", F_OK), -1);
}

static void
test_other_failures_are_those_of_open(void **state)
{
	struct err err = {0};
	int fd;

	make_link("round", "round", geteuid());
	assert_int_equal(opened(*state, "round", &err), -ELOOP);
	assert_non_null(strstr(err.text, "/round: "));
	assert_int_equal(opened(*state, "not/there", &err), -ENOENT);
	assert_int_equal(opened(*state, "secret/not", &err), -ENOTDIR);
	assert_int_equal(opened(*state, "ann", &err), -EISDIR);
	fd = links_open("secret", O_RDONLY, 0, &err);
	assert_true(fd >= 0);
	close(fd);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, enter_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_link_of_others_leads_to_what_is_theirs),
		TEST(test_a_folder_is_entered_by_a_link_of_others_if_it_is_theirs),
		TEST(test_other_failures_are_those_of_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
