/*
 * test_options.c - directives from the command line and the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "reading.h"

enum { WORDS = 8 };

/* Read all words as options; how many of them were taken. */
static int
read_words(struct config *c, const char *const words[WORDS])
{
	int argc = 0, index = 0;

	while (argc < WORDS && words[argc] != NULL)
		argc++;
	while (index < argc)
		if (config_read_option(c, argc, (char *const *)words, &index) ==
			0)
			break;
	return index;
}

static void
test_the_ways_to_write_an_option(void **state)
{
	static const struct {
		const char *words[WORDS];
		long processes;
	} table[] = {
		{{"-w", "4"}, 4},
		{{"-w4"}, 4},
		{{"--processes", "4"}, 4},
		{{"--processes=4"}, 4},
		{{"--workers", "4"}, 4},
		{{"-w4", "--max-clients", "9"}, 4},
		{{"--workers=4", "-w", "5"}, 5},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = config_create();

		read_words(c, table[i].words);
		assert_int_equal(count_messages(c), 0);
		assert_int_equal(c->processes, table[i].processes);
		config_destroy(c);
	}
}

static void
test_flags_do_without_a_value(void **state)
{
	static const struct {
		const char *words[WORDS];
		bool allow_root;
		int taken;
	} table[] = {
		{{"--allow-root"}, true, 1},
		{{"--allow-root", "app.wsgi"}, true, 1},
		{{"--allow-root", "off"}, false, 2},
		{{"--allow-root", "On"}, true, 2},
		{{"--allow-root=on"}, true, 1},
		{{"--allow-root=Off"}, false, 1},
		{{"--no-allow-root"}, false, 1},
		{{"--allow-root", "--no-allow-root"}, false, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = config_create();

		assert_int_equal(read_words(c, table[i].words), table[i].taken);
		assert_int_equal(count_messages(c), 0);
		assert_int_equal(c->allow_root, table[i].allow_root);
		config_destroy(c);
	}
}

static void
test_what_is_no_option_of_ours_is_left_alone(void **state)
{
	static const char *const words[] = {"app.wsgi", "", "-", "--", "-c",
		"--config", "--daemon", "-x", "--bin", "--bindd", "--no-bind",
		"--no-", "--instance-name", "--=x", "-=", "--no-listen=1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct config *c = config_create();

		assert_int_equal(
			read_words(c, (const char *[WORDS]){words[i], "x"}), 0);
		assert_int_equal(count_messages(c), 0);
		config_destroy(c);
	}
}

static void
test_option_mistakes(void **state)
{
	static const struct {
		const char *words[WORDS], *sentence;
	} table[] = {
		{{"--bind"}, "--bind: Listen: the option needs a value, as in "
			     "\"--bind 127.0.0.1:8000\""},
		{{"-w"}, "-w: Processes: the option needs a value, as in \"-w "
			 "4\""},
		{{"--user", "--group=x"},
			"--user: User: the option needs a value, as in "
			"\"--user www-data\"; what follows is the next option"},
		{{"--timeout", "-1"},
			"--timeout: Timeout: \"-1\" is not a "
			"time; seconds, or a number with ms, s, "
			"min or h (a day is 24h), are expected, as in "
			"\"Timeout 60s\""},
		{{"--timeout="}, "--timeout: Timeout: the value is empty"},
		{{"--keep-alive=maybe"},
			"--keep-alive: KeepAlive: \"maybe\" is neither On nor "
			"Off"},
		{{"--no-keep-alive=on"},
			"--no-keep-alive: KeepAlive: an option that begins "
			"with --no- has no value"},
		{{"--user", "a\nb"}, "--user: User: \"a\\x0ab\" contains a "
				     "control character (0x0a)"},
		{{"-b", "unix:/x \"mode"},
			"-b: Listen: the closing \" is missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = config_create();

		read_words(c, table[i].words);
		only_message(c);
		assert_string_equal(
			config_message(c, 0)->text, table[i].sentence);
		assert_true(config_message(c, 0)->fatal);
		config_destroy(c);
	}
}

static void
test_lists_and_words_of_options(void **state)
{
	static const char *const words[WORDS] = {"-b", "8000", "--bind",
		"unix:/run/x.sock mode=0660", "--access-log", "/a.log",
		"--chdir", "/srv/my site"};
	struct config *c = config_create();

	(void)state;
	assert_int_equal(read_words(c, words), 8);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->n_listens, 2);
	assert_string_equal(c->listens[0].address, "8000");
	assert_string_equal(c->listens[0].where, "-b");
	assert_string_equal(c->listens[1].address, "unix:/run/x.sock");
	assert_int_equal(c->listens[1].mode, 0660);
	assert_int_equal(c->n_access_logs, 1);
	assert_string_equal(c->access_logs[0].target, "/a.log");
	assert_string_equal(c->access_logs[0].format, "combined");
	assert_string_equal(c->directory, "/srv/my site");
	config_destroy(c);
}

static void
test_paths_of_options_begin_at_the_current_directory(void **state)
{
	struct config *c = config_create();
	AUTO_FREE char *here = getcwd(NULL, 0);
	char want[4096];

	(void)state;
	read_words(c,
		(const char *[WORDS]){"--error-log", "e", "--pid-file", "./p"});
	snprintf(want, sizeof(want), "%s/e", here);
	assert_string_equal(c->error_log, want);
	snprintf(want, sizeof(want), "%s/p", here);
	assert_string_equal(c->pid_file, want);
	config_destroy(c);
}

static void
test_a_current_directory_that_is_gone(void **state)
{
	struct config *c = config_create();
	struct scratch s;
	AUTO_FREE char *here = getcwd(NULL, 0);

	(void)state;
	scratch_init(&s);
	assert_int_equal(chdir(s.path), 0);
	scratch_fini(&s);
	read_words(c, (const char *[WORDS]){"--error-log", "e"});
	assert_int_equal(chdir(here), 0);
	assert_string_equal(only_message(c),
		"ErrorLog: \"e\" is relative to the current directory, which "
		"cannot be found: No such file or directory");
	config_destroy(c);
}

static void
test_the_nearest_option(void **state)
{
	static const struct {
		const char *text, *nearest;
	} table[] = {
		{"--max-request-worker", "--max-request-workers"},
		{"--bnid", "--bind"},
		{"--bnid=8000", "--bind"},
		{"--acess-logs", "--access-log"},
		{"--pythonpath", "--python-path"},
		{"--worker", "--workers"},
		{"--process", "--processes"},
		{"--app", NULL},
		{"--host", NULL},
		{"--frobnicate", NULL},
		{"-z", NULL},
		{"word", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *nearest = config_nearest_option(table[i].text);

		if (table[i].nearest == NULL)
			assert_null(nearest);
		else
			assert_string_equal(nearest, table[i].nearest);
	}
}

/* ---- Environment -------------------------------------------------------- */

static void
test_environment(void **state)
{
	static char *const env[] = {"PATH=/bin", "WSGID_LISTEN_BACKLOG=3",
		"WSGID_LISTEN=8000, unix:/x mode=0600,,[::1]:80",
		"WSGI_APP=site:app", "WEB_CONCURRENCY=3",
		"WSGID_USER=", "WSGID_CHDIR=/srv/my site",
		"WSGID_KEEP_ALIVE=Off", "odd", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->listen_backlog, 3);
	assert_int_equal(c->n_listens, 3);
	assert_string_equal(c->listens[0].where, "WSGID_LISTEN");
	assert_string_equal(c->listens[1].address, "unix:/x");
	assert_int_equal(c->listens[1].mode, 0600);
	assert_string_equal(c->listens[2].address, "[::1]:80");
	assert_string_equal(c->application, "site:app");
	assert_int_equal(c->processes, 3);
	assert_null(c->user);
	assert_string_equal(c->directory, "/srv/my site");
	assert_false(c->keep_alive);
	config_destroy(c);
}

static void
test_addresses_stand_behind_commas_or_spaces(void **state)
{
	static char *const env[] = {
		"WSGID_LISTEN=8000  [::1]:80 \"unix:/a b=c\"  mode=0600 "
		"ProxyProtocol=On unix:/x=y,localhost:81 fd:web",
		NULL};
	static const char *const addresses[] = {"8000", "[::1]:80",
		"unix:/a b=c", "unix:/x=y", "localhost:81", "fd:web"};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->n_listens, ARRAY_LEN(addresses));
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		assert_string_equal(c->listens[i].address, addresses[i]);
	assert_int_equal(c->listens[2].mode, 0600);
	assert_int_equal(c->listens[2].proxy_protocol, CONFIG_PROXY_ON);
	assert_int_equal(c->listens[3].mode, -1);
	config_destroy(c);
}

static void
test_words_that_are_no_addresses_are_a_mistake(void **state)
{
	static const struct {
		char *env[2];
		const char *message;
	} rows[] = {
		{{"WSGID_LISTEN=8000 https"}, "a listener has no protocol"},
		{{"WSGID_LISTEN=8000 all"}, "\"all\" is none of mode=MODE"},
		{{"WSGID_LISTEN=8000 mod=0600"}, "\"mod=0600\" is none of"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = config_create();

		config_read_environment(c, rows[i].env);
		assert_int_equal(count_messages(c), 1);
		assert_true(has_message(c, rows[i].message));
		config_destroy(c);
	}
}

static void
test_our_own_variable_is_stronger_than_everybody_s(void **state)
{
	static char *const env[] = {"WSGID_PROCESSES=5", "WEB_CONCURRENCY=3",
		"WSGID_APPLICATION=a", "WSGI_APP=b", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(c->processes, 5);
	assert_string_equal(c->application, "a");
	config_destroy(c);
}

static void
test_every_spelling_is_a_variable(void **state)
{
	static char *const env[] = {"WSGID_WORKERS=4", "WSGID_PROCESSES=4",
		"WSGID_BIND=8000,8001", "WSGID_LISTEN=8000,8001",
		"WSGID_MAX_CLIENTS=9", "WSGID_THREADS=", "WEB_CONCURRENCY=3",
		"WSGID_THREADS_PER_CHILD=2", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->processes, 4);
	assert_int_equal(c->n_listens, 2);
	assert_int_equal(c->max_request_workers, 9);
	assert_int_equal(c->threads_per_child, 2);
	config_destroy(c);
}

static void
test_spellings_that_contradict_each_other_are_a_mistake(void **state)
{
	static char *const env[] = {
		"WSGID_WORKERS=4", "X=1", "WSGID_PROCESSES=5", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_string_equal(only_message(c),
		"Processes: WSGID_WORKERS is the same directive, with another "
		"value; set only one of the two");
	assert_int_equal(count_fatal(c), 1);
	config_destroy(c);
}

/* As an image sets them: a file that somebody mounts, the other spelling and
 * what a platform sets are all stronger. */
static void
test_a_default_variable_is_the_weakest_of_all(void **state)
{
	static char *const env[] = {"WSGID_DEFAULT_LISTEN=0.0.0.0:8000,unix:/x",
		"WSGID_BIND=9000", "WSGID_DEFAULT_ACCESS_LOG=- combined",
		"WSGID_DEFAULT_PROCESSES=2", "WEB_CONCURRENCY=3",
		"WSGID_DEFAULT_LISTEN_BACKLOG=5", "WSGID_DEFAULT_TIMEOUT=7s",
		NULL};
	struct config *c = config_create();

	(void)state;
	config_read_text(c, "x.conf", "ListenBacklog 6\n", 16);
	config_read_environment(c, env);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->n_listens, 1);
	assert_string_equal(c->listens[0].address, "9000");
	assert_int_equal(c->n_access_logs, 1);
	assert_int_equal(c->processes, 3);
	assert_int_equal(c->listen_backlog, 6);
	assert_int_equal(c->timeout, 7000);
	assert_false(config_listens_by_default(c));
	config_destroy(c);
}

static void
test_default_variables_leave_listening_to_who_passes_sockets(void **state)
{
	static char *const env[] = {
		"WSGID_DEFAULT_LISTEN=0.0.0.0:8000,[::]:8001", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(c->n_listens, 2);
	assert_string_equal(c->listens[0].address, "0.0.0.0:8000");
	assert_true(config_listens_by_default(c));
	config_destroy(c);
}

static void
test_default_variables_are_held_to_the_same_rules(void **state)
{
	static char *const env[] = {"WSGID_DEFAULT_WORKERS=4",
		"WSGID_DEFAULT_PROCESSES=5", "WSGID_DEFAULT_LISTN=1",
		"WSGID_DEFAULT_TIMEOUT=soon", "WSGID_DEFAULT_USER=", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(count_messages(c), 3);
	assert_int_equal(count_fatal(c), 2);
	assert_true(has_message(c, "WSGID_DEFAULT_PROCESSES: Processes: "
				   "WSGID_DEFAULT_WORKERS is the same "
				   "directive, with another value"));
	assert_true(has_message(c, "WSGID_DEFAULT_LISTN: no directive has this "
				   "environment variable"));
	assert_true(has_message(c, "WSGID_DEFAULT_TIMEOUT: Timeout: \"soon\" "
				   "is not a time"));
	config_destroy(c);
}

static void
test_variables_of_others_are_a_warning(void **state)
{
	static char *const env[] = {"FORWARDED_ALLOW_IPS=*",
		"GUNICORN_CMD_ARGS=-w 4", "UWSGI_HTTP_SOCKET=:80",
		"UWSGI_FROBNICATE=1", "UWSGI_MASTER=", "UWSGI_RELOADS=0",
		"UWSGI_ORIGINAL_PROC_NAME=uwsgi", "GUNICORN_PID=1", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(count_messages(c), 4);
	assert_int_equal(count_fatal(c), 0);
	assert_true(has_message(c, "FORWARDED_ALLOW_IPS: this is another "
				   "server's variable and is not read: write "
				   "TrustedProxies, or set "
				   "WSGID_TRUSTED_PROXIES"));
	assert_true(has_message(c, "GUNICORN_CMD_ARGS: "));
	assert_true(has_message(c, "UWSGI_HTTP_SOCKET: this is another "
				   "server's variable and is not read: write "
				   "Listen"));
	assert_true(has_message(c, "UWSGI_FROBNICATE: this is another "
				   "server's variable and is not read: \"wsgid "
				   "-L\" lists the variables that are"));
	config_destroy(c);
}

static const struct config_machine machine = {.cpus = 1};

static void
test_port_counts_where_nobody_says_where_to_listen(void **state)
{
	static const struct {
		const char *file;
		char *env[3];
		const char *address;
		bool by_default;
	} rows[] = {
		{"", {"PORT=8080"}, "8080", true},
		{"", {"PORT=08080"}, "8080", true},
		{"", {"PORT=8080", "WSGID_DEFAULT_LISTEN=0.0.0.0:80"}, "8080",
			true},
		{"", {"PORT=8080", "WSGID_LISTEN=[::1]:81"}, "[::1]:81", false},
		{"Listen 82\n", {"PORT=8080"}, "82", false},
		{"Listen 82\n", {"PORT=tcp://10.0.0.1:80"}, "82", false},
		{"", {"PORT="}, "127.0.0.1:8000", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = read_config(rows[i].file);

		config_read_environment(c, rows[i].env);
		config_settle(c, &machine);
		assert_int_equal(count_fatal(c), 0);
		assert_int_equal(c->n_listens, 1);
		assert_string_equal(c->listens[0].address, rows[i].address);
		assert_int_equal(
			config_listens_by_default(c), rows[i].by_default);
		config_destroy(c);
	}
}

static void
test_a_port_that_is_none_is_a_mistake(void **state)
{
	static char *const env[][2] = {{"PORT=0"}, {"PORT=65536"},
		{"PORT=-1"}, {"PORT=tcp://10.0.0.1:80"}, {"PORT=80 "}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(env); i++) {
		struct config *c = config_create();

		config_read_environment(c, env[i]);
		config_settle(c, &machine);
		assert_int_equal(count_fatal(c), 1);
		assert_true(has_message(c, "PORT: Listen: \""));
		assert_true(has_message(c, "\" is no port, a number from 1 to "
					   "65535; unset it, or set "
					   "WSGID_LISTEN"));
		config_destroy(c);
	}
}

static void
test_a_list_of_nothing_is_a_mistake(void **state)
{
	static char *const env[] = {
		"WSGID_LISTEN=,", "WSGID_TRUSTED_PROXIES= ", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(count_fatal(c), 2);
	assert_string_equal(config_message(c, 0)->text,
		"WSGID_LISTEN: Listen: \",\" is a list of nothing; write "
		"127.0.0.1:8000, or nothing at all for what holds without it");
	assert_true(has_message(c, "WSGID_TRUSTED_PROXIES: TrustedProxies: "
				   "\" \" is a list of nothing"));
	config_destroy(c);
}

/* Kubernetes, of services called wsgid and wsgid-shop. */
static void
test_the_variables_of_a_service_are_nobodys_mistake(void **state)
{
	static char *service[] = {
		"WSGID_SERVICE_HOST=10.0.0.1",
		"WSGID_SERVICE_PORT=8000",
		"WSGID_SERVICE_PORT_HTTP=8000",
		"WSGID_PORT=tcp://10.0.0.1:8000",
		"WSGID_PORT_8000_TCP=tcp://10.0.0.1:8000",
		"WSGID_PORT_8000_TCP_PROTO=tcp",
		"WSGID_PORT_8000_TCP_PORT=8000",
		"WSGID_PORT_8000_TCP_ADDR=10.0.0.1",
		"WSGID_PORT_53_UDP_ADDR=10.0.0.1",
		"WSGID_SHOP_SERVICE_HOST=10.0.0.2",
		"WSGID_SHOP_PORT=udp://10.0.0.2:53",
		"WSGID_SHOP_PORT_53_UDP=udp://10.0.0.2:53",
		NULL,
	};
	static char *mistakes[] = {
		"WSGID_PORT=8000",
		"WSGID_SERVICE_HOSTS=10.0.0.1",
		"WSGID_PORT_HTTP_TCP=8000",
		"WSGID_PORT_8000_TCP_TIMEOUT=8",
		NULL,
	};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, service);
	assert_int_equal(count_messages(c), 0);
	config_read_environment(c, mistakes);
	assert_int_equal(count_messages(c), 4);
	config_destroy(c);
}

static void
test_environment_mistakes(void **state)
{
	static char *const env[] = {"WSGID_PROCESES=5", "WSGID_=1",
		"WSGID_XYZZYPLUGH=2", "WEB_CONCURRENCY=many",
		"WSGID_TIMEOUT=1m", NULL};
	struct config *c = config_create();

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(count_messages(c), 5);
	assert_int_equal(count_fatal(c), 2);
	assert_true(has_message(c, "WSGID_PROCESES: no directive has this "
				   "environment variable; did you mean "
				   "WSGID_PROCESSES?"));
	assert_true(has_message(c, "WEB_CONCURRENCY: Processes: \"many\" is "
				   "not a number"));
	assert_true(
		has_message(c, "WSGID_TIMEOUT: Timeout: \"1m\" is not a time"));
	config_destroy(c);
}

static void
test_a_misread_option_is_remembered(void **state)
{
	static const struct {
		const char *words[2];
		bool is_misread;
	} cases[] = {
		{{"--timeout=soon", NULL}, true},
		{{"--timeout", NULL}, true},
		{{"--no-keep-alive=1", NULL}, true},
		{{"--access-log", "- \"x"}, true},
		{{"--timeout", "3s"}, false},
	};
	static char *const env[] = {"WSGID_TIMEOUT=soon", NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *argv[] = {(char *)(uintptr_t)cases[i].words[0],
			(char *)(uintptr_t)cases[i].words[1]};
		struct config *c = config_create();
		int index = 0;

		config_read_environment(c, env);
		assert_false(config_misread_option(c));
		config_read_option(c, argv[1] != NULL ? 2 : 1, argv, &index);
		assert_int_equal(config_misread_option(c), cases[i].is_misread);
		config_destroy(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_ways_to_write_an_option),
		cmocka_unit_test(test_flags_do_without_a_value),
		cmocka_unit_test(test_what_is_no_option_of_ours_is_left_alone),
		cmocka_unit_test(test_option_mistakes),
		cmocka_unit_test(test_lists_and_words_of_options),
		cmocka_unit_test(
			test_paths_of_options_begin_at_the_current_directory),
		cmocka_unit_test(test_a_current_directory_that_is_gone),
		cmocka_unit_test(test_the_nearest_option),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_addresses_stand_behind_commas_or_spaces),
		cmocka_unit_test(
			test_words_that_are_no_addresses_are_a_mistake),
		cmocka_unit_test(
			test_our_own_variable_is_stronger_than_everybody_s),
		cmocka_unit_test(test_every_spelling_is_a_variable),
		cmocka_unit_test(
			test_spellings_that_contradict_each_other_are_a_mistake),
		cmocka_unit_test(test_a_default_variable_is_the_weakest_of_all),
		cmocka_unit_test(
			test_default_variables_leave_listening_to_who_passes_sockets),
		cmocka_unit_test(
			test_default_variables_are_held_to_the_same_rules),
		cmocka_unit_test(test_variables_of_others_are_a_warning),
		cmocka_unit_test(
			test_port_counts_where_nobody_says_where_to_listen),
		cmocka_unit_test(test_a_port_that_is_none_is_a_mistake),
		cmocka_unit_test(test_a_list_of_nothing_is_a_mistake),
		cmocka_unit_test(
			test_the_variables_of_a_service_are_nobodys_mistake),
		cmocka_unit_test(test_environment_mistakes),
		cmocka_unit_test(test_a_misread_option_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
