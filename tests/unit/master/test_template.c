/*
 * test_template.c - when there is a template, and when it is told to go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/signals.h"
#include "config/config.h"
#include "fixture.h"
#include "master/master_priv.h"
#include "master/stop.h"
#include "master/template.h"
#include "mpm/mpm.h"
#include "net/channel.h"
#include "scoreboard/scoreboard.h"

/* A template of a generation that does nothing, and the far end of its
 * channel. */
static struct child *
add(struct fixture *f, unsigned generation, int *far)
{
	struct child *t = calloc(1, sizeof(*t));
	int near;

	*t = (struct child){
		.channel = {.fd = -1},
		.next = f->m.templates,
		.generation = generation,
		.deadline_ns = NEVER,
	};
	t->pid = fork();
	if (t->pid == 0)
		fixture_wait_to_be_killed();
	assert_int_equal(channel_pair(&near, far), 0);
	assert_int_equal(
		master_watch(&f->m, &t->channel, near, template_speaks), 0);
	f->m.templates = t;
	f->generation.config->preload_application = true;
	return t;
}

/* The signal that its process has died of. */
static int
death_of(const struct child *t)
{
	int status = 0;

	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
end(const struct child *t)
{
	kill(t->pid, SIGKILL);
	(void)waitpid(t->pid, NULL, 0);
}

static void
test_orders_are_taken_by_a_ready_template_and_not_too_many(void **state)
{
	struct fixture *f = *state;
	struct child *t;
	int far;

	assert_true(template_takes_orders(&f->m, f->m.now));
	t = add(f, 1, &far);
	assert_false(template_takes_orders(&f->m, f->m.now));
	assert_int_equal(
		channel_send(far, CHANNEL_READY, 0, "Python 3", NULL, 0), 0);
	assert_true(fixture_event(f));
	assert_true(template_takes_orders(&f->m, f->m.now));
	assert_int_equal(
		scoreboard_board(f->m.scoreboard)->template_pid, (int)t->pid);

	free(f->m.children);
	f->m.n_slots = 32;
	f->m.children = calloc(32, sizeof(struct child));
	for (unsigned i = 0; i < 32; i++)
		f->m.children[i].life = LIFECYCLE_STARTING; /* pid 0 */
	assert_false(template_takes_orders(&f->m, f->m.now));
	f->m.children[7].pid = 1 << 29;
	assert_true(template_takes_orders(&f->m, f->m.now));

	close(far); /* it hears no order any more */
	assert_true(fixture_event(f));
	assert_false(template_takes_orders(&f->m, f->m.now));
	end(t);
}

static void
test_the_template_of_a_generation_that_is_gone_is_told_to_go(void **state)
{
	struct fixture *f = *state;
	struct channel_message m;
	int far_old, far_now;
	struct child *old = add(f, 7, &far_old);
	struct child *now = add(f, 1, &far_now);

	template_turn(&f->m);
	assert_int_equal(channel_receive(far_old, &m), 1);
	assert_int_equal(m.kind, CHANNEL_STOP);
	assert_int_equal(channel_receive(far_now, &m), -EAGAIN);
	assert_true(old->told);
	assert_false(now->told);

	/* And only once; then it is killed. */
	template_turn(&f->m);
	assert_int_equal(channel_receive(far_old, &m), -EAGAIN);
	assert_true(template_deadline(&f->m) <= f->m.now_ns + 2 * SECOND_NS);
	f->m.now_ns = template_deadline(&f->m);
	template_turn(&f->m);
	assert_int_equal(death_of(old), SIGKILL);
	close(far_old);
	close(far_now);
	end(now);
}

static void
test_all_templates_go_when_the_server_stops(void **state)
{
	struct fixture *f = *state;
	struct channel_message m;
	int far;
	struct child *t = add(f, 1, &far);

	f->m.phase = PHASE_STOPPING;
	f->m.give_up_ns = NEVER;
	template_turn(&f->m);
	assert_int_equal(channel_receive(far, &m), 1);
	assert_int_equal(m.kind, CHANNEL_STOP);
	stop_turn(&f->m);
	assert_int_equal(f->m.phase, PHASE_STOPPING);
	close(far);
	end(t);
	template_bury(&f->m, t, &(struct child){0});
	stop_turn(&f->m);
	assert_int_equal(f->m.phase, PHASE_OVER);
}

static void
test_one_that_is_not_ready_in_time_is_killed(void **state)
{
	struct fixture *f = *state;
	struct child *t;
	struct child dead;
	sigset_t ask, mask;
	int far;

	/* Python would have a handler that writes its stacks. */
	sigemptyset(&ask);
	sigaddset(&ask, signal_traceback());
	sigprocmask(SIG_BLOCK, &ask, &mask);
	t = add(f, 1, &far);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	t->deadline_ns = f->m.now_ns;
	template_turn(&f->m);
	assert_true(t->timed_out && !t->killed);
	assert_true(t->deadline_ns > f->m.now_ns);
	f->m.now_ns = t->deadline_ns;
	template_turn(&f->m);
	assert_int_equal(death_of(t), SIGKILL);
	template_bury(&f->m, t, &dead);
	assert_true(dead.timed_out && dead.killed);
	assert_false(dead.told);
	assert_null(f->m.templates);
	assert_int_equal(scoreboard_board(f->m.scoreboard)->template_pid, 0);
	close(far);
}

static void
test_its_last_words_are_kept(void **state)
{
	struct fixture *f = *state;
	struct child dead;
	int far;
	struct child *t = add(f, 1, &far);

	/* Many a turn would have to come before they are reached. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			channel_send(far, CHANNEL_READY, 0, "", NULL, 0), 0);
	assert_int_equal(
		channel_send(far, CHANNEL_FAILED, 0, "no module", NULL, 0), 0);
	close(far);
	end(t);
	template_bury(&f->m, t, &dead);
	assert_true(dead.failed);
	assert_string_equal(dead.reason, "no module");
}

static void
test_nonsense_is_survived(void **state)
{
	static const enum channel_kind rows[] = {
		CHANNEL_BORN, CHANNEL_BUSY, CHANNEL_STOP, CHANNEL_FORK};
	struct fixture *f = *state;
	int far;
	struct child *t = add(f, 1, &far);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			channel_send(far, rows[i], 0, NULL, NULL, 0), 0);
	assert_int_equal(write(far, "junk", 4), 4);
	assert_true(fixture_event(f));
	assert_true(t->babbled);
	assert_int_equal(t->ready_ns, 0);
	close(far);
	end(t);
}

static void
test_a_missing_one_is_due_after_the_throttles_delay(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(template_deadline(&f->m), NEVER);
	f->generation.config->preload_application = true;
	assert_int_equal(template_deadline(&f->m), f->m.now_ns);
	throttle_failed(&f->m.throttle, f->m.now_ns, 0);
	throttle_failed(&f->m.throttle, f->m.now_ns, 0);
	assert_int_equal(template_deadline(&f->m), f->m.now_ns + SECOND_NS);
	f->m.phase = PHASE_STARTING;
	assert_int_equal(template_deadline(&f->m), NEVER);
}

#define WITH_MASTER(test) \
	cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MASTER(
			test_orders_are_taken_by_a_ready_template_and_not_too_many),
		WITH_MASTER(
			test_the_template_of_a_generation_that_is_gone_is_told_to_go),
		WITH_MASTER(test_all_templates_go_when_the_server_stops),
		WITH_MASTER(test_one_that_is_not_ready_in_time_is_killed),
		WITH_MASTER(test_its_last_words_are_kept),
		WITH_MASTER(test_nonsense_is_survived),
		WITH_MASTER(
			test_a_missing_one_is_due_after_the_throttles_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
