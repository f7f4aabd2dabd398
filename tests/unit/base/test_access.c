/*
 * test_access.c - what is in the way of a file.
 *
 * The tests make a small tree and ask as another user, in a process of its
 * own, so they need root; without root only what does not is run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/account.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/access.h"
#include "support/skip.h"

enum { STRANGER = 12345, MEMBER = 12346 };

/* DIR/home (0755), DIR/home/site (0755), DIR/home/site/app.wsgi (0644),
 * DIR/home/link -> site, DIR/home/loop -> loop, DIR/home/gone -> missing */
struct tree {
	char dir[64];
};

static const char *
at(const struct tree *t, const char *name)
{
	static char paths[4][PATH_MAX];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(paths[turn], PATH_MAX, "%s/%s", t->dir, name);
	return paths[turn];
}

static int
make_tree(void **state)
{
	static struct tree t;
	int fd;

	strcpy(t.dir, "/tmp/test_access.XXXXXX");
	if (mkdtemp(t.dir) == NULL || chmod(t.dir, 0755) < 0 ||
		mkdir(at(&t, "home"), 0755) < 0 ||
		mkdir(at(&t, "home/site"), 0755) < 0 ||
		symlink("site", at(&t, "home/link")) < 0 ||
		symlink("loop", at(&t, "home/loop")) < 0 ||
		symlink("missing", at(&t, "home/gone")) < 0)
		return -1;
	fd = open(at(&t, "home/site/app.wsgi"), O_CREAT | O_WRONLY, 0644);
	if (fd < 0)
		return -1;
	close(fd);
	chmod(at(&t, "home"), 0755);
	chmod(at(&t, "home/site"), 0755);
	chmod(at(&t, "home/site/app.wsgi"), 0644);
	*state = &t;
	return 0;
}

static int
remove_tree(void **state)
{
	struct tree *t = *state;

	unlink(at(t, "home/site/app.wsgi"));
	unlink(at(t, "home/link"));
	unlink(at(t, "home/loop"));
	unlink(at(t, "home/gone"));
	rmdir(at(t, "home/site"));
	rmdir(at(t, "home"));
	return rmdir(t->dir);
}

struct answer {
	int rc;
	struct err err;
};

/* Ask in a process of its own, as uid with the one group gid. */
static struct answer
ask_of(int (*explain)(const char *path, struct err *err), uid_t uid, gid_t gid,
	const char *directory, const char *path)
{
	struct answer a = {0};
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		if (chdir(directory) < 0 || setgroups(1, &gid) < 0 ||
			setgid(gid) < 0 || setuid(uid) < 0)
			_exit(2);
		a.rc = explain(path, &a.err);
		_exit(write(pipes[1], &a, sizeof(a)) == sizeof(a) ? 0 : 1);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &a, sizeof(a)), sizeof(a));
	close(pipes[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return a;
}

static struct answer
ask_as(uid_t uid, gid_t gid, const char *directory, const char *path)
{
	return ask_of(access_explain, uid, gid, directory, path);
}

static void
need_root(void)
{
	if (geteuid() != 0)
		SKIP("only root can make files of others");
}

static void
test_what_can_be_read_is_no_problem(void **state)
{
	static const char *const names[] = {"home/site/app.wsgi",
		"home/link/app.wsgi", "home/site", "home/site/",
		"home/./site/../site//app.wsgi"};
	struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct err err = {0};

		assert_int_equal(access_explain(at(t, names[i]), &err), 0);
		assert_string_equal(err.text, "");
		if (geteuid() == 0)
			assert_int_equal(
				ask_as(STRANGER, STRANGER, "/", at(t, names[i]))
					.rc,
				0);
	}
}

static void
test_the_first_thing_in_the_way_is_named(void **state)
{
	static const struct {
		const char *closed; /* gets this mode, group MEMBER */
		mode_t mode;
		gid_t gid;
		const char *asked;
		const char *said;
	} rows[] = {
		{"home", 0700, STRANGER, "home/site/app.wsgi",
			"home has mode 0700 (owner root, group #12346): chmod "
			"o+x "},
		{"home", 0710, MEMBER, "home/site/app.wsgi", NULL},
		{"home", 0705, MEMBER, "home/site/app.wsgi", "chmod g+x "},
		{"home/site", 0750, STRANGER, "home/site/app.wsgi",
			"home/site has mode 0750"},
		{"home/site", 0750, STRANGER, "home/link/app.wsgi",
			"home/site has mode 0750"},
		{"home/site", 0751, STRANGER, "home/site/app.wsgi", NULL},
		{"home/site", 0750, STRANGER, "home/site", "chmod o+rx "},
		{"home/site", 0751, STRANGER, "home/site", "chmod o+r "},
		{"home/site/app.wsgi", 0600, STRANGER, "home/site/app.wsgi",
			"app.wsgi has mode 0600 (owner root, group #12346): "
			"chmod o+r "},
		{"home/site/app.wsgi", 0604, MEMBER, "home/site/app.wsgi",
			"chmod g+r "},
		{"home/site/app.wsgi", 0640, MEMBER, "home/site/app.wsgi",
			NULL},
	};
	struct tree *t = *state;

	need_root();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *closed = at(t, rows[i].closed);
		struct stat before;
		struct answer a;

		assert_int_equal(stat(closed, &before), 0);
		assert_int_equal(chown(closed, 0, MEMBER), 0);
		assert_int_equal(chmod(closed, rows[i].mode), 0);
		a = ask_as(STRANGER, rows[i].gid, "/", at(t, rows[i].asked));
		if (rows[i].said == NULL) {
			assert_int_equal(a.rc, 0);
		} else {
			if (strstr(a.err.text, rows[i].said) == NULL)
				fail_msg("row %zu: %s", i, a.err.text);
			assert_int_equal(a.rc, -EACCES);
			assert_non_null(strstr(a.err.text,
				" cannot be read by user #12345: "));
			assert_non_null(strstr(a.err.text, closed));
			assert_non_null(
				strstr(a.err.text, ", or choose another User"));
		}
		assert_int_equal(chmod(closed, before.st_mode & 07777), 0);
	}
}

static void
test_an_owner_can_shut_himself_out(void **state)
{
	struct tree *t = *state;
	const char *path = at(t, "home/site/app.wsgi");
	struct answer a;

	need_root();
	assert_int_equal(chown(path, STRANGER, MEMBER), 0);
	assert_int_equal(chmod(path, 0044), 0);
	a = ask_as(STRANGER, STRANGER, "/", path);
	assert_int_equal(a.rc, -EACCES);
	assert_non_null(strstr(a.err.text, "chmod u+r "));
}

static void
test_what_is_to_be_written_or_made(void **state)
{
	static const struct {
		const char *closed; /* gets this mode */
		mode_t mode;
		const char *asked, *said;
	} rows[] = {
		{"home/site/app.wsgi", 0666, "home/site/app.wsgi", NULL},
		{"home/site/app.wsgi", 0644, "home/site/app.wsgi",
			"app.wsgi has mode 0644 (owner root"},
		{"home/site", 0777, "home/site/shop.log", NULL},
		{"home/site", 0755, "home/site/shop.log",
			"home/site has mode 0755 (owner root"},
		{"home/site", 0755, "home/site/logs/shop.log", "there is no "},
		{"home/site", 0755, "home/link", "home/site has mode 0755"},
		{"home", 0700, "home/site/shop.log", "home has mode 0700"},
	};
	struct tree *t = *state;

	need_root();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *closed = at(t, rows[i].closed);
		struct stat before;
		struct answer a;

		assert_int_equal(stat(closed, &before), 0);
		assert_int_equal(chmod(closed, rows[i].mode), 0);
		a = ask_of(access_explain_writing, STRANGER, STRANGER, "/",
			at(t, rows[i].asked));
		if (rows[i].said == NULL)
			assert_int_equal(a.rc, 0);
		else if (strstr(a.err.text, rows[i].said) == NULL)
			fail_msg("row %zu: %s", i, a.err.text);
		assert_int_equal(chmod(closed, before.st_mode & 07777), 0);
	}
}

static void
test_a_relative_path_is_asked_for_from_the_root(void **state)
{
	struct tree *t = *state;
	struct answer a;

	need_root();
	assert_int_equal(chmod(at(t, "home"), 0700), 0);
	a = ask_as(STRANGER, STRANGER, t->dir, "home/site/app.wsgi");
	assert_int_equal(a.rc, -EACCES);
	assert_non_null(strstr(a.err.text, "home has mode 0700"));
	assert_int_equal(
		strncmp(a.err.text, "home/site/app.wsgi cannot", 25), 0);

	/* Who is inside already can read, so there is nothing to explain. */
	a = ask_as(STRANGER, STRANGER, at(t, "home/site"), "app.wsgi");
	assert_int_equal(a.rc, 0);
	a = ask_as(STRANGER, STRANGER, at(t, "home/site"), "no.wsgi");
	assert_int_equal(a.rc, -EACCES);
	assert_non_null(strstr(a.err.text, "home has mode 0700"));
}

static void
test_what_is_missing_is_named(void **state)
{
	static const struct {
		const char *asked, *said;
		int rc;
	} rows[] = {
		{"home/site/no.wsgi", "home/site/no.wsgi does not exist",
			-ENOENT},
		{"home/nowhere/a/b.wsgi", "does not exist: there is no ",
			-ENOENT},
		{"home/nowhere/a/b.wsgi", "home/nowhere", -ENOENT},
		{"home/gone", "a symbolic link leads to ", -ENOENT},
		{"home/gone", "home/missing, which is not there", -ENOENT},
		{"home/loop", "leads to itself", -ELOOP},
		{"home/site/app.wsgi/x", "app.wsgi is not a directory",
			-ENOTDIR},
		{"home/site/app.wsgi/", "app.wsgi is not a directory",
			-ENOTDIR},
	};
	struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};

		assert_int_equal(
			access_explain(at(t, rows[i].asked), &err), rows[i].rc);
		if (strstr(err.text, rows[i].said) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

static void
test_strange_paths_are_sentences_too(void **state)
{
	static char path[PATH_MAX * 2];
	struct err err = {0};

	(void)state;
	assert_int_equal(access_explain("", &err), -ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	assert_int_equal(access_explain(path, &err), -ENAMETOOLONG);
	path[NAME_MAX + 2] = '\0';
	assert_int_equal(access_explain(path, &err), -ENAMETOOLONG);
	assert_int_equal(access_explain(path, NULL), -ENAMETOOLONG);
	assert_int_equal(access_explain("/", &err), 0);
}

static void
test_a_removed_directory_is_told(void **state)
{
	struct tree *t = *state;
	char dir[PATH_MAX];
	struct err err = {0};
	int back = open(".", O_RDONLY | O_DIRECTORY);

	snprintf(dir, sizeof(dir), "%s/removed", t->dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(access_explain("app.wsgi", &err), -ENOENT);
	assert_non_null(strstr(err.text, "current directory has been removed"));
	assert_int_equal(fchdir(back), 0);
	close(back);
}

#define WITH_TREE(test) \
	cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(test_what_can_be_read_is_no_problem),
		WITH_TREE(test_the_first_thing_in_the_way_is_named),
		WITH_TREE(test_what_is_to_be_written_or_made),
		WITH_TREE(test_an_owner_can_shut_himself_out),
		WITH_TREE(test_a_relative_path_is_asked_for_from_the_root),
		WITH_TREE(test_what_is_missing_is_named),
		cmocka_unit_test(test_strange_paths_are_sentences_too),
		WITH_TREE(test_a_removed_directory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
