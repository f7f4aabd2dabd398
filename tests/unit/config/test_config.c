/*
 * test_config.c - who may set what, in whatever order they come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/log.h"
#include "reading.h"

static void
test_defaults(void **state)
{
	struct config *c = config_create();

	(void)state;
	assert_non_null(c);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->mpm, CONFIG_MPM_PREFORK);
	assert_int_equal(c->processes, 0);
	assert_int_equal(c->threads_per_child, CONFIG_AUTO);
	assert_int_equal(c->thread_limit, CONFIG_AUTO);
	assert_int_equal(c->thread_stack_size, 0);
	assert_int_equal(c->start_servers, CONFIG_AUTO);
	assert_int_equal(c->min_spare_servers, 1);
	assert_int_equal(c->max_spare_servers, CONFIG_AUTO);
	assert_int_equal(c->min_spare_threads, CONFIG_AUTO);
	assert_int_equal(c->max_spare_threads, CONFIG_AUTO);
	assert_int_equal(c->max_request_workers, CONFIG_AUTO);
	assert_int_equal(c->server_limit, CONFIG_AUTO);
	assert_int_equal(c->max_connections_per_child, 0);
	assert_int_equal(c->graceful_shutdown_timeout, 30000);
	assert_int_equal(c->worker_drain_timeout, 60000);
	assert_int_equal(c->startup_timeout, 60000);
	assert_int_equal(c->signal_style, CONFIG_SIGNALS_WSGID);
	assert_null(c->user);
	assert_null(c->group);
	assert_false(c->allow_root);
	assert_null(c->run_directory);
	assert_null(c->pid_file);
	assert_int_equal(c->n_listens, 1);
	assert_string_equal(c->listens[0].address, "127.0.0.1:8000");
	assert_int_equal(c->listens[0].mode, -1);
	assert_int_equal(c->listen_backlog, 4096);
	assert_int_equal(c->io_engine, CONFIG_IO_AUTO);
	assert_int_equal(c->limit_request_line, 8190);
	assert_int_equal(c->limit_request_fields, 100);
	assert_int_equal(c->limit_request_field_size, 8190);
	assert_int_equal(c->limit_request_body, 1 << 30);
	assert_int_equal(c->request_body_buffer, 1 << 20);
	assert_int_equal(c->timeout, 60000);
	assert_true(c->keep_alive);
	assert_int_equal(c->keep_alive_timeout, 75000);
	assert_int_equal(c->max_keep_alive_requests, 0);
	assert_null(c->application);
	assert_string_equal(c->callable_object, "application");
	assert_null(c->directory);
	assert_null(c->python_home);
	assert_null(c->python_path);
	assert_string_equal(c->error_log, "-");
	assert_int_equal(c->log_level, LOG_LEVEL_NOTICE);
	assert_int_equal(c->n_access_logs, 0);
	assert_null(c->file);
	assert_null(c->name);
	config_destroy(c);
	config_destroy(NULL);
}

static void
add_source(struct config *c, int source)
{
	static const char file[] = "User file\nGroup file\nPidFile /file\n"
				   "ErrorLog /file\n"
				   "Listen 1\nListen 2\n"
				   "CustomLog /1 %h\nCustomLog /2 %h\n"
				   "LogFormat \"%h file\" x\n"
				   "LogFormat \"%h file\" y\n"
				   "CustomLog /3 x\nCustomLog /4 y\n";
	static char *const env[] = {"WSGID_GROUP=env", "WSGID_PID_FILE=/env",
		"WSGID_LISTEN=3,4", "WSGID_LOG_FORMAT=\"%h env\" x", NULL};
	static char *const argv[] = {
		"--pid-file", "/line", "-b", "5", "--bind=6", NULL};
	int index = 0;

	switch (source) {
	case 0:
		config_read_text(c, "t.conf", file, strlen(file));
		break;
	case 1:
		config_read_environment(c, env);
		break;
	case 2:
		while (index < 5)
			assert_int_equal(
				config_read_option(c, 5, argv, &index), 1);
		break;
	}
}

static void
test_the_stronger_source_wins_in_any_order(void **state)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
		{1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct config_machine machine = {.cpus = 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct config *c = config_create();

		for (int j = 0; j < 3; j++)
			add_source(c, orders[i][j]);
		assert_int_equal(config_settle(c, &machine), 0);
		assert_int_equal(count_messages(c), 0);
		assert_string_equal(c->error_log, "/file");
		assert_string_equal(c->user, "file");
		assert_string_equal(c->group, "env");
		assert_string_equal(c->pid_file, "/line");
		assert_int_equal(c->n_listens, 2);
		assert_string_equal(c->listens[0].address, "5");
		assert_string_equal(c->listens[1].address, "6");
		assert_int_equal(c->n_access_logs, 4);
		assert_string_equal(c->access_logs[2].format, "%h env");
		assert_string_equal(c->access_logs[3].format, "%h file");
		config_destroy(c);
	}
}

static void
test_within_one_source_the_last_one_counts_and_lists_add_up(void **state)
{
	struct config *c = read_config("User a\nUser b\nListen 1\nListen 2\n"
				       "Listen 3\nListen 4\nListen 5\n");

	(void)state;
	assert_string_equal(c->user, "b");
	assert_int_equal(c->n_listens, 5);
	for (size_t i = 0; i < 5; i++) {
		char want[2] = {"12345"[i], '\0'};

		assert_string_equal(c->listens[i].address, want);
	}
	config_destroy(c);
}

static void
test_a_mistake_that_a_stronger_source_covers_is_one(void **state)
{
	struct config *c = config_create();
	static const char text[] = "Timeout 3x\n";

	(void)state;
	config_set(c, "Timeout", "5", "--timeout");
	config_read_text(c, "t", text, strlen(text));
	assert_int_equal(count_fatal(c), 1);
	assert_int_equal(c->timeout, 5000);
	config_destroy(c);
}

static void
test_a_value_that_is_wrong_leaves_the_one_before(void **state)
{
	struct config *c = read_config("Timeout 5\nTimeout 3x\n");

	(void)state;
	assert_int_equal(c->timeout, 5000);
	config_destroy(c);
}

static void
test_set_names_its_place(void **state)
{
	struct config *c = config_create();

	(void)state;
	config_set(c, "WSGIApplication", "", "command line");
	assert_int_equal(count_messages(c), 1);
	assert_string_equal(config_message(c, 0)->text,
		"command line: WSGIApplication: the value is empty");
	config_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_the_stronger_source_wins_in_any_order),
		cmocka_unit_test(
			test_within_one_source_the_last_one_counts_and_lists_add_up),
		cmocka_unit_test(
			test_a_mistake_that_a_stronger_source_covers_is_one),
		cmocka_unit_test(
			test_a_value_that_is_wrong_leaves_the_one_before),
		cmocka_unit_test(test_set_names_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
