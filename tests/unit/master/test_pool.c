/*
 * test_pool.c - how many children are started, and when.
 *
 * The program of the children is /bin/true: how long it lives does not
 * matter, since nobody waits for it before the end of a test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "fixture.h"
#include "master/master_priv.h"
#include "master/pool.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

static int
prepare(struct fixture *f)
{
	log_set_level(LOG_LEVEL_ERROR - 1); /* what is said is not the test */
	f->m.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	strcpy(f->generation.python.program, "/bin/true");
	f->generation.environment = calloc(1, sizeof(char *));
	f->generation.config_fd = dup(f->m.null_fd);
	f->generation.config->startup_timeout = 0;
	return getrlimit(RLIMIT_NOFILE, &f->m.files);
}

static int
make(void **state)
{
	return fixture_make(state) < 0 ? -1 : prepare(*state);
}

static int
make_worker(void **state)
{
	return fixture_make_worker(state) < 0 ? -1 : prepare(*state);
}

static int
clean(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < SLOTS; i++)
		if (f->m.children[i].channel.fd >= 0)
			master_forget(&f->m, &f->m.children[i].channel);
	while (wait(NULL) > 0)
		continue;
	close(f->m.null_fd);
	close(f->generation.config_fd);
	free(f->generation.environment);
	return fixture_remove(state);
}

static int
count(const struct fixture *f, enum lifecycle life)
{
	int n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		n += f->m.children[i].life == life;
	return n;
}

static void
become_ready(struct fixture *f, struct child *c)
{
	c->life = LIFECYCLE_READY;
	c->ready_ns = f->m.now_ns;
}

static void
test_what_is_owed_comes_at_once_up_to_the_limit(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	pool_owe(&f->m, 2);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 2);
	pool_owe(&f->m, 5);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 3);
	assert_int_equal(f->m.owed, 0);
}

/* The tired one and its replacement are one place of the four. */
static void
test_a_death_is_made_good_while_a_replacement_starts(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++)
		fixture_child(f, i, LIFECYCLE_READY);
	f->m.children[0].wants_retire = true;
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
	pool_owe(&f->m, 1);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 2);
	assert_int_equal(f->m.owed, 0);
	pool_owe(&f->m, 1);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 2);
	assert_int_equal(f->m.owed, 0);
}

static void
test_a_death_during_a_reload_is_made_good_at_once(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++)
		fixture_child(f, i, LIFECYCLE_READY)->generation = i == 0;
	f->m.reloading = true;
	pool_owe(&f->m, 1); /* for an old one */
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 2);
	assert_int_equal(f->m.owed, 0);
	assert_int_equal(
		f->m.children[3].replacement + f->m.children[4].replacement, 1);
}

/* With one more the pool would be too large. */
static void
test_the_replacement_of_the_dead_takes_its_place(void **state)
{
	struct fixture *f = *state;
	struct child *tired;

	for (unsigned i = 0; i < 4; i++)
		tired = fixture_child(f, i, LIFECYCLE_READY);
	tired->wants_retire = true;
	pool_turn(&f->m);
	assert_true(f->m.children[4].replacement);
	tired->life = LIFECYCLE_VACANT;
	pool_owe(&f->m, 1);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
	assert_false(f->m.children[4].replacement);
	assert_int_equal(f->m.owed, 0);
}

/* Children that are replaced before they have lived for long never end it. */
static void
test_after_a_crash_loop_the_policy_goes_on_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct child dead = {.ready_ns = 0};

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	for (int i = 0; i < 2; i++)
		pool_lost(&f->m, &dead, "exit status 1");
	assert_int_equal(f->m.throttle.failures, 2);
	for (int turn = 1; turn <= 3; turn++) {
		f->m.now_ns += SECOND_NS;
		f->m.memory.spawn_rate = 4;
		pool_turn(&f->m);
		assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
	}
}

static void
test_in_a_crash_loop_one_is_tried_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct child dead = {.ready_ns = 0};

	for (int i = 0; i < 3; i++) {
		pool_lost(&f->m, &dead, "exit status 1");
		f->m.now_ns += 5 * SECOND_NS;
	}
	pool_lost(&f->m, &dead, "exit status 1");
	pool_owe(&f->m, 3);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 0);
	assert_int_equal(f->m.owed, 3);
	f->m.now_ns += throttle_delay(&f->m.throttle, f->m.now_ns);
	pool_turn(&f->m);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
}

/* Each has cost a client its request: the others shall not wait for it. */
static void
test_those_who_died_in_requests_are_replaced_at_once_however_many(void **state)
{
	struct fixture *f = *state;
	struct child dead = {.ready_ns = 1, .began = true};

	for (int i = 0; i < 9; i++)
		pool_lost(&f->m, &dead, "exit status 1");
	pool_owe(&f->m, 3);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 3);
	assert_int_equal(f->m.owed, 0);
}

static void
test_the_death_of_one_that_fails_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct child *c;

	fixture_child(f, 0, LIFECYCLE_READY);
	c = fixture_child(f, 1, LIFECYCLE_STOPPING);
	c->failed = true;
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 0);
	c->life = LIFECYCLE_VACANT;
	f->m.now_ns += SECOND_NS;
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
}

static void
test_the_tired_one_stays_until_its_replacement_is_ready(void **state)
{
	struct fixture *f = *state;
	struct child *tired = fixture_child(f, 0, LIFECYCLE_READY), *fresh;

	fixture_child(f, 1, LIFECYCLE_READY);
	tired->wants_retire = true;
	pool_turn(&f->m);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
	assert_int_equal(tired->life, LIFECYCLE_READY);
	fresh = &f->m.children[2];
	assert_true(fresh->replacement);
	become_ready(f, fresh);
	pool_replaced(&f->m, fresh);
	assert_int_equal(tired->life, LIFECYCLE_DRAINING);
	assert_false(fresh->replacement);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 0);
}

static void
test_a_lowered_limit_is_kept_to_before_the_last_is_replaced(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 6; i++)
		fixture_child(f, i, LIFECYCLE_READY)->generation = i < 3;
	f->m.reloading = true;
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
	assert_int_equal(count(f, LIFECYCLE_DRAINING), 0);
	become_ready(f, &f->m.children[6]);
	pool_replaced(&f->m, &f->m.children[6]);
	assert_int_equal(count(f, LIFECYCLE_DRAINING), 1);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 0);
	assert_int_equal(count(f, LIFECYCLE_DRAINING), 3);
	assert_int_equal(count(f, LIFECYCLE_READY), 4);
}

static void
test_the_full_pool_still_has_room_for_a_replacement(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++)
		fixture_child(f, i, LIFECYCLE_READY)->generation = 0;
	f->m.reloading = true;
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
	assert_int_equal(count(f, LIFECYCLE_READY), 4);
}

static void
test_one_too_many_idle_is_retired_a_second(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++)
		fixture_child(f, i, LIFECYCLE_READY);
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_DRAINING), 0);
	for (int turn = 1; turn <= 3; turn++) {
		f->m.now_ns += SECOND_NS;
		pool_turn(&f->m);
		pool_turn(&f->m);
		assert_int_equal(
			count(f, LIFECYCLE_DRAINING), turn < 2 ? turn : 2);
	}
}

static void
test_busy_children_call_for_more(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_work(f, 0, WSGID_WORKER_WRITE);
	f->m.now_ns += SECOND_NS;
	pool_turn(&f->m);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
}

static void
test_without_a_slot_it_is_tried_later(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < SLOTS; i++)
		fixture_child(f, i, LIFECYCLE_DRAINING);
	pool_owe(&f->m, 1);
	pool_turn(&f->m);
	assert_int_equal(f->m.owed, 1);
	f->m.children[3].life = LIFECYCLE_VACANT;
	f->m.now_ns += SECOND_NS;
	pool_turn(&f->m);
	assert_int_equal(f->m.owed, 0);
	assert_int_equal(f->m.children[3].life, LIFECYCLE_STARTING);
}

/* --- worker ------------------------------------------------------------------- */

static void
next_turn(struct fixture *f)
{
	f->m.now_ns += SECOND_NS;
	pool_turn(&f->m);
}

static void
test_too_few_idle_threads_call_for_a_child(void **state)
{
	struct fixture *f = *state;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_threads(f, 0, "W__");
	next_turn(f);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 0);
	fixture_threads(f, 0, "WW_"); /* MinSpareThreads is 2 */
	next_turn(f);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
	assert_int_equal(f->m.children[1].workers, THREADS);
	next_turn(f);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 1);
}

static void
test_too_many_idle_threads_retire_a_child_a_second(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++)
		fixture_child(f, i, LIFECYCLE_READY);
	for (int turn = 1; turn <= 4; turn++) {
		next_turn(f);
		pool_turn(&f->m);
		assert_int_equal(
			count(f, LIFECYCLE_DRAINING), turn < 2 ? turn : 2);
	}
}

static void
test_no_child_is_started_beyond_max_request_workers(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		fixture_child(f, i, LIFECYCLE_READY);
		fixture_threads(f, i, "WWW");
	}
	next_turn(f);
	assert_int_equal(count(f, LIFECYCLE_STARTING), 0);
	assert_true(f->m.memory.told_full);
	assert_false(f->m.memory.told_near);
	fixture_threads(f, 0, "WW_");
	next_turn(f);
	assert_true(f->m.memory.told_near);
}

static void
test_the_last_idle_thread_is_what_hurries_the_pool(void **state)
{
	struct fixture *f = *state;
	int64_t due;

	fixture_child(f, 0, LIFECYCLE_READY);
	fixture_threads(f, 0, "WW_");
	next_turn(f); /* one more is started */
	become_ready(f, &f->m.children[1]);
	fixture_threads(f, 1, "WW_");
	due = f->m.turn_ns;
	pool_hurry(&f->m);
	assert_int_equal(f->m.turn_ns, due);
	fixture_threads(f, 0, "WWW");
	fixture_threads(f, 1, "WWW");
	pool_hurry(&f->m);
	assert_true(f->m.turn_ns < due);
}

#define WORKER_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_worker, clean)
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clean)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_owed_comes_at_once_up_to_the_limit),
		TEST(test_a_death_is_made_good_while_a_replacement_starts),
		TEST(test_a_death_during_a_reload_is_made_good_at_once),
		TEST(test_the_replacement_of_the_dead_takes_its_place),
		TEST(test_after_a_crash_loop_the_policy_goes_on_one_at_a_time),
		TEST(test_in_a_crash_loop_one_is_tried_at_a_time),
		TEST(test_those_who_died_in_requests_are_replaced_at_once_however_many),
		TEST(test_the_death_of_one_that_fails_is_waited_for),
		TEST(test_the_tired_one_stays_until_its_replacement_is_ready),
		TEST(test_the_full_pool_still_has_room_for_a_replacement),
		TEST(test_a_lowered_limit_is_kept_to_before_the_last_is_replaced),
		TEST(test_one_too_many_idle_is_retired_a_second),
		TEST(test_busy_children_call_for_more),
		TEST(test_without_a_slot_it_is_tried_later),
		WORKER_TEST(test_too_few_idle_threads_call_for_a_child),
		WORKER_TEST(test_too_many_idle_threads_retire_a_child_a_second),
		WORKER_TEST(
			test_no_child_is_started_beyond_max_request_workers),
		WORKER_TEST(test_the_last_idle_thread_is_what_hurries_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
