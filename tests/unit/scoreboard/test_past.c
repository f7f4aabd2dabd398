/*
 * test_past.c - counts that go on where another server has stopped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "directory.h"
#include "scoreboard/scoreboard.h"

static struct scoreboard *
create(const char *dir, unsigned processes, int past)
{
	struct scoreboard *s = NULL;
	struct err err = {0};

	assert_int_equal(scoreboard_create(&s,
				 &(struct scoreboard_order){
					 .dir = dir,
					 .name = "site",
					 .processes = processes,
					 .workers = 1,
					 .past = past,
				 },
				 &err),
		0);
	return s;
}

/* A child of the slot has counted so many requests. */
static void
count(struct scoreboard *s, unsigned slot, uint64_t requests)
{
	struct wsgid_page_map m;
	struct err err = {0};
	int fd = scoreboard_renew_page(s, slot, &err);

	assert_true(fd >= 0);
	assert_int_equal(scoreboard_map_page(&m, fd, 1, &err), 0);
	close(fd);
	scoreboard_process(s, slot)->pid = 77;
	m.page->requests = requests;
	m.page->accepted = requests + 1;
	m.page->durations.total.counts[3] = requests;
}

/* What systemd keeps when the server has ended, or died. */
static int
kept(struct scoreboard *s, bool buried)
{
	int fd = scoreboard_export(s);

	assert_true(fd >= 0);
	for (unsigned i = 0; buried && i < 2; i++) {
		scoreboard_bury(s, i);
		scoreboard_process(s, i)->pid = 0;
	}
	scoreboard_destroy(s, buried);
	return fd;
}

static void
test_counts_of_a_server_that_has_ended_go_on(void **state)
{
	struct scoreboard *s = create(*state, 2, 0);
	int fd;

	scoreboard_board(s)->start_us = 1000;
	scoreboard_board(s)->children_started = 5;
	count(s, 0, 10);
	count(s, 1, 20);
	fd = kept(s, true);
	s = create(*state, 2, fd);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 10);
	assert_int_equal(scoreboard_process(s, 1)->past_requests, 20);
	assert_int_equal(scoreboard_process(s, 1)->past_connections, 21);
	assert_int_equal(
		scoreboard_board(s)->past_durations.total.counts[3], 30);
	assert_int_equal(scoreboard_board(s)->children_started, 5);
	assert_int_equal(scoreboard_board(s)->counted_us, 1000);
	close(fd);

	/* And on. */
	scoreboard_board(s)->start_us = 2000;
	count(s, 0, 1);
	fd = kept(s, true);
	s = create(*state, 2, fd);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 11);
	assert_int_equal(scoreboard_board(s)->counted_us, 1000);
	close(fd);
	scoreboard_destroy(s, 1);
}

static void
test_what_children_had_counted_when_it_was_killed_is_there(void **state)
{
	struct scoreboard *s = create(*state, 2, 0);
	int fd;

	count(s, 0, 10);
	scoreboard_bury(s, 0);
	count(s, 0, 5);
	count(s, 1, 20);
	fd = kept(s, false);
	s = create(*state, 2, fd);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 15);
	assert_int_equal(scoreboard_process(s, 1)->past_requests, 20);
	assert_int_equal(
		scoreboard_board(s)->past_durations.total.counts[3], 35);
	close(fd);
	scoreboard_destroy(s, 1);
}

static void
test_fewer_slots_lose_nothing(void **state)
{
	struct scoreboard *s = create(*state, 4, 0);
	int fd;

	for (unsigned i = 0; i < 4; i++)
		scoreboard_process(s, i)->past_requests = 1 << i;
	scoreboard_process(s, 3)->past_bytes_out = UINT64_MAX;
	scoreboard_process(s, 2)->past_bytes_out = 5;
	fd = kept(s, false);
	s = create(*state, 2, fd);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 1);
	assert_int_equal(scoreboard_process(s, 1)->past_requests, 14);
	assert_true(scoreboard_process(s, 1)->past_bytes_out == UINT64_MAX);
	close(fd);
	scoreboard_destroy(s, 1);
}

static void
test_a_board_in_memory_goes_on_too(void **state)
{
	struct scoreboard *s = create(NULL, 2, 0);
	int fd;

	(void)state;
	count(s, 0, 10);
	fd = kept(s, true);
	s = create(NULL, 2, fd);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 10);
	close(fd);
	scoreboard_destroy(s, 1);
}

static void
test_what_is_kept_cannot_write(void **state)
{
	struct scoreboard *s = create(*state, 2, 0);
	int fd = scoreboard_export(s);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(fd);
	scoreboard_destroy(s, 1);
}

static void
test_a_past_that_is_none_is_none(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct scoreboard *s = create(*state, 2, fd);

	assert_int_equal(scoreboard_process(s, 0)->past_requests, 0);
	assert_int_equal(scoreboard_board(s)->counted_us, 0);
	close(fd);
	scoreboard_destroy(s, 1);
}

int
main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, directory_make, directory_remove)
	static const struct CMUnitTest tests[] = {
		TEST(test_counts_of_a_server_that_has_ended_go_on),
		TEST(test_what_children_had_counted_when_it_was_killed_is_there),
		TEST(test_fewer_slots_lose_nothing),
		TEST(test_a_board_in_memory_goes_on_too),
		TEST(test_what_is_kept_cannot_write),
		TEST(test_a_past_that_is_none_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
