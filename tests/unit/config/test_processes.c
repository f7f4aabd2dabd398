/*
 * test_processes.c - how many children and threads come out of what was said.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "reading.h"

/* ---- prefork ------------------------------------------------------------ */

static void
test_defaults_are_silent_on_every_machine(void **state)
{
	static const struct {
		int cpus;
		long start, min, max_spare, workers, limit;
	} table[] = {
		{1, 1, 1, 2, 4, 256},
		{2, 2, 1, 2, 8, 256},
		{3, 3, 1, 3, 12, 256},
		{128, 128, 1, 128, 512, 512},
		{0, 1, 1, 2, 4, 256},
		{100000, 100000, 1, 100000, 200000, 200000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = settle_config("", table[i].cpus);

		assert_int_equal(count_messages(c), 0);
		assert_int_equal(c->start_servers, table[i].start);
		assert_int_equal(c->min_spare_servers, table[i].min);
		assert_int_equal(c->max_spare_servers, table[i].max_spare);
		assert_int_equal(c->max_request_workers, table[i].workers);
		assert_int_equal(c->server_limit, table[i].limit);
		config_destroy(c);
	}
}

struct outcome {
	const char *text;
	long start, min, max_spare, workers, limit;
	const char *messages[2];
};

/* What comes out of text on a machine of four CPUs. */
static void
assert_outcome(const struct outcome *want)
{
	struct config *c = settle_config(want->text, 4);
	size_t n = 0;

	while (n < 2 && want->messages[n] != NULL) {
		assert_true(has_message(c, want->messages[n]));
		n++;
	}
	if (count_messages(c) != n)
		fail_msg("%s: %s", want->text,
			config_message(c, count_messages(c) - 1)->text);
	assert_int_equal(count_fatal(c), 0);
	assert_int_equal(c->start_servers, want->start);
	assert_int_equal(c->min_spare_servers, want->min);
	assert_int_equal(c->max_spare_servers, want->max_spare);
	assert_int_equal(c->max_request_workers, want->workers);
	assert_int_equal(c->server_limit, want->limit);
	config_destroy(c);
}

static void
test_values_that_do_not_conflict_are_kept_in_silence(void **state)
{
	static const struct outcome table[] = {
		{"StartServers 2", 2, 1, 4, 16, 256, {0}},
		{"MinSpareServers 4", 4, 4, 5, 16, 256, {0}},
		{"MinSpareServers 16", 4, 16, 17, 16, 256, {0}},
		{"MaxSpareServers 2", 4, 1, 2, 16, 256, {0}},
		{"MaxSpareServers 1000", 4, 1, 1000, 16, 256, {0}},
		{"MaxRequestWorkers 300", 4, 1, 4, 300, 300, {0}},
		{"MaxRequestWorkers 1", 1, 1, 4, 1, 256, {0}},
		{"MaxRequestWorkers 3", 3, 1, 4, 3, 256, {0}},
		{"ServerLimit 2", 2, 1, 4, 2, 2, {0}},
		{"ServerLimit 300\nMaxRequestWorkers 300", 4, 1, 4, 300, 300,
			{0}},
		{"ServerLimit 200000", 4, 1, 4, 16, 200000, {0}},
		{"StartServers auto\nMaxSpareServers auto\n"
		 "MaxRequestWorkers auto\nServerLimit auto",
			4, 1, 4, 16, 256, {0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_outcome(&table[i]);
}

static void
test_conflicts_are_corrected_and_said(void **state)
{
	static const struct outcome table[] = {
		{"MaxSpareServers 3\nMinSpareServers 5", 4, 5, 6, 16, 256,
			{"t.conf:1: MaxSpareServers: 3 is not above "
			 "MinSpareServers of 5, raised to 6"}},
		{"MinSpareServers 5\nMaxSpareServers 5", 4, 5, 6, 16, 256,
			{"t.conf:2: MaxSpareServers: 5 is not above "
			 "MinSpareServers of 5, raised to 6"}},
		{"MaxSpareServers 0", 4, 1, 2, 16, 256,
			{"MaxSpareServers: 0 is not above MinSpareServers of "
			 "1, raised to 2"}},
		{"MinSpareServers 0", 4, 1, 4, 16, 256,
			{"t.conf:1: MinSpareServers: 0 is not allowed, raised "
			 "to 1; with no idle child"}},
		{"MinSpareServers 17", 4, 16, 17, 16, 256,
			{"t.conf:1: MinSpareServers: 17 is above "
			 "MaxRequestWorkers of 16, lowered to 16"}},
		{"StartServers 0", 1, 1, 4, 16, 256,
			{"t.conf:1: StartServers: 0 is not allowed, raised to "
			 "1"}},
		{"StartServers 17", 16, 1, 4, 16, 256,
			{"t.conf:1: StartServers: 17 is above "
			 "MaxRequestWorkers of 16, lowered to 16"}},
		{"MaxRequestWorkers 0", 1, 1, 4, 1, 256,
			{"t.conf:1: MaxRequestWorkers: 0 is not allowed, "
			 "raised to 1"}},
		{"MaxRequestWorkers 300\nServerLimit 200", 4, 1, 4, 200, 200,
			{"t.conf:1: MaxRequestWorkers: 300 exceeds "
			 "ServerLimit of 200, lowered to 200; raise "
			 "ServerLimit for more"}},
		{"ServerLimit 0", 1, 1, 4, 1, 1,
			{"t.conf:1: ServerLimit: 0 is not allowed, raised to "
			 "1"}},
		{"ServerLimit 200001", 4, 1, 4, 16, 200000,
			{"t.conf:1: ServerLimit: 200001 exceeds the limit of "
			 "200000 that wsgid is built with, lowered to "
			 "200000"}},
		{"ServerLimit 5\nMaxRequestWorkers 10\nStartServers 10", 5, 1,
			4, 5, 5,
			{"MaxRequestWorkers: 10 exceeds ServerLimit of 5",
				"StartServers: 10 is above MaxRequestWorkers "
				"of 5"}},
		{"MaxRequestWorkers 200001", 4, 1, 4, 200000, 200000,
			{"MaxRequestWorkers: 200001 exceeds ServerLimit of "
			 "200000, lowered to 200000; wsgid is built for no "
			 "more"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_outcome(&table[i]);
}

static void
test_processes_fix_the_pool(void **state)
{
	static const struct outcome table[] = {
		{"Processes 3", 3, 3, 4, 3, 256, {0}},
		{"Processes 1", 1, 1, 2, 1, 256, {0}},
		{"Processes 300", 300, 300, 301, 300, 300, {0}},
		{"Processes 3\nStartServers 3\nMinSpareServers 3\n"
		 "MaxSpareServers 4\nMaxRequestWorkers 3",
			3, 3, 4, 3, 256, {0}},
		{"StartServers auto\nMaxRequestWorkers auto\nProcesses 3", 3, 3,
			4, 3, 256, {0}},
		{"StartServers 5\nProcesses 3", 3, 3, 4, 3, 256,
			{"t.conf:1: StartServers: ignored, because Processes "
			 "(t.conf:2) fixes the pool at 3"}},
		{"Processes 3\nServerLimit 2", 2, 2, 3, 2, 2,
			{"t.conf:1: Processes: 3 exceeds ServerLimit of 2, "
			 "lowered to 2; raise ServerLimit for more"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_outcome(&table[i]);
}

static void
test_processes_of_a_stronger_source_need_no_words(void **state)
{
	struct config *c = read_config("StartServers 5\nMinSpareServers 2\n"
				       "MaxRequestWorkers 50\n");
	struct config_machine machine = {.cpus = 4};
	static char *const env[] = {"WEB_CONCURRENCY=3", NULL};

	(void)state;
	config_read_environment(c, env);
	assert_int_equal(config_settle(c, &machine), 0);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->processes, 3);
	assert_int_equal(c->start_servers, 3);
	assert_int_equal(c->max_request_workers, 3);
	config_destroy(c);
}

static void
test_a_stronger_number_opens_the_pool_that_processes_fixed(void **state)
{
	struct config *c = config_create();
	struct config_machine machine = {.cpus = 4};
	static char *const env[] = {"WEB_CONCURRENCY=3", NULL};

	(void)state;
	config_read_environment(c, env);
	config_set(c, "MaxRequestWorkers", "10", "--max-request-workers");
	assert_int_equal(config_settle(c, &machine), 0);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->processes, 0);
	assert_int_equal(c->start_servers, 3);
	assert_int_equal(c->min_spare_servers, 3);
	assert_int_equal(c->max_request_workers, 10);
	config_destroy(c);
}

static void
test_prefork_has_one_thread_and_says_so(void **state)
{
	static const struct outcome table[] = {
		{"ThreadsPerChild 1\nThreadsPerChild auto", 4, 1, 4, 16, 256,
			{0}},
		{"MPM prefork\nThreadsPerChild 4", 4, 1, 4, 16, 256,
			{"t.conf:2: ThreadsPerChild: ignored with MPM prefork, "
			 "which has one thread in each child; write MPM worker "
			 "for more"}},
		{"ThreadLimit 8", 4, 1, 4, 16, 256,
			{"t.conf:1: ThreadLimit: ignored with MPM prefork"}},
		{"ThreadStackSize 1k", 4, 1, 4, 16, 256,
			{"t.conf:1: ThreadStackSize: ignored with MPM prefork, "
			 "which has one thread in each child, the process's "
			 "own"}},
		{"ThreadStackSize 0", 4, 1, 4, 16, 256, {0}},
		{"ThreadsPerChild 0", 4, 1, 4, 16, 256,
			{"t.conf:1: ThreadsPerChild: 0 is not allowed, raised "
			 "to 1"}},
		{"MinSpareThreads 8\nMaxSpareThreads 90", 4, 1, 4, 16, 256,
			{"t.conf:1: MinSpareThreads: ignored with MPM prefork, "
			 "which counts children; write MinSpareServers",
				"MaxSpareThreads: ignored with MPM prefork, "
				"which counts children; write "
				"MaxSpareServers"}},
	};
	struct config *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_outcome(&table[i]);
	c = settle_config("MPM prefork\nThreadsPerChild 4\nThreadLimit 9", 4);
	assert_int_equal(c->threads_per_child, 1);
	assert_int_equal(c->thread_limit, 1);
	assert_int_equal(config_most_children(c), 16);
	assert_string_equal(config_mpm_name(c), "prefork");
	config_destroy(c);
}

/* ---- worker ------------------------------------------------------------- */

static void
test_defaults_of_worker_are_silent_on_every_machine(void **state)
{
	static const struct {
		int cpus;
		long start, min, max, workers, limit;
	} table[] = {
		{1, 1, 4, 13, 16, 256},
		{2, 2, 4, 16, 32, 256},
		{3, 3, 4, 24, 48, 256},
		{128, 128, 4, 1024, 2048, 256},
		{200, 200, 4, 1600, 3200, 400},
		{0, 1, 4, 13, 16, 256},
		{100000, 20000, 4, 800000, 160000, 20000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = settle_config("MPM worker", table[i].cpus);

		assert_int_equal(count_messages(c), 0);
		assert_int_equal(c->threads_per_child, 8);
		assert_int_equal(c->thread_limit, 64);
		assert_int_equal(c->thread_stack_size, 0);
		assert_int_equal(c->start_servers, table[i].start);
		assert_int_equal(c->min_spare_threads, table[i].min);
		assert_int_equal(c->max_spare_threads, table[i].max);
		assert_int_equal(c->max_request_workers, table[i].workers);
		assert_int_equal(c->server_limit, table[i].limit);
		assert_int_equal(config_most_children(c), table[i].workers / 8);
		config_destroy(c);
	}
}

struct threads {
	const char *text; /* behind "MPM worker" */
	long threads, limit, start, min, max, workers, servers;
	const char *messages[2];
};

/* What comes out of text on a machine of four CPUs. */
static void
assert_threads(const struct threads *want)
{
	char text[512];
	struct config *c;
	size_t n = 0;

	snprintf(text, sizeof(text), "MPM worker\n%s\n", want->text);
	c = settle_config(text, 4);
	while (n < 2 && want->messages[n] != NULL) {
		assert_true(has_message(c, want->messages[n]));
		n++;
	}
	if (count_messages(c) != n)
		fail_msg("%s: %s", want->text,
			config_message(c, count_messages(c) - 1)->text);
	assert_int_equal(count_fatal(c), 0);
	assert_int_equal(c->threads_per_child, want->threads);
	assert_int_equal(c->thread_limit, want->limit);
	assert_int_equal(c->start_servers, want->start);
	assert_int_equal(c->min_spare_threads, want->min);
	assert_int_equal(c->max_spare_threads, want->max);
	assert_int_equal(c->max_request_workers, want->workers);
	assert_int_equal(c->server_limit, want->servers);
	assert_int_equal(c->max_request_workers % c->threads_per_child, 0);
	config_destroy(c);
}

static void
test_numbers_of_worker_that_do_not_conflict_are_kept_in_silence(void **state)
{
	static const struct threads table[] = {
		{"", 8, 64, 4, 4, 32, 64, 256, {0}},
		/* Apache's own. */
		{"ServerLimit 16\nThreadLimit 64\nThreadsPerChild 25\n"
		 "MaxRequestWorkers 400\nStartServers 3\nMinSpareThreads 75\n"
		 "MaxSpareThreads 250",
			25, 64, 3, 75, 250, 400, 16, {0}},
		{"ThreadsPerChild 1", 1, 64, 4, 1, 4, 8, 256, {0}},
		{"ThreadsPerChild 100", 100, 100, 4, 50, 400, 800, 256, {0}},
		{"ThreadLimit 20000\nThreadsPerChild 20000", 20000, 20000, 4,
			10000, 80000, 160000, 256, {0}},
		{"MinSpareThreads 20", 8, 64, 4, 20, 32, 64, 256, {0}},
		{"MinSpareThreads 30", 8, 64, 4, 30, 39, 64, 256, {0}},
		{"MinSpareThreads 64", 8, 64, 4, 64, 73, 64, 256, {0}},
		{"MaxSpareThreads 13", 8, 64, 4, 4, 13, 64, 256, {0}},
		{"MaxRequestWorkers 16", 8, 64, 2, 4, 32, 16, 256, {0}},
		{"MaxRequestWorkers 4000", 8, 64, 4, 4, 32, 4000, 500, {0}},
		{"ServerLimit 3", 8, 64, 3, 4, 32, 24, 3, {0}},
		{"StartServers auto\nThreadsPerChild auto\nThreadLimit auto\n"
		 "MinSpareThreads auto\nMaxSpareThreads auto\n"
		 "MaxRequestWorkers auto\nServerLimit auto",
			8, 64, 4, 4, 32, 64, 256, {0}},
		/* An "auto" fits into what was said of the others. */
		{"ThreadLimit 4", 4, 4, 4, 2, 16, 32, 256, {0}},
		{"MaxRequestWorkers 3", 3, 64, 1, 1, 12, 3, 256, {0}},
		{"MaxRequestWorkers 1", 1, 64, 1, 1, 4, 1, 256, {0}},
		/* What the other MPM's default says is no matter. */
		{"MinSpareServers 1\nMaxSpareServers auto", 8, 64, 4, 4, 32, 64,
			256, {0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_threads(&table[i]);
}

static void
test_conflicts_of_worker_are_corrected_and_said(void **state)
{
	static const struct threads table[] = {
		{"ServerLimit 20001", 8, 64, 4, 4, 32, 64, 20000,
			{"t.conf:2: ServerLimit: 20001 exceeds the limit of "
			 "20000 that wsgid is built with, lowered to 20000"}},
		{"ServerLimit 0", 8, 64, 1, 4, 32, 8, 1,
			{"ServerLimit: 0 is not allowed, raised to 1"}},
		{"ThreadLimit 20001", 8, 20000, 4, 4, 32, 64, 256,
			{"t.conf:2: ThreadLimit: 20001 exceeds the limit of "
			 "20000 that wsgid is built with, lowered to 20000"}},
		{"ThreadLimit 0", 1, 1, 4, 1, 4, 8, 256,
			{"ThreadLimit: 0 is not allowed, raised to 1"}},
		{"ThreadLimit 10\nThreadsPerChild 11", 10, 10, 4, 5, 40, 80,
			256,
			{"t.conf:3: ThreadsPerChild: 11 exceeds ThreadLimit of "
			 "10, lowered to 10; raise ThreadLimit for more"}},
		{"ThreadsPerChild 20001", 20000, 20000, 4, 10000, 80000, 160000,
			256,
			{"ThreadsPerChild: 20001 exceeds ThreadLimit of "
			 "20000, lowered to 20000; wsgid is built for no "
			 "more"}},
		{"ThreadsPerChild 0", 1, 64, 4, 1, 4, 8, 256,
			{"t.conf:2: ThreadsPerChild: 0 is not allowed, raised "
			 "to 1"}},
		{"ThreadsPerChild 25\nMaxRequestWorkers 10", 25, 64, 1, 12, 100,
			25, 256,
			{"t.conf:3: MaxRequestWorkers: 10 is below "
			 "ThreadsPerChild of 25, raised to 25"}},
		{"MaxRequestWorkers 0", 1, 64, 1, 1, 4, 1, 256,
			{"MaxRequestWorkers: 0 is below ThreadsPerChild of 1, "
			 "raised to 1"}},
		{"ThreadsPerChild 25\nMaxRequestWorkers 99", 25, 64, 3, 12, 100,
			75, 256,
			{"t.conf:3: MaxRequestWorkers: 99 is no multiple of "
			 "ThreadsPerChild of 25, lowered to 75"}},
		{"ThreadsPerChild 25\nMaxRequestWorkers 101\nServerLimit 4", 25,
			64, 4, 12, 100, 100, 4,
			{"t.conf:3: MaxRequestWorkers: 101 exceeds ServerLimit "
			 "of 4 with 25 threads in each child, lowered to 100; "
			 "raise ServerLimit for more"}},
		{"MaxRequestWorkers 160001", 8, 64, 4, 4, 32, 160000, 20000,
			{"MaxRequestWorkers: 160001 exceeds ServerLimit of "
			 "20000 with 8 threads in each child, lowered to "
			 "160000; wsgid is built for no more"}},
		{"StartServers 0", 8, 64, 1, 4, 32, 64, 256,
			{"StartServers: 0 is not allowed, raised to 1"}},
		{"StartServers 9", 8, 64, 8, 4, 32, 64, 256,
			{"t.conf:2: StartServers: 9 children have more threads "
			 "than MaxRequestWorkers of 64, lowered to 8"}},
		{"MinSpareThreads 0", 8, 64, 4, 1, 32, 64, 256,
			{"t.conf:2: MinSpareThreads: 0 is not allowed, raised "
			 "to 1; with no idle thread"}},
		{"MinSpareThreads 65", 8, 64, 4, 64, 73, 64, 256,
			{"t.conf:2: MinSpareThreads: 65 is above "
			 "MaxRequestWorkers of 64, lowered to 64"}},
		{"MinSpareThreads 20\nMaxSpareThreads 28", 8, 64, 4, 20, 29, 64,
			256,
			{"t.conf:3: MaxSpareThreads: 28 is not above "
			 "MinSpareThreads of 20 and the 8 of one child, raised "
			 "to 29"}},
		{"MaxSpareThreads 0", 8, 64, 4, 4, 13, 64, 256,
			{"MaxSpareThreads: 0 is not above"}},
		{"MinSpareServers 2\nMaxSpareServers 9", 8, 64, 4, 4, 32, 64,
			256,
			{"t.conf:2: MinSpareServers: ignored with MPM worker, "
			 "which counts threads; write MinSpareThreads",
				"t.conf:3: MaxSpareServers: ignored with MPM "
				"worker, which counts threads; write "
				"MaxSpareThreads"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_threads(&table[i]);
}

static void
test_processes_fix_the_number_of_children_of_worker(void **state)
{
	static const struct threads table[] = {
		{"Processes 3", 8, 64, 3, 24, 33, 24, 256, {0}},
		{"Processes 1\nThreadsPerChild 4", 4, 64, 1, 4, 9, 4, 256, {0}},
		{"Processes 3\nMaxRequestWorkers auto\nMinSpareThreads 24", 8,
			64, 3, 24, 33, 24, 256, {0}},
		{"MaxRequestWorkers 80\nProcesses 3", 8, 64, 3, 24, 33, 24, 256,
			{"t.conf:2: MaxRequestWorkers: ignored, because "
			 "Processes (t.conf:3) fixes the pool at 3"}},
		{"Processes 300\nThreadsPerChild 2", 2, 64, 300, 600, 603, 600,
			300, {0}},
		{"Processes 3\nServerLimit 2", 8, 64, 2, 16, 25, 16, 2,
			{"t.conf:2: Processes: 3 exceeds ServerLimit of 2, "
			 "lowered to 2; raise ServerLimit for more"}},
		{"Processes 20001\nThreadsPerChild 2", 2, 64, 20000, 40000,
			40003, 40000, 20000,
			{"Processes: 20001 exceeds ServerLimit of 20000, "
			 "lowered to 20000; wsgid is built for no more"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_threads(&table[i]);
}

static void
test_a_stack_too_small_for_python_is_raised(void **state)
{
	static const struct {
		const char *text;
		int64_t size;
		const char *message;
	} table[] = {
		{"MPM worker\nThreadStackSize 0", 0, NULL},
		{"MPM worker\nThreadStackSize 256k", 262144, NULL},
		{"MPM worker\nThreadStackSize 8m", 8 << 20, NULL},
		{"MPM worker\nThreadStackSize 65536", 262144,
			"t.conf:2: ThreadStackSize: 65536 bytes are too few "
			"for Python, raised to 256k"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = settle_config(table[i].text, 2);

		assert_int_equal(c->thread_stack_size, table[i].size);
		if (table[i].message != NULL)
			assert_true(has_message(c, table[i].message));
		assert_int_equal(
			count_messages(c), table[i].message != NULL ? 1 : 0);
		config_destroy(c);
	}
}

static void
test_children_that_live_for_less_than_a_second_are_warned_of(void **state)
{
	static const struct {
		const char *text;
		int messages;
	} table[] = {
		{"RestartInterval 0", 0},
		{"RestartInterval 1", 0},
		{"RestartInterval 1ms", 1},
		{"RestartInterval 999ms", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = settle_config(table[i].text, 2);

		assert_int_equal(count_messages(c), table[i].messages);
		assert_int_equal(count_fatal(c), 0);
		config_destroy(c);
	}
}

/* ---- which of them ------------------------------------------------------ */

/* A configuration of up to three sources. */
static struct config *
settle_sources(const char *file, const char *environment, const char *option,
	const char *value)
{
	struct config *c = read_config(file);
	struct config_machine machine = {.cpus = 2};
	AUTO_FREE char *copy = strdup(environment);
	char *env[] = {copy, NULL};
	char *argv[] = {
		(char *)(uintptr_t)option, (char *)(uintptr_t)value, NULL};
	int index = 0;

	config_read_environment(c, env);
	if (option[0] != '\0')
		assert_int_equal(config_read_option(c, 2, argv, &index), 1);
	config_settle(c, &machine);
	return c;
}

static void
test_threads_choose_worker_where_no_mpm_is_named(void **state)
{
	static const struct {
		const char *file, *environment, *option, *value;
		int mpm;
		long threads;
		const char *message;
	} table[] = {
		{"", "", "--threads", "4", CONFIG_MPM_WORKER, 4, NULL},
		{"", "", "--threads-per-child", "4", CONFIG_MPM_WORKER, 4,
			NULL},
		{"", "WSGID_THREADS_PER_CHILD=4", "", "", CONFIG_MPM_WORKER, 4,
			NULL},
		{"ThreadsPerChild 4", "", "", "", CONFIG_MPM_WORKER, 4, NULL},
		{"ThreadsPerChild 4", "", "--threads", "2", CONFIG_MPM_WORKER,
			2, NULL},
		{"", "", "--threads", "1", CONFIG_MPM_PREFORK, 1, NULL},
		{"ThreadsPerChild 4", "", "--threads", "1", CONFIG_MPM_PREFORK,
			1, NULL},
		{"", "", "--threads", "auto", CONFIG_MPM_PREFORK, 1, NULL},
		{"", "WSGID_MPM=worker", "", "", CONFIG_MPM_WORKER, 8, NULL},
		{"MPM worker", "", "--threads", "1", CONFIG_MPM_WORKER, 1,
			NULL},
		{"MPM worker", "", "--mpm", "prefork", CONFIG_MPM_PREFORK, 1,
			NULL},
		{"MPM prefork", "", "--threads", "4", CONFIG_MPM_PREFORK, 1,
			"--threads: ThreadsPerChild: ignored with MPM prefork"},
		{"", "WSGID_MPM=prefork", "--threads", "4", CONFIG_MPM_PREFORK,
			1, "ThreadsPerChild: ignored with MPM prefork"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = settle_sources(table[i].file,
			table[i].environment, table[i].option, table[i].value);

		assert_int_equal(c->mpm, table[i].mpm);
		assert_int_equal(c->threads_per_child, table[i].threads);
		if (table[i].message != NULL)
			assert_true(has_message(c, table[i].message));
		assert_int_equal(
			count_messages(c), table[i].message != NULL ? 1 : 0);
		config_destroy(c);
	}
}

static void
test_gunicorns_workers_and_threads_multiply(void **state)
{
	static char *const argv[] = {"-w", "3", "--threads", "4", NULL};
	struct config_machine machine = {.cpus = 2};
	struct config *c = config_create();
	int index = 0;

	(void)state;
	while (index < 4)
		assert_int_equal(config_read_option(c, 4, argv, &index), 1);
	assert_int_equal(config_settle(c, &machine), 0);
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->mpm, CONFIG_MPM_WORKER);
	assert_int_equal(c->processes, 3);
	assert_int_equal(c->start_servers, 3);
	assert_int_equal(c->max_request_workers, 12);
	assert_int_equal(config_most_children(c), 3);
	config_destroy(c);
}

/* ---- while a server runs ------------------------------------------------ */

struct reload {
	const char *was, *text;
	int mpm;
	long threads, limit, workers, servers;
	const char *messages[3];
};

static void
assert_reload(const struct reload *want)
{
	struct config *running = settle_config(want->was, 4);
	struct config *c = read_config(want->text);
	struct config_machine machine = {.cpus = 4, .running = running};
	size_t n = 0;

	assert_int_equal(count_messages(running), 0);
	assert_int_equal(config_settle(c, &machine), 0);
	while (n < 3 && want->messages[n] != NULL) {
		assert_true(has_message(c, want->messages[n]));
		n++;
	}
	if (count_messages(c) != n)
		fail_msg("%s: %s", want->text,
			config_message(c, count_messages(c) - 1)->text);
	assert_int_equal(c->mpm, want->mpm);
	assert_int_equal(c->threads_per_child, want->threads);
	assert_int_equal(c->thread_limit, want->limit);
	assert_int_equal(c->max_request_workers, want->workers);
	assert_int_equal(c->server_limit, want->servers);
	config_destroy(c);
	config_destroy(running);
}

static void
test_what_a_reload_cannot_change_stays_and_is_said(void **state)
{
	static const struct reload table[] = {
		{"MPM worker", "MPM worker", CONFIG_MPM_WORKER, 8, 64, 64, 256,
			{0}},
		{"", "MPM worker", CONFIG_MPM_PREFORK, 1, 1, 16, 256,
			{"t.conf:1: MPM: changes only when wsgid is stopped "
			 "and started; prefork stays"}},
		{"MPM worker", "", CONFIG_MPM_WORKER, 8, 64, 64, 256,
			{"MPM: changes only when wsgid is stopped and started; "
			 "worker stays"}},
		{"", "ThreadsPerChild 4", CONFIG_MPM_PREFORK, 1, 1, 16, 256,
			{"t.conf:1: MPM: changes only when wsgid is stopped",
				"ThreadsPerChild: ignored with MPM prefork"}},
		{"MPM worker",
			"MPM worker\nThreadLimit 100\n"
			"ThreadsPerChild 80",
			CONFIG_MPM_WORKER, 64, 64, 512, 256,
			{"t.conf:2: ThreadLimit: changes only when wsgid is "
			 "stopped and started; 64 stays",
				"t.conf:3: ThreadsPerChild: 80 exceeds "
				"ThreadLimit of 64, lowered to 64"}},
		{"MPM worker\nThreadLimit 100", "MPM worker", CONFIG_MPM_WORKER,
			8, 100, 64, 256, {0}},
		{"MPM worker\nThreadLimit 100\nThreadsPerChild 10",
			"MPM worker\nThreadLimit 100\nThreadsPerChild 100",
			CONFIG_MPM_WORKER, 100, 100, 800, 256, {0}},
		{"MPM worker", "MPM worker\nThreadsPerChild 65",
			CONFIG_MPM_WORKER, 64, 64, 512, 256,
			{"ThreadsPerChild: 65 exceeds ThreadLimit of 64, "
			 "lowered to 64; raise ThreadLimit for more, which "
			 "needs a stop and a start"}},
		{"MPM worker\nServerLimit 8",
			"MPM worker\nServerLimit 9\nMaxRequestWorkers 72",
			CONFIG_MPM_WORKER, 8, 64, 64, 8,
			{"t.conf:2: ServerLimit: changes only when wsgid is "
			 "stopped and started; 8 stays",
				"MaxRequestWorkers: 72 exceeds ServerLimit of "
				"8"}},
		{"", "MaxRequestWorkers 300", CONFIG_MPM_PREFORK, 1, 1, 256,
			256,
			{"MaxRequestWorkers: 300 exceeds ServerLimit of 256, "
			 "lowered to 256"}},
		{"MaxRequestWorkers 300", "MaxRequestWorkers 299",
			CONFIG_MPM_PREFORK, 1, 1, 299, 300, {0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_reload(&table[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_silent_on_every_machine),
		cmocka_unit_test(
			test_values_that_do_not_conflict_are_kept_in_silence),
		cmocka_unit_test(test_conflicts_are_corrected_and_said),
		cmocka_unit_test(test_processes_fix_the_pool),
		cmocka_unit_test(
			test_processes_of_a_stronger_source_need_no_words),
		cmocka_unit_test(
			test_a_stronger_number_opens_the_pool_that_processes_fixed),
		cmocka_unit_test(test_prefork_has_one_thread_and_says_so),
		cmocka_unit_test(
			test_defaults_of_worker_are_silent_on_every_machine),
		cmocka_unit_test(
			test_numbers_of_worker_that_do_not_conflict_are_kept_in_silence),
		cmocka_unit_test(
			test_conflicts_of_worker_are_corrected_and_said),
		cmocka_unit_test(
			test_processes_fix_the_number_of_children_of_worker),
		cmocka_unit_test(test_a_stack_too_small_for_python_is_raised),
		cmocka_unit_test(
			test_children_that_live_for_less_than_a_second_are_warned_of),
		cmocka_unit_test(
			test_threads_choose_worker_where_no_mpm_is_named),
		cmocka_unit_test(test_gunicorns_workers_and_threads_multiply),
		cmocka_unit_test(
			test_what_a_reload_cannot_change_stays_and_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
