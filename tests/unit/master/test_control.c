/*
 * test_control.c - the control socket, asked by clients good and bad.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "fixture.h"
#include "master/child.h"
#include "master/control.h"
#include "master/scale.h"
#include "mpm/mpm.h"
#include "net/channel.h"
#include "scoreboard/scoreboard.h"

static int
open_control(void **state)
{
	struct fixture *f;
	struct err err = {0};

	if (fixture_make(state) < 0)
		return -1;
	f = *state;
	f->m.run.path = f->dir;
	return control_open(&f->m, &err);
}

static int
connect_client(struct fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, fixture_path(f, "test.ctl"));
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
run(struct fixture *f)
{
	for (int i = 0; i < 1000 && fixture_event(f); i++)
		continue;
}

/* All that the master answers, to the end. */
static const char *
answer(int fd)
{
	static char text[8192];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - 1 - len,
			MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static const char *
ask(struct fixture *f, const char *request)
{
	int fd = connect_client(f);
	const char *text;

	assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) >= 0);
	run(f);
	text = answer(fd);
	close(fd);
	run(f);
	return text;
}

static void
test_only_the_owner_may_connect(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(fixture_path(f, "test.ctl"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* The lowest number that no descriptor may have makes accept fail. */
static void
limit_descriptors(bool limited)
{
	static struct rlimit before;
	struct rlimit none;

	if (!limited) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		return;
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void
test_without_descriptors_the_loop_rests(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);

	assert_true(send(fd, "version\n", 8, MSG_NOSIGNAL) == 8);
	limit_descriptors(true);
	assert_true(fixture_event(f));
	assert_false(fixture_event(f));
	limit_descriptors(false);
	assert_int_equal(f->m.control.n_clients, 0);
	assert_int_equal(control_deadline(&f->m), f->m.now_ns + SECOND_NS);

	f->m.now_ns += SECOND_NS;
	control_turn(&f->m);
	assert_int_equal(control_deadline(&f->m), NEVER);
	run(f);
	assert_non_null(strstr(answer(fd), "ok\n"));
	close(fd);
}

static void
test_status_tells_what_there_is(void **state)
{
	struct fixture *f = *state;
	const char *text;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_child(f, 3, LIFECYCLE_DRAINING);
	strcpy(f->m.python, "Python 3.11.2");
	text = ask(f, "status\n");
	assert_non_null(strstr(text, "+ name test\n"));
	assert_non_null(strstr(text, "+ state running\n"));
	assert_non_null(strstr(text, "+ python Python%203.11.2\n"));
	assert_non_null(strstr(text, "+ idle 1\n"));
	assert_non_null(strstr(text, "+ draining 1\n"));
	assert_non_null(strstr(text, "+ child 3 536870912 1 draining\n"));
	assert_string_equal(text + strlen(text) - 4, "\nok\n");
	assert_int_equal(f->m.control.n_clients, 0);
}

static void
test_nonsense_gets_a_sentence(void **state)
{
	static const struct {
		const char *request, *part;
	} cases[] = {
		{"\n", "no%20request"},
		{"dance\n", "unknown%20verb"},
		{"status now\n", "no%20arguments"},
		{"dance\n", "status,%20reload,%20restart,%20upgrade,"},
		{"stop a b\n", "one%20argument"},
		{"stop later\n", "no%20argument%20but%20\"now\""},
		{"log-level loud\n", "one%20of%20error,%20warn"},
		{"stacks x\n", "no%20child%20of%20that%20pid"},
		{"stacks 1\n", "no%20child%20of%20that%20pid"},
		{"scale\n", "a%20number"},
		{"scale -1\n", "a%20number"},
		{"scale 4x\n", "a%20number"},
		{"scale 99999999999999999999\n", "ServerLimit"},
		{"stat%zz\n", "no%20request"},
		{"status  x\n", "no%20arguments"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = ask(f, cases[i].request);

		assert_int_equal(strncmp(text, "error ", 6), 0);
		assert_non_null(strstr(text, cases[i].part));
	}
	assert_int_equal(f->m.control.n_clients, 0);
}

/* Whatever they send, they are answered or turned away, and who comes after
 * them is served. */
static void
test_no_client_holds_the_master(void **state)
{
	static const char *const hostile[] = {
		"",
		"s",
		"\n\n\n\n",
		"%",
		"% %00\n",
		"\xff\xfe\n",
		"reload",
		"status\nstatus\nstatus\n",
		"log-level %0a%0d\n",
		"status                                                 \n",
	};
	struct fixture *f = *state;
	int fds[ARRAY_LEN(hostile)];

	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		fds[i] = connect_client(f);
		(void)!send(
			fds[i], hostile[i], strlen(hostile[i]), MSG_NOSIGNAL);
		run(f);
		assert_false(fixture_event(f)); /* nor turns it in vain */
		assert_non_null(strstr(ask(f, "version\n"), "\nok\n"));
	}
	f->m.now_ns += 10 * SECOND_NS;
	control_turn(&f->m);
	assert_int_equal(f->m.control.n_clients, 0);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++)
		close(fds[i]);
}

static void
test_a_scale_is_answered_when_there_are_so_many(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);

	fixture_child(f, 0, LIFECYCLE_READY);
	assert_int_equal(send(fd, "scale 2\n", 8, 0), 8);
	run(f);
	assert_string_equal(answer(fd), "+ before 1\n+ processes 2\n");
	scale_turn(&f->m);
	run(f);
	assert_string_equal(answer(fd), "");
	fixture_child(f, 1, LIFECYCLE_READY);
	scale_turn(&f->m);
	run(f);
	assert_string_equal(answer(fd), "ok\n");
	assert_int_equal(f->m.control.n_clients, 0);
	close(fd);
	close(f->generation.config_fd);
	f->generation.config_fd = -1;
}

static void
test_a_request_may_come_in_pieces_but_not_for_ever(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);
	static char flood[5000];

	assert_int_equal(send(fd, "ver", 3, 0), 3);
	run(f);
	assert_string_equal(answer(fd), "");
	assert_int_equal(send(fd, "sion\n", 5, 0), 5);
	run(f);
	assert_non_null(strstr(answer(fd), "\nok\n"));
	close(fd);
	memset(flood, 'a', sizeof(flood) - 1);
	assert_non_null(strstr(ask(f, flood), "too%20long"));
	assert_int_equal(f->m.control.n_clients, 0);
}

/* And hears so to the end: what is closed with something unread is reset. */
static void
test_who_says_too_much_has_an_answer_and_its_end(void **state)
{
	static char flood[100000], text[4096];
	struct fixture *f = *state;
	int fd = connect_client(f);
	ssize_t n;

	memset(flood, 'a', sizeof(flood));
	assert_int_equal(send(fd, flood, sizeof(flood), 0), sizeof(flood));
	run(f);
	n = recv(fd, text, sizeof(text), 0);
	assert_true(n > 0);
	assert_int_equal(strncmp(text, "error the%20request%20is", 24), 0);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 0);
	assert_int_equal(f->m.control.n_clients, 0);
	close(fd);
}

static void
test_a_silent_client_is_closed_by_its_deadline(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);

	run(f);
	assert_int_equal(f->m.control.n_clients, 1);
	assert_int_equal(control_deadline(&f->m), f->m.now_ns + 10 * SECOND_NS);
	f->m.now_ns += 10 * SECOND_NS;
	control_turn(&f->m);
	assert_int_equal(f->m.control.n_clients, 0);
	assert_int_equal(control_deadline(&f->m), NEVER);
	close(fd);
}

static void
test_silent_clients_keep_nobody_out(void **state)
{
	struct fixture *f = *state;
	int fds[40];
	char byte;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_client(f);
		run(f);
	}
	assert_int_equal(f->m.control.n_clients, 16);
	/* Those that came first have gone, and the next is heard. */
	assert_int_equal(recv(fds[23], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(fds[24], &byte, 1, MSG_DONTWAIT), -1);
	assert_non_null(strstr(ask(f, "version\n"), "\nok\n"));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	run(f);
	assert_int_equal(f->m.control.n_clients, 0);
}

static void
test_who_waits_for_something_is_not_turned_out(void **state)
{
	struct fixture *f = *state;
	int fds[17];

	f->m.next = &f->generation; /* one reload is being tried */
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_client(f);
		(void)!send(fds[i], "reload\n", 7, MSG_NOSIGNAL);
		run(f);
	}
	assert_int_equal(f->m.control.n_clients, 16);
	assert_string_equal(answer(fds[0]), "+ reloading\n");
	assert_non_null(
		strstr(answer(fds[16]), "error too%20many%20are%20waiting"));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	run(f);
	assert_int_equal(f->m.control.n_clients, 0);
	f->m.next = NULL;
}

static void
test_who_only_looks_on_makes_room(void **state)
{
	struct fixture *f = *state;
	int fds[16];
	char byte;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_client(f);
		(void)!send(fds[i], "await-stop\n", 11, MSG_NOSIGNAL);
		run(f);
		assert_string_equal(answer(fds[i]), "+ waiting\n");
	}
	assert_non_null(strstr(ask(f, "version\n"), "\nok\n"));
	/* The first one that came has gone. */
	assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	run(f);
}

static void
test_the_end_of_a_reload_answers_who_waits(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);

	/* One reload is being tried: ours comes after it. */
	f->m.next = &f->generation;
	assert_int_equal(send(fd, "reload\n", 7, 0), 7);
	/* That side is done, the answer is still wanted. */
	shutdown(fd, SHUT_WR);
	run(f);
	assert_string_equal(answer(fd), "+ reloading\n");
	assert_true(f->m.reload_wanted);
	assert_int_equal(control_deadline(&f->m), NEVER);
	control_reloaded(&f->m, NULL);
	run(f);
	assert_string_equal(answer(fd), "");
	f->m.reload_wanted = false;
	control_reloaded(&f->m, "no good");
	run(f);
	assert_string_equal(answer(fd), "error no%20good\n");
	assert_int_equal(f->m.control.n_clients, 0);
	f->m.next = NULL;
	close(fd);
}

static void
test_a_client_that_leaves_is_forgotten(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);

	f->m.next = &f->generation;
	assert_int_equal(send(fd, "reload\n", 7, 0), 7);
	shutdown(fd, SHUT_WR);
	run(f);
	close(fd);
	run(f);
	assert_int_equal(f->m.control.n_clients, 0);
	f->m.next = NULL;
}

static void
test_a_stop_says_what_is_being_finished(void **state)
{
	struct fixture *f = *state;
	const char *text;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	fixture_child(f, 1, LIFECYCLE_DRAINING);
	fixture_work(f, 1, WSGID_WORKER_WRITE);
	fixture_child(f, 2, LIFECYCLE_DRAINING);
	fixture_work(f, 2, WSGID_WORKER_GRACEFUL);
	f->m.stop_now = true; /* nobody is told anything here */
	f->m.phase = PHASE_STOPPING;
	text = ask(f, "graceful-stop\n");
	assert_string_equal(text, "+ finishing 2\n+ within-ms 30000\nok\n");
	assert_string_equal(ask(f, "stop now\n"), "+ now\nok\n");
	f->generation.config->signal_style = CONFIG_SIGNALS_APACHE;
	assert_string_equal(ask(f, "stop\n"), "+ now\nok\n");
	assert_int_equal(f->m.control.n_clients, 0);
}

static void
test_a_restart_is_answered_when_a_child_serves(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);

	f->m.next = &f->generation; /* busy: it begins later */
	assert_int_equal(send(fd, "restart\n", 8, 0), 8);
	run(f);
	assert_string_equal(answer(fd), "+ restarting\n");
	assert_true(f->m.reload_ungraceful);
	f->m.reload_wanted = false;
	/* That the old ones are gone is only the half of it. */
	control_reloaded(&f->m, NULL);
	control_restarted(&f->m, NULL);
	run(f);
	assert_string_equal(answer(fd), "");
	f->generation.number = 2;
	control_restarted(&f->m, "no module");
	run(f);
	assert_string_equal(answer(fd), "error no%20module\n");
	f->m.next = NULL;
	close(fd);
}

static void
test_who_waits_is_told_but_not_without_end(void **state)
{
	struct fixture *f = *state;
	int fd = connect_client(f);
	char text[1001];
	struct client *c;

	f->m.next = &f->generation;
	CONTROL_TELL(&f->m, "log", "nobody hears");
	assert_int_equal(send(fd, "reload\n", 7, 0), 7);
	run(f);
	CONTROL_TELL(&f->m, "log", "a line");
	run(f);
	assert_string_equal(answer(fd), "+ reloading\n+ log a%20line\n");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 1000; i++)
		CONTROL_TELL(&f->m, "log", text);
	c = f->m.control.clients;
	assert_non_null(c);
	f->m.reload_wanted = false;
	control_reloaded(&f->m, NULL);
	close(fd);
	run(f);
	assert_int_equal(f->m.control.n_clients, 0);
	f->m.next = NULL;
}

static void
test_the_log_level_is_that_of_later_children_too(void **state)
{
	struct fixture *f = *state;
	int before = f->generation.config_fd;

	assert_string_equal(ask(f, "log-level\n"), "+ log-level notice\nok\n");
	assert_string_equal(
		ask(f, "log-level debug\n"), "+ log-level debug\nok\n");
	assert_int_equal(f->generation.config->log_level, LOG_LEVEL_DEBUG);
	assert_int_not_equal(f->generation.config_fd, before);
	assert_string_equal(ask(f, "log-level\n"), "+ log-level debug\nok\n");
	log_set_level(LOG_LEVEL_NOTICE);
	close(f->generation.config_fd);
	f->generation.config_fd = -1;
}

static int
ask_for_logs(struct fixture *f)
{
	int fd = connect_client(f);

	assert_int_equal(send(fd, "reopen-logs\n", 12, 0), 12);
	run(f);
	control_turn(&f->m);
	run(f);
	return fd;
}

#define REOPENED "+ access-logs 1\n+ error-log -\n"

static void
test_new_logs_are_waited_for_but_not_for_ever(void **state)
{
	static struct config_access_log log = {.target = "/dev/null"};
	struct fixture *f = *state;
	struct config *config = f->generation.config, before = *config;
	struct child *busy = fixture_child(f, 0, LIFECYCLE_READY);
	struct child *old = fixture_child(f, 1, LIFECYCLE_DRAINING);
	int fd, pair[2];

	config->access_logs = &log;
	config->n_access_logs = 1;
	assert_int_equal(channel_pair(&pair[0], &pair[1]), 0);
	busy->channel.fd = pair[0];
	busy->pid = 123;
	old->generation = f->generation.number + 1;
	old->pid = 77;
	fd = ask_for_logs(f);
	assert_string_equal(answer(fd), REOPENED);
	assert_int_equal(control_deadline(&f->m), f->m.now_ns + 2 * SECOND_NS);
	/* It takes longer than that, and the other one never has them. */
	f->m.now_ns += 2 * SECOND_NS;
	control_turn(&f->m);
	run(f);
	assert_string_equal(
		answer(fd), "+ behind 123 ready\n+ behind 77 draining\nok\n");
	close(fd);
	busy->stopped = true;
	fd = ask_for_logs(f);
	assert_string_equal(answer(fd), REOPENED);
	f->m.now_ns += 2 * SECOND_NS;
	control_turn(&f->m);
	run(f);
	assert_string_equal(
		answer(fd), "+ behind 123 stopped\n+ behind 77 draining\nok\n");
	close(fd);
	busy->stopped = false;
	channel_send(pair[1], CHANNEL_HAS_LOGS, 0, NULL, NULL, 0);
	/* It has both now, and these, while we wait. */
	for (int i = 0; i < 2; i++)
		channel_send(pair[1], CHANNEL_HAS_LOGS, 0, NULL, NULL, 0);
	old->life = LIFECYCLE_VACANT;
	fd = ask_for_logs(f);
	assert_string_equal(answer(fd), REOPENED);
	child_speaks(&f->m, &busy->channel);
	control_turn(&f->m);
	run(f);
	assert_string_equal(answer(fd), "ok\n");
	close(fd);
	/* Where there is nobody, nobody is waited for. */
	busy->channel.fd = -1;
	busy->life = LIFECYCLE_VACANT;
	fd = ask_for_logs(f);
	assert_string_equal(answer(fd), REOPENED "ok\n");
	close(fd);
	*config = before;
	close(f->generation.logs[0]);
	free(f->generation.logs);
	f->generation.logs = NULL;
	f->generation.n_logs = 0;
	close(pair[0]);
	close(pair[1]);
}

static void
test_logs_that_cannot_be_reopened_stay(void **state)
{
	struct fixture *f = *state;

	f->generation.config->error_log = "/nonexistent/error.log";
	assert_non_null(strstr(ask(f, "reopen-logs\n"),
		"error ErrorLog%20/nonexistent/error.log:%20No%20such"));
	f->generation.config->error_log = strdup(fixture_path(f, "error.log"));
	assert_non_null(strstr(ask(f, "reopen-logs\n"), "/error.log\nok\n"));
	assert_non_null(strstr(fixture_read(f, "error.log"), "logs reopened"));
	log_open(STDERR_FILENO, LOG_PLAIN);
	close(f->generation.error_log);
	free(f->generation.logs);
	free((char *)(uintptr_t)f->generation.config->error_log);
	f->generation.config->error_log = NULL;
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_control, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_the_owner_may_connect),
		TEST(test_without_descriptors_the_loop_rests),
		TEST(test_status_tells_what_there_is),
		TEST(test_nonsense_gets_a_sentence),
		TEST(test_no_client_holds_the_master),
		TEST(test_a_scale_is_answered_when_there_are_so_many),
		TEST(test_a_request_may_come_in_pieces_but_not_for_ever),
		TEST(test_who_says_too_much_has_an_answer_and_its_end),
		TEST(test_a_silent_client_is_closed_by_its_deadline),
		TEST(test_silent_clients_keep_nobody_out),
		TEST(test_who_waits_for_something_is_not_turned_out),
		TEST(test_who_only_looks_on_makes_room),
		TEST(test_the_end_of_a_reload_answers_who_waits),
		TEST(test_a_client_that_leaves_is_forgotten),
		TEST(test_a_stop_says_what_is_being_finished),
		TEST(test_a_restart_is_answered_when_a_child_serves),
		TEST(test_who_waits_is_told_but_not_without_end),
		TEST(test_the_log_level_is_that_of_later_children_too),
		TEST(test_new_logs_are_waited_for_but_not_for_ever),
		TEST(test_logs_that_cannot_be_reopened_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
