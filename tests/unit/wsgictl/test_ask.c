/*
 * test_ask.c - a master that answers well, badly, late or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "server.h"
#include "wsgictl/ask.h"
#include "wsgictl/instance.h"

static int
listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* Both ends of a request. */
static int
open_within(const char *dir, int64_t effect_ms, struct ask *a, int *master)
{
	static const char *const words[] = {"log-level", "a b", NULL};
	struct instance i = {.name = "shop", .pid = 1};
	struct err err = {0};
	int listener;

	/* Of which only the owner counts. */
	i.board = (char *)(uintptr_t)dir;
	i.control = strdup(server_path(dir, "shop.ctl"));
	listener = listen_at(i.control);
	assert_int_equal(ask_open(a, &i, words, effect_ms, &err), 0);
	*master = accept(listener, NULL, NULL);
	unlink(i.control);
	close(listener);
	free(i.control);
	return 0;
}

static int
open_both(const char *dir, struct ask *a, int *master)
{
	return open_within(dir, -1, a, master);
}

static void
test_a_request_is_one_line(void **state)
{
	struct ask a;
	int master;
	char text[64] = {0};

	open_both(*state, &a, &master);
	/* Whoever listens is the master, whatever the pid file says. */
	assert_int_equal(a.master, getpid());
	assert_true(recv(master, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "log-level a%20b\n");
	close(master);
	ask_close(&a);
}

static void
test_lines_may_come_in_pieces(void **state)
{
	struct ask_answer l;
	struct ask a;
	int master;
	char text[64];

	open_both(*state, &a, &master);
	assert_true(recv(master, text, sizeof(text), 0) > 0);
	assert_int_equal(ask_line(&a, 0, &l), 0);
	assert_int_equal(send(master, "+ rea", 5, 0), 5);
	assert_int_equal(ask_line(&a, 0, &l), 0);
	assert_int_equal(send(master, "dy 3\nok\nrest", 12, 0), 12);
	assert_int_equal(ask_line(&a, 1000, &l), 1);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.words[1], "ready");
	assert_string_equal(l.words[2], "3");
	assert_string_equal(l.words[3], "");
	assert_int_equal(ask_line(&a, 1000, &l), 1);
	assert_string_equal(l.words[0], "ok");
	close(master);
	assert_int_equal(ask_line(&a, 1000, &l), -EPIPE);
	ask_close(&a);
}

static void
test_a_line_without_end_is_refused(void **state)
{
	char flood[CONTROL_LINE + 1];
	struct ask_answer l;
	struct ask a;
	int master;

	open_both(*state, &a, &master);
	memset(flood, 'x', sizeof(flood));
	assert_int_equal(send(master, flood, sizeof(flood), 0), sizeof(flood));
	assert_int_equal(ask_line(&a, 1000, &l), -EBADMSG);
	close(master);
	ask_close(&a);
}

/* What has a verb bounds no line of its own, but all of them. */
static void
test_lines_without_end_are_not_listened_to_for_ever(void **state)
{
	struct ask_answer l;
	struct ask a;
	int master, rc = 1;

	open_within(*state, 100, &a, &master);
	while (rc == 1) {
		assert_true(send(master, "+ log again\n", 12, 0) == 12);
		rc = ask_line(&a, 10000, &l);
	}
	assert_int_equal(rc, -ETIMEDOUT);
	assert_true(a.lines > 0);
	close(master);
	ask_close(&a);
}

static void
test_an_order_that_is_heard_may_take_as_long_as_it_takes(void **state)
{
	struct ask_answer l;
	struct ask a;
	int master;

	open_within(*state, -1, &a, &master);
	assert_true(a.end_ns < INT64_MAX);
	assert_int_equal(send(master, "+ reloading\n", 12, 0), 12);
	assert_int_equal(ask_line(&a, 0, &l), 1);
	assert_true(a.end_ns == INT64_MAX);
	assert_int_equal(ask_line(&a, 1, &l), 0);
	close(master);
	ask_close(&a);
	/* But nobody's answer has so many bytes, and no application says so much. */
	open_within(*state, -1, &a, &master);
	a.bytes = ASK_BYTES;
	assert_int_equal(send(master, "+ log hello\n", 12, 0), 12);
	assert_int_equal(ask_line(&a, 0, &l), 1);
	a.log_bytes = ASK_LOG_BYTES;
	assert_int_equal(send(master, "+ log hello\n", 12, 0), 12);
	assert_int_equal(ask_line(&a, 0, &l), -EMSGSIZE);
	a.log_bytes = 0;
	assert_int_equal(send(master, "+ reloading\n", 12, 0), 12);
	assert_int_equal(ask_line(&a, 0, &l), -EMSGSIZE);
	close(master);
	ask_close(&a);
}

static void
test_not_to_wait_is_to_take_what_has_come(void **state)
{
	struct ask_answer l;
	struct ask a;
	int master;

	open_within(*state, 0, &a, &master);
	assert_int_equal(send(master, "+ reloading\nerror no\n", 21, 0), 21);
	assert_int_equal(ask_line(&a, 1000, &l), 1);
	assert_int_equal(ask_line(&a, 1000, &l), 1);
	assert_string_equal(l.words[0], "error");
	assert_int_equal(ask_line(&a, 1000, &l), -ETIMEDOUT);
	close(master);
	ask_close(&a);
}

static void
test_words_that_no_master_says_are_nonsense(void **state)
{
	static const char *const lines[] = {
		"+ x", "+", "hello", "- reloading", "reloading"};
	struct ask_answer l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_int_equal(ask_parse(&l, str_of(lines[i])), -EBADMSG);
}

/* Somebody else of another user has made the socket. */
static void
test_somebody_elses_socket_is_told_nothing(void **state)
{
	static const char *const words[] = {"reload", NULL};
	struct instance i = {.name = "shop", .pid = 1, .has_pid_file = true};
	struct err err = {0};
	struct ask a;
	int listener, status;
	pid_t other;

	if (geteuid() != 0) {
		print_message("skipped: only root can be somebody else\n");
		skip();
	}
	assert_int_equal(chmod(*state, 0777), 0);
	i.control = strdup(server_path(*state, "shop.ctl"));
	i.pid_file = strdup(server_path(*state, "shop.pid"));
	close(server_pid_file(*state, "shop", 0));
	other = fork();
	if (other == 0) {
		if (setuid(65534) < 0)
			_exit(1);
		listener = listen_at(i.control);
		while (accept(listener, NULL, NULL) >= 0)
			continue;
		_exit(0);
	}
	while (access(i.control, F_OK) < 0)
		usleep(1000);
	while (ask_open(&a, &i, words, -1, &err) == -ECONNREFUSED)
		usleep(1000);
	assert_int_equal(err.code, EPERM);
	assert_non_null(strstr(err.text, "and not the master of shop (pid 1)"));
	/* Whose the server is, it may be. */
	assert_int_equal(chown(i.pid_file, 65534, 65534), 0);
	assert_int_equal(ask_open(&a, &i, words, -1, &err), 0);
	assert_int_equal(a.master, other);
	ask_close(&a);
	kill(other, SIGKILL);
	waitpid(other, &status, 0);
	free(i.control);
	free(i.pid_file);
}

static void
test_a_master_that_is_about_to_listen_is_awaited(void **state)
{
	static const char *const words[] = {"status", NULL};
	struct instance i = {.name = "shop", .pid = getpid()};
	struct err err = {0};
	struct ask a;
	pid_t master;
	int status;

	i.control = strdup(server_path(*state, "shop.ctl"));
	close(listen_at(i.control)); /* its predecessor's */
	master = fork();
	if (master == 0) {
		usleep(50000);
		unlink(i.control);
		usleep(50000);
		(void)listen_at(i.control);
		pause();
	}
	assert_int_equal(ask_open(&a, &i, words, -1, &err), 0);
	assert_int_equal(a.master, master);
	ask_close(&a);
	kill(master, SIGKILL);
	waitpid(master, &status, 0);
	free(i.control);
}

/* The pid is that of one that lives, and may open its socket yet. */
static void
test_who_has_little_time_waits_for_no_master_that_does_not_listen(void **state)
{
	static const char *const words[] = {"status", NULL};
	struct instance i = {.name = "shop", .pid = getpid()};
	int64_t begin_ns = clock_monotonic_ns();
	struct err err = {0};
	struct ask a;

	i.control = strdup(server_path(*state, "shop.ctl"));
	assert_int_equal(ask_open(&a, &i, words, 50, &err), -ENOENT);
	assert_true(clock_monotonic_ns() - begin_ns >= 50 * MS_NS);
	assert_int_equal(ask_open_at_once(&a, &i, words, 60000, &err), -ENOENT);
	close(listen_at(i.control));
	assert_int_equal(
		ask_open_at_once(&a, &i, words, 60000, &err), -ECONNREFUSED);
	/* Half of what the first one would take if it had the time. */
	assert_true(clock_monotonic_ns() - begin_ns < 1000 * MS_NS);
	free(i.control);
}

static void
test_words_are_fit_for_a_terminal(void **state)
{
	struct ask_answer l;

	(void)state;
	assert_int_equal(ask_parse(&l, STR("+ log a%09b%1B[2J%0Ac%C3%A9")), 0);
	assert_string_equal(l.words[2], "a\tb?[2J?c\xc3\xa9");
	assert_int_equal(
		ask_parse(&l, STR("error \xc2\x9b%C2%85\xe2\x80\xae.")), 0);
	assert_string_equal(l.words[1], "???.");
	assert_int_equal(ask_parse(&l, STR("")), -EBADMSG);
	assert_int_equal(ask_parse(&l, STR("+ %0")), -EBADMSG);
}

static void
test_nobody_there_is_a_sentence(void **state)
{
	static const char *const words[] = {"status", NULL};
	struct instance i = {.name = "shop", .pid = 42};
	struct err err = {0};
	struct ask a;
	char name[200];

	i.control = strdup(server_path(*state, "shop.ctl"));
	assert_int_equal(ask_open(&a, &i, words, -1, &err), -ENOENT);
	assert_non_null(strstr(err.text, "nobody answers at its control"));
	close(listen_at(i.control));
	assert_int_equal(ask_open(&a, &i, words, -1, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "kill -TERM 42 stops it"));
	free(i.control);
	i.control = NULL;
	assert_int_equal(ask_open(&a, &i, words, -1, &err), -ENOENT);
	assert_non_null(strstr(err.text, "--run-directory"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	i.control = name;
	assert_int_equal(ask_open(&a, &i, words, -1, &err), -ENAMETOOLONG);
}

#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
		name, server_make_directory, server_remove_directory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_request_is_one_line),
		TEST(test_lines_may_come_in_pieces),
		TEST(test_a_line_without_end_is_refused),
		TEST(test_lines_without_end_are_not_listened_to_for_ever),
		TEST(test_an_order_that_is_heard_may_take_as_long_as_it_takes),
		TEST(test_not_to_wait_is_to_take_what_has_come),
		cmocka_unit_test(test_words_that_no_master_says_are_nonsense),
		TEST(test_somebody_elses_socket_is_told_nothing),
		cmocka_unit_test(test_words_are_fit_for_a_terminal),
		TEST(test_a_master_that_is_about_to_listen_is_awaited),
		TEST(test_who_has_little_time_waits_for_no_master_that_does_not_listen),
		TEST(test_nobody_there_is_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
