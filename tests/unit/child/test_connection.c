/*
 * test_connection.c - lists of those who are waited for, and what they send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "child/connection.h"
#include "child/unread.h"
#include "scripted.h"

/* As many as there may be: what takes the square of it is noticed. */
enum { MANY = 20000 };

struct clients_of {
	struct script *script;
	struct engine *engine;
	struct connection *all[MANY];
};

/* The first has waited for 20 s less a bit, the last for none. */
static const int64_t now_ns = 1000 * SECOND_NS, apart_ns = SECOND_NS / 1000;

static int
make(void **state)
{
	struct clients_of *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->script = script_new();
	o->engine = &o->script->engine;
	o->engine->config = &o->script->config;
	o->engine->limits = (struct request_limits){
		.line = 200, .fields = 10, .field_size = 200};
	o->engine->now_ns = now_ns;
	*state = o;
	return 0;
}

static int
drop(void **state)
{
	struct clients_of *o = *state;

	script_free(o->script);
	free(o);
	return 0;
}

static int64_t
began_ns(size_t i)
{
	return now_ns - (int64_t)(MANY - 1 - i) * apart_ns;
}

static void
wait_for(struct clients_of *o, struct connection_list *list, size_t i,
	enum connection_state state, int64_t timeout_ns)
{
	struct connection *c = o->all[i] = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->fd = -1;
	c->spool = SPOOL_NONE;
	c->state = state;
	c->pace.begin_ns = began_ns(i);
	c->deadline_ns = began_ns(i) + timeout_ns;
	connection_list_add(list, c);
}

static void
assert_first_expires_first(const struct connection_list *list)
{
	size_t n = 0;

	for (struct connection *c = list->first; c != NULL; c = c->next) {
		n++;
		if (c->next == NULL)
			assert_ptr_equal(c, list->last);
		else if (c->deadline_ns > c->next->deadline_ns)
			fail_msg("number %zu comes too early", n);
	}
	assert_int_equal(n, MANY);
	assert_int_equal(list->n, MANY);
}

static void
idle_clients_have_a_second_since_their_last_answer_in_that_order(void **state)
{
	struct clients_of *o = *state;
	struct connection *c;

	for (size_t i = 0; i < MANY; i++)
		wait_for(o, &o->engine->parked, i, CONNECTION_PARKED,
			75 * SECOND_NS);
	connection_await_last_all(o->engine, &o->engine->parked);

	assert_first_expires_first(&o->engine->parked);
	c = o->engine->parked.first;
	for (size_t i = 0; i < MANY; i++, c = c->next) {
		assert_ptr_equal(c, o->all[i]);
		assert_int_equal(c->deadline_ns, began_ns(i) + SECOND_NS);
	}
}

static void
who_has_sent_a_part_keeps_its_time_and_the_silent_go_before_it(void **state)
{
	struct clients_of *o = *state;

	for (size_t i = 0; i < MANY; i++) {
		wait_for(o, &o->engine->reading, i, CONNECTION_READING,
			25 * SECOND_NS);
		if (i % 2 != 0)
			o->all[i]->piece = STR("GET /");
	}
	/* Its last owner had waited for this one. */
	o->all[MANY / 2]->pace.begin_ns = began_ns(0);
	connection_await_last_all(o->engine, &o->engine->reading);

	assert_first_expires_first(&o->engine->reading);
	for (size_t i = 0; i < MANY; i++)
		if (i != MANY / 2)
			assert_int_equal(o->all[i]->deadline_ns,
				began_ns(i) + (i % 2 != 0 ? 25 : 1) * SECOND_NS);
	assert_int_equal(
		o->all[MANY / 2]->deadline_ns, began_ns(0) + SECOND_NS);
}

static void
who_would_expire_sooner_anyway_is_left_where_it_is(void **state)
{
	struct clients_of *o = *state;

	o->script->config.keep_alive_timeout = 500;
	for (size_t i = 0; i < MANY; i++)
		wait_for(o, &o->engine->parked, i, CONNECTION_PARKED,
			SECOND_NS / 2);
	connection_await_last_all(o->engine, &o->engine->parked);

	assert_first_expires_first(&o->engine->parked);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(
			o->all[i]->deadline_ns, began_ns(i) + SECOND_NS / 2);
}

/* The watcher has seen this piece come while the worker was stuck. */
static void
time_that_the_rest_takes_is_no_wait_for_a_worker(void **state)
{
	static const struct {
		enum connection_state state;
		const char *before, *piece;
		size_t need;
		enum connection_state becomes;
		bool waits;
	} rows[] = {
		{CONNECTION_READING, "GET / HT", "TP/1.1\r\n", 0,
			CONNECTION_READING, false},
		{CONNECTION_READING, "GET / HT", "TP/1.1\r\n\r\n", 0,
			CONNECTION_QUEUED, true},
		{CONNECTION_COLLECTING, "some", "more", 10,
			CONNECTION_COLLECTING, false},
		{CONNECTION_COLLECTING, "some", "more", 8, CONNECTION_QUEUED,
			true},
		{CONNECTION_PARKED, "", "G", 0, CONNECTION_QUEUED, true},
		{CONNECTION_QUEUED, "G", "E", 0, CONNECTION_QUEUED, true},
		{CONNECTION_SENDING, "", "G", 0, CONNECTION_SENDING, true},
	};
	struct clients_of *o = *state;
	const int64_t seen_ns = now_ns - SECOND_NS;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct connection *c = calloc(1, sizeof(*c));

		assert_non_null(c);
		*c = (struct connection){
			.fd = -1,
			.spool = SPOOL_NONE,
			.state = rows[i].state,
			.need = rows[i].need,
			.since_ns = seen_ns,
			.receiving = true,
		};
		assert_int_equal(
			buf_add(&c->in, rows[i].before, strlen(rows[i].before)),
			0);
		(void)request_scan(
			&c->scan, c->in.data, c->in.len, &o->engine->limits);
		connection_list_add(&o->engine->reading, c);
		o->script->buffers_out++;
		connection_received(o->engine, c, (char *)rows[i].piece,
			strlen(rows[i].piece), 0);
		assert_int_equal(c->state, rows[i].becomes);
		assert_int_equal(c->since_ns, rows[i].waits ? seen_ns : 0);
		unread_drop(o->engine, c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			idle_clients_have_a_second_since_their_last_answer_in_that_order,
			make, drop),
		cmocka_unit_test_setup_teardown(
			who_has_sent_a_part_keeps_its_time_and_the_silent_go_before_it,
			make, drop),
		cmocka_unit_test_setup_teardown(
			who_would_expire_sooner_anyway_is_left_where_it_is,
			make, drop),
		cmocka_unit_test_setup_teardown(
			time_that_the_rest_takes_is_no_wait_for_a_worker, make,
			drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
