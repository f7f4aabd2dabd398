/*
 * test_sigterm.c - SIGTERM can be waited for, and sent as SIGINT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/sigterm.h"

static bool
is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void
handle(void)
{
	struct sigaction action = {.sa_handler = sigterm_on_signal};

	sigaction(SIGTERM, &action, NULL);
}

static void
test_its_descriptor_is_readable_once_it_has_come(void **state)
{
	int fd;

	(void)state;
	handle();
	fd = sigterm_open();
	assert_true(fd >= 0);
	assert_false(sigterm_came());
	assert_false(is_readable(fd));
	raise(SIGTERM);
	assert_true(sigterm_came());
	assert_true(is_readable(fd));
	assert_true(is_readable(fd));
	sigterm_close(fd);
	raise(SIGTERM); /* harmless */
}

/* While the application was imported, say: behind the test above it has. */
static void
test_it_is_heard_also_when_it_came_before_there_was_a_descriptor(void **state)
{
	int fd;

	(void)state;
	handle();
	raise(SIGTERM);
	fd = sigterm_open();
	assert_true(is_readable(fd));
	sigterm_close(fd);
}

/* Its parent goes on waiting with the same descriptor. */
static void
test_a_copy_that_has_closed_it_rings_for_nobody(void **state)
{
	int fd, status;
	pid_t pid;

	(void)state;
	handle();
	fd = sigterm_open();
	while (is_readable(fd)) {
		uint64_t times;

		(void)!read(fd, &times, sizeof(times));
	}
	pid = fork();
	if (pid == 0) {
		sigterm_close(fd);
		raise(SIGTERM);
		_exit(sigterm_came() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(is_readable(fd));
	sigterm_close(fd);
}

/* In a copy, as what has come stays so.  0: it has. */
static int
came_after(void (*send)(pid_t to))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct sigaction action = {
			.sa_sigaction = sigterm_on_interrupt,
			.sa_flags = SA_SIGINFO};

		handle();
		sigaction(SIGINT, &action, NULL);
		send(getpid());
		if (sigterm_came() == sigterm_interrupted())
			_exit(2);
		_exit(sigterm_came() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status >> 8;
}

static void
kill_it(pid_t to)
{
	kill(to, SIGINT);
}

static void
raise_it(pid_t to)
{
	(void)to;
	raise(SIGINT);
}

static void
queue_it(pid_t to)
{
	sigqueue(to, SIGINT, (union sigval){0});
}

static void
have_another_kill_it(pid_t to)
{
	pid_t pid = fork();

	if (pid == 0) {
		kill(to, SIGINT);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* Runs first: what comes to the process itself stays. */
static void
test_sigint_is_sigterm_when_the_process_has_sent_it_itself(void **state)
{
	(void)state;
	assert_int_equal(came_after(kill_it), 0);
	assert_int_equal(came_after(raise_it), 0);
	assert_int_equal(came_after(queue_it), 0);
	assert_int_equal(came_after(have_another_kill_it), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_sigint_is_sigterm_when_the_process_has_sent_it_itself),
		cmocka_unit_test(
			test_its_descriptor_is_readable_once_it_has_come),
		cmocka_unit_test(
			test_it_is_heard_also_when_it_came_before_there_was_a_descriptor),
		cmocka_unit_test(
			test_a_copy_that_has_closed_it_rings_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
