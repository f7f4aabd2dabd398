/*
 * test_accept_mutex.c - what every mechanism promises, among processes that
 * have exec'ed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "lock/accept_mutex.h"
#include "processes.h"
#include "support/skip.h"

enum { CHILDREN = 4 };

static const char *const mechanisms[] = {
	"pthread", "fcntl", "flock", "sysvsem", "posixsem"};

/* The i-th mechanism, if this machine has it. */
static const char *
nth(size_t i)
{
	struct err err = {0};

	if (accept_mutex_probe(mechanisms[i], &err) == 0)
		return mechanisms[i];
	print_message("%s is left out: %s\n", mechanisms[i], err.text);
	return NULL;
}

#define FOR_EACH_MECHANISM(word)                              \
	for (size_t i_ = 0; i_ < ARRAY_LEN(mechanisms); i_++) \
		if ((word = nth(i_)) != NULL)

static struct accept_mutex *
make(const char *mechanism, uid_t user)
{
	const struct accept_mutex_settings settings = {
		.mechanism = mechanism,
		.user = user,
		.group = (gid_t)user,
	};
	struct accept_mutex *m = NULL;
	struct err err = {0};

	if (accept_mutex_create(&m, &settings, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

/* Several processes take turns and nobody meets another inside. */
static void
take_turns(const char *mechanism, bool unprivileged)
{
	struct accept_mutex *m =
		make(mechanism, unprivileged ? NOBODY_ID : (uid_t)-1);
	struct process p[CHILDREN];
	struct counters *c;
	struct role role = {
		.name = "count",
		.mechanism = mechanism,
		.directory = "",
		.counters = counters_make(&c),
		.unprivileged = unprivileged,
	};

	assert_true(role.counters >= 0);
	for (int i = 0; i < CHILDREN; i++)
		p[i] = process_start(m, &role);
	for (int i = 0; i < CHILDREN; i++)
		if (process_end(&p[i]) != 0)
			fail_msg("%s: a process failed", mechanism);
	if (c->most_inside != 1 || c->rounds != CHILDREN * ROUNDS)
		fail_msg("%s: %d at a time, %d rounds", mechanism,
			c->most_inside, c->rounds);
	munmap(c, sizeof(*c));
	close(role.counters);
	accept_mutex_destroy(m);
}

static void
test_one_process_at_a_time(void **state)
{
	const char *mechanism;

	(void)state;
	FOR_EACH_MECHANISM(mechanism)
	take_turns(mechanism, false);
}

static void
test_processes_without_privileges_take_turns_too(void **state)
{
	const char *mechanism;

	(void)state;
	if (geteuid() != 0)
		SKIP("only root can give up privileges");
	FOR_EACH_MECHANISM(mechanism)
	take_turns(mechanism, true);
}

static void
test_a_killed_holder_lets_go(void **state)
{
	const char *mechanism;

	(void)state;
	FOR_EACH_MECHANISM(mechanism)
	{
		struct accept_mutex *m = make(mechanism, (uid_t)-1);
		const struct role role = {"hold", mechanism, "", -1, false};
		struct process first, second;
		pid_t dead;

		first = process_start(m, &role);
		assert_true(process_says(&first, 'h', SOON));
		second = process_start(m, &role);
		assert_true(process_says(&second, 'w', SOON));
		if (process_says(&second, 'h', 20))
			fail_msg("%s: two hold it", mechanism);
		dead = first.pid;
		process_kill(&first);
		accept_mutex_bury(m, dead);
		if (!process_says(&second, 'h', SOON))
			fail_msg("%s: the dead one holds it", mechanism);
		process_kill(&second);
		accept_mutex_destroy(m);
	}
}

static void
test_the_death_of_one_that_waits_changes_nothing(void **state)
{
	const char *mechanism;

	(void)state;
	FOR_EACH_MECHANISM(mechanism)
	{
		struct accept_mutex *m = make(mechanism, (uid_t)-1);
		const struct role role = {"hold", mechanism, "", -1, false};
		struct process p[3];
		pid_t dead;

		for (int i = 0; i < 3; i++) {
			p[i] = process_start(m, &role);
			assert_true(
				process_says(&p[i], i == 0 ? 'h' : 'w', SOON));
		}
		dead = p[1].pid;
		process_kill(&p[1]);
		accept_mutex_bury(m, dead);
		if (process_says(&p[2], 'h', 20))
			fail_msg("%s: two hold it", mechanism);
		dead = p[0].pid;
		process_kill(&p[0]);
		accept_mutex_bury(m, dead);
		if (!process_says(&p[2], 'h', SOON))
			fail_msg("%s: nobody gets it", mechanism);
		process_kill(&p[2]);
		accept_mutex_destroy(m);
	}
}

static void
test_processes_may_die_at_any_point(void **state)
{
	enum { DEATHS = 12 };
	const char *mechanism;

	(void)state;
	FOR_EACH_MECHANISM(mechanism)
	{
		struct accept_mutex *m = make(mechanism, (uid_t)-1);
		struct counters *c;
		struct role role = {"count", mechanism, "", 0, false};
		struct process steady, victim;
		pid_t dead;

		role.counters = counters_make(&c);
		for (int i = 0; i < DEATHS; i++) {
			steady = process_start(m, &role);
			victim = process_start(m, &role);
			process_says(&victim, 's', SOON);
			dead = victim.pid;
			process_kill(&victim);
			accept_mutex_bury(m, dead);
			if (process_end(&steady) != 0)
				fail_msg("%s: the survivor failed", mechanism);
		}
		munmap(c, sizeof(*c));
		close(role.counters);
		accept_mutex_destroy(m);
	}
}

static void
test_none_excludes_nobody(void **state)
{
	struct accept_mutex *m = make("none", (uid_t)-1);
	const struct role role = {"hold", "none", "", -1, false};
	struct process first = process_start(m, &role),
		       second = process_start(m, &role);

	(void)state;
	assert_true(process_says(&first, 'h', SOON));
	assert_true(process_says(&second, 'h', SOON));
	process_kill(&first);
	process_kill(&second);
	accept_mutex_destroy(m);
}

/* A copy in a forked process goes, and the lock stays. */
static void
test_a_forked_process_gives_its_copy_away(void **state)
{
	const char *mechanism;

	(void)state;
	FOR_EACH_MECHANISM(mechanism)
	{
		struct accept_mutex *m = make(mechanism, (uid_t)-1);
		const struct role role = {"hold", mechanism, "", -1, false};
		struct process other;
		int status;
		pid_t pid;

		assert_int_equal(accept_mutex_lock(m), 0);
		pid = fork();
		if (pid == 0) {
			accept_mutex_destroy(m);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
		other = process_start(m, &role);
		assert_true(process_says(&other, 'w', SOON));
		if (process_says(&other, 'h', 20))
			fail_msg("%s: two hold it", mechanism);
		assert_int_equal(accept_mutex_unlock(m), 0);
		if (!process_says(&other, 'h', SOON))
			fail_msg("%s: it is gone", mechanism);
		process_kill(&other);
		accept_mutex_destroy(m);
	}
}

static int
count_files(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			n++;
	closedir(directory);
	return n;
}

static void
test_nothing_is_left_when_all_were_killed(void **state)
{
	const char *mechanism;

	(void)state;
	FOR_EACH_MECHANISM(mechanism)
	{
		bool sysv = strcmp(mechanism, "sysvsem") == 0;
		char path[] = "/tmp/lock.XXXXXX";
		struct role role = {"master", mechanism, "", -1, false};
		struct process master;

		assert_non_null(mkdtemp(path));
		role.directory = path;
		master = process_start(NULL, &role);
		if (!process_says(&master, 'h', 2 * SOON))
			fail_msg("%s: no master", mechanism);
		kill(-master.pid, SIGKILL);
		process_end(&master);
		assert_int_equal(count_files(path), sysv ? 1 : 0);
		/* The kernel cannot forget a semaphore; the next start does. */
		assert_int_equal(accept_mutex_sweep(path, "site"), sysv);
		assert_int_equal(count_files(path), 0);
		assert_int_equal(accept_mutex_sweep(path, "site"), 0);
		assert_int_equal(rmdir(path), 0);
	}
}

static void
test_words_are_told(void **state)
{
	static const struct {
		const char *word, *file;
		const char *text;
	} table[] = {
		{"spinlock", NULL, "Mutex spinlock: there is no such"},
		{"spinlock", NULL, "default, none, pthread, fcntl, flock"},
		{"", NULL, "there is no such mechanism"},
		{"pthread", "/tmp", "Mutex pthread /tmp: only fcntl and flock"},
		{"none", "/tmp", "Mutex none /tmp: only fcntl and flock"},
		{"posixsem", "foo", "Mutex posixsem foo: only fcntl and flock"},
		{"flock", "foo",
			"Mutex flock:foo: the file must be an absolute path"},
		{"flock", "/nonexistent/x", "/nonexistent/x cannot be made"},
		{"fcntl", "/nonexistent/", "/nonexistent/ cannot be made"},
		{"fcntl", "/dev/null/x", "Not a directory"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct accept_mutex_settings settings = {
			.mechanism = table[i].word,
			.file = table[i].file,
			.user = (uid_t)-1,
			.group = (gid_t)-1,
		};
		struct accept_mutex *m = NULL;
		struct err err = {0};

		assert_true(accept_mutex_create(&m, &settings, &err) < 0);
		assert_null(m);
		if (strstr(err.text, table[i].text) == NULL)
			fail_msg("%s", err.text);
	}
}

static void
test_case_does_not_matter(void **state)
{
	struct accept_mutex *m = make("FLock", (uid_t)-1);

	(void)state;
	assert_string_equal(accept_mutex_mechanism(m), "flock");
	accept_mutex_destroy(m);
	accept_mutex_destroy(NULL);
}

static void
test_the_list_has_what_works(void **state)
{
	const char *name;
	size_t i;

	(void)state;
	assert_string_equal(accept_mutex_name(0), "none");
	for (i = 0; (name = accept_mutex_name(i)) != NULL; i++)
		assert_int_equal(accept_mutex_probe(name, NULL), 0);
	assert_true(i >= 1 && i <= ARRAY_LEN(mechanisms) + 1);
	assert_null(accept_mutex_name(100));
	assert_true(accept_mutex_probe("default", NULL) < 0);
}

static void
test_a_wrong_descriptor_is_refused(void **state)
{
	int ends[2], empty = memfd_create("empty", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		const char *other = i == 0 ? "posixsem" : "pthread";
		bool file = strcmp(mechanisms[i], "flock") == 0 ||
			    strcmp(mechanisms[i], "fcntl") == 0;
		struct accept_mutex *from = make(other, (uid_t)-1), *m = NULL;
		int fd = accept_mutex_export(from);
		struct err err = {0};

		assert_true(fd >= 0);
		assert_true(accept_mutex_attach(
				    &m, mechanisms[i], ends[0], &err) < 0);
		assert_non_null(strstr(err.text, mechanisms[i]));
		assert_true(
			accept_mutex_attach(&m, mechanisms[i], -1, &err) < 0);
		if (!file) {
			assert_true(accept_mutex_attach(
					    &m, mechanisms[i], fd, &err) < 0);
			assert_true(accept_mutex_attach(&m, mechanisms[i],
					    empty, &err) < 0);
		}
		assert_null(m);
		close(fd);
		accept_mutex_destroy(from);
	}
	close(ends[0]);
	close(ends[1]);
	close(empty);
}

static void
test_exported_descriptors_do_not_leak(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		struct accept_mutex *m;
		int fd;

		if (nth(i) == NULL)
			continue;
		m = make(mechanisms[i], (uid_t)-1);
		fd = accept_mutex_export(m);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
		accept_mutex_destroy(m);
		assert_int_equal(
			open("/dev/null", O_RDONLY | O_CLOEXEC), fd - 1);
		close(fd - 1);
	}
}

/* In a forked process with mounts of its own: does each mechanism say what
 * it should where path is not mounted? */
static int
try_without(const char *path, const char *const needs[], const char *text)
{
	struct err err;

	if (unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		umount2(path, MNT_DETACH) < 0)
		return 77;
	/* There may be another one below it. */
	while (umount2(path, MNT_DETACH) == 0)
		continue;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		bool needed = false;
		int rc;

		for (size_t k = 0; needs[k] != NULL; k++)
			needed |= strcmp(needs[k], mechanisms[i]) == 0;
		err = (struct err){0};
		rc = accept_mutex_probe(mechanisms[i], &err);
		if (needed && (rc == 0 || strstr(err.text, text) == NULL))
			return 1;
		if (!needed && rc < 0)
			return 2;
	}
	return 0;
}

static void
test_what_is_not_mounted_is_named_or_not_needed(void **state)
{
	static const struct {
		const char *path;
		const char *const needs[3];
		const char *text;
	} table[] = {
		{"/dev/shm", {NULL}, ""},
		{"/proc", {"fcntl", "flock", NULL}, "is /proc mounted?"},
	};
	int status;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		pid = fork();
		if (pid == 0)
			_exit(try_without(
				table[i].path, table[i].needs, table[i].text));
		waitpid(pid, &status, 0);
		if (WEXITSTATUS(status) == 77)
			print_message(
				"%s cannot be unmounted here\n", table[i].path);
		else
			assert_int_equal(status, 0);
	}
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_process_at_a_time),
		cmocka_unit_test(
			test_processes_without_privileges_take_turns_too),
		cmocka_unit_test(test_a_killed_holder_lets_go),
		cmocka_unit_test(
			test_the_death_of_one_that_waits_changes_nothing),
		cmocka_unit_test(test_processes_may_die_at_any_point),
		cmocka_unit_test(test_none_excludes_nobody),
		cmocka_unit_test(test_a_forked_process_gives_its_copy_away),
		cmocka_unit_test(test_nothing_is_left_when_all_were_killed),
		cmocka_unit_test(test_words_are_told),
		cmocka_unit_test(test_case_does_not_matter),
		cmocka_unit_test(test_the_list_has_what_works),
		cmocka_unit_test(test_a_wrong_descriptor_is_refused),
		cmocka_unit_test(test_exported_descriptors_do_not_leak),
		cmocka_unit_test(
			test_what_is_not_mounted_is_named_or_not_needed),
	};

	process_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
