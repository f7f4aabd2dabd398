/*
 * test_letters.c - what a worker is shown as.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "scoreboard/scoreboard.h"

struct row {
	uint32_t lifecycle;
	const char *states;
	unsigned parked, closing;
	const char *letters;
};

static void
check(const struct row *row)
{
	struct wsgid_page page = {
		.parked = row->parked, .closing = row->closing};
	struct scoreboard_letters l = scoreboard_letters(row->lifecycle, &page);
	char letters[16] = "";

	for (size_t i = 0; row->states[i] != '\0'; i++)
		letters[i] = scoreboard_letter(&l, (uint32_t)row->states[i]);
	assert_string_equal(letters, row->letters);
}

static void
test_letters_consider_the_life_of_the_child(void **state)
{
	static const struct row rows[] = {
		{WSGID_PROCESS_VACANT, "W_.", 1, 1, "..."},
		{WSGID_PROCESS_STARTING, "W_.", 1, 1, "SSS"},
		{WSGID_PROCESS_READY, ".S_RWL", 0, 0, "SS_RWL"},
		{WSGID_PROCESS_READY, "I?", 0, 0, "I?"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

static void
test_who_has_no_page_serves_by_the_masters_word(void **state)
{
	static const struct {
		uint32_t lifecycle;
		char letter;
	} rows[] = {
		{WSGID_PROCESS_VACANT, '.'},
		{WSGID_PROCESS_STARTING, 'S'},
		{WSGID_PROCESS_READY, '?'},
		{WSGID_PROCESS_DRAINING, 'I'},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scoreboard_letters l =
			scoreboard_letters(rows[i].lifecycle, NULL);

		assert_int_equal(scoreboard_letter(&l, WSGID_WORKER_DEAD),
			rows[i].letter);
	}
}

static void
test_who_was_told_to_go_finishes_or_has_nothing_to_do(void **state)
{
	static const struct row rows[] = {
		{WSGID_PROCESS_DRAINING, "RWL_I.SG", 1, 1, "GGGIIIII"},
		{WSGID_PROCESS_STOPPING, "W_", 1, 1, "GI"},
		{99, "W_", 0, 0, "W_"}, /* of a later version */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

static void
test_idle_workers_stand_for_connections_that_need_none(void **state)
{
	static const struct row rows[] = {
		{WSGID_PROCESS_READY, "_", 1, 0, "K"},
		{WSGID_PROCESS_READY, "_", 0, 1, "C"},
		{WSGID_PROCESS_READY, "_", 9, 9, "K"},
		{WSGID_PROCESS_READY, "___", 9, 0, "K__"},
		{WSGID_PROCESS_READY, "___", 0, 9, "C__"},
		{WSGID_PROCESS_READY, "W__R_", 2, 1, "WKCR_"},
		/* Nobody is idle: they do not hide what a worker does. */
		{WSGID_PROCESS_READY, "WR", 3, 3, "WR"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

static void
test_idle_are_those_that_could_serve_a_request_now(void **state)
{
	(void)state;
	for (int c = ' '; c <= '~'; c++)
		assert_int_equal(scoreboard_letter_idle((char)c),
			strchr("_KC", c) != NULL);
	for (uint32_t s = 1; s < 128; s++)
		assert_int_equal(scoreboard_in_request(s),
			strchr("RWL", (int)s) != NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters_consider_the_life_of_the_child),
		cmocka_unit_test(
			test_who_has_no_page_serves_by_the_masters_word),
		cmocka_unit_test(
			test_who_was_told_to_go_finishes_or_has_nothing_to_do),
		cmocka_unit_test(
			test_idle_workers_stand_for_connections_that_need_none),
		cmocka_unit_test(
			test_idle_are_those_that_could_serve_a_request_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
