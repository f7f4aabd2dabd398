/*
 * test_pidfile.c - who the server is: alive, killed, or never was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/pidfile.h"

struct place {
	char dir[64];
	char path[80];
	char other[80];
};

static int
make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -1;
	snprintf(p->dir, sizeof(p->dir), "/tmp/wsgid-test.XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/site.pid", p->dir);
	snprintf(p->other, sizeof(p->other), "%s/other", p->dir);
	*state = p;
	return 0;
}

static int
remove_place(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	unlink(p->other);
	rmdir(p->dir);
	free(p);
	return 0;
}

static int
acquire(const struct place *p)
{
	struct err err = {0};
	int fd = pidfile_acquire(p->path, "PidFile", &err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A server in another process that has the pid file; *end keeps it. */
static pid_t
start_server(const struct place *p, int *end)
{
	int ends[2], told[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		int fd = pidfile_acquire(p->path, "PidFile", NULL);

		close(ends[1]);
		if (fd < 0 || pidfile_write(fd) < 0)
			_exit(1);
		(void)!write(told[1], "x", 1);
		(void)!read(ends[0], &byte, 1);
		_exit(0);
	}
	assert_true(pid > 0);
	close(ends[0]);
	close(told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	close(told[0]);
	*end = ends[1];
	return pid;
}

static void
test_the_file_names_the_process(void **state)
{
	const struct place *p = *state;
	int fd;
	char text[32] = "";

	assert_int_equal(pidfile_holder(p->path), 0);
	fd = acquire(p);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(pidfile_write(fd), 0);
	assert_int_equal(pidfile_holder(p->path), getpid());
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(atoi(text), getpid());
	pidfile_remove(p->path, fd);
	assert_int_equal(access(p->path, F_OK), -1);
	assert_int_equal(pidfile_holder(p->path), 0);
	close(fd);
}

static void
test_a_running_server_keeps_its_file(void **state)
{
	const struct place *p = *state;
	struct err err = {0};
	char says[32];
	int end, status;
	pid_t server = start_server(p, &end);

	assert_int_equal(pidfile_holder(p->path), server);
	assert_int_equal(
		pidfile_acquire(p->path, "PidFile", &err), -EWOULDBLOCK);
	snprintf(says, sizeof(says), "(pid %d)", (int)server);
	assert_non_null(strstr(err.text, says));
	assert_non_null(strstr(err.text, p->path));
	close(end);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
}

static void
test_what_a_killed_server_left_is_taken_over(void **state)
{
	const struct place *p = *state;
	int end, fd;
	pid_t server = start_server(p, &end);

	kill(server, SIGKILL);
	assert_int_equal(waitpid(server, NULL, 0), server);
	close(end);
	assert_int_equal(pidfile_holder(p->path), -ESRCH);
	fd = acquire(p);
	assert_int_equal(pidfile_write(fd), 0);
	assert_int_equal(pidfile_holder(p->path), getpid());
	close(fd);
	assert_int_equal(pidfile_holder(p->path), -ESRCH);
}

static void
test_a_shorter_pid_replaces_a_longer_one(void **state)
{
	const struct place *p = *state;
	char text[64] = "";
	int fd;

	put(p->path, "123456789012345678901234567890\n");
	fd = acquire(p);
	assert_int_equal(pidfile_write(fd), 0);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(pidfile_holder(p->path), getpid());
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	close(fd);
}

static void
test_another_file_is_refused_and_left_as_it_is(void **state)
{
	static const char *const texts[] = {"hello\n", "1 2 3 4x",
		"1234567890123456789012345678901234567890123456789012345678901"
		"234567890\n"};
	const struct place *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err err = {0};
		char text[128] = "";
		FILE *f;

		put(p->path, texts[i]);
		assert_int_equal(
			pidfile_acquire(p->path, "PidFile", &err), -EEXIST);
		assert_non_null(strstr(err.text, "something else in it"));
		f = fopen(p->path, "r");
		assert_non_null(f);
		assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
		fclose(f);
		assert_string_equal(text, texts[i]);
	}
}

static void
test_only_a_regular_file_will_do(void **state)
{
	const struct place *p = *state;
	struct err err = {0};
	struct stat st;

	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_int_equal(pidfile_acquire(p->path, "PidFile", &err), -EINVAL);
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_true(pidfile_holder(p->path) <= 0);
	assert_int_equal(lstat(p->path, &st), 0);
	unlink(p->path);

	put(p->other, "");
	assert_int_equal(symlink(p->other, p->path), 0);
	assert_int_equal(pidfile_acquire(p->path, "PidFile", &err), -ELOOP);
	assert_non_null(strstr(err.text, "it is a symbolic link"));
	unlink(p->path);

	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(pidfile_acquire(p->path, "PidFile", &err), -EISDIR);
	assert_int_equal(rmdir(p->path), 0);
}

static void
test_a_held_file_with_junk_in_it_names_nobody(void **state)
{
	static const char *const junk[] = {"", "\n", "0\n", "-1\n", "12x\n",
		"99999999999\n", "hello\n", "1 2\n"};
	const struct place *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		struct err err = {0};
		int fd;

		put(p->path, "");
		fd = acquire(p);
		put(p->path, junk[i]);
		assert_int_equal(pidfile_holder(p->path), -EINVAL);
		assert_int_equal(pidfile_acquire(p->path, "PidFile", &err),
			-EWOULDBLOCK);
		assert_non_null(strstr(err.text, "already runs"));
		close(fd);
	}
}

static void
test_symbolic_links_are_not_followed(void **state)
{
	const struct place *p = *state;
	struct err err = {0};

	put(p->other, "precious");
	assert_int_equal(symlink(p->other, p->path), 0);
	assert_int_equal(pidfile_acquire(p->path, "PidFile", &err), -ELOOP);
	assert_non_null(strstr(err.text, p->path));
	assert_int_equal(pidfile_holder(p->path), -ELOOP);
}

static void
test_a_successors_file_is_not_removed(void **state)
{
	const struct place *p = *state;
	int old = acquire(p), new;

	assert_int_equal(unlink(p->path), 0);
	new = acquire(p); /* another file, and not locked by the old one */
	pidfile_remove(p->path, old);
	assert_int_equal(access(p->path, F_OK), 0);
	pidfile_remove(p->path, new);
	assert_int_equal(access(p->path, F_OK), -1);
	close(old);
	close(new);
}

static void
test_a_directory_that_is_not_there_is_named(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(
		pidfile_acquire("/nonexistent/site.pid", "PidFile", &err),
		-ENOENT);
	assert_string_equal(err.text, "pid file /nonexistent/site.pid: "
				      "No such file or directory");
}

static void
test_who_only_looks_is_in_nobodys_way(void **state)
{
	const struct place *p = *state;
	struct err err = {0};
	pid_t pid;
	int fd;

	close(pidfile_acquire(p->path, "PidFile", &err));
	pid = fork();
	if (pid == 0)
		for (;;)
			(void)pidfile_holder(p->path);
	for (int i = 0; i < 500; i++) {
		fd = pidfile_acquire(p->path, "PidFile", &err);
		if (fd < 0)
			break;
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(fd >= 0);
}

/* Anybody may: what PidFile names is for all to read. */
static int
lock_for_reading(const char *path)
{
	struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
	return fd;
}

static void
test_a_reader_who_holds_a_lock_keeps_no_server_from_starting(void **state)
{
	const struct place *p = *state;
	struct err err = {0};
	struct stat st;
	int reader, fd;

	put(p->path, "4711\n");
	reader = lock_for_reading(p->path);
	assert_int_equal(pidfile_holder(p->path), -ESRCH);
	fd = acquire(p);
	assert_int_equal(pidfile_write(fd), 0);
	assert_int_equal(pidfile_holder(p->path), getpid());
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(
		pidfile_acquire(p->path, "PidFile", &err), -EWOULDBLOCK);
	close(fd);

	/* Nor is that a way to have another file removed. */
	put(p->path, "precious");
	fd = lock_for_reading(p->path);
	assert_int_equal(pidfile_acquire(p->path, "PidFile", &err), -EEXIST);
	assert_int_equal(access(p->path, F_OK), 0);
	close(fd);
	close(reader);
}

#define IN_PLACE(test) \
	cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_PLACE(test_the_file_names_the_process),
		IN_PLACE(test_a_running_server_keeps_its_file),
		IN_PLACE(test_what_a_killed_server_left_is_taken_over),
		IN_PLACE(test_a_shorter_pid_replaces_a_longer_one),
		IN_PLACE(test_another_file_is_refused_and_left_as_it_is),
		IN_PLACE(test_only_a_regular_file_will_do),
		IN_PLACE(test_a_held_file_with_junk_in_it_names_nobody),
		IN_PLACE(test_symbolic_links_are_not_followed),
		IN_PLACE(test_a_successors_file_is_not_removed),
		IN_PLACE(test_who_only_looks_is_in_nobodys_way),
		IN_PLACE(
			test_a_reader_who_holds_a_lock_keeps_no_server_from_starting),
		cmocka_unit_test(test_a_directory_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
