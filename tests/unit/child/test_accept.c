/*
 * test_accept.c - a child that is told to leave at once while it is about to take a
 * client.
 *
 * Where the socket is others' too, whoever is in its queue waits for these, and a
 * client that io has taken for a child that is gone is reset.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/handoff.h"
#include "scripted.h"

static bool
is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* Nobody has started the accept yet, and nobody does. */
static void
test_who_comes_together_with_the_order_stays_in_the_queue(void **state)
{
	struct script *s = script_new();

	(void)state;
	script_with_listener(s);
	script_connect(s);
	script_step(s, STEP_DOOR_AND_STOP);
	script_run(s);
	assert_false(s->accepting);
	assert_true(is_readable(s->listener));
	script_free(s);
}

/* One who was accepted while the accept was being cancelled. */
static struct script *
leave_with_newcomer(bool has_siblings)
{
	struct script *s = script_new();

	script_with_listener(s);
	if (has_siblings)
		script_with_pool(s);
	s->cancelled_accept = ACCEPT_SUCCEEDS;
	script_step(s, STEP_DOOR); /* a sibling is faster */
	script_step(s, STEP_STOP);
	script_run(s);
	assert_true(s->newcomer >= 0);
	return s;
}

static void
test_who_is_accepted_all_the_same_goes_to_a_sibling(void **state)
{
	struct script *s = leave_with_newcomer(true);
	struct handoff_room room;
	struct handoff h;

	(void)state;
	assert_int_equal(handoff_receive(s->pool[1], &h, &room),
		HANDOFF_CONNECTION);
	assert_int_equal(write(h.fd, "x", 1), 1);
	assert_true(is_readable(s->newcomer));
	close(h.fd);
	handoff_room_fini(&room);
	script_free(s);
}

static void
test_who_is_accepted_with_nobody_left_is_closed(void **state)
{
	struct script *s = leave_with_newcomer(false);
	char byte;

	(void)state;
	assert_int_equal(read(s->newcomer, &byte, 1), 0);
	script_free(s);
}

static void
test_an_accept_that_does_not_end_holds_nobody_up(void **state)
{
	struct script *s = script_new();

	(void)state;
	script_with_listener(s);
	s->cancelled_accept = ACCEPT_STAYS;
	script_step(s, STEP_DOOR);
	script_step(s, STEP_STOP);
	script_run(s);
	assert_true(s->accepting);
	script_free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_who_comes_together_with_the_order_stays_in_the_queue),
		cmocka_unit_test(
			test_who_is_accepted_all_the_same_goes_to_a_sibling),
		cmocka_unit_test(
			test_who_is_accepted_with_nobody_left_is_closed),
		cmocka_unit_test(
			test_an_accept_that_does_not_end_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
