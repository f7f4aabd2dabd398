/*
 * test_locker.c - the thread that waits, with every mechanism.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "lock/accept_mutex.h"
#include "lock/locker.h"
#include "processes.h"
#include "support/skip.h"

enum { MS = 1000000, A_WHILE = 20 /* ms: to see that nothing happens */ };

static const char *const mechanisms[] = {
	"none", "pthread", "fcntl", "flock", "sysvsem", "posixsem"};

struct fixture {
	const char *mechanism;
	struct accept_mutex *m;    /* the master's */
	struct accept_mutex *mine; /* the child's, attached */
	struct locker *l;
};

/* False when this machine has no such mechanism. */
static bool
set_up(struct fixture *f, const char *mechanism)
{
	const struct accept_mutex_settings settings = {
		.mechanism = mechanism,
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};
	struct err err = {0};

	if (accept_mutex_probe(mechanism, &err) < 0) {
		print_message("%s is left out: %s\n", mechanism, err.text);
		return false;
	}
	f->mechanism = mechanism;
	assert_int_equal(accept_mutex_create(&f->m, &settings, NULL), 0);
	assert_int_equal(accept_mutex_attach(&f->mine, mechanism,
				 accept_mutex_export(f->m), NULL),
		0);
	assert_int_equal(locker_create(&f->l, f->mine, NULL), 0);
	return true;
}

static void
tear_down(struct fixture *f)
{
	int64_t before = clock_monotonic_ns();

	locker_destroy(f->l);
	if (clock_monotonic_ns() - before > 100 * MS)
		fail_msg("%s: the thread is slow to end", f->mechanism);
	accept_mutex_destroy(f->mine);
	accept_mutex_destroy(f->m);
}

static bool
becomes_readable(const struct fixture *f, int timeout_ms)
{
	struct pollfd fd = {.fd = locker_fd(f->l), .events = POLLIN};

	return poll(&fd, 1, timeout_ms) == 1;
}

static struct process
start_holder(const struct fixture *f)
{
	const struct role role = {"hold", f->mechanism, "", -1, false};

	return process_start(f->m, &role);
}

static void
kill_holder(const struct fixture *f, struct process *p)
{
	pid_t dead = p->pid;

	process_kill(p);
	accept_mutex_bury(f->m, dead);
}

static int
count_threads(void)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(directory);
	return n;
}

#define FOR_EACH(f, from)                                        \
	for (size_t i_ = from; i_ < ARRAY_LEN(mechanisms); i_++) \
		if (set_up(f, mechanisms[i_]))

enum { ALL = 0, EXCLUDING = 1 };

static void
test_it_says_when_the_lock_is_held(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, ALL)
	{
		for (int i = 0; i < 3; i++) {
			assert_int_equal(locker_held(f.l), 0);
			assert_false(becomes_readable(&f, 0));
			assert_int_equal(locker_ask(f.l, NULL), 0);
			assert_int_equal(locker_ask(f.l, NULL), 0);
			assert_true(becomes_readable(&f, SOON));
			assert_int_equal(locker_held(f.l), 1);
			assert_true(becomes_readable(&f, 0));
			assert_int_equal(locker_ask(f.l, NULL), 0);
			assert_int_equal(locker_held(f.l), 1);
			locker_release(f.l, NULL);
			locker_release(f.l, NULL);
		}
		tear_down(&f);
	}
}

static void
test_the_thread_starts_with_the_first_ask(void **state)
{
	struct fixture f;
	int before = count_threads();

	(void)state;
	FOR_EACH(&f, ALL)
	{
		int64_t until = clock_monotonic_ns() + (int64_t)SOON * MS;

		assert_int_equal(count_threads(), before);
		locker_ask(f.l, NULL);
		assert_int_equal(count_threads(), before + 1);
		tear_down(&f);
		/* A joined thread's entry goes a moment later. */
		while (count_threads() > before && clock_monotonic_ns() < until)
			sched_yield();
		assert_int_equal(count_threads(), before);
	}
}

static void
test_what_is_held_is_kept_from_others(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, EXCLUDING)
	{
		struct process other;

		locker_ask(f.l, NULL);
		assert_true(becomes_readable(&f, SOON));
		other = start_holder(&f);
		assert_true(process_says(&other, 'w', SOON));
		assert_false(process_says(&other, 'h', A_WHILE));
		locker_release(f.l, NULL);
		assert_true(process_says(&other, 'h', SOON));
		locker_ask(f.l, NULL);
		assert_false(becomes_readable(&f, A_WHILE));
		kill_holder(&f, &other);
		assert_true(becomes_readable(&f, SOON));
		tear_down(&f);
	}
}

/* A release and an ask in one breath must not keep the others out. */
static void
test_asking_again_queues_again(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, ALL)
	{
		for (int i = 0; i < 200; i++) {
			locker_ask(f.l, NULL);
			assert_true(becomes_readable(&f, SOON));
			locker_release(f.l, NULL);
			assert_int_equal(locker_held(f.l), 0);
		}
		locker_ask(f.l, NULL);
		locker_release(f.l, NULL);
		locker_ask(f.l, NULL);
		assert_true(becomes_readable(&f, SOON));
		tear_down(&f);
	}
}

static void
test_a_wait_is_interrupted_within_100_ms(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, EXCLUDING)
	{
		struct process holder = start_holder(&f), next;

		assert_true(process_says(&holder, 'h', SOON));
		locker_ask(f.l, NULL);
		assert_false(becomes_readable(&f, A_WHILE));
		next = start_holder(&f);
		assert_true(process_says(&next, 'w', SOON));
		/* Destroy while waiting; the mutex goes on without it. */
		{
			int64_t before = clock_monotonic_ns();

			locker_destroy(f.l);
			f.l = NULL;
			if (clock_monotonic_ns() - before > 100 * MS)
				fail_msg("%s", f.mechanism);
		}
		kill_holder(&f, &holder);
		assert_true(process_says(&next, 'h', SOON));
		kill_holder(&f, &next);
		assert_int_equal(accept_mutex_lock(f.mine), 0);
		assert_int_equal(accept_mutex_unlock(f.mine), 0);
		tear_down(&f);
	}
}

static void
test_it_can_end_at_any_moment(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, ALL)
	{
		for (int i = 0; i < 30; i++) {
			locker_ask(f.l, NULL);
			if (i % 3 == 0)
				becomes_readable(&f, SOON);
			if (i % 3 == 1)
				sched_yield();
			locker_pause(f.l);
			assert_int_equal(locker_held(f.l), 0);
			assert_false(becomes_readable(&f, 0));
			if (i % 2 == 0)
				locker_release(f.l, NULL);
			assert_int_equal(locker_resume(f.l), 0);
		}
		tear_down(&f);
	}
}

static void
test_a_pause_gives_up_the_lock_and_asks_again(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, EXCLUDING)
	{
		struct process other;

		locker_ask(f.l, NULL);
		assert_true(becomes_readable(&f, SOON));
		locker_pause(f.l);
		locker_pause(f.l);
		other = start_holder(&f);
		assert_true(process_says(&other, 'h', SOON));
		kill_holder(&f, &other);
		assert_int_equal(locker_resume(f.l), 0);
		assert_int_equal(locker_ask(f.l, NULL), 0);
		assert_false(becomes_readable(&f, A_WHILE));
		assert_int_equal(locker_resume(f.l), 0);
		assert_true(becomes_readable(&f, SOON));
		tear_down(&f);
	}
}

static void
test_what_comes_after_a_release_is_let_go(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, EXCLUDING)
	{
		struct process holder = start_holder(&f), next;

		assert_true(process_says(&holder, 'h', SOON));
		locker_ask(f.l, NULL);
		assert_false(becomes_readable(&f, A_WHILE));
		locker_release(f.l, NULL);
		kill_holder(&f, &holder);
		next = start_holder(&f);
		assert_true(process_says(&next, 'h', SOON));
		assert_false(becomes_readable(&f, 0));
		kill_holder(&f, &next);
		tear_down(&f);
	}
}

static void
test_a_forked_copy_does_no_harm(void **state)
{
	struct fixture f;
	int status;
	pid_t pid;

	(void)state;
	FOR_EACH(&f, ALL)
	{
		locker_ask(f.l, NULL);
		assert_true(becomes_readable(&f, SOON));
		pid = fork();
		if (pid == 0) {
			locker_destroy(f.l);
			accept_mutex_destroy(f.mine);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
		assert_int_equal(locker_held(f.l), 1);
		tear_down(&f);
	}
}

static void
test_a_broken_mutex_is_told(void **state)
{
	struct fixture f;

	(void)state;
	if (!set_up(&f, "sysvsem"))
		SKIP("this machine has no sysvsem");
	locker_ask(f.l, NULL);
	assert_true(becomes_readable(&f, SOON));
	locker_release(f.l, NULL);
	accept_mutex_orphan(f.mine);
	locker_ask(f.l, NULL);
	assert_true(becomes_readable(&f, SOON));
	assert_int_equal(locker_held(f.l), -EIDRM);
	locker_release(f.l, NULL);
	assert_true(becomes_readable(&f, 0));
	assert_int_equal(locker_ask(f.l, NULL), -EIDRM);
	locker_pause(f.l);
	assert_int_equal(locker_resume(f.l), -EIDRM);
	tear_down(&f);
}

static void
test_who_cannot_be_told_keeps_nobody_out(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH(&f, EXCLUDING)
	{
		int64_t end = clock_monotonic_ns() + SOON * MS;
		int fd = locker_fd(f.l);
		struct process other;

		close(fd); /* the application has */
		assert_int_equal(locker_ask(f.l, NULL), 0);
		while (locker_held(f.l) == 0 && clock_monotonic_ns() < end)
			sched_yield();
		assert_int_equal(locker_held(f.l), -EBADF);
		other = start_holder(&f);
		assert_true(process_says(&other, 'h', SOON));
		kill_holder(&f, &other);
		assert_int_equal(dup2(STDERR_FILENO, fd), fd);
		tear_down(&f);
	}
}

static volatile sig_atomic_t urgent;
static pthread_t taker;

static void
take_note(int number)
{
	(void)number;
	taker = pthread_self();
	urgent++;
}

static void
test_the_applications_signals_stay_its_own(void **state)
{
	struct sigaction mine = {.sa_handler = take_note}, now;
	struct fixture f;

	(void)state;
	sigaction(SIGURG, &mine, NULL);
	sigaction(SIGUSR1, &mine, NULL);
	FOR_EACH(&f, EXCLUDING)
	{
		struct process holder = start_holder(&f);

		assert_true(process_says(&holder, 'h', SOON));
		locker_ask(f.l, NULL);
		assert_false(becomes_readable(&f, A_WHILE));
		/* A signal for the process does not go to the thread. */
		urgent = 0;
		kill(getpid(), SIGUSR1);
		assert_int_equal(urgent, 1);
		assert_true(pthread_equal(taker, pthread_self()));
		tear_down(&f);
		assert_int_equal(urgent, 1);
		sigaction(SIGURG, NULL, &now);
		assert_ptr_equal(now.sa_handler, take_note);
		process_kill(&holder);
	}
	signal(SIGURG, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
}

/* Two threads of one child: the second asks before the first lets go. */
static void
test_who_asked_last_has_it_and_nobody_else_lets_it_go(void **state)
{
	int first, second;
	struct fixture f;

	(void)state;
	FOR_EACH(&f, ALL)
	{
		locker_ask(f.l, &first);
		assert_true(becomes_readable(&f, 10000));
		locker_ask(f.l, &second);
		locker_release(f.l, &first);
		assert_int_equal(locker_held(f.l), 1);
		locker_release(f.l, &second);
		assert_int_equal(locker_held(f.l), 0);
		tear_down(&f);
	}
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_says_when_the_lock_is_held),
		cmocka_unit_test(test_the_thread_starts_with_the_first_ask),
		cmocka_unit_test(test_what_is_held_is_kept_from_others),
		cmocka_unit_test(test_asking_again_queues_again),
		cmocka_unit_test(test_a_wait_is_interrupted_within_100_ms),
		cmocka_unit_test(test_it_can_end_at_any_moment),
		cmocka_unit_test(test_a_pause_gives_up_the_lock_and_asks_again),
		cmocka_unit_test(test_what_comes_after_a_release_is_let_go),
		cmocka_unit_test(
			test_who_asked_last_has_it_and_nobody_else_lets_it_go),
		cmocka_unit_test(test_a_forked_copy_does_no_harm),
		cmocka_unit_test(test_a_broken_mutex_is_told),
		cmocka_unit_test(test_who_cannot_be_told_keeps_nobody_out),
		cmocka_unit_test(test_the_applications_signals_stay_its_own),
	};

	process_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
