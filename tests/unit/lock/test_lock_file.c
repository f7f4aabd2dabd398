/*
 * test_lock_file.c - where the file of fcntl and flock is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "lock/lock_file_priv.h"

/* What the next file is said to be on; 0: nothing is known. */
static unsigned long pretended;

/* In place of the C library's: there is no NFS to be had here. */
int
fstatfs(int fd, struct statfs *ret)
{
	(void)fd;
	*ret = (struct statfs){0};
	ret->f_type = (__typeof__(ret->f_type))pretended;
	return 0;
}

static void
test_file_systems_of_other_machines_are_known(void **state)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} table[] = {
		{0x6969, "NFS"}, {0xff534d42, "CIFS"},
		{0xffffffffff534d42, "CIFS"}, /* sign-extended */
		{0x00c36400, "Ceph"}, {0x01021997, "9P"},
		{0xef53, NULL},     /* ext4 */
		{0x01021994, NULL}, /* tmpfs */
		{0x794c7630, NULL}, /* overlayfs */
		{0x9123683e, NULL}, /* btrfs */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *name = lock_file_remote(table[i].magic);

		if (table[i].name == NULL)
			assert_null(name);
		else
			assert_string_equal(name, table[i].name);
	}
}

static void
test_a_file_has_no_name(void **state)
{
	static const char *const places[] = {"", "/", "/mutex", "/with space"};
	char directory[] = "/tmp/lock.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char place[64];
		struct stat st, there;
		int fd;

		snprintf(place, sizeof(place), "%s%s", directory, places[i]);
		fd = lock_file_create("flock", place, NULL);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(stat(directory, &there), 0);
		assert_int_equal(st.st_nlink, 0);
		assert_int_equal(st.st_dev, there.st_dev);
		assert_int_equal(st.st_mode & 0777, 0600);
		close(fd);
	}
	/* Which shows that it is empty. */
	assert_int_equal(rmdir(directory), 0);
}

static void
test_a_file_on_another_machine_is_refused_and_not_left_there(void **state)
{
	char directory[] = "/tmp/lock.XXXXXX", place[64];
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(place, sizeof(place), "%s/mutex", directory);
	pretended = 0x6969;
	assert_int_equal(lock_file_create("fcntl", place, &err), -EOPNOTSUPP);
	pretended = 0;
	assert_non_null(strstr(err.text, "Mutex fcntl /tmp/lock."));
	assert_non_null(strstr(err.text,
		"this is on NFS, where locks depend on another machine; name a "
		"directory of a local file system, or none"));
	assert_int_equal(rmdir(directory), 0);
}

static void
test_it_is_in_memory_when_no_place_is_named(void **state)
{
	int fd = lock_file_create("fcntl", NULL, NULL), other;
	struct stat st, again;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(lock_file_check(fd), 0);
	other = lock_file_reopen(fd);
	assert_true(other >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fstat(other, &again), 0);
	assert_int_equal(st.st_ino, again.st_ino);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	close(fd);
	close(other);
	assert_int_equal(lock_file_reopen(fd), -ENOENT);
}

static int
grant_always(int fd, int operation)
{
	(void)fd;
	(void)operation;
	return 0;
}

static int
grant_never(int fd, int operation)
{
	(void)fd;
	return operation & LOCK_UN ? 0 : -ENOLCK;
}

static void
test_a_file_system_that_does_not_lock_is_told(void **state)
{
	int fd = lock_file_create("flock", NULL, NULL);
	struct err err = {0};

	(void)state;
	assert_int_equal(
		lock_file_prove("flock", fd, grant_always, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "grants the lock twice"));
	assert_int_equal(
		lock_file_prove("flock", fd, grant_never, &err), -ENOLCK);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_systems_of_other_machines_are_known),
		cmocka_unit_test(test_a_file_has_no_name),
		cmocka_unit_test(
			test_a_file_on_another_machine_is_refused_and_not_left_there),
		cmocka_unit_test(test_it_is_in_memory_when_no_place_is_named),
		cmocka_unit_test(test_a_file_system_that_does_not_lock_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
