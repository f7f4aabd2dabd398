/*
 * test_heritage.c - what one master writes for the next, the next reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/str.h"
#include "master/heritage.h"
#include "mpm/mpm.h"

static void
fill(struct heritage *h)
{
	heritage_init(h);
	h->way = HERITAGE_TRIAL;
	h->from = 42;
	h->report = 10;
	h->generation = 7;
	h->children = 3;
	h->buckets = 4;
	h->files = (struct rlimit){1024, RLIM_INFINITY};
	h->give = 11;
	h->take = 12;
	h->pool_format = 5;
	h->own = (struct heritage_file){13, strdup("/run/a b/100%.pid")};
	assert_int_equal(heritage_add_listener(
				 h, &(struct heritage_listener){14, true, false,
					    0, 0, -1, "127.0.0.1:0"}),
		0);
	assert_int_equal(heritage_add_listener(
				 h, &(struct heritage_listener){15, false, true,
					    66, UINT64_MAX, 3, "unix:/x y"}),
		0);
	assert_int_equal(
		heritage_add_child(h, &(struct heritage_child){3, 4711, 6,
					      LIFECYCLE_READY, 16, 8, 0}),
		0);
	assert_int_equal(heritage_add_child(h, &(struct heritage_child){4, 4712,
						       7, LIFECYCLE_STOPPING,
						       -1, 1, 123456789012}),
		0);
	assert_int_equal(heritage_add_output(
				 h, &(struct heritage_output){17, 4711, 20}),
		0);
	assert_int_equal(heritage_add_output(
				 h, &(struct heritage_output){21, 4712, -1}),
		0);
	assert_int_equal(heritage_add_client(h, 18), 0);
	h->unsaid = 19;
	h->lost = 1234;
	h->secret = INT64_MAX;
}

static void
empty(struct heritage *h)
{
	heritage_disown(h);
	heritage_fini(h);
}

static void
test_all_of_it_arrives(void **state)
{
	struct heritage left, got;
	struct buf text = {0};
	struct err err = {0};

	(void)state;
	fill(&left);
	assert_int_equal(heritage_encode(&left, &text), 0);
	assert_int_equal(
		heritage_decode(&got, (struct str){text.data, text.len}, &err),
		0);
	assert_int_equal(got.way, HERITAGE_TRIAL);
	assert_int_equal(got.from, 42);
	assert_int_equal(got.report, 10);
	assert_int_equal(got.generation, 7);
	assert_int_equal(got.children, 3);
	assert_int_equal(got.buckets, 4);
	assert_int_equal(got.listeners[1].bucket, 3);
	assert_int_equal(got.files.rlim_cur, 1024);
	assert_true(got.files.rlim_max == RLIM_INFINITY);
	assert_int_equal(got.give, 11);
	assert_int_equal(got.take, 12);
	assert_int_equal(got.pool_format, 5);
	assert_int_equal(got.own.fd, 13);
	assert_string_equal(got.own.path, "/run/a b/100%.pid");
	assert_int_equal(got.named.fd, -1);
	assert_int_equal(got.n_listeners, 2);
	assert_memory_equal(&got.listeners[0], &left.listeners[0],
		offsetof(struct heritage_listener, asked));
	assert_string_equal(got.listeners[1].asked, "unix:/x y");
	assert_true(got.listeners[1].inode == UINT64_MAX);
	assert_true(got.listeners[1].made && !got.listeners[1].passed);
	assert_int_equal(got.n_nursery, 2);
	assert_memory_equal(
		got.nursery, left.nursery, 2 * sizeof(struct heritage_child));
	assert_int_equal(got.n_outputs, 2);
	assert_memory_equal(
		got.outputs, left.outputs, 2 * sizeof(struct heritage_output));
	assert_int_equal(got.n_clients, 1);
	assert_int_equal(got.clients[0], 18);
	assert_int_equal(got.unsaid, 19);
	assert_int_equal(got.lost, 1234);
	assert_true(got.secret == INT64_MAX);
	empty(&got);
	empty(&left);
	buf_fini(&text);
}

static int
count(int fd, void *arg)
{
	unsigned *seen = arg;

	*seen |= 1U << fd;
	return 0;
}

static int
refuse(int fd, void *arg)
{
	(void)arg;
	return fd == 14 ? -EBADF : 0;
}

static void
test_each_descriptor_is_called_once(void **state)
{
	struct heritage h;
	unsigned seen = 0;

	(void)state;
	fill(&h);
	assert_int_equal(heritage_each_fd(&h, count, &seen), 0);
	assert_int_equal(seen, 0x3ffc00);
	assert_int_equal(heritage_each_fd(&h, refuse, NULL), -EBADF);
	empty(&h);
}

static void
test_an_unknown_key_is_passed_over(void **state)
{
	static const char text[] = "wsgid-heritage 1\n"
				   "way 0 1\n"
				   "colour blue and green\n"
				   "generation 1 1 1\nreport 3\n"
				   "pool 4 5 1\n";
	struct heritage h;
	struct err err = {0};

	(void)state;
	assert_int_equal(heritage_decode(&h, str_of(text), &err), 0);
	assert_int_equal(h.take, 5);
	empty(&h);
}

static void
test_nonsense_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "another version"},
		{"wsgid-heritage 2\nway 0 1\ngeneration 1 1 1\nreport 3\npool "
		 "4 5 1\n",
			"another version"},
		{"wsgid-heritage 1\nway 0 1\ngeneration 1 1 1\nreport 3\npool "
		 "4 5 1",
			"report 3"},
		{"wsgid-heritage 1\nway 0 1\npool 4 5 1\n", "pool"},
		{"wsgid-heritage 1\nway 0 1\ngeneration 1 1 1\nreport 3\n",
			"report"},
		{"wsgid-heritage 1\nway 3 1\ngeneration 1 1 1\nreport 3\npool "
		 "4 5 1\n",
			"way 3"},
		{"wsgid-heritage 1\nway 0 1\nreport 2\npool 4 5 1\n",
			"report 2"},
		{"wsgid-heritage 1\nway 0 1\nreport x\npool 4 5 1\n",
			"report x"},
		{"wsgid-heritage 1\nway 0 1\nreport\npool 4 5 1\n", "report"},
		{"wsgid-heritage 1\nway 0 1\ngeneration 1 1 1\nreport 3\npool "
		 "4 5 1\n"
		 "child 0 1 1 0 7 1\n",
			"child 0 1 1 0 7 1"},
		{"wsgid-heritage 1\nway 0 1\ngeneration 1 1 1\nreport 3\npool "
		 "4 5 1\n"
		 "child 0 1 1 1 7 1\ndeadline 2 5\n",
			"deadline 2 5"},
		{"wsgid-heritage 1\nway 0 1\ngeneration 1 1 1\nreport 3\npool "
		 "4 5 1\n"
		 "client 99999999999999999999\n",
			"client"},
		{"wsgid-heritage 1\nway 0 1\ngeneration 1 1 1\nreport 3\npool "
		 "4 5 1\n"
		 "pid-file 6 /a\npid-file 7 /b\n",
			"/b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heritage h;
		struct err err = {0};

		assert_int_equal(
			heritage_decode(&h, str_of(rows[i].text), &err),
			-EINVAL);
		if (strstr(err.text, rows[i].why) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_arrives),
		cmocka_unit_test(test_each_descriptor_is_called_once),
		cmocka_unit_test(test_an_unknown_key_is_passed_over),
		cmocka_unit_test(test_nonsense_is_refused_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
