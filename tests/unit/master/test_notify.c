/*
 * test_notify.c - what systemd is told, and what becomes of it while systemd does
 * not listen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "built_with.h"
#include "master/notify.h"

struct systemd {
	struct notify n;
	int fd; /* the queue of its messages */
	char path[64];
};

static int
make(void **state)
{
	struct systemd *s = calloc(1, sizeof(*s));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(s->path, "/tmp/test_notify.XXXXXX");
	s->fd = mkstemp(s->path);
	close(s->fd);
	unlink(s->path);
	strcpy(address.sun_path, s->path);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	*state = s;
	return bind(s->fd, (struct sockaddr *)&address, sizeof(address)) +
	       setenv("NOTIFY_SOCKET", s->path, 1);
}

static int
clean(void **state)
{
	struct systemd *s = *state;

	notify_fini(&s->n);
	unsetenv("NOTIFY_SOCKET");
	unlink(s->path);
	close(s->fd);
	free(s);
	return 0;
}

/* As the other services of a machine do it. */
static void
fill(struct systemd *s)
{
	while (notify_alive(&s->n))
		continue;
}

/* The next message, "" when there is none; with the descriptor of it, or -1. */
static const char *
hear(struct systemd *s, int *fd)
{
	static char text[2048];
	struct iovec part = {text, sizeof(text) - 1};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n = recvmsg(s->fd, &message, 0);

	text[n < 0 ? 0 : n] = '\0';
	if (fd != NULL)
		*fd = -1;
	if (n >= 0 && fd != NULL && message.msg_controllen > 0)
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return text;
}

static void
forget(struct systemd *s)
{
	while (*hear(s, NULL) != '\0')
		continue;
}

static void
test_what_there_is_room_for_is_said_at_once(void **state)
{
	struct systemd *s = *state;

	notify_ready(&s->n, "2 workers");
	notify_stopping(&s->n, NULL);
	assert_false(notify_waits(&s->n));
	assert_string_equal(hear(s, NULL), "READY=1\nSTATUS=2 workers");
	assert_string_equal(hear(s, NULL), "STOPPING=1");
}

static void
test_what_there_is_no_room_for_is_said_later_in_order(void **state)
{
	struct systemd *s = *state;

	fill(s);
	notify_ready(&s->n, NULL);
	notify_main_pid(&s->n, 42);
	assert_true(notify_waits(&s->n));
	assert_false(notify_status(&s->n, "it is said again anyway"));
	notify_turn(&s->n);
	assert_true(notify_waits(&s->n));
	forget(s);
	notify_turn(&s->n);
	assert_false(notify_waits(&s->n));
	assert_string_equal(hear(s, NULL), "READY=1");
	assert_string_equal(hear(s, NULL), "MAINPID=42");
	assert_string_equal(hear(s, NULL), "");
}

static void
test_nothing_overtakes_what_waits(void **state)
{
	struct systemd *s = *state;

	fill(s);
	notify_ready(&s->n, NULL);
	forget(s);
	notify_stopping(&s->n, NULL);
	assert_string_equal(hear(s, NULL), "READY=1");
	assert_string_equal(hear(s, NULL), "STOPPING=1");
}

static void
test_a_descriptor_waits_with_its_message(void **state)
{
	struct systemd *s = *state;
	struct stat sent, got;
	int ends[2], fd;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fstat(ends[0], &sent), 0);
	fill(s);
	notify_store(&s->n, ends[0], "one");
	close(ends[0]);
	close(ends[1]);
	forget(s);
	notify_turn(&s->n);
	assert_string_equal(hear(s, &fd), "FDSTORE=1\nFDNAME=one");
	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(got.st_ino, sent.st_ino);
	close(fd);
}

static void
test_of_very_much_the_last_is_kept(void **state)
{
	struct systemd *s = *state;

	fill(s);
	for (pid_t pid = 1; pid <= 1000; pid++)
		notify_main_pid(&s->n, pid);
	assert_in_range(s->n.length, 2, 999);
	forget(s);
	for (pid_t pid = 1001 - (pid_t)s->n.length; pid <= 1000; pid++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "MAINPID=%d", (int)pid);
		notify_turn(&s->n);
		assert_string_equal(hear(s, NULL), expected);
	}
	assert_false(notify_waits(&s->n));
}

static void
test_at_the_end_it_is_waited_for_room_and_not_for_ever(void **state)
{
	struct systemd *s = *state;
	int64_t before = clock_monotonic_ns();

	fill(s);
	notify_stopping(&s->n, NULL);
	notify_flush(&s->n, 20);
	assert_true(clock_monotonic_ns() - before >= 20 * INT64_C(1000000));
	assert_true(notify_waits(&s->n));
	notify_barrier(&s->n, 20);
	forget(s);
	notify_flush(&s->n, 1000000);
	assert_string_equal(hear(s, NULL), "STOPPING=1");
	assert_string_equal(hear(s, NULL), "BARRIER=1");
}

static void
test_without_anybody_who_listens_nothing_waits(void **state)
{
	struct systemd *s = *state;

	close(s->fd);
	s->fd = -1;
	notify_ready(&s->n, "2 workers");
	assert_false(notify_waits(&s->n));
	unsetenv("NOTIFY_SOCKET");
	assert_false(notify_heard());
	notify_ready(&s->n, "2 workers");
	assert_false(notify_waits(&s->n));
}

static void
test_the_wish_for_signs_of_life_is_read(void **state)
{
	(void)state;
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog_us(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_us(), 30000000);
	unsetenv("WATCHDOG_USEC");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clean)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_there_is_room_for_is_said_at_once),
		TEST(test_what_there_is_no_room_for_is_said_later_in_order),
		TEST(test_nothing_overtakes_what_waits),
		TEST(test_a_descriptor_waits_with_its_message),
		TEST(test_of_very_much_the_last_is_kept),
		TEST(test_at_the_end_it_is_waited_for_room_and_not_for_ever),
		TEST(test_without_anybody_who_listens_nothing_waits),
		cmocka_unit_test(test_the_wish_for_signs_of_life_is_read),
	};

	if (!HAVE_SYSTEMD) {
		printf("wsgid was built without libsystemd\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
