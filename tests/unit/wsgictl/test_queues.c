/*
 * test_queues.c - what a master says of its listen queues, and what no master says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wsgictl/ask.h"
#include "wsgictl/queues.h"

static void
hear(struct queues *q, const char *text)
{
	struct ask_answer line;

	assert_int_equal(ask_parse(&line, str_of(text)), 0);
	queues_hear(q, &line);
}

static void
test_each_listener_has_a_queue(void **state)
{
	struct queues q = {0};

	(void)state;
	hear(&q, "+ listen-queue 127.0.0.1:8000 3 511");
	hear(&q, "+ listen-queue unix:/run/shop%20one.sock 0 4294967295");
	assert_int_equal(q.n, 2);
	assert_string_equal(q.all[0].listener, "127.0.0.1:8000");
	assert_int_equal(q.all[0].waiting, 3);
	assert_int_equal(q.all[0].limit, 511);
	assert_string_equal(q.all[1].listener, "unix:/run/shop one.sock");
	assert_int_equal(q.all[1].limit, UINT32_MAX);
	queues_fini(&q);
	assert_int_equal(q.n, 0);
}

static void
test_what_no_kernel_says_is_passed_over(void **state)
{
	struct queues q = {0};

	(void)state;
	hear(&q, "+ version wsgid/1");
	hear(&q, "+ listen-queue 127.0.0.1:8000 3");
	hear(&q, "+ listen-queue 127.0.0.1:8000 3 -1");
	hear(&q, "+ listen-queue 127.0.0.1:8000 many 511");
	hear(&q, "+ listen-queue 127.0.0.1:8000 4294967296 511");
	hear(&q, "+ listen-queue 127.0.0.1:8000 3 18446744073709551615");
	assert_int_equal(q.n, 0);
	for (int i = 0; i < QUEUES_MOST + 9; i++)
		hear(&q, "+ listen-queue 127.0.0.1:8000 3 511");
	assert_int_equal(q.n, QUEUES_MOST);
	queues_fini(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_listener_has_a_queue),
		cmocka_unit_test(test_what_no_kernel_says_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
