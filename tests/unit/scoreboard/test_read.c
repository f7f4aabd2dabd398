/*
 * test_read.c - the scoreboard seen from outside: of servers that run, are
 * gone, are of another version, or never were.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "directory.h"
#include "scoreboard/scoreboard.h"

static struct scoreboard *
create(const char *dir)
{
	struct scoreboard *s = NULL;
	struct err err = {0};

	if (scoreboard_create(&s,
		    &(struct scoreboard_order){.dir = dir,
			    .name = "site",
			    .processes = 3,
			    .workers = 2},
		    &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static struct scoreboard_view *
view(const char *dir)
{
	struct scoreboard_view *v = NULL;
	struct err err = {0};

	if (scoreboard_open(&v, directory_path(dir, "site.scoreboard"), &err) <
		0)
		fail_msg("%s", err.text);
	return v;
}

/* A child in slot that has counted some requests, and has died. */
static void
serve(struct scoreboard *s, unsigned slot, uint64_t requests)
{
	struct wsgid_page_map m;
	struct err err = {0};
	int fd = scoreboard_renew_page(s, slot, &err);

	assert_true(fd >= 0);
	assert_int_equal(scoreboard_map_page(&m, fd, 2, &err), 0);
	close(fd);
	m.page->requests = requests;
	m.workers[0].state = WSGID_WORKER_READY;
	m.workers[1].state = WSGID_WORKER_WRITE;
	memcpy(m.workers[1].target, "/\x1b[2J", 6);
	munmap(m.page, m.size);
}

static void
check_what_is_seen(struct scoreboard_view *v)
{
	struct wsgid_board board;
	struct wsgid_process process;
	struct wsgid_page page;
	struct wsgid_worker worker;

	scoreboard_read_board(v, &board);
	assert_int_equal(board.generation, 6);
	assert_string_equal(board.name, "site");
	scoreboard_read_process(v, 1, &process);
	assert_int_equal(process.pid, 4711);
	assert_int_equal(process.lifecycle, WSGID_PROCESS_READY);
	assert_int_equal(scoreboard_read_page(v, 1, &page), 0);
	assert_int_equal(page.requests, 42);
	assert_int_equal(scoreboard_read_worker(v, 1, 0, &worker), 0);
	assert_int_equal(worker.state, '_');
	assert_int_equal(scoreboard_read_worker(v, 1, 1, &worker), 0);
	assert_int_equal(worker.state, 'W');
	assert_string_equal(worker.target, "/?[2J");
}

static void
test_a_board_is_read_with_and_without_its_server(void **state)
{
	struct scoreboard *s = create(*state);
	struct scoreboard_view *v = view(*state);

	scoreboard_board(s)->generation = 6;
	scoreboard_process(s, 1)->pid = 4711;
	scoreboard_process(s, 1)->lifecycle = WSGID_PROCESS_READY;
	serve(s, 1, 42);
	check_what_is_seen(v);
	scoreboard_destroy(s, 0);
	check_what_is_seen(v);
	scoreboard_close(v);
	v = view(*state);
	check_what_is_seen(v);
	scoreboard_close(v);
}

static void
test_what_is_not_there_reads_as_zeroes(void **state)
{
	struct scoreboard *s = create(*state);
	struct scoreboard_view *v = view(*state);
	struct wsgid_process process = {.pid = 1};
	struct wsgid_page page = {.pid = 1};
	struct wsgid_worker worker = {.requests = 1};

	assert_int_equal(scoreboard_read_page(v, 0, &page), -ENOENT);
	assert_int_equal(page.pid, 0);
	assert_int_equal(scoreboard_read_worker(v, 0, 0, &worker), -ENOENT);
	assert_int_equal(worker.requests, 0);
	assert_int_equal(worker.state, '.');
	scoreboard_read_process(v, 3, &process);
	assert_int_equal(process.pid, 0);
	serve(s, 0, 1);
	assert_int_equal(scoreboard_read_page(v, 3, &page), -EINVAL);
	assert_int_equal(scoreboard_read_worker(v, 0, 2, &worker), -EINVAL);
	assert_int_equal(
		scoreboard_read_worker(v, 4000000000U, 0, &worker), -EINVAL);
	scoreboard_close(v);
	scoreboard_destroy(s, 1);
}

static void
test_the_page_of_the_next_child_is_found(void **state)
{
	struct scoreboard *s = create(*state);
	struct scoreboard_view *v = view(*state);
	struct wsgid_process process;
	struct wsgid_page page;

	for (uint64_t n = 1; n <= 3; n++) {
		serve(s, 0, n);
		assert_int_equal(scoreboard_read_page(v, 0, &page), 0);
		assert_int_equal(page.requests, n);
	}
	scoreboard_read_process(v, 0, &process);
	assert_int_equal(process.past_requests, 1 + 2);
	scoreboard_close(v);
	scoreboard_destroy(s, 1);
}

static void
test_pages_that_are_none_are_told(void **state)
{
	struct scoreboard *s = create(*state);
	struct scoreboard_view *v = view(*state);
	struct wsgid_page page;
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	directory_put(*state, "site.scoreboard.0", junk, sizeof(junk));
	assert_int_equal(scoreboard_read_page(v, 0, &page), -EBADMSG);
	assert_int_equal(page.requests, 0);
	directory_put(*state, "site.scoreboard.0", "wsgidPG", 8);
	assert_int_equal(scoreboard_read_page(v, 0, &page), -EBADMSG);
	directory_put(*state, "site.scoreboard.0", "", 0);
	assert_int_equal(scoreboard_read_page(v, 0, &page), -EBADMSG);
	assert_int_equal(
		mkfifo(directory_path(*state, "site.scoreboard.1"), 0600), 0);
	assert_int_equal(scoreboard_read_page(v, 1, &page), -EBADMSG);
	assert_int_equal(symlink("site.scoreboard.0",
				 directory_path(*state, "site.scoreboard.2")),
		0);
	assert_int_equal(scoreboard_read_page(v, 2, &page), -ELOOP);
	scoreboard_close(v);
	scoreboard_destroy(s, 0);
}

static void
test_a_board_cut_while_it_is_read_hurts_nobody(void **state)
{
	struct scoreboard *s = create(*state);
	struct scoreboard_view *v = view(*state);
	struct wsgid_board board;
	struct wsgid_process process;

	scoreboard_destroy(s, 0);
	assert_int_equal(
		truncate(directory_path(*state, "site.scoreboard"), 3), 0);
	scoreboard_read_board(v, &board);
	assert_int_equal(board.process_count, 3);
	assert_int_equal(board.generation, 0);
	scoreboard_read_process(v, 2, &process);
	assert_int_equal(process.pid, 0);
	scoreboard_close(v);
}

/* --- files that are refused ------------------------------------------------ */

/* A board of three processes as somebody might have written it. */
struct file {
	struct wsgid_board board;
	char rest[1024];
};

static struct file
sound_file(void)
{
	struct file f = {0};

	memcpy(f.board.magic, WSGID_BOARD_MAGIC, 8);
	f.board.major = 1;
	f.board.board_size = sizeof(f.board);
	f.board.process_offset = sizeof(f.board);
	f.board.process_size = sizeof(struct wsgid_process);
	f.board.process_count = 3;
	f.board.page_size =
		sizeof(struct wsgid_page) + 3 * sizeof(struct wsgid_worker);
	f.board.worker_offset = sizeof(struct wsgid_page);
	f.board.worker_size = sizeof(struct wsgid_worker);
	f.board.worker_count = 2;
	return f;
}

static void
check_refused(const char *dir, const void *data, size_t len, const char *says)
{
	struct scoreboard_view *v = NULL;
	struct err err = {0};

	directory_put(dir, "site.scoreboard", data, len);
	assert_true(scoreboard_open(&v, directory_path(dir, "site.scoreboard"),
			    &err) < 0);
	assert_null(v);
	assert_non_null(strstr(err.text, "site.scoreboard"));
	if (strstr(err.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, says);
}

static void
test_foreign_and_short_files_are_refused(void **state)
{
	struct file f = sound_file();

	check_refused(*state, "", 0, "is not a scoreboard of wsgid");
	check_refused(*state, "wsgid", 5, "is not a scoreboard of wsgid");
	check_refused(*state, "#!/bin/sh\necho hello\n", 21,
		"is not a scoreboard of wsgid");
	check_refused(*state, &f, 8, "version 0.0"); /* magic alone */
	check_refused(*state, &f, 400, "its header alone needs 1224");
	check_refused(*state, &f, sizeof(f.board) + 3 * 96 - 1,
		"it has 9303 bytes, by its header it needs 9304");
	f.board.major = 2;
	f.board.minor = 3;
	check_refused(*state, &f, sizeof(f), "is of version 2.3");
}

static void
test_headers_that_contradict_themselves_are_refused(void **state)
{
	static const struct {
		size_t offset; /* of an uint32_t in the board */
		uint32_t value;
	} rows[] = {
		{offsetof(struct wsgid_board, board_size), 100},
		{offsetof(struct wsgid_board, board_size), UINT32_MAX},
		{offsetof(struct wsgid_board, process_offset), 0},
		{offsetof(struct wsgid_board, process_size), 0},
		{offsetof(struct wsgid_board, process_size), 87},
		{offsetof(struct wsgid_board, process_count), 0},
		{offsetof(struct wsgid_board, process_count), UINT32_MAX},
		{offsetof(struct wsgid_board, page_size), 0},
		{offsetof(struct wsgid_board, worker_offset), 8},
		{offsetof(struct wsgid_board, worker_offset), UINT32_MAX},
		{offsetof(struct wsgid_board, worker_size), 1},
		{offsetof(struct wsgid_board, worker_size), UINT32_MAX},
		{offsetof(struct wsgid_board, worker_count), 0},
		{offsetof(struct wsgid_board, worker_count), 4},
		{offsetof(struct wsgid_board, worker_count), UINT32_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct file f = sound_file();

		memcpy((char *)&f + rows[i].offset, &rows[i].value, 4);
		check_refused(*state, &f, sizeof(f), "is damaged");
	}
}

static void
test_sizes_that_lie_about_the_file_are_refused(void **state)
{
	struct file f = sound_file();

	f.board.process_size = UINT32_MAX;
	check_refused(*state, &f, sizeof(f), "is cut short");
	f = sound_file();
	f.board.process_offset = UINT32_MAX;
	check_refused(*state, &f, sizeof(f), "is cut short");
}

static void
test_what_is_no_file_is_refused_at_once(void **state)
{
	struct scoreboard_view *v = NULL;
	struct err err = {0};

	assert_int_equal(
		scoreboard_open(
			&v, directory_path(*state, "site.scoreboard"), &err),
		-ENOENT);
	assert_int_equal(scoreboard_open(&v, *state, &err), -EBADMSG);
	assert_int_equal(
		mkfifo(directory_path(*state, "site.scoreboard"), 0600), 0);
	assert_int_equal(
		scoreboard_open(
			&v, directory_path(*state, "site.scoreboard"), &err),
		-EBADMSG);
	assert_null(v);
}

static void
test_a_newer_minor_version_is_read_over_its_additions(void **state)
{
	struct file f = sound_file();
	struct wsgid_process process = {.pid = 77, .past_requests = 5};
	struct wsgid_board board;
	struct wsgid_process got;
	struct scoreboard_view *v;

	f.board.minor = 9;
	f.board.board_size += 40;
	f.board.process_offset += 40;
	f.board.process_size += 24;
	f.board.generation = 3;
	memcpy((char *)&f + f.board.process_offset + 2 * f.board.process_size,
		&process, sizeof(process));
	directory_put(*state, "site.scoreboard", &f, sizeof(f));
	v = view(*state);
	scoreboard_read_board(v, &board);
	assert_int_equal(board.minor, 9);
	assert_int_equal(board.generation, 3);
	scoreboard_read_process(v, 2, &got);
	assert_int_equal(got.pid, 77);
	assert_int_equal(got.past_requests, 5);
	scoreboard_close(v);
}

static void
test_a_file_of_before_1_1_does_not_say_how_many_workers(void **state)
{
	struct file f = sound_file();
	struct wsgid_process process = {.pid = 77, .past_busy_us = 5};
	struct wsgid_process got;
	struct scoreboard_view *v;

	f.board.minor = 0;
	f.board.process_size = offsetof(struct wsgid_process, workers);
	memset((char *)&f + f.board.process_offset, 0xff,
		3 * f.board.process_size);
	memcpy((char *)&f + f.board.process_offset + f.board.process_size,
		&process, f.board.process_size);
	directory_put(*state, "site.scoreboard", &f, sizeof(f));
	v = view(*state);
	scoreboard_read_process(v, 1, &got);
	assert_int_equal(got.pid, 77);
	assert_int_equal(got.past_busy_us, 5);
	assert_int_equal(got.workers, 0);
	scoreboard_close(v);
}

static void
test_a_file_of_before_1_2_knows_no_durations(void **state)
{
	struct file f = sound_file();
	struct scoreboard_view *v;
	struct wsgid_board board;
	struct wsgid_page page = {.requests = 5};

	memset(&page.durations, 0xff, sizeof(page.durations));
	memset(&f.board.past_durations, 0xff, sizeof(f.board.past_durations));
	memcpy(page.magic, WSGID_PAGE_MAGIC, sizeof(page.magic));
	f.board.minor = 1;
	f.board.board_size = offsetof(struct wsgid_board, past_durations);
	f.board.worker_offset = offsetof(struct wsgid_page, durations);
	f.board.page_size = sizeof(page);
	directory_put(*state, "site.scoreboard", &f, sizeof(f));
	directory_put(*state, "site.scoreboard.0", &page, sizeof(page));
	v = view(*state);
	scoreboard_read_board(v, &board);
	assert_int_equal(board.past_durations.wait.counts[0], 0);
	assert_int_equal(board.past_durations.total.max_us, 0);
	assert_int_equal(scoreboard_read_page(v, 0, &page), 0);
	assert_int_equal(page.requests, 5);
	assert_int_equal(page.durations.wait.counts[0], 0);
	assert_int_equal(page.durations.total.max_us, 0);
	scoreboard_close(v);
}

static void
test_random_files_never_hurt(void **state)
{
	srandom(7);
	for (int i = 0; i < 3000; i++) {
		struct file f = sound_file();
		struct scoreboard_view *v = NULL;
		struct wsgid_board board;
		struct wsgid_process process;
		struct wsgid_page page;

		for (long k = random() % 6; k >= 0; k--)
			((char *)&f)[8 + random() % (i % 2 ? 48 : 1000)] =
				(char)random();
		directory_put(*state, "site.scoreboard", &f, sizeof(f));
		if (scoreboard_open(&v,
			    directory_path(*state, "site.scoreboard"),
			    NULL) < 0)
			continue;
		scoreboard_read_board(v, &board);
		scoreboard_read_process(v, board.process_count - 1, &process);
		(void)scoreboard_read_page(v, 0, &page);
		scoreboard_close(v);
	}
}

#define WITH_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, directory_make, directory_remove)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(
			test_a_board_is_read_with_and_without_its_server),
		WITH_DIRECTORY(test_what_is_not_there_reads_as_zeroes),
		WITH_DIRECTORY(test_the_page_of_the_next_child_is_found),
		WITH_DIRECTORY(test_pages_that_are_none_are_told),
		WITH_DIRECTORY(test_a_board_cut_while_it_is_read_hurts_nobody),
		WITH_DIRECTORY(test_foreign_and_short_files_are_refused),
		WITH_DIRECTORY(
			test_headers_that_contradict_themselves_are_refused),
		WITH_DIRECTORY(test_sizes_that_lie_about_the_file_are_refused),
		WITH_DIRECTORY(test_what_is_no_file_is_refused_at_once),
		WITH_DIRECTORY(
			test_a_newer_minor_version_is_read_over_its_additions),
		WITH_DIRECTORY(
			test_a_file_of_before_1_1_does_not_say_how_many_workers),
		WITH_DIRECTORY(test_a_file_of_before_1_2_knows_no_durations),
		WITH_DIRECTORY(test_random_files_never_hurt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
