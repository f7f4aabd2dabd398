/*
 * test_heir.c - the children that a program finds when it has taken the place of
 * another one in the same process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "fixture.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/heritage.h"
#include "mpm/mpm.h"

static int
make(void **state)
{
	struct fixture *f;
	int rc = fixture_make(state);

	if (rc < 0)
		return rc;
	f = *state;
	log_set_level(LOG_LEVEL_ERROR - 1); /* what is said is not the test */
	f->m.heritage = malloc(sizeof(*f->m.heritage));
	heritage_init(f->m.heritage);
	f->m.heritage->way = HERITAGE_IN_PLACE;
	f->m.before = generation_before(0);
	f->m.phase = PHASE_STARTING;
	return 0;
}

static int
clean(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < SLOTS; i++)
		if (f->m.children[i].pid > 0)
			kill(f->m.children[i].pid, SIGKILL);
	while (wait(NULL) > 0)
		continue;
	generation_destroy(f->m.before);
	heritage_fini(f->m.heritage);
	free(f->m.heritage);
	return fixture_remove(state);
}

/* One that lives, in the slot of this number. */
static void
leave(struct fixture *f, unsigned slot, enum lifecycle life, int64_t deadline)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(heritage_add_child(f->m.heritage,
				 &(struct heritage_child){
					 .slot = slot,
					 .pid = pid,
					 .life = life,
					 .channel = -1,
					 .workers = 1,
					 .deadline_ns = deadline,
				 }),
		0);
}

static void
test_what_they_were_told_is_due_when_it_was_due(void **state)
{
	struct fixture *f = *state;
	int64_t soon = f->m.now_ns + 3 * SECOND_NS;

	leave(f, 0, LIFECYCLE_DRAINING, soon);
	leave(f, 1, LIFECYCLE_STOPPING, soon - 1);
	leave(f, 2, LIFECYCLE_STARTING, soon - 2);
	leave(f, 3, LIFECYCLE_DRAINING, NEVER);
	leave(f, 4, LIFECYCLE_READY, soon);
	heir_take_children(&f->m);
	assert_true(f->m.children[0].deadline_ns == soon);
	assert_true(f->m.children[1].deadline_ns == soon - 1);
	assert_true(f->m.children[2].deadline_ns == soon - 2);
	assert_true(f->m.children[3].deadline_ns == NEVER);
	assert_true(f->m.children[4].deadline_ns == NEVER);
	assert_true(f->m.children[0].told && !f->m.children[4].told);
	assert_int_equal(f->m.phase, PHASE_RUNNING);
}

/* As of a version that did not say it. */
static void
test_where_nothing_is_said_of_it_the_time_begins_anew(void **state)
{
	struct fixture *f = *state;
	const struct config *c = f->generation.config;

	leave(f, 0, LIFECYCLE_DRAINING, 0);
	leave(f, 1, LIFECYCLE_STARTING, 0);
	heir_take_children(&f->m);
	assert_true(f->m.children[0].deadline_ns ==
		    f->m.now_ns + c->worker_drain_timeout * MS_NS);
	assert_true(f->m.children[1].deadline_ns ==
		    f->m.now_ns + c->startup_timeout * MS_NS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clean)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_they_were_told_is_due_when_it_was_due),
		TEST(test_where_nothing_is_said_of_it_the_time_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
