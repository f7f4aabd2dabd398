/*
 * test_threads.c - which threads a fork misses.
 */
#include "exchange.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "python/app.h"

enum { PATIENCE_MS = 10000 };

static pthread_barrier_t barrier;
static pthread_t thread;
static bool ends_for_forks;

static void *
wait_at_barrier(void *unused)
{
	(void)pthread_barrier_wait(&barrier);
	return unused;
}

static void
start_in_c(void)
{
	assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
	assert_int_equal(
		pthread_create(&thread, NULL, wait_at_barrier, NULL), 0);
}

static void
end_in_c(void)
{
	(void)pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}

/* As OpenBLAS does. */
static void
before_forks(void)
{
	if (ends_for_forks)
		end_in_c();
	ends_for_forks = false;
}

/* The kernel may show a thread for a moment that has been waited for. */
static void
look(char *to, size_t size, bool for_none)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (!app_missing_threads(exchange_app(), to, size) || !for_none)
			return;
		usleep(1000);
	}
}

static void
assert_a_fork_misses(const char *names)
{
	char said[128] = "";
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	app_before_fork(exchange_app());
	pid = fork();
	app_after_fork(exchange_app(), pid == 0);
	if (pid == 0) {
		look(said, sizeof(said), names[0] == '\0');
		_exit(write(ends[1], said, strlen(said) + 1) > 0 ? 0 : 1);
	}
	close(ends[1]);
	assert_true(read(ends[0], said, sizeof(said)) > 0);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(said, names);
}

static void
test_without_threads_none_is_missed(void **state)
{
	char names[128];

	(void)state;
	assert_int_equal(app_note_threads(exchange_app()), 0);
	assert_false(
		app_missing_threads(exchange_app(), names, sizeof(names)));
	assert_string_equal(names, "");
	assert_a_fork_misses("");
}

static void
test_what_is_missed_is_named_and_counted(void **state)
{
	char names[128];

	(void)state;
	start_in_c();
	run_python("import threading\n"
		   "go = threading.Event()\n"
		   "t = [threading.Thread(target=go.wait, name=n)\n"
		   "     for n in ('reloader', 'd\\xe9j\\xe0 \\udcff')]\n"
		   "[x.start() for x in t]\n");
	assert_int_equal(app_note_threads(exchange_app()), 1);
	assert_false(
		app_missing_threads(exchange_app(), names, sizeof(names)));
	assert_a_fork_misses(
		"reloader, d\xc3\xa9j\xc3\xa0 \\udcff, 1 of C code");

	app_forget_threads(exchange_app());
	assert_a_fork_misses("");
	run_python("go.set()\n"
		   "[x.join() for x in t]\n");
	end_in_c();
}

static void
test_what_a_hook_starts_again_is_not_missed(void **state)
{
	(void)state;
	run_python("import os, threading\n"
		   "go = threading.Event()\n"
		   "def begin(names):\n"
		   "    t = [threading.Thread(target=go.wait, name=n)\n"
		   "         for n in names]\n"
		   "    [x.start() for x in t]\n"
		   "    return t\n"
		   "again = ['sender-2']\n"
		   "os.register_at_fork(after_in_child=lambda: begin(again))\n"
		   "t = begin(['sender-1', 'other'])\n");
	assert_int_equal(app_note_threads(exchange_app()), 1);
	assert_a_fork_misses("other");
	run_python("again.append('other')");
	assert_a_fork_misses("");
	run_python("again.clear()\n"
		   "go.set()\n"
		   "[x.join() for x in t]\n");
}

static void
test_what_is_ended_for_a_fork_is_not_missed(void **state)
{
	(void)state;
	start_in_c();
	assert_int_equal(pthread_atfork(before_forks, NULL, NULL), 0);
	assert_int_equal(app_note_threads(exchange_app()), 1);
	ends_for_forks = true;
	assert_a_fork_misses("");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_threads_none_is_missed),
		cmocka_unit_test(test_what_is_missed_is_named_and_counted),
		cmocka_unit_test(test_what_a_hook_starts_again_is_not_missed),
		cmocka_unit_test(test_what_is_ended_for_a_fork_is_not_missed),
	};

	return cmocka_run_group_tests(
		tests, exchange_set_up, exchange_tear_down);
}
