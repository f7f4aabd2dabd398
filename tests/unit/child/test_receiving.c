/*
 * test_receiving.c - who is received many pieces at a time, and who but one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "child/connection.h"
#include "child/event.h"
#include "child/receiving.h"
#include "scripted.h"

enum how { NOT, ONE, MANY };

static const int64_t now_ns = 1000 * SECOND_NS;

static int
make(void **state)
{
	struct script *s = script_new();

	s->engine.config = &s->config;
	s->engine.now_ns = now_ns;
	s->engine.singly_ns = INT64_MAX;
	*state = s;
	return 0;
}

static int
drop(void **state)
{
	script_free(*state);
	return 0;
}

/* Of a client who has sent something before. */
static struct connection *
connection_in(struct script *s, enum connection_state state)
{
	struct connection *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	*c = (struct connection){
		.fd = -1, .spool = SPOOL_NONE, .state = state, .bytes_in = 1};
	connection_list_add(&s->engine.reading, c);
	return c;
}

static enum how
under_way(const struct script *s)
{
	if (!s->receiving)
		return NOT;
	return s->receives_many ? MANY : ONE;
}

static enum how
start(struct script *s, struct connection *c)
{
	s->receiving = false;
	receiving_start(&s->engine, c);
	assert_int_equal(c->receiving, s->receiving);
	assert_int_equal(c->in_flight, s->receiving);
	assert_int_equal(c->receives_many, under_way(s) == MANY);
	return under_way(s);
}

/* The kernel may lose the reset of one whose pieces it hands out. */
static void
who_is_still_to_say_something_is_received_piece_by_piece(void **state)
{
	static const enum how rows[] = {
		[CONNECTION_READING] = ONE,
		[CONNECTION_PARKED] = MANY,
		[CONNECTION_COLLECTING] = ONE,
		[CONNECTION_QUEUED] = MANY,
		[CONNECTION_RUNNING] = ONE,
		[CONNECTION_SENDING] = MANY,
		[CONNECTION_SKIPPING] = ONE,
		[CONNECTION_LEAVING] = NOT,
		[CONNECTION_LINGERING] = ONE,
		[CONNECTION_CLOSING] = NOT,
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct connection *c =
			connection_in(*state, (enum connection_state)i);

		if (start(*state, c) != rows[i])
			fail_msg("in state %zu", i);
	}
}

static void
who_may_have_one_piece_or_too_many_is_received_one(void **state)
{
	struct connection *new = connection_in(*state, CONNECTION_QUEUED);
	struct connection *much = connection_in(*state, CONNECTION_PARKED);

	new->bytes_in = 0;
	assert_int_equal(start(*state, new), ONE);
	much->sends_much = true;
	assert_int_equal(start(*state, much), ONE);
}

static void
nothing_is_received_from_who_has_ended_or_has_sent_enough(void **state)
{
	struct connection *c = connection_in(*state, CONNECTION_PARKED);

	c->at_eof = true;
	assert_int_equal(start(*state, c), NOT);
	c->at_eof = false;
	c->error = -ECONNRESET;
	assert_int_equal(start(*state, c), NOT);
	c->error = 0;
	c->direct = true;
	assert_int_equal(start(*state, c), NOT);
	c->direct = false;
	c->piece.len = 128 * 1024 + 1;
	assert_int_equal(start(*state, c), NOT);
	c->piece.len--;
	assert_int_equal(start(*state, c), MANY);
}

static struct connection *
received_by_many(struct script *s, enum connection_state state)
{
	struct connection *c = connection_in(s, CONNECTION_PARKED);

	assert_int_equal(start(s, c), MANY);
	c->state = state;
	receiving_start(&s->engine, c);
	return c;
}

static void
a_receive_of_many_ends_at_once_where_it_may_be_waited_for_long(void **state)
{
	static const struct {
		enum connection_state state;
		enum how how;
		bool later;
	} rows[] = {
		{CONNECTION_PARKED, MANY, false},
		{CONNECTION_QUEUED, MANY, false},
		{CONNECTION_SENDING, MANY, false},
		{CONNECTION_LINGERING, MANY, false},
		{CONNECTION_READING, MANY, true},
		{CONNECTION_COLLECTING, MANY, true},
		{CONNECTION_RUNNING, NOT, false},
		{CONNECTION_SKIPPING, NOT, false},
	};
	struct script *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct connection *c = received_by_many(s, rows[i].state);

		assert_int_equal(under_way(s), rows[i].how);
		assert_int_equal(c->paused, rows[i].how == NOT);
		assert_int_equal(s->engine.singly_ns,
			rows[i].later ? now_ns + SECOND_NS : INT64_MAX);
		s->engine.singly_ns = INT64_MAX;
	}
}

static void
it_goes_on_piece_by_piece_when_it_has_ended(void **state)
{
	static const enum connection_state states[] = {CONNECTION_READING,
		CONNECTION_COLLECTING, CONNECTION_RUNNING, CONNECTION_SKIPPING};
	struct script *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct connection *c = received_by_many(s, states[i]);
		const struct io_event ended = {
			.owner = c, .kind = IO_RECEIVE, .result = -ECANCELED};

		receiving_is_due(&s->engine);
		assert_int_equal(s->engine.singly_ns, INT64_MAX);
		assert_int_equal(under_way(s), NOT);
		event_happened(&s->engine, &ended);
		assert_int_equal(under_way(s), ONE);
		assert_int_equal(c->in_flight, 1);
		receiving_is_due(&s->engine);
		assert_int_equal(under_way(s), ONE);
	}
}

/* The second began with the first of them. */
static void
who_waits_meanwhile_does_not_put_the_end_off(void **state)
{
	struct script *s = *state;

	(void)received_by_many(s, CONNECTION_COLLECTING);
	s->engine.now_ns += SECOND_NS / 2;
	(void)received_by_many(s, CONNECTION_READING);
	assert_int_equal(s->engine.singly_ns, now_ns + SECOND_NS);
}

#define WITH_SCRIPT(test) cmocka_unit_test_setup_teardown(test, make, drop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCRIPT(
			who_is_still_to_say_something_is_received_piece_by_piece),
		WITH_SCRIPT(who_may_have_one_piece_or_too_many_is_received_one),
		WITH_SCRIPT(
			nothing_is_received_from_who_has_ended_or_has_sent_enough),
		WITH_SCRIPT(
			a_receive_of_many_ends_at_once_where_it_may_be_waited_for_long),
		WITH_SCRIPT(it_goes_on_piece_by_piece_when_it_has_ended),
		WITH_SCRIPT(who_waits_meanwhile_does_not_put_the_end_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
