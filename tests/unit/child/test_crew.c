/*
 * test_crew.c - who leads, and where a connection goes that is passed on.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "child/crew.h"
#include "net/handoff.h"

enum { WORKERS = 3, TURNS = 800 };

static int
set_up(void **state)
{
	struct crew *crew;
	struct err err = {0};

	assert_int_equal(crew_create(&crew, WORKERS, &err), 0);
	*state = crew;
	return 0;
}

static int
tear_down(void **state)
{
	crew_destroy(*state);
	return 0;
}

static bool
rings(struct crew *crew, size_t worker)
{
	struct pollfd p = {.fd = crew_bell(crew, worker), .events = POLLIN};
	bool rang = poll(&p, 1, 0) == 1;

	crew_answer_bell(crew, worker);
	return rang;
}

/* A connection with some bytes; its far end tells when nobody has it. */
struct client {
	int near, far;
	struct handoff handoff;
};

static struct client
client(const char *bytes)
{
	struct client c;
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c = (struct client){.near = pair[0], .far = pair[1]};
	c.handoff = (struct handoff){.fd = c.near,
		.requests = 7,
		.deadline_ns = 99,
		.bytes = {bytes, strlen(bytes)}};
	return c;
}

static bool
is_held(const struct client *c)
{
	struct pollfd p = {.fd = c->far, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

static void
test_the_first_leads_and_an_idle_one_follows_it(void **state)
{
	struct crew *crew = *state;

	assert_true(crew_leads(crew, 0));
	assert_true(crew_rest(crew, 0, false));
	assert_false(crew_rest(crew, 2, false));
	assert_true(crew_resign(crew, 0));
	assert_true(crew_leads(crew, 2));
	assert_true(rings(crew, 2));
	assert_false(rings(crew, 1));
	/* Who leads no more rests as the others do. */
	assert_false(crew_rest(crew, 0, false));
}

static void
test_while_all_are_busy_nobody_leads_and_the_first_to_rest_does(void **state)
{
	struct crew *crew = *state;

	assert_false(crew_resign(crew, 0));
	for (size_t i = 0; i < WORKERS; i++)
		assert_false(crew_leads(crew, i));
	assert_true(crew_resign(crew, 1)); /* it did not lead */
	assert_true(crew_rest(crew, 1, false));
	assert_true(crew_leads(crew, 1));
	assert_false(crew_rest(crew, 0, false));
}

static void
test_a_connection_is_dealt_to_an_idle_worker_with_all_it_has(void **state)
{
	struct crew *crew = *state;
	struct client c = client("GET /");
	const struct handoff *h;
	struct parcel *p;

	assert_int_equal(crew_deal(crew, &c.handoff), -EAGAIN);
	assert_false(crew_rest(crew, 1, false));
	assert_int_equal(crew_deal(crew, &c.handoff), 0);
	assert_int_equal(crew_deal(crew, &c.handoff), -EAGAIN);
	close(c.near);
	assert_true(rings(crew, 1));
	assert_null(crew_take(crew, 0));
	p = crew_take(crew, 1);
	assert_non_null(p);
	h = crew_parcel_content(p);
	assert_int_equal(h->requests, 7);
	assert_int_equal(h->deadline_ns, 99);
	assert_int_equal(h->bytes.len, 5);
	assert_memory_equal(h->bytes.p, "GET /", 5);
	assert_true(is_held(&c));
	close(h->fd);
	assert_false(is_held(&c));
	crew_free_parcel(p);
	assert_null(crew_take(crew, 1));
	close(c.far);
}

/* Or it would wait for as long as the one that led is busy. */
static void
test_who_leads_next_has_what_had_come_for_the_last(void **state)
{
	struct crew *crew = *state;
	struct client c[2] = {client("first"), client("second")};
	struct parcel *p;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(crew_give(crew, 1, &c[i].handoff), 0);
		close(c[i].near);
	}
	assert_false(crew_rest(crew, 2, false));
	assert_true(crew_resign(crew, 0));
	assert_true(rings(crew, 2));
	assert_null(crew_take(crew, 0));
	for (size_t i = 0; i < 2; i++) {
		p = crew_take(crew, 2);
		assert_non_null(p);
		assert_memory_equal(crew_parcel_content(p)->bytes.p,
			c[i].handoff.bytes.p, c[i].handoff.bytes.len);
		close(crew_parcel_content(p)->fd);
		crew_free_parcel(p);
		assert_false(is_held(&c[i]));
		close(c[i].far);
	}
	assert_null(crew_take(crew, 2));
	/* What comes from now on is at the end of the right list. */
	c[0] = client("third");
	assert_int_equal(crew_give(crew, 1, &c[0].handoff), 0);
	close(c[0].near);
	assert_null(crew_take(crew, 0));
	p = crew_take(crew, 2);
	assert_non_null(p);
	close(crew_parcel_content(p)->fd);
	crew_free_parcel(p);
	close(c[0].far);
}

static void
test_it_is_known_whether_anybody_leads(void **state)
{
	struct crew *crew = *state;

	assert_true(crew_is_led(crew));
	assert_false(crew_resign(crew, 0));
	assert_false(crew_is_led(crew));
	assert_true(crew_rest(crew, 1, false));
	assert_true(crew_is_led(crew));
}

static void
test_a_leader_waits_when_it_says_so_and_while_it_leads(void **state)
{
	struct crew *crew = *state;

	assert_false(crew_leader_waits(crew));
	crew_show_leader(crew, true);
	assert_true(crew_leader_waits(crew));
	assert_false(crew_resign(crew, 0));
	assert_false(crew_leader_waits(crew));
	/* Who is called to it is idle, and need not have heard of it yet. */
	assert_true(crew_rest(crew, 1, false));
	assert_false(crew_rest(crew, 2, false));
	assert_false(crew_leader_waits(crew));
	assert_true(crew_resign(crew, 1));
	assert_true(crew_leader_waits(crew));
}

static void
test_of_many_that_wait_some_go_to_who_has_few(void **state)
{
	struct crew *crew = *state;
	struct client c = client("GET /");
	struct parcel *p;
	size_t n = 0;

	crew_show_ready(crew, 0, 12);
	crew_show_ready(crew, 1, 0); /* stuck, it may be */
	crew_show_ready(crew, 2, 5);
	/* What has been passed on counts before it is taken. */
	while (n < 12 && crew_even_out(crew, 0, &c.handoff) == 0)
		n++;
	assert_int_equal(n, 3); /* 12, and 8: not more than a quarter and one */
	assert_true(rings(crew, 2));
	assert_null(crew_take(crew, 1));
	while ((p = crew_take(crew, 2)) != NULL) {
		assert_memory_equal(
			crew_parcel_content(p)->bytes.p, "GET /", 5);
		close(crew_parcel_content(p)->fd);
		crew_free_parcel(p);
		n--;
	}
	assert_int_equal(n, 0);
	crew_tell(crew, CREW_RETIRE, 0);
	crew_show_ready(crew, 2, 1);
	assert_int_equal(crew_even_out(crew, 0, &c.handoff), -EAGAIN);
	close(c.near);
	close(c.far);
}

static void
test_who_has_found_work_is_dealt_none(void **state)
{
	struct crew *crew = *state;
	struct client c = client("");

	assert_false(crew_rest(crew, 1, false));
	assert_false(crew_work(crew, 1));
	assert_int_equal(crew_deal(crew, &c.handoff), -EAGAIN);
	close(c.near);
	close(c.far);
}

/* Whoever has connections may have requests of its own any moment. */
static void
test_who_has_no_connection_is_dealt_to_first(void **state)
{
	struct crew *crew = *state;
	struct client c = client("");

	assert_false(crew_rest(crew, 1, true));
	assert_false(crew_rest(crew, 2, false));
	assert_int_equal(crew_deal(crew, &c.handoff), 0);
	assert_true(rings(crew, 2));
	assert_int_equal(crew_deal(crew, &c.handoff), 0);
	assert_true(rings(crew, 1));
	for (size_t i = 1; i <= 2; i++) {
		struct parcel *p;

		/* It hears of that if it has found work itself meanwhile. */
		assert_true(crew_work(crew, i));
		p = crew_take(crew, i);
		assert_non_null(p);
		close(crew_parcel_content(p)->fd);
		crew_free_parcel(p);
		assert_false(crew_work(crew, i));
	}
	close(c.near);
	close(c.far);
}

static void
test_what_is_given_goes_to_the_leader_in_order(void **state)
{
	struct crew *crew = *state;
	struct client a = client("a"), b = client("b");
	struct parcel *p;

	assert_int_equal(crew_give(crew, 0, &a.handoff), -EAGAIN);
	assert_int_equal(crew_give(crew, 1, &a.handoff), 0);
	assert_int_equal(crew_give(crew, 2, &b.handoff), 0);
	assert_true(rings(crew, 0));
	for (int i = 0; i < 2; i++) {
		p = crew_take(crew, 0);
		assert_int_equal(
			crew_parcel_content(p)->bytes.p[0], i == 0 ? 'a' : 'b');
		close(crew_parcel_content(p)->fd);
		crew_free_parcel(p);
	}
	close(a.near);
	close(a.far);
	close(b.near);
	close(b.far);
}

static void
test_without_a_leader_it_goes_to_who_is_idle_and_leads_then(void **state)
{
	struct crew *crew = *state;
	struct client c = client("");

	assert_false(crew_resign(crew, 0));
	assert_int_equal(crew_give(crew, 0, &c.handoff), -EAGAIN);
	assert_true(crew_rest(crew, 1, false)); /* leads */
	assert_false(crew_rest(crew, 2, false));
	assert_true(crew_resign(crew, 1)); /* 2 leads */
	assert_false(crew_resign(crew, 2));
	assert_true(crew_rest(crew, 1, false));
	assert_int_equal(crew_give(crew, 0, &c.handoff), 0);
	assert_true(crew_leads(crew, 1));
	assert_true(rings(crew, 1));
	close(c.near);
	assert_true(is_held(&c)); /* until the crew goes */
	close(c.far);
}

static void
test_nothing_is_passed_on_in_a_child_that_leaves(void **state)
{
	struct crew *crew = *state;
	struct client c = client("");
	int64_t leave_by;

	assert_false(crew_rest(crew, 1, false));
	crew_tell(crew, CREW_RETIRE, 1234);
	assert_int_equal(crew_deal(crew, &c.handoff), -EAGAIN);
	assert_int_equal(crew_give(crew, 1, &c.handoff), -EAGAIN);
	assert_int_equal(crew_order(crew, &leave_by), CREW_RETIRE);
	assert_int_equal(leave_by, 1234);
	close(c.near);
	assert_false(is_held(&c));
	close(c.far);
}

static void
test_one_worker_makes_room_when_the_leader_asks_for_it(void **state)
{
	struct crew *crew = *state;

	assert_false(crew_takes_room_order(crew));
	crew_ask_for_room(crew, 0);
	assert_false(rings(crew, 0));
	for (size_t i = 1; i < WORKERS; i++)
		assert_true(rings(crew, i));
	assert_false(crew_has_room(crew));
	assert_true(crew_takes_room_order(crew));
	assert_false(crew_takes_room_order(crew));
	assert_false(crew_has_room(crew));
	crew_made_room(crew);
	assert_true(rings(crew, 0));
	assert_true(crew_has_room(crew));
	assert_false(crew_has_room(crew));
}

static void
test_orders_only_get_stricter_and_everybody_hears_them(void **state)
{
	struct crew *crew = *state;
	int64_t leave_by;

	crew_tell(crew, CREW_FINISH, 10);
	crew_tell(crew, CREW_RETIRE, 20);
	assert_int_equal(crew_order(crew, &leave_by), CREW_FINISH);
	assert_int_equal(leave_by, 10);
	crew_tell(crew, CREW_RETIRE, 5); /* who finishes has less time now */
	assert_int_equal(crew_order(crew, &leave_by), CREW_FINISH);
	assert_int_equal(leave_by, 5);
	crew_tell(crew, CREW_STOP, 0);
	assert_int_equal(crew_order(crew, &leave_by), CREW_STOP);
	assert_int_equal(leave_by, 5);
	for (size_t i = 0; i < WORKERS; i++)
		assert_true(rings(crew, i));
}

static void
test_a_child_is_done_when_all_its_workers_are(void **state)
{
	struct crew *crew = *state;

	assert_false(crew_done(crew, 0));
	assert_false(crew_done(crew, 0));
	assert_false(crew_done(crew, 2));
	assert_false(rings(crew, 0));
	assert_true(crew_done(crew, 1));
	assert_true(rings(crew, 0));
	assert_true(crew_done(crew, 0));
}

static void
test_who_leaves_leads_no_more_and_is_picked_no_more(void **state)
{
	struct crew *crew = *state;

	assert_true(crew_rest(crew, 0, false));
	assert_false(crew_rest(crew, 1, false));
	assert_false(crew_done(crew, 0));
	assert_false(crew_done(crew, 1));
	assert_true(crew_leads(crew, 0));
	assert_true(crew_done(crew, 2));
	assert_true(crew_done(crew, 0));
	assert_false(crew_is_led(crew));
	assert_true(crew_done(crew, 1));
	assert_false(crew_has_idle(crew));
	/* The last has been given something since, and reads the pool. */
	assert_true(crew_rest(crew, 2, false));
}

/* --- threads ---------------------------------------------------------------- */

enum { CONNECTIONS = 2000 };

struct taker {
	struct crew *crew;
	size_t worker;
	atomic_uint *taken;
};

/* As the GIL is: whoever lets it go may have it again before others are awake. */
struct python {
	pthread_mutex_t guard;
	pthread_cond_t free;
	bool is_had;
};

static void
enter(struct python *p)
{
	pthread_mutex_lock(&p->guard);
	while (p->is_had)
		pthread_cond_wait(&p->free, &p->guard);
	p->is_had = true;
	pthread_mutex_unlock(&p->guard);
}

static void
leave(struct python *p)
{
	pthread_mutex_lock(&p->guard);
	p->is_had = false;
	pthread_cond_signal(&p->free);
	pthread_mutex_unlock(&p->guard);
}

struct contender {
	struct crew *crew;
	size_t worker;
	struct python *python;
	atomic_uint *all;
	unsigned n;
};

static void *
contend(void *arg)
{
	struct contender *c = arg;
	int64_t until_ns;

	while (atomic_fetch_add(c->all, 1) < TURNS) {
		crew_line_up(c->crew, c->worker, clock_monotonic_ns());
		enter(c->python);
		crew_step_in(c->crew, c->worker, clock_monotonic_ns());
		until_ns = clock_monotonic_ns() + 500000;
		while (clock_monotonic_ns() < until_ns)
			continue;
		leave(c->python);
		c->n++;
	}
	return NULL;
}

static void
test_who_has_had_python_for_long_lets_others_in(void **state)
{
	struct python python = {
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
	atomic_uint all = 0;
	struct contender contenders[2];
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++) {
		contenders[i] = (struct contender){
			*state, i, &python, &all, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, contend,
					 &contenders[i]),
			0);
	}
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 2; i++)
		assert_true(contenders[i].n > TURNS / 8);
}

static void *
take_until_told(void *arg)
{
	struct taker *t = arg;
	struct pollfd bell = {
		.fd = crew_bell(t->crew, t->worker), .events = POLLIN};
	struct parcel *p;
	int64_t leave_by;

	do {
		(void)crew_rest(t->crew, t->worker, false);
		(void)poll(&bell, 1, -1);
		crew_answer_bell(t->crew, t->worker);
		while ((p = crew_take(t->crew, t->worker)) != NULL) {
			close(crew_parcel_content(p)->fd);
			crew_free_parcel(p);
			atomic_fetch_add(t->taken, 1);
		}
	} while (crew_order(t->crew, &leave_by) == CREW_SERVE);
	return NULL;
}

static void
test_every_connection_arrives_once(void **state)
{
	struct crew *crew = *state;
	struct client c = client("bytes");
	atomic_uint taken = 0;
	struct taker takers[2] = {{crew, 1, &taken}, {crew, 2, &taken}};
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
					 take_until_told, &takers[i]),
			0);
	for (unsigned dealt = 0; dealt < CONNECTIONS;)
		dealt += crew_deal(crew, &c.handoff) == 0;
	while (atomic_load(&taken) < CONNECTIONS)
		sched_yield();
	crew_tell(crew, CREW_STOP, 0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&taken), CONNECTIONS);
	close(c.near);
	assert_false(is_held(&c));
	close(c.far);
}

/* The average is that of the short ones; by their number the long ones are seen, and
 * forgotten when there have been none for a while. */
static void
test_long_requests_are_seen_among_short_ones(void **state)
{
	const int64_t ms = 1000000;
	struct crew *crew = *state;

	assert_int_equal(crew_long_ones(crew), 0);
	crew_note_duration(crew, 5 * ms, true);
	assert_true(crew_long_ones(crew) > CREW_ALL / 128);
	for (int i = 0; i < 300; i++)
		crew_note_duration(crew, ms / 100, false);
	assert_true(crew_long_ones(crew) < CREW_ALL / 1000);
	for (int i = 0; i < 1000; i++)
		crew_note_duration(
			crew, i % 10 == 0 ? 5 * ms : ms / 100, i % 10 == 0);
	assert_in_range(crew_long_ones(crew), CREW_ALL / 20, CREW_ALL / 6);
	assert_true(crew_lately(crew) < ms);
	for (int i = 0; i < 1000; i++)
		crew_note_duration(crew, 5 * ms, true);
	assert_in_range(
		crew_long_ones(crew), CREW_ALL - CREW_ALL / 50, CREW_ALL);
}

#define CREW_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CREW_TEST(test_the_first_leads_and_an_idle_one_follows_it),
		CREW_TEST(
			test_while_all_are_busy_nobody_leads_and_the_first_to_rest_does),
		CREW_TEST(
			test_a_connection_is_dealt_to_an_idle_worker_with_all_it_has),
		CREW_TEST(test_who_leads_next_has_what_had_come_for_the_last),
		CREW_TEST(test_it_is_known_whether_anybody_leads),
		CREW_TEST(test_a_leader_waits_when_it_says_so_and_while_it_leads),
		CREW_TEST(test_of_many_that_wait_some_go_to_who_has_few),
		CREW_TEST(test_who_has_found_work_is_dealt_none),
		CREW_TEST(test_who_has_no_connection_is_dealt_to_first),
		CREW_TEST(test_what_is_given_goes_to_the_leader_in_order),
		CREW_TEST(
			test_without_a_leader_it_goes_to_who_is_idle_and_leads_then),
		CREW_TEST(test_nothing_is_passed_on_in_a_child_that_leaves),
		CREW_TEST(
			test_one_worker_makes_room_when_the_leader_asks_for_it),
		CREW_TEST(
			test_orders_only_get_stricter_and_everybody_hears_them),
		CREW_TEST(test_a_child_is_done_when_all_its_workers_are),
		CREW_TEST(test_who_leaves_leads_no_more_and_is_picked_no_more),
		CREW_TEST(test_who_has_had_python_for_long_lets_others_in),
		CREW_TEST(test_long_requests_are_seen_among_short_ones),
		CREW_TEST(test_every_connection_arrives_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
