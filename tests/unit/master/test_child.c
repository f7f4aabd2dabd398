/*
 * test_child.c - how long a child has when it is told to go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"
#include "fixture.h"
#include "master/child.h"
#include "master/stop.h"
#include "mpm/mpm.h"
#include "net/channel.h"

static void
test_who_has_not_finished_in_time_is_killed(void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_READY);

	c->ready_ns = 1;
	child_retire(&f->m, c, 4000);
	assert_int_equal(c->life, LIFECYCLE_DRAINING);
	assert_int_equal(c->deadline_ns, f->m.now_ns + 4 * SECOND_NS);
	assert_false(c->killed);
	f->m.now_ns = c->deadline_ns;
	child_due(&f->m, c);
	assert_true(c->killed);
	assert_int_equal(c->deadline_ns, NEVER);
}

static void
test_a_child_hears_of_an_earlier_time_to_leave_by(void **state)
{
	static const struct {
		int64_t timeout_ms;
		uint32_t told_ms;
	} rows[] = {
		{0, 0},
		{1, 1},
		{400, 300},
		{8000, 6000},
		{60000, 58000},
	};
	struct fixture *f = *state;
	struct channel_message message;
	int ours, far;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct child *c = fixture_child(f, 0, LIFECYCLE_READY);

		assert_int_equal(channel_pair(&ours, &far), 0);
		c->channel.fd = ours;
		child_retire(&f->m, c, rows[i].timeout_ms);
		assert_int_equal(channel_receive(far, &message), 1);
		assert_int_equal(message.kind, CHANNEL_RETIRE);
		assert_int_equal(message.deadline_ms, rows[i].told_ms);
		c->channel.fd = -1;
		close(ours);
		close(far);
	}
}

static void
test_a_graceful_stop_has_one_deadline_for_all(void **state)
{
	struct fixture *f = *state;
	int64_t end = f->m.now_ns + SECOND_NS;
	struct child *ready = fixture_child(f, 0, LIFECYCLE_READY);
	struct child *draining = fixture_child(f, 1, LIFECYCLE_DRAINING);
	struct child *ending = fixture_child(f, 2, LIFECYCLE_DRAINING);
	struct child *stopping = fixture_child(f, 3, LIFECYCLE_STOPPING);
	struct channel_message message;
	int far;

	f->m.now->config->graceful_shutdown_timeout = 1000;
	ready->ready_ns = draining->ready_ns = ending->ready_ns =
		stopping->ready_ns = 1;
	draining->deadline_ns = NEVER;
	ending->deadline_ns = end - 1;
	stopping->deadline_ns = end + 1;
	assert_int_equal(channel_pair(&draining->channel.fd, &far), 0);
	stop_begin(&f->m, true, NULL);
	assert_int_equal(ready->deadline_ns, end);
	assert_int_equal(draining->deadline_ns, end);
	assert_int_equal(ending->deadline_ns, end - 1);
	assert_int_equal(stopping->deadline_ns, end);
	/* It may wait for a client, with more time than there is now. */
	assert_int_equal(channel_receive(far, &message), 1);
	assert_int_equal(message.kind, CHANNEL_FINISH);
	assert_int_equal(message.deadline_ms, 750);

	/* Who is told a second time has a moment, or what was left. */
	ending->deadline_ns = f->m.now_ns + 1;
	stop_begin(&f->m, false, NULL);
	assert_int_equal(ready->life, LIFECYCLE_STOPPING);
	assert_int_equal(ready->deadline_ns, f->m.now_ns + 100 * MS_NS);
	assert_int_equal(ending->deadline_ns, f->m.now_ns + 1);
	close(far);
	close(draining->channel.fd);
}

static void
test_a_stop_at_once_gives_all_the_same_time(void **state)
{
	struct fixture *f = *state;
	struct child *draining = fixture_child(f, 0, LIFECYCLE_DRAINING);
	struct child *ready = fixture_child(f, 1, LIFECYCLE_READY);

	draining->ready_ns = ready->ready_ns = 1;
	draining->deadline_ns = NEVER;
	stop_begin(&f->m, false, NULL);
	assert_int_equal(draining->life, LIFECYCLE_STOPPING);
	assert_int_equal(ready->life, LIFECYCLE_STOPPING);
	assert_int_equal(draining->deadline_ns, ready->deadline_ns);
	assert_int_equal(
		ready->deadline_ns, f->m.now_ns + CHILD_STOP_MS * MS_NS);
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

/* What it has taken meanwhile it finishes: no order to stop at once, and the
 * time that the others have. */
static void
test_a_child_that_was_ready_before_it_heard_of_the_stop_may_finish(void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_STARTING);
	struct channel_message message;
	int far;

	f->m.now->config->graceful_shutdown_timeout = 30000;
	c->deadline_ns = NEVER;
	assert_int_equal(channel_pair(&c->channel.fd, &far), 0);
	stop_begin(&f->m, true, NULL);
	assert_int_equal(channel_receive(far, &message), 1);
	assert_int_equal(message.kind, CHANNEL_FINISH);
	assert_true(message.deadline_ms > CHILD_STOP_MS);
	assert_true(c->deadline_ns < f->m.stop_by_ns);

	assert_int_equal(
		channel_send(far, CHANNEL_READY, 0, "3.11.2", NULL, 0), 0);
	child_speaks(&f->m, &c->channel);
	assert_int_equal(c->life, LIFECYCLE_STOPPING);
	assert_int_equal(c->deadline_ns, f->m.stop_by_ns);
	close(c->channel.fd);
	c->channel.fd = -1;
	close(far);
}

static void
test_the_last_words_of_the_dead_are_heard_behind_all_others(void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_STOPPING);
	int far;

	assert_int_equal(channel_pair(&c->channel.fd, &far), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			channel_send(far, CHANNEL_BUSY, 0, NULL, NULL, 0), 0);
	assert_int_equal(channel_send(far, CHANNEL_CUT, 0, "3", NULL, 0), 0);
	child_last_words(&f->m, c);
	assert_int_equal(c->cut, 3);
	assert_int_equal(c->channel.fd, -1);
	close(far);
}

static void
is_ready(struct fixture *f, struct child *c)
{
	int far;

	assert_int_equal(channel_pair(&c->channel.fd, &far), 0);
	assert_int_equal(
		channel_send(far, CHANNEL_READY, 0, "3.11.2", NULL, 0), 0);
	child_speaks(&f->m, &c->channel);
	close(c->channel.fd);
	c->channel.fd = -1;
	close(far);
}

/* One too many, told so while its READY was on the way. */
static void
test_who_was_ready_before_it_heard_of_that_has_the_time_of_the_others(
	void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_STARTING);

	f->m.now->config->worker_drain_timeout = 0;
	child_retire(&f->m, c, 0);
	assert_int_equal(c->life, LIFECYCLE_STOPPING);
	assert_true(c->deadline_ns < f->m.now_ns + CHILD_STOP_MS * MS_NS);
	is_ready(f, c);
	assert_int_equal(c->life, LIFECYCLE_STOPPING);
	assert_int_equal(c->deadline_ns, NEVER);

	f->m.now->config->graceful_shutdown_timeout = 30000;
	stop_begin(&f->m, true, NULL);
	assert_int_equal(c->deadline_ns, f->m.stop_by_ns);
	assert_true(c->deadline_ns > f->m.now_ns + CHILD_STOP_MS * MS_NS);
}

static void
test_who_is_late_is_asked_where_it_is_and_may_still_be_ready(void **state)
{
	struct fixture *f = *state;
	struct child *late = fixture_child(f, 0, LIFECYCLE_STARTING);
	struct child *lost = fixture_child(f, 1, LIFECYCLE_STARTING);

	child_due(&f->m, late);
	child_due(&f->m, lost);
	assert_true(late->timed_out && !late->killed);
	assert_true(late->deadline_ns < f->m.now_ns + SECOND_NS);
	is_ready(f, late);
	assert_int_equal(late->life, LIFECYCLE_READY);
	assert_false(late->timed_out);
	f->m.now_ns = lost->deadline_ns;
	child_due(&f->m, lost);
	assert_true(lost->timed_out && lost->killed);
	assert_int_equal(lost->deadline_ns, NEVER);
}

/* And only that: a cold one says nothing of it. */
static void
test_one_that_is_warm_ends_the_time_without(void **state)
{
	struct fixture *f = *state;
	struct child *cold = fixture_child(f, 0, LIFECYCLE_STARTING);
	struct child *warm = fixture_child(f, 1, LIFECYCLE_STARTING);

	f->m.now->cold_until_ns = f->m.now_ns + SECOND_NS;
	is_ready(f, cold);
	assert_true(f->m.now->served);
	assert_int_equal(f->m.now->cold_until_ns, f->m.now_ns + SECOND_NS);
	warm->warm = true;
	is_ready(f, warm);
	assert_int_equal(f->m.now->cold_until_ns, 0);
}

static void
ends_by_itself(struct fixture *f, struct child *c)
{
	int far;

	assert_int_equal(channel_pair(&c->channel.fd, &far), 0);
	assert_int_equal(
		channel_send(far, CHANNEL_LEAVES, 0, NULL, NULL, 0), 0);
	child_speaks(&f->m, &c->channel);
	close(c->channel.fd);
	c->channel.fd = -1;
	close(far);
}

static void
test_who_ends_by_itself_is_replaced_now_and_has_worker_drain_timeout(
	void **state)
{
	struct fixture *f = *state;
	struct child *c = fixture_child(f, 0, LIFECYCLE_READY);

	f->m.now->config->worker_drain_timeout = 7000;
	c->ready_ns = f->m.now_ns;
	ends_by_itself(f, c);
	assert_int_equal(c->life, LIFECYCLE_DRAINING);
	assert_int_equal(c->deadline_ns, f->m.now_ns + 7 * SECOND_NS);
	assert_int_equal(f->m.owed, 1);
	/* Nobody had asked it for anything. */
	assert_int_equal(f->m.throttle.failures, 1);

	/* It may say so again. */
	f->m.now_ns += SECOND_NS;
	ends_by_itself(f, c);
	assert_int_equal(c->deadline_ns, f->m.now_ns + 6 * SECOND_NS);
	assert_int_equal(f->m.owed, 1);
}

/* And where the first child of a new master is still to prove it. */
static void
test_who_has_been_told_to_go_or_is_not_ready_ends_without_a_replacement(
	void **state)
{
	static const enum lifecycle lives[] = {LIFECYCLE_STARTING,
		LIFECYCLE_DRAINING, LIFECYCLE_STOPPING};
	struct fixture *f = *state;
	struct child *c;

	for (unsigned i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		c = fixture_child(f, i, lives[i]);
		ends_by_itself(f, c);
		assert_int_equal(c->life, lives[i]);
	}
	f->m.phase = PHASE_STARTING;
	c = fixture_child(f, 4, LIFECYCLE_READY);
	ends_by_itself(f, c);
	assert_int_equal(c->life, LIFECYCLE_READY);
	assert_int_equal(f->m.owed, 0);
	assert_int_equal(f->m.throttle.failures, 0);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_has_not_finished_in_time_is_killed),
		TEST(test_a_child_hears_of_an_earlier_time_to_leave_by),
		TEST(test_a_graceful_stop_has_one_deadline_for_all),
		TEST(test_a_stop_at_once_gives_all_the_same_time),
		TEST(test_a_child_that_imports_has_less),
		TEST(test_a_child_that_was_ready_before_it_heard_of_the_stop_may_finish),
		TEST(test_the_last_words_of_the_dead_are_heard_behind_all_others),
		TEST(test_who_was_ready_before_it_heard_of_that_has_the_time_of_the_others),
		TEST(test_who_is_late_is_asked_where_it_is_and_may_still_be_ready),
		TEST(test_one_that_is_warm_ends_the_time_without),
		TEST(test_who_ends_by_itself_is_replaced_now_and_has_worker_drain_timeout),
		TEST(test_who_has_been_told_to_go_or_is_not_ready_ends_without_a_replacement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
