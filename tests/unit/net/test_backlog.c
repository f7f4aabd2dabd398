/*
 * test_backlog.c - listening sockets whose connections nobody accepts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/defs.h"
#include "net/backlog.h"
#include "support/skip.h"

enum { LIMIT = 7, CLIENTS = 3 };

/* A place that the kernel chooses: a port of loopback, or an abstract name. */
static int
listen_at(int family, struct sockaddr_storage *at, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(family, SOCK_STREAM, 0);
	int rc = family == AF_UNIX
			 ? bind(fd, (struct sockaddr *)&un, sizeof(sa_family_t))
			 : bind(fd, (struct sockaddr *)&in, sizeof(in));

	assert_int_equal(rc, 0);
	assert_int_equal(listen(fd, LIMIT), 0);
	*len = sizeof(*at);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, len), 0);
	return fd;
}

static void
count_at(int family)
{
	struct sockaddr_storage at;
	struct backlog b;
	socklen_t len;
	int fd = listen_at(family, &at, &len), clients[CLIENTS];

	for (int n = 0; n <= CLIENTS; n++) {
		int rc = backlog_look(fd, &b);

		if (rc == -EAFNOSUPPORT || rc == -ENOENT || rc == -EPERM)
			SKIP("the kernel has no unix_diag for us");
		assert_int_equal(rc, 0);
		assert_int_equal(b.waiting, n);
		assert_int_equal(b.limit, LIMIT);
		if (n == CLIENTS)
			break;
		clients[n] = socket(family, SOCK_STREAM, 0);
		assert_int_equal(
			connect(clients[n], (struct sockaddr *)&at, len), 0);
	}
	close(accept(fd, NULL, NULL));
	assert_int_equal(backlog_look(fd, &b), 0);
	assert_int_equal(b.waiting, CLIENTS - 1);
	for (int n = 0; n < CLIENTS; n++)
		close(clients[n]);
	close(fd);
}

static void
test_who_waits_at_a_port_is_counted(void **state)
{
	(void)state;
	count_at(AF_INET);
}

static void
test_who_waits_at_a_unix_socket_is_counted(void **state)
{
	(void)state;
	count_at(AF_UNIX);
}

static void
test_others_than_listening_sockets_are_refused(void **state)
{
	struct backlog b;
	int pair[2], fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(backlog_look(fd, &b), -EINVAL);
	assert_int_equal(backlog_look(pair[0], &b), -EINVAL);
	assert_int_equal(backlog_look(STDERR_FILENO + 1000, &b), -EBADF);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_waits_at_a_port_is_counted),
		cmocka_unit_test(test_who_waits_at_a_unix_socket_is_counted),
		cmocka_unit_test(
			test_others_than_listening_sockets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
