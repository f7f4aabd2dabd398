/*
 * test_birth.c - whom the master believes to be a child that it has ordered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"
#include "fixture.h"
#include "master/birth.h"
#include "master/child.h"
#include "master/master_priv.h"
#include "master/template.h"
#include "mpm/mpm.h"
#include "net/channel.h"
#include "scoreboard/scoreboard.h"

enum { SLOT = 2 };

/* One that is expected, and the far end of its channel. */
static struct child *
expect(struct fixture *f, unsigned slot, int *far)
{
	struct child *c = fixture_child(f, slot, LIFECYCLE_STARTING);
	int near, output[2];

	c->pid = 0;
	assert_int_equal(channel_pair(&near, far), 0);
	assert_int_equal(channel_identify(near), 0);
	assert_int_equal(pipe(output), 0);
	close(output[1]);
	c->output = output[0];
	assert_int_equal(
		master_watch(&f->m, &c->channel, near, child_speaks), 0);
	assert_true(birth_expected(c));
	return c;
}

/* A process of ours that says so and then waits to be killed. */
static pid_t
speaker(int far, enum channel_kind kind)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)channel_send(far, kind, 0, NULL, NULL, 0);
		fixture_wait_to_be_killed();
	}
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* It speaks when it gets to run. */
static void
wait_for_event(struct fixture *f)
{
	while (!fixture_event(f))
		usleep(1000);
}

static void
test_who_speaks_first_and_is_ours_is_the_child(void **state)
{
	struct fixture *f = *state;
	int far;
	struct child *c = expect(f, SLOT, &far);
	pid_t pid = speaker(far, CHANNEL_BORN);

	wait_for_event(f);
	assert_int_equal(c->pid, pid);
	assert_false(birth_expected(c));
	assert_int_equal(c->output, -1);
	assert_int_equal(
		scoreboard_process(f->m.scoreboard, SLOT)->pid, (int)pid);
	assert_ptr_equal(child_of_pid(&f->m, pid), c);
	assert_int_equal(c->life, LIFECYCLE_STARTING);
	close(far);
	end(pid);
}

static void
check_vacant(struct fixture *f, const struct child *c, int owed)
{
	assert_int_equal(c->life, LIFECYCLE_VACANT);
	assert_int_equal(c->pid, 0);
	assert_int_equal(c->output, -1);
	assert_int_equal(c->channel.fd, -1);
	assert_int_equal(f->m.owed, owed);
}

static void
test_who_is_no_child_of_ours_is_not_believed(void **state)
{
	struct fixture *f = *state;
	int far;
	struct child *c = expect(f, SLOT, &far);

	/* Nobody is his own child. */
	assert_int_equal(channel_send(far, CHANNEL_BORN, 0, NULL, NULL, 0), 0);
	assert_true(fixture_event(f));
	check_vacant(f, c, 1);
	close(far);
}

static void
test_who_is_known_already_is_not_believed(void **state)
{
	struct fixture *f = *state;
	int far;
	struct child *c = expect(f, SLOT, &far);
	pid_t pid = speaker(far, CHANNEL_BORN);

	fixture_child(f, 0, LIFECYCLE_READY)->pid = pid;
	wait_for_event(f);
	check_vacant(f, c, 1);
	assert_int_equal(f->m.children[0].pid, pid);
	close(far);
	end(pid);
}

static void
test_who_is_a_template_is_not_believed(void **state)
{
	struct fixture *f = *state;
	int far;
	struct child *c = expect(f, SLOT, &far);
	struct child t = {.channel = {.fd = -1}, .generation = 7};

	t.pid = speaker(far, CHANNEL_BORN);
	f->m.templates = &t;
	wait_for_event(f);
	f->m.templates = NULL;
	check_vacant(f, c, 1);
	close(far);
	end(t.pid);
}

static void
test_other_words_are_no_birth(void **state)
{
	static const enum channel_kind rows[] = {
		CHANNEL_READY, CHANNEL_WANTS_RETIRE, CHANNEL_BUSY};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int far;
		struct child *c = expect(f, SLOT, &far);
		pid_t pid = speaker(far, rows[i]);

		f->m.owed = 0;
		wait_for_event(f);
		check_vacant(f, c, 1);
		close(far);
		end(pid);
	}
}

static void
test_a_template_that_lost_an_order_is_killed(void **state)
{
	struct fixture *f = *state;
	struct child t = {.channel = {.fd = -1}, .generation = 1};
	int far, status;
	struct child *c;

	t.pid = fork();
	if (t.pid == 0)
		fixture_wait_to_be_killed();
	f->m.templates = &t;
	c = expect(f, SLOT, &far);
	close(far);
	assert_true(fixture_event(f));
	f->m.templates = NULL;
	check_vacant(f, c, 1);
	assert_true(t.killed && t.failed);
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	assert_int_equal(status, SIGKILL);
}

static void
test_a_fork_that_failed_is_tried_again_with_delays(void **state)
{
	struct fixture *f = *state;

	for (int i = 1; i <= 2; i++) {
		int far;
		struct child *c = expect(f, SLOT, &far);

		assert_int_equal(channel_send(far, CHANNEL_FAILED, 0, "no room",
					 NULL, 0),
			0);
		close(far);
		while (birth_expected(c))
			assert_true(fixture_event(f));
		check_vacant(f, c, i);
		assert_int_equal(f->m.throttle.failures, i);
	}
	assert_true(throttle_delay(&f->m.throttle, f->m.now_ns) > 0);
}

static void
test_who_was_told_to_go_is_not_missed(void **state)
{
	struct fixture *f = *state;
	int far;
	struct child *c = expect(f, SLOT, &far);
	struct channel_message m;

	child_stop(&f->m, c, CHILD_STOP_MS);
	assert_int_equal(channel_receive(far, &m), 1);
	assert_int_equal(m.kind, CHANNEL_RETIRE);
	close(far);
	assert_true(fixture_event(f));
	check_vacant(f, c, 0);
}

/* A kill of process 0 would be the end of this test, too. */
static void
test_an_order_that_takes_too_long_is_given_up(void **state)
{
	struct fixture *f = *state;
	int far;
	struct child *c = expect(f, SLOT, &far);

	close(c->channel.fd); /* it cannot be told either */
	c->channel.fd = -1;
	child_stop(&f->m, c, CHILD_STOP_MS);
	child_due(&f->m, c);
	check_vacant(f, c, 0);
	close(far);

	c = expect(f, SLOT + 1, &far);
	child_due(&f->m, c);
	check_vacant(f, c, 1);
	close(far);
}

#define WITH_MASTER(test) \
	cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MASTER(test_who_speaks_first_and_is_ours_is_the_child),
		WITH_MASTER(test_who_is_no_child_of_ours_is_not_believed),
		WITH_MASTER(test_who_is_known_already_is_not_believed),
		WITH_MASTER(test_who_is_a_template_is_not_believed),
		WITH_MASTER(test_other_words_are_no_birth),
		WITH_MASTER(test_a_template_that_lost_an_order_is_killed),
		WITH_MASTER(test_a_fork_that_failed_is_tried_again_with_delays),
		WITH_MASTER(test_who_was_told_to_go_is_not_missed),
		WITH_MASTER(test_an_order_that_takes_too_long_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
