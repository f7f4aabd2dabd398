/*
 * test_descriptors.c - which of the server's descriptors is another one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "child/descriptors.h"

struct fixture {
	struct descriptors *d;
	int fds[2]; /* a pipe's and an eventfd */
	int other;
};

static int
make(void **state)
{
	static struct fixture f;
	struct err err = {0};
	int ends[2];

	if (pipe(ends) < 0 || descriptors_create(&f.d, 3, &err) < 0)
		return -1;
	f.fds[0] = ends[0];
	f.other = ends[1];
	f.fds[1] = eventfd(0, 0);
	descriptors_add(f.d, f.fds[0]);
	descriptors_add(f.d, -1);
	descriptors_add(f.d, f.fds[1]);
	*state = &f;
	return 0;
}

static int
clean(void **state)
{
	struct fixture *f = *state;

	descriptors_destroy(f->d);
	close(f->fds[0]);
	close(f->fds[1]);
	close(f->other);
	return 0;
}

static void
replace(int fd)
{
	int null = open("/dev/null", O_RDWR);

	assert_int_equal(dup2(null, fd), fd);
	close(null);
}

static void
test_what_is_used_is_still_the_same(void **state)
{
	struct fixture *f = *state;
	uint64_t one = 1;

	assert_int_equal(write(f->fds[1], &one, sizeof(one)), sizeof(one));
	assert_int_equal(write(f->other, "x", 1), 1);
	assert_int_equal(descriptors_find_lost(f->d), -1);
	assert_int_equal(descriptors_find_lost(NULL), -1);
}

static void
test_each_that_is_replaced_is_found(void **state)
{
	struct fixture *f = *state;

	replace(f->fds[1]);
	assert_int_equal(descriptors_find_lost(f->d), f->fds[1]);
	replace(f->fds[0]);
	assert_int_equal(descriptors_find_lost(f->d), f->fds[0]);
}

static void
test_each_can_be_asked_for(void **state)
{
	struct fixture *f = *state;

	replace(f->fds[1]);
	assert_true(descriptors_is_lost(f->d, f->fds[1]));
	assert_false(descriptors_is_lost(f->d, f->fds[0]));
	assert_false(descriptors_is_lost(f->d, f->other)); /* not ours */
	assert_false(descriptors_is_lost(NULL, f->fds[1]));
}

static void
test_one_that_is_closed_is_found(void **state)
{
	struct fixture *f = *state;

	close(f->fds[0]);
	assert_int_equal(descriptors_find_lost(f->d), f->fds[0]);
	assert_int_equal(dup2(f->other, f->fds[0]), f->fds[0]);
	assert_int_equal(descriptors_find_lost(f->d), -1); /* the same pipe */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clean)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_used_is_still_the_same),
		TEST(test_each_that_is_replaced_is_found),
		TEST(test_each_can_be_asked_for),
		TEST(test_one_that_is_closed_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
