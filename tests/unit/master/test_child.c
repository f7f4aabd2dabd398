/*
 * test_child.c - how long a child has when it is told to go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"

static void
test_whoever_must_stop_has_the_same_time(void **state)
{
	struct fixture *f = *state;
	struct child *late = fixture_child(f, 0, LIFECYCLE_DRAINING);
	struct child *told = fixture_child(f, 1, LIFECYCLE_READY);
	int64_t late_ns;

	late->ready_ns = told->ready_ns = 1;
	child_due(&f->m, late);
	assert_int_equal(late->life, LIFECYCLE_STOPPING);
	late_ns = late->deadline_ns;
	stop_begin(&f->m, false, NULL);
	assert_int_equal(told->life, LIFECYCLE_STOPPING);
	assert_int_equal(late_ns, told->deadline_ns);
	assert_int_equal(late_ns, f->m.now_ns + CHILD_STOP_MS * MS_NS);
}

static void
test_a_child_that_imports_has_less(void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_STARTING);

	c->deadline_ns = NEVER;
	child_stop(&f->m, c, CHILD_STOP_MS);
	assert_int_equal(c->life, LIFECYCLE_STOPPING);
	assert_true(c->deadline_ns < f->m.now_ns + CHILD_STOP_MS * MS_NS);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whoever_must_stop_has_the_same_time),
		TEST(test_a_child_that_imports_has_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
