/*
 * test_progress.c - who takes what he is sent is waited for, and who does not
 * is found out at Timeout, or a quarter of it later.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "child/progress.h"

static const int64_t second = 1000000000, timeout = 4000000000;

enum { AT_ONCE = 20000 };

struct ends {
	int server, client;
	uint64_t given;
};

static struct ends
unix_ends(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	return (struct ends){.server = fds[0], .client = fds[1]};
}

static struct ends
tcp_ends(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct ends ends = {0};
	int listener = socket(AF_INET, SOCK_STREAM, 0), size = 4096;

	assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	ends.client = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(
		ends.client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(connect(ends.client, (struct sockaddr *)&a, len), 0);
	ends.server = accept(listener, NULL, NULL);
	assert_true(ends.server >= 0);
	close(listener);
	return ends;
}

static void
close_ends(const struct ends *ends)
{
	close(ends->server);
	close(ends->client);
}

/* As much as the kernel takes, which is more than the client has room for. */
static void
fill(struct ends *ends)
{
	static const char data[AT_ONCE];
	ssize_t n;

	while ((n = send(ends->server, data, sizeof(data), MSG_DONTWAIT)) > 0)
		ends->given += (uint64_t)n;
}

/* Everything that is on its way; with TCP more comes while this reads, so it is
 * certain that the kernel has less to send than before. */
static void
take(struct ends *ends)
{
	char data[AT_ONCE];
	struct timeval patience = {.tv_sec = 10};

	(void)setsockopt(ends->client, SOL_SOCKET, SO_RCVTIMEO, &patience,
		sizeof(patience));
	for (int i = 0; i < 5; i++)
		assert_true(recv(ends->client, data, sizeof(data), 0) > 0);
}

static bool
look(struct progress *p, const struct ends *ends, int64_t now_ns)
{
	return progress_look(p, ends->server, ends->given, now_ns);
}

static void
test_who_takes_nothing_is_found_out_a_quarter_after_timeout(void **state)
{
	struct ends ends = unix_ends();
	struct progress p = {0};

	(void)state;
	fill(&ends);
	progress_begin(&p, timeout, 0);
	for (int64_t t = 1; t < 5; t++) {
		assert_int_equal(p.look_ns, t * second);
		assert_true(look(&p, &ends, p.look_ns));
	}
	assert_false(look(&p, &ends, p.look_ns));
	close_ends(&ends);
}

static void
test_who_takes_something_is_waited_for_although_no_more_is_sent(void **state)
{
	struct ends kinds[] = {unix_ends(), tcp_ends()};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct ends *ends = &kinds[i];
		struct progress p = {0};

		fill(ends);
		progress_begin(&p, timeout, 0);
		assert_true(look(&p, ends, second));
		take(ends);
		assert_true(look(&p, ends, second + timeout));
		close_ends(ends);
	}
}

static void
test_who_stops_taking_has_timeout_from_then_on(void **state)
{
	struct ends ends = unix_ends();
	struct progress p = {0};

	(void)state;
	fill(&ends);
	progress_begin(&p, timeout, 0);
	assert_true(look(&p, &ends, second));
	take(&ends);
	assert_true(look(&p, &ends, 2 * second));
	assert_true(look(&p, &ends, 2 * second + timeout - 1));
	assert_false(look(&p, &ends, 2 * second + timeout));
	close_ends(&ends);
}

static void
test_what_goes_out_is_progress_too(void **state)
{
	struct ends ends = unix_ends();
	struct progress p = {0};

	(void)state;
	progress_begin(&p, timeout, 0);
	assert_true(look(&p, &ends, second));
	ends.given++;
	assert_true(look(&p, &ends, second + timeout));
	assert_false(look(&p, &ends, second + 2 * timeout));
	close_ends(&ends);
}

static void
test_without_a_timeout_nobody_looks(void **state)
{
	struct progress p;

	(void)state;
	progress_begin(&p, 0, second);
	assert_int_equal(p.look_ns, INT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_who_takes_nothing_is_found_out_a_quarter_after_timeout),
		cmocka_unit_test(
			test_who_takes_something_is_waited_for_although_no_more_is_sent),
		cmocka_unit_test(
			test_who_stops_taking_has_timeout_from_then_on),
		cmocka_unit_test(test_what_goes_out_is_progress_too),
		cmocka_unit_test(test_without_a_timeout_nobody_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
