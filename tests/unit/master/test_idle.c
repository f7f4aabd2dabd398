/*
 * test_idle.c - when a server that systemd would start again has nothing to do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "fixture.h"
#include "master/idle.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

enum { LIMIT_MS = 1000 };

static int
make_idle(void **state)
{
	struct fixture *f;
	int rc = fixture_make(state);

	if (rc != 0)
		return rc;
	f = *state;
	f->generation.config->idle_exit = LIMIT_MS;
	f->generation.passed = true;
	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_work(f, 0, WSGID_WORKER_READY);
	idle_turn(&f->m);
	return 0;
}

/* Everything that would happen meanwhile does at its end. */
static void
let_pass(struct fixture *f, int64_t ms)
{
	f->m.now_ns += ms * MS_NS;
	idle_turn(&f->m);
}

static void
test_it_leaves_after_that_time(void **state)
{
	struct fixture *f = *state;

	let_pass(f, LIMIT_MS - 1);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
	let_pass(f, LIMIT_MS / 10);
	assert_int_equal(f->m.phase, PHASE_STOPPING);
}

static void
test_a_request_begins_the_time_again(void **state)
{
	struct fixture *f = *state;

	let_pass(f, LIMIT_MS - 1);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	let_pass(f, LIMIT_MS / 10);
	fixture_work(f, 0, WSGID_WORKER_READY);
	let_pass(f, LIMIT_MS - 1);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
	let_pass(f, LIMIT_MS / 10);
	assert_int_equal(f->m.phase, PHASE_STOPPING);
}

/* As RestartInterval does, again and again. */
static void
test_a_child_that_is_replaced_only_puts_it_off(void **state)
{
	struct fixture *f = *state;
	struct child *new = fixture_child(f, 1, LIFECYCLE_STARTING);

	let_pass(f, LIMIT_MS);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
	f->m.children[0].life = LIFECYCLE_DRAINING;
	new->life = LIFECYCLE_READY;
	fixture_work(f, 1, WSGID_WORKER_READY);
	let_pass(f, LIMIT_MS / 10);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
	f->m.children[0].life = LIFECYCLE_VACANT;
	let_pass(f, LIMIT_MS / 10);
	assert_int_equal(f->m.phase, PHASE_STOPPING);
}

/* As after the death of the only one: somebody may have come meanwhile. */
static void
test_a_child_that_is_just_ready_can_accept_first(void **state)
{
	struct fixture *f = *state;
	struct child *c = &f->m.children[0];

	c->life = LIFECYCLE_VACANT;
	let_pass(f, LIMIT_MS);
	let_pass(f, LIMIT_MS / 10);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
	c->life = LIFECYCLE_READY;
	c->ready_ns = f->m.now_ns + LIMIT_MS / 20 * MS_NS;
	let_pass(f, LIMIT_MS / 10);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
	let_pass(f, LIMIT_MS / 10);
	assert_int_equal(f->m.phase, PHASE_STOPPING);
}

static void
test_without_sockets_of_systemd_it_stays(void **state)
{
	struct fixture *f = *state;

	f->generation.passed = false;
	let_pass(f, 10 * LIMIT_MS);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
	assert_true(idle_deadline(&f->m) == NEVER);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_idle, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_leaves_after_that_time),
		TEST(test_a_request_begins_the_time_again),
		TEST(test_a_child_that_is_replaced_only_puts_it_off),
		TEST(test_a_child_that_is_just_ready_can_accept_first),
		TEST(test_without_sockets_of_systemd_it_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
