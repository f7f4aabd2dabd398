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
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/links.h"
#include "support/skip.h"

enum { ANN = 54321, BOB = 54322 };

/* Before Linux 5.6, links of directories cannot be refused. */
static bool
has_openat2(void)
{
	return syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) < 0 &&
	       errno == EINVAL;
}

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

	if (mkdtemp(folder) == NULL || chdir(folder) < 0 ||
		chmod(".", 0755) < 0)
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
check(const char *folder, const char *name, int expected)
{
	struct err err = {0};
	int rc = opened(folder, name, &err);

	if (rc != expected)
		fail_msg("%s: %d, %s", name, rc, err.text);
	if (rc == -ELOOP)
		assert_non_null(strstr(err.text, name));
}

static void
test_a_link_leads_to_what_the_owner_of_its_directory_may_open(void **state)
{
	static const struct {
		const char *target, *name;
		uid_t owner;
		int expected;
	} cases[] = {
		{"own", "ann/same", ANN, 0},
		{"../ann/own", "ann/roundabout", ANN, 0},
		{"same", "ann/twice", ANN, 0},
		{"made", "ann/to_be_made", ANN, 0},
		{"own", "ann/same_by_root", 0, 0},
		{"own", "ann/same_by_bob", BOB, 0},
		{"../secret", "ann/roots", ANN, -ELOOP},
		{"../secret", "ann/roots_by_root", 0, -ELOOP},
		{"roots", "ann/roots_twice", ANN, -ELOOP},
		{"../bob/own", "ann/bobs", ANN, -ELOOP},
		{"../bob/own", "ann/bobs_by_bob", BOB, -ELOOP},
		{"../new", "ann/roots_to_be_made", ANN, -ELOOP},
		{"/etc/shadow", "ann/shadow", ANN, -ELOOP},
		{"..", "ann/up", ANN, -EISDIR},
		{"ann/own", "in_roots", 0, 0},
		{"ann/roots", "to_a_link", 0, -ELOOP},
		{"/dev/null", "ann/null", ANN, 0},
		{"/dev/stderr", "ann/stderr", ANN, 0},
		{"/dev/stderr", "ann/stderr_by_root", 0, 0},
		{"/proc/self/fd/2", "ann/fd", ANN, 0},
		{"/proc/self/fd/../fd/2", "ann/long_fd", ANN, -ELOOP},
	};

	if (geteuid() != 0)
		SKIP("only root can make links of others");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		make_link(cases[i].target, cases[i].name, cases[i].owner);
		check(*state, cases[i].name, cases[i].expected);
	}
	assert_int_equal(access("new", F_OK), -1);
	assert_int_equal(access("ann/made", F_OK), 0);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), getgid());
}

static void
test_a_release_is_entered_by_a_link_with_and_without_a_slash(void **state)
{
	if (geteuid() != 0)
		SKIP("only root can make links of others");
	make_folder("ann/releases", ANN);
	make_folder("ann/releases/5", ANN);
	make_link("releases/5", "ann/current", ANN);
	make_link("releases/5/", "ann/slash", ANN);
	make_link("ann/current", "site", 0);
	check(*state, "ann/current/one", 0);
	check(*state, "ann/slash/two", 0);
	check(*state, "site/three", 0);
	assert_int_equal(access("ann/releases/5/three", F_OK), 0);
}

/* Files of root's are there already, and links of root's own lead to them. */
static void
test_where_only_roots_links_are_on_the_way_root_opens(void **state)
{
	if (geteuid() != 0)
		SKIP("only root can make links of others");
	make_file("ann/roots", 0);
	make_link("ann", "logs", 0);
	check(*state, "logs/roots", 0);
}

static void
test_a_link_of_a_second_user_does_not_lead_to_what_is_the_firsts(void **state)
{
	struct err err = {0};
	char says[512];

	if (geteuid() != 0)
		SKIP("only root can make links of others");
	if (!has_openat2())
		SKIP("the kernel has no openat2(2)");
	make_folder("ann/logs", BOB);
	make_link("../own", "ann/logs/link", BOB);
	make_link("logs", "ann/by_link", ANN);
	assert_int_equal(opened(*state, "ann/logs/link", &err), -ELOOP);
	snprintf(says, sizeof(says),
		"%s/ann/logs/link: a symbolic link on its way is in or below "
		"%s/ann/logs, where others than user #54321 may write, so it "
		"is not followed: let only that user write there, or name the "
		"file itself",
		(char *)*state, (char *)*state);
	assert_string_equal(err.text, says);
	assert_int_equal(opened(*state, "ann/by_link/new", &err), -ELOOP);
	snprintf(says, sizeof(says),
		"%s/ann/by_link/new: a symbolic link on its way is in or below "
		"%s/ann of user #54321, so it is opened as that user: "
		"Permission denied; let the directory be root's, or name the "
		"file itself",
		(char *)*state, (char *)*state);
	assert_string_equal(err.text, says);
	assert_int_equal(chmod("ann", 0775), 0);
	make_link("own", "ann/in_groups", ANN);
	check(*state, "ann/in_groups", -ELOOP);
}

static void
test_a_link_where_all_may_write_is_not_followed(void **state)
{
	if (geteuid() != 0)
		SKIP("only root can make links of others");
	if (!has_openat2())
		SKIP("the kernel has no openat2(2)");
	make_folder("all", 0);
	assert_int_equal(chmod("all", 01777), 0);
	make_file("all/own", ANN);
	make_link("own", "all/link", ANN);
	make_link("/dev/null", "all/null", ANN);
	make_folder("all/ann", ANN);
	make_link("../own", "all/ann/link", ANN);
	check(*state, "all/own", 0);
	check(*state, "all/link", -ELOOP);
	check(*state, "all/null", 0);
	check(*state, "all/ann/link", 0);
}

/* It holds the file without having it open, and says by which descriptor. */
static pid_t
hold(const char *path, uid_t uid, int *ret)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd;

		if (setresuid(uid, uid, uid) < 0 ||
			prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL) < 0)
			_exit(1);
		fd = open(path, O_PATH | O_CLOEXEC);
		if (write(ends[1], &fd, sizeof(fd)) == sizeof(fd))
			pause();
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], ret, sizeof(*ret)), sizeof(*ret));
	close(ends[0]);
	assert_true(*ret >= 0);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_by_a_descriptor_of_a_process_nobody_gets_what_is_not_his(void **state)
{
	static const struct {
		const char *path, *name;
		uid_t holder;
	} cases[] = {
		{"secret", "ann/of_ann", ANN},
		{"private/public", "ann/of_root", 0},
	};

	if (geteuid() != 0)
		SKIP("only root can make links of others");
	make_folder("private", 0);
	assert_int_equal(chmod("private", 0700), 0);
	make_file("private/public", 0);
	assert_int_equal(chmod("private/public", 0666), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char target[64];
		int fd;
		pid_t pid = hold(cases[i].path, cases[i].holder, &fd);

		snprintf(target, sizeof(target), "/proc/%d/fd/%d", (int)pid,
			fd);
		make_link(target, cases[i].name, ANN);
		check(*state, cases[i].name, -ELOOP);
		end(pid);
	}
}

static pid_t
exchange(const char *one, const char *other)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	while (pid == 0)
		if (syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other,
			    RENAME_EXCHANGE) < 0)
			_exit(1);
	return pid;
}

/* Whichever it meets, and between any two looks at it. */
static void
test_links_that_change_places_lead_root_nowhere(void **state)
{
	static const char *const others[] = {
		"ann/own", "ann/to_own", "ann/by_root"};
	struct stat secret;

	if (geteuid() != 0)
		SKIP("only root can make links of others");
	make_link("own", "ann/to_own", ANN);
	make_link("own", "ann/by_root", 0);
	make_link("../secret", "ann/link", ANN);
	assert_int_equal(stat("secret", &secret), 0);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		pid_t pid = exchange("ann/link", others[i]);

		for (int n = 0; n < 2000; n++) {
			int fd = links_open("ann/link", O_WRONLY | O_APPEND, 0,
				NULL);
			struct stat st;

			if (fd < 0)
				continue;
			assert_int_equal(fstat(fd, &st), 0);
			assert_int_not_equal(st.st_ino, secret.st_ino);
			close(fd);
		}
		end(pid);
		(void)!unlink("ann/link");
		(void)!unlink(others[i]);
		make_link("../secret", "ann/link", ANN);
		if (i == 0)
			make_file("ann/own", ANN);
	}
	(void)state;
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
		TEST(test_a_link_leads_to_what_the_owner_of_its_directory_may_open),
		TEST(test_a_release_is_entered_by_a_link_with_and_without_a_slash),
		TEST(test_where_only_roots_links_are_on_the_way_root_opens),
		TEST(test_a_link_of_a_second_user_does_not_lead_to_what_is_the_firsts),
		TEST(test_a_link_where_all_may_write_is_not_followed),
		TEST(test_by_a_descriptor_of_a_process_nobody_gets_what_is_not_his),
		TEST(test_links_that_change_places_lead_root_nowhere),
		TEST(test_other_failures_are_those_of_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
