/*
 * test_buckets.c - what ListenCoresBucketsRatio makes of CPUs and children.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "reading.h"

static void
test_there_are_as_many_as_the_ratio_goes_into_the_cpus(void **state)
{
	static const struct {
		const char *text;
		int cpus;
		long buckets;
	} rows[] = {
		{"", 128, 1},
		{"ListenCoresBucketsRatio 0", 128, 1},
		{"ListenCoresBucketsRatio 8", 0, 1},
		{"ListenCoresBucketsRatio 8", 1, 1},
		{"ListenCoresBucketsRatio 8", 8, 1},
		{"ListenCoresBucketsRatio 8", 15, 1},
		{"ListenCoresBucketsRatio 8", 16, 2},
		{"ListenCoresBucketsRatio 8", 31, 3},
		{"ListenCoresBucketsRatio 8", 128, 16},
		{"ListenCoresBucketsRatio 1", 2, 2},
		{"ListenCoresBucketsRatio 1\nServerLimit 3", 3, 3},
		{"ListenCoresBucketsRatio 1\nServerLimit 1", 1, 1},
		{"ListenCoresBucketsRatio 2147483647", 64, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = settle_config(rows[i].text, rows[i].cpus);

		assert_int_equal(count_messages(c), 0);
		assert_int_equal(c->buckets, rows[i].buckets);
		config_destroy(c);
	}
}

static void
test_each_bucket_can_have_a_child(void **state)
{
	static const struct {
		const char *text;
		long start, min, max_spare, workers;
		size_t said;
	} rows[] = {
		{"", 4, 4, 8, 16, 0},
		{"StartServers 2", 4, 4, 8, 16, 1},
		{"MinSpareServers 3\nMaxSpareServers 5", 4, 4, 8, 16, 2},
		{"MinSpareServers 6\nMaxSpareServers 10", 4, 6, 10, 16, 0},
		{"MaxRequestWorkers 2", 4, 4, 8, 4, 1},
		{"MaxRequestWorkers 4", 4, 4, 8, 4, 0},
		{"Processes 4", 4, 4, 5, 4, 0},
		{"Processes 7", 7, 7, 8, 7, 0},
		{"Processes 3", 4, 4, 5, 4, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c;
		char text[200];

		snprintf(text, sizeof(text), "%s\nListenCoresBucketsRatio 1\n",
			rows[i].text);
		c = settle_config(text, 4);
		assert_int_equal(c->buckets, 4);
		assert_int_equal(c->start_servers, rows[i].start);
		assert_int_equal(c->min_spare_servers, rows[i].min);
		assert_int_equal(c->max_spare_servers, rows[i].max_spare);
		assert_int_equal(c->max_request_workers, rows[i].workers);
		assert_int_equal(count_messages(c), rows[i].said);
		assert_int_equal(count_fatal(c), 0);
		config_destroy(c);
	}
}

static void
test_what_is_raised_is_told(void **state)
{
	struct config *c =
		settle_config("StartServers 1\nListenCoresBucketsRatio 2\n", 4);

	(void)state;
	assert_string_equal(only_message(c),
		"StartServers: 1 is not enough for 2 buckets "
		"(ListenCoresBucketsRatio), raised to 2");
	config_destroy(c);
}

static void
test_a_limit_of_children_is_told_to_be_one_of_buckets(void **state)
{
	static const struct {
		const char *text, *said;
		long buckets;
	} rows[] = {
		{"ServerLimit 3\nListenCoresBucketsRatio 1\n",
			"ListenCoresBucketsRatio: 4 buckets exceed ServerLimit "
			"of 3, lowered to 3; raise ServerLimit for more",
			3},
		{"ServerLimit 1\nListenCoresBucketsRatio 2\n",
			"ListenCoresBucketsRatio: 2 buckets exceed ServerLimit "
			"of 1, lowered to 1; raise ServerLimit for more",
			1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = settle_config(rows[i].text, 4);

		assert_int_equal(c->buckets, rows[i].buckets);
		assert_true(has_message(c, rows[i].said));
		config_destroy(c);
	}
}

static void
test_where_it_does_not_apply_it_is_ignored_with_a_warning(void **state)
{
	static const struct {
		const char *text;
		long buckets;
		const char *said;
	} rows[] = {
		{"Listen unix:/run/x\n", 1,
			"ignored, it does not apply to unix: sockets"},
		{"Listen unix:/run/x\nListen 8000\n", 2,
			"does not apply to unix: sockets, which have one for "
			"all buckets"},
		{"Mutex flock\n", 1,
			"ignored with Mutex flock, which lets one child at a "
			"time wait for connections"},
		{"Mutex none\n", 2, NULL},
		{"Mutex DEFAULT\n", 2, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c;
		char text[200], said[200];

		snprintf(text, sizeof(text), "%sListenCoresBucketsRatio 1\n",
			rows[i].text);
		c = settle_config(text, 2);
		assert_int_equal(c->buckets, rows[i].buckets);
		if (rows[i].said == NULL) {
			assert_int_equal(count_messages(c), 0);
		} else {
			snprintf(said, sizeof(said),
				"ListenCoresBucketsRatio: %s", rows[i].said);
			assert_string_equal(only_message(c), said);
		}
		config_destroy(c);
	}
}

static void
test_where_it_makes_one_bucket_nothing_is_said_of_it(void **state)
{
	struct config *c = settle_config(
		"Listen unix:/run/x\nListenCoresBucketsRatio 8\n", 8);

	(void)state;
	assert_int_equal(c->buckets, 1);
	assert_int_equal(count_messages(c), 0);
	config_destroy(c);
}

static void
test_a_reload_keeps_the_number(void **state)
{
	struct config *was =
		settle_config("ListenCoresBucketsRatio 1\nListen 8000\n", 2);
	struct config_machine machine = {.cpus = 16, .running = was};
	struct config *c = read_config("ListenCoresBucketsRatio 4\n"
				       "Listen 8000\nProcesses 1\n");

	(void)state;
	assert_int_equal(config_settle(c, &machine), 0);
	assert_int_equal(c->buckets, 2);
	assert_int_equal(c->listen_cores_buckets_ratio, 1);
	assert_int_equal(c->processes, 2);
	assert_true(has_message(c,
		"ListenCoresBucketsRatio: changes only when wsgid is stopped "
		"and started; 1 stays"));
	config_destroy(c);
	config_destroy(was);
}

/* A child reads what its master has settled. */
static void
test_what_is_settled_stays_as_it_is(void **state)
{
	static const char *const texts[] = {
		"ListenCoresBucketsRatio 1\nStartServers 1\n",
		"ListenCoresBucketsRatio 1\nProcesses 2\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *master = settle_config(texts[i], 4), *child;
		struct buf text = {0}, again = {0};

		assert_int_equal(config_dump(master, &text), 0);
		child = settle_config(buf_text(&text), 1);
		assert_int_equal(count_messages(child), 0);
		assert_int_equal(config_dump(child, &again), 0);
		assert_string_equal(buf_text(&text), buf_text(&again));
		buf_fini(&text);
		buf_fini(&again);
		config_destroy(child);
		config_destroy(master);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_there_are_as_many_as_the_ratio_goes_into_the_cpus),
		cmocka_unit_test(test_each_bucket_can_have_a_child),
		cmocka_unit_test(test_what_is_raised_is_told),
		cmocka_unit_test(
			test_a_limit_of_children_is_told_to_be_one_of_buckets),
		cmocka_unit_test(
			test_where_it_does_not_apply_it_is_ignored_with_a_warning),
		cmocka_unit_test(
			test_where_it_makes_one_bucket_nothing_is_said_of_it),
		cmocka_unit_test(test_a_reload_keeps_the_number),
		cmocka_unit_test(test_what_is_settled_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
