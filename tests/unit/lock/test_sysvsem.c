/*
 * test_sysvsem.c - semaphores that are removed, and those that are left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/pidfile.h"
#include "lock/accept_mutex.h"
#include "processes.h"
#include "support/skip.h"

struct fixture {
	char path[32];
	struct accept_mutex *m;
	struct accept_mutex_settings settings;
};

static int
fixture_make(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	strcpy(f->path, "/tmp/lock.XXXXXX");
	if (mkdtemp(f->path) == NULL)
		return -1;
	f->settings = (struct accept_mutex_settings){
		.mechanism = "sysvsem",
		.run_directory = f->path,
		.name = "site",
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};
	*state = f;
	return accept_mutex_create(&f->m, &f->settings, NULL);
}

static int
fixture_remove(void **state)
{
	struct fixture *f = *state;
	int rc;

	accept_mutex_destroy(f->m);
	rc = rmdir(f->path); /* which fails when something was left */
	free(f);
	return rc;
}

/* The semaphore noted in the directory, or -1. */
static int
noted(const struct fixture *f)
{
	DIR *directory = opendir(f->path);
	struct dirent *entry;
	unsigned key;
	int id = -1;

	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL)
		if (sscanf(entry->d_name, "site.sem.%8x", &key) == 1)
			id = semget((key_t)key, 0, 0);
	closedir(directory);
	return id;
}

static void
leave_file(const struct fixture *f, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool
take_file(const struct fixture *f, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return unlink(path) == 0;
}

static void
test_destroying_removes_the_semaphore_and_its_note(void **state)
{
	struct fixture *f = *state;
	int id = noted(f);

	assert_true(id >= 0);
	assert_int_equal(semctl(id, 0, GETVAL), 1);
	accept_mutex_destroy(f->m);
	f->m = NULL;
	assert_int_equal(semctl(id, 0, GETVAL), -1);
	assert_int_equal(noted(f), -1);
}

static void
test_a_removed_semaphore_is_told(void **state)
{
	struct fixture *f = *state;
	const struct role role = {"hold", "sysvsem", "", -1, false};
	struct process holder = process_start(f->m, &role), waiter;
	struct err err = {0};
	int rc;

	assert_true(process_says(&holder, 'h', SOON));
	waiter = process_start(f->m, &role);
	assert_true(process_says(&waiter, 'w', SOON));
	process_says(&waiter, 'h', 20);
	assert_int_equal(semctl(noted(f), 0, IPC_RMID), 0);
	assert_true(process_says(&waiter, 'x', SOON));
	assert_int_equal(process_end(&waiter), EIDRM);
	process_kill(&holder);

	rc = accept_mutex_lock(f->m);
	assert_int_equal(rc, -EIDRM);
	assert_int_equal(accept_mutex_unlock(f->m), -EIDRM);
	assert_int_equal(accept_mutex_explain(f->m, rc, &err), -EIDRM);
	assert_non_null(strstr(err.text, "Mutex sysvsem: the semaphore has "
					 "been removed, by ipcrm"));
}

static void
test_a_child_without_master_removes_it(void **state)
{
	struct fixture *f = *state;
	struct accept_mutex *mine;
	int id = noted(f), fd = accept_mutex_export(f->m);

	assert_int_equal(accept_mutex_attach(&mine, "sysvsem", fd, NULL), 0);
	accept_mutex_destroy(mine);
	assert_int_equal(semctl(id, 0, GETVAL), 1);
	fd = accept_mutex_export(f->m);
	assert_int_equal(accept_mutex_attach(&mine, "sysvsem", fd, NULL), 0);
	accept_mutex_orphan(mine);
	accept_mutex_destroy(mine);
	assert_int_equal(semctl(id, 0, GETVAL), -1);
}

static void
test_the_sweep_takes_only_what_is_its_own(void **state)
{
	struct fixture *f = *state;
	static const char *const others[] = {"site.sem.", "site.sem.1234",
		"site.sem.0123456G", "site.sem.0123456A", "site.semi00000001",
		".sem.00000001", "00000001"};
	int id = noted(f);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		leave_file(f, others[i]);
	assert_int_equal(accept_mutex_sweep(f->path, "site"), 1);
	assert_int_equal(semctl(id, 0, GETVAL), -1);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(take_file(f, others[i]));
	assert_int_equal(accept_mutex_sweep("/nonexistent", "x"), -ENOENT);
}

static void
test_the_sweep_takes_what_dead_servers_of_other_names_have_left(void **state)
{
	struct fixture *f = *state;
	int id = noted(f), lock;
	char path[64];

	snprintf(path, sizeof(path), "%s/site.pid", f->path);
	lock = pidfile_acquire(path, "", NULL);
	assert_true(lock >= 0);
	assert_int_equal(accept_mutex_sweep(f->path, "shop"), 0);
	assert_int_equal(semctl(id, 0, GETVAL), 1);

	/* Now it is as if it had been killed. */
	close(lock);
	assert_int_equal(accept_mutex_sweep(f->path, "shop"), 1);
	assert_int_equal(semctl(id, 0, GETVAL), -1);
	assert_int_equal(noted(f), -1);
	assert_true(take_file(f, "site.pid"));
}

static void
test_the_sweep_leaves_a_semaphore_that_is_not_ours(void **state)
{
	struct fixture *f = *state;
	char name[32];
	key_t key = 0x5eed0001;
	int id = semget(key, 2, IPC_CREAT | IPC_EXCL | 0600);

	assert_true(id >= 0);
	snprintf(name, sizeof(name), "site.sem.%08x", (unsigned)key);
	leave_file(f, name);
	assert_int_equal(accept_mutex_sweep(f->path, "site"), 1);
	assert_int_equal(semctl(id, 0, GETVAL), 0);
	assert_false(take_file(f, name));
	semctl(id, 0, IPC_RMID);
}

static void
test_the_semaphore_belongs_to_the_childrens_user(void **state)
{
	struct fixture *f = *state;
	struct accept_mutex *m = NULL;
	struct semid_ds ds;

	if (geteuid() != 0)
		SKIP("only root can give a semaphore away");
	accept_mutex_destroy(f->m);
	f->m = NULL;
	f->settings.user = NOBODY_ID;
	f->settings.group = NOBODY_ID;
	assert_int_equal(accept_mutex_create(&m, &f->settings, NULL), 0);
	assert_int_equal(semctl(noted(f), 0, IPC_STAT, &ds), 0);
	assert_int_equal(ds.sem_perm.uid, NOBODY_ID);
	assert_int_equal(ds.sem_perm.gid, NOBODY_ID);
	assert_int_equal(ds.sem_perm.mode & 0777, 0600);
	assert_int_equal(ds.sem_perm.cuid, geteuid());
	accept_mutex_destroy(m);
}

static void
test_a_directory_that_is_not_there_is_told(void **state)
{
	struct fixture *f = *state;
	struct accept_mutex *m;
	struct err err = {0};

	f->settings.run_directory = "/nonexistent";
	assert_int_equal(accept_mutex_create(&m, &f->settings, &err), -ENOENT);
	assert_non_null(strstr(err.text, "note in /nonexistent cannot"));
}

int
main(int argc, char *argv[])
{
#define WITH(test) \
	cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)
	const struct CMUnitTest tests[] = {
		WITH(test_destroying_removes_the_semaphore_and_its_note),
		WITH(test_a_removed_semaphore_is_told),
		WITH(test_a_child_without_master_removes_it),
		WITH(test_the_sweep_takes_only_what_is_its_own),
		WITH(test_the_sweep_takes_what_dead_servers_of_other_names_have_left),
		WITH(test_the_sweep_leaves_a_semaphore_that_is_not_ours),
		WITH(test_the_semaphore_belongs_to_the_childrens_user),
		WITH(test_a_directory_that_is_not_there_is_told),
	};
	struct err err = {0};

	process_main(argc, argv);
	if (accept_mutex_probe("sysvsem", &err) < 0) {
		print_message("left out: %s\n", err.text);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
