/*
 * test_clients.c - which descriptors a forked copy closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "child/clients.h"

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void
test_a_copy_closes_clients_and_nothing_else(void **state)
{
	struct clients *clients;
	struct err err = {0};
	int fds[200], status;
	pid_t pid;

	(void)state;
	assert_int_equal(clients_create(&clients, NULL, 0, &err), 0);
	for (int i = 0; i < 200; i++) {
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 3);
		assert_true(fds[i] >= 0);
		if (i % 3 != 0)
			clients_add(clients, fds[i]);
		if (i % 3 == 2)
			clients_remove(clients, fds[i]);
	}
	pid = fork();
	if (pid == 0) {
		clients_abandon(clients);
		for (int i = 0; i < 200; i++)
			if (is_open(fds[i]) != (i % 3 != 1))
				_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 200; i++) {
		assert_true(is_open(fds[i]));
		close(fds[i]);
	}
	clients_destroy(clients);
}

static int
listen_somewhere(struct sockaddr_storage *ret, socklen_t *len)
{
	int fd = socket(ret->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)ret, *len), 0);
	assert_int_equal(listen(fd, 1), 0);
	*len = sizeof(*ret);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, len), 0);
	return fd;
}

/* Accepted and not added: the application forked in that moment.  What it has
 * opened itself, to the same server, stays. */
static void
test_a_copy_closes_whom_nobody_knows_yet(void **state)
{
	static const sa_family_t families[] = {AF_INET, AF_UNIX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct sockaddr_storage address = {.ss_family = families[i]};
		socklen_t len = families[i] == AF_UNIX
					? sizeof(sa_family_t) /* any */
					: sizeof(struct sockaddr_in);
		int listener = listen_somewhere(&address, &len);
		int own = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct clients *clients;
		struct err err = {0};
		int client, status;
		pid_t pid;

		assert_int_equal(
			clients_create(&clients, &listener, 1, &err), 0);
		assert_int_equal(
			connect(own, (struct sockaddr *)&address, len), 0);
		client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(client >= 0);
		pid = fork();
		if (pid == 0) {
			clients_abandon(clients);
			_exit(is_open(client) + 2 * !is_open(own));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_true(is_open(client));
		close(client);
		close(own);
		close(listener);
		clients_destroy(clients);
	}
}

static void
test_the_highest_descriptor_has_its_place(void **state)
{
	struct clients *clients;
	struct rlimit limit;
	struct err err = {0};
	int highest;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	highest = limit.rlim_max > 1 << 20 ? 1 << 20 : (int)limit.rlim_max;
	assert_int_equal(clients_create(&clients, NULL, 0, &err), 0);
	clients_add(clients, highest - 1);
	clients_remove(clients, highest - 1);
	clients_abandon(clients);
	clients_abandon(NULL);
	clients_destroy(clients);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_copy_closes_clients_and_nothing_else),
		cmocka_unit_test(test_a_copy_closes_whom_nobody_knows_yet),
		cmocka_unit_test(test_the_highest_descriptor_has_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
