/*
 * test_report.c - scoreboards added up, and shown to people and programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "scoreboard/times.h"
#include "server.h"
#include "wsgictl/instance.h"
#include "wsgictl/report.h"
#include "wsgictl/snapshot.h"

#define START INT64_C(1700000000000000)
#define NOW   (START + INT64_C(100000000))

static struct snapshot
take(const char *dir, bool alive)
{
	struct snapshot s;
	struct err err = {0};

	assert_int_equal(snapshot_take(&s, server_path(dir, "shop.scoreboard"),
				 alive, NOW, &err),
		0);
	return s;
}

static void
count(struct wsgid_times *t, uint64_t us, uint64_t n)
{
	t->counts[times_bucket(us)] += n;
	t->sum_us += us * n;
	if (us > t->max_us)
		t->max_us = us;
}

/* One idle, one busy, one finishing; and one that is gone. */
static struct scoreboard *
make_server(const char *dir)
{
	struct scoreboard *s = server_board(dir, "shop", getpid(), START);
	struct wsgid_page_map page;

	page = server_child(s, 0, WSGID_PROCESS_READY, '_');
	page.page->requests = page.workers[0].requests = 5;
	page.page->bytes_out = 5000;
	count(&page.page->durations.wait, 2, 5);
	count(&page.page->durations.application, 900, 4);
	count(&page.page->durations.application, 61000000, 1);
	count(&page.page->durations.total, 905, 5);
	strcpy(page.page->io_engine, "epoll");
	page = server_child(s, 1, WSGID_PROCESS_READY, 'W');
	page.page->connections = 3;
	page.page->parked = 2;
	page.workers[0].begin_us = NOW - 2500000;
	strcpy(page.workers[0].client, "10.0.0.1");
	strcpy(page.workers[0].method, "GET");
	strcpy(page.workers[0].target, "/slow\x1b[31m");
	(void)server_child(s, 3, WSGID_PROCESS_DRAINING, 'W');
	scoreboard_process(s, 2)->past_requests = 95;
	count(&scoreboard_board(s)->past_durations.wait, 0, 5);
	count(&scoreboard_board(s)->past_durations.application, 4096, 5);
	count(&scoreboard_board(s)->past_durations.total, 20000, 5);
	return s;
}

static void
test_totals_have_the_dead_in_them(void **state)
{
	struct scoreboard *board = make_server(*state);
	struct snapshot s = take(*state, true);

	assert_int_equal(s.requests, 100);
	assert_int_equal(s.children, 3);
	assert_int_equal(s.idle, 1);
	assert_int_equal(s.busy, 1);
	assert_int_equal(s.graceful, 1);
	assert_int_equal(s.connections, 3);
	assert_int_equal(s.parked, 2);
	assert_string_equal(s.letters, "_W.G");
	assert_int_equal(snapshot_shown_letters(&s), 4);
	assert_int_equal(s.n_workers, 3);
	assert_string_equal(s.io_engine, "epoll");
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

static void
test_a_slot_counts_its_child_and_those_before(void **state)
{
	struct scoreboard *board =
		server_board(*state, "shop", getpid(), START);
	struct wsgid_page *page =
		server_child(board, 0, WSGID_PROCESS_READY, '_').page;
	struct wsgid_process *p = scoreboard_process(board, 0);
	struct snapshot s;

	page->requests = 1;
	page->accepted = 2;
	page->bytes_in = 3;
	page->bytes_out = 4;
	page->busy_us = 5;
	p->past_requests = 10;
	p->past_connections = 20;
	p->past_bytes_in = 30;
	p->past_bytes_out = 40;
	p->past_busy_us = 50;
	scoreboard_process(board, 1)->past_requests = 100;
	s = take(*state, true);
	assert_int_equal(s.requests, 111);
	assert_int_equal(s.accepted, 22);
	assert_int_equal(s.bytes_in, 33);
	assert_int_equal(s.bytes_out, 44);
	assert_int_equal(s.busy_us, 55);
	assert_int_equal(s.n_workers, 1);
	assert_int_equal(s.workers[0].slot_requests, 11);
	assert_int_equal(s.workers[0].slot_bytes_out, 44);
	assert_int_equal(s.workers[0].slot_busy_us, 55);
	snapshot_fini(&s);
	page->requests = UINT64_MAX; /* as one has it that means ill */
	s = take(*state, true);
	assert_true(s.requests == UINT64_MAX);
	assert_true(s.workers[0].slot_requests == UINT64_MAX);
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

static void
test_a_dead_servers_time_has_stopped(void **state)
{
	struct scoreboard *board = make_server(*state);
	struct snapshot s;

	scoreboard_board(board)->updated_us = START + 7;
	s = take(*state, false);
	assert_int_equal(s.now_us, START + 7);
	assert_int_equal(s.workers[0].rss, -1);
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

static void
test_no_scoreboard_is_a_sentence(void **state)
{
	struct snapshot s;
	struct err err = {0};

	assert_true(snapshot_take(&s, server_path(*state, "shop.scoreboard"),
			    true, NOW, &err) < 0);
	assert_non_null(strstr(err.text, "No such file"));
}

static void
test_the_screen(void **state)
{
	static const char *const parts[] = {
		"wsgid/1.2.3 [shop] is running, pid 77, up 1 min 40 s\n",
		"  application  shop:app\n",
		"  listen queue 3 of 511 at 127.0.0.1:8000\n"
		"               0 of 4096 at unix:/run/shop.sock\n",
		"  MPM          prefork, at most 3 workers\n"
		"  accept       epoll\n",
		"  generation   1, never reloaded\n",
		"  workers      1 busy, 1 idle, 1 finishing\n"
		"               _W.G\n",
		"  connections  3 open, 2 of them kept alive and idle\n",
		"  requests     100 requests on 0 connections, 1.0/s",
		"  traffic      0 B in, 4.9 kB out, 50 B/s\n"
		"  durations    wait         p50 0 us     p90 2 us     p99 2 "
		"us     max 2 us\n"
		"               application  p50 4.6 ms   p90 4.6 ms   p99 59 "
		"s     max 1 min 1 s\n"
		"               total        p50 959 us   p90 18 ms    p99 18 "
		"ms    max 20 ms\n",
		"\n0-1      536870912 ready    _ ",
		" 10.0.0.1        GET /slow?[31m\n",
		"\n0-1      536870912 ready    _         5/5 ",
		" Acc      CPU   Memory     SS     Req       Dur    Child "
		"    Slot Client ",
		"\n3-1      536870912 draining W ",
	};
	struct scoreboard *board = make_server(*state);
	struct snapshot s = take(*state, true);
	struct instance i = {
		.name = "shop", .state = INSTANCE_RUNNING, .pid = 77};
	struct queue queues[] = {
		{(char[]){"127.0.0.1:8000"}, 3, 511},
		{(char[]){"unix:/run/shop.sock"}, 0, 4096},
	};
	struct report r = {.instance = &i,
		.snapshot = &s,
		.queues = {true, ARRAY_LEN(queues), queues}};
	struct buf text = {0};

	strcpy(s.board.listeners, "http://127.0.0.1:8000 unix:/run/shop.sock");
	report_status(&text, &r);
	report_workers(&text, &r);
	for (size_t n = 0; n < ARRAY_LEN(parts); n++)
		if (strstr(buf_text(&text), parts[n]) == NULL)
			fail_msg(
				"no \"%s\" in:\n%s", parts[n], buf_text(&text));
	buf_fini(&text);
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

static void
test_a_reload_is_told_by_its_end(void **state)
{
	static const struct {
		uint32_t result;
		const char *text;
		int64_t restart_us; /* since its begin */
	} cases[] = {
		{WSGID_RELOAD_NONE, "never reloaded", 0},
		{WSGID_RELOAD_RUNNING, "a reload is running since 40 s\n", 0},
		{WSGID_RELOAD_DONE, ", done in 1.5 s\n", 0},
		{WSGID_RELOAD_FAILED,
			" FAILED, the old generation went on:\n"
			"               no module\n",
			0},
		{WSGID_RELOAD_FAILED,
			" FAILED, the old generation had ended:\n"
			"               no module\n",
			1000},
	};
	struct scoreboard *board = make_server(*state);
	struct wsgid_board *b = scoreboard_board(board);
	struct instance i = {
		.name = "shop", .state = INSTANCE_RUNNING, .pid = 77};

	b->reload_begin_us = START + 60 * INT64_C(1000000);
	b->reload_end_us = b->reload_begin_us + 1500000;
	strcpy(b->reload_reason, "no module");
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		struct snapshot s;
		struct buf text = {0};

		b->reload_result = cases[n].result;
		b->restart_us = b->reload_begin_us + cases[n].restart_us;
		s = take(*state, true);
		report_status(&text,
			&(struct report){.instance = &i, .snapshot = &s});
		assert_non_null(strstr(buf_text(&text), cases[n].text));
		buf_fini(&text);
		snapshot_fini(&s);
	}
	scoreboard_destroy(board, 1);
}

static void
test_the_traceback_of_a_failed_reload_is_shown_line_by_line(void **state)
{
	struct scoreboard *board = make_server(*state);
	struct wsgid_board *b = scoreboard_board(board);
	struct instance i = {
		.name = "shop", .state = INSTANCE_RUNNING, .pid = 77};
	struct buf text = {0};
	struct snapshot s;

	strcpy(b->reload_log, "Traceback:\n  here\nValueError\n");
	for (int failed = 0; failed < 2; failed++) {
		b->reload_result =
			failed ? WSGID_RELOAD_FAILED : WSGID_RELOAD_DONE;
		s = take(*state, true);
		report_reload_log(&text,
			&(struct report){.instance = &i, .snapshot = &s});
		assert_string_equal(buf_text(&text),
			failed ? "\nWhat was said when the reload failed:\n"
				 "  Traceback:\n    here\n  ValueError\n"
			       : "");
		snapshot_fini(&s);
	}
	buf_fini(&text);
	scoreboard_destroy(board, 1);
}

/* The master's word is that it is ready; nothing says what it does. */
static void
test_a_child_without_a_page_serves(void **state)
{
	struct scoreboard *board =
		server_board(*state, "shop", getpid(), START);
	struct instance i = {
		.name = "shop", .state = INSTANCE_RUNNING, .pid = 77};
	struct report r = {.instance = &i};
	struct buf text = {0};
	struct err err = {0};
	struct snapshot s;
	int fd;

	(void)server_child(board, 0, WSGID_PROCESS_READY, '_');
	fd = scoreboard_hide_page(board, 0, &err);
	assert_true(fd >= 0);
	close(fd);
	s = take(*state, true);
	r.snapshot = &s;
	assert_string_equal(s.letters, "?...");
	assert_true(report_is_ready(&r));
	report_status(&text, &r);
	assert_non_null(strstr(buf_text(&text),
		"\n1 of the 1 children serve unseen: "));
	assert_non_null(strstr(buf_text(&text),
		"  workers      0 busy, 0 idle, 1 unknown\n"));
	buf_fini(&text);
	snapshot_fini(&s);

	scoreboard_process(board, 0)->lifecycle = WSGID_PROCESS_STARTING;
	s = take(*state, true);
	assert_false(report_is_ready(&r));
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

static void
test_states_in_words(void **state)
{
	static const struct {
		enum instance_state state;
		bool stopped, busy;
		const char *word, *sentence;
	} cases[] = {
		{INSTANCE_RUNNING, false, false, "running", "is running"},
		{INSTANCE_RUNNING, true, false, "stopped by a signal",
			"kill -CONT 77 lets it go on"},
		{INSTANCE_RUNNING, false, true, "busy",
			"has not answered within a second"},
		{INSTANCE_DEAD, false, false, "dead",
			"its pid file /run/shop.pid was left behind"},
		{INSTANCE_UNKNOWN, false, false, "unknown",
			"may or may not run"},
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		struct instance i = {
			.name = "shop",
			.state = cases[n].state,
			.stopped = cases[n].stopped,
			.pid = cases[n].state == INSTANCE_RUNNING ? 77 : 0,
			.pid_file = "/run/shop.pid",
			.has_pid_file = true,
		};
		struct report r = {
			.instance = &i,
			.reason = "you may not read it",
			.busy = cases[n].busy,
		};
		struct buf text = {0};

		assert_string_equal(report_state(&r), cases[n].word);
		report_status(&text, &r);
		assert_non_null(strstr(buf_text(&text), cases[n].sentence));
		assert_non_null(
			strstr(buf_text(&text), "\nyou may not read it\n"));
		buf_fini(&text);
	}
}

static json_t *
load_json(const struct report *r, bool with_workers)
{
	struct buf text = {0};
	json_error_t error;
	json_t *o;

	assert_int_equal(report_json(&text, r, with_workers), 0);
	o = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(o);
	buf_fini(&text);
	return o;
}

static void
test_json_is_read_back(void **state)
{
	struct scoreboard *board = make_server(*state);
	struct snapshot s = take(*state, true);
	struct instance i = {
		.name = "shop", .state = INSTANCE_RUNNING, .pid = 77};
	struct report r = {.instance = &i, .snapshot = &s};
	json_int_t pid, requests, connections, slot;
	const char *letters, *target;
	json_t *o = load_json(&r, true), *null, *rows;
	double rate;

	assert_int_equal(
		json_unpack(o, "{s:I, s:s, s:{s:I, s:I, s:F}, s:o, s:o}", "pid",
			&pid, "scoreboard", &letters, "totals", "requests",
			&requests, "connections", &connections,
			"requests_per_second", &rate, "rows", &rows, "pid_file",
			&null),
		0);
	assert_int_equal(pid, 77);
	assert_string_equal(letters, "_W.G");
	assert_int_equal(requests, 100);
	assert_true(rate > 0.99 && rate < 1.01);
	assert_true(json_is_null(null));
	assert_int_equal(json_array_size(rows), 3);
	assert_int_equal(
		json_unpack(json_array_get(rows, 1), "{s:I, s:s, s:o}", "slot",
			&slot, "target", &target, "rss_bytes", &null),
		0);
	assert_int_equal(slot, 1);
	assert_string_equal(target, "/slow?[31m");
	assert_true(json_is_null(null));
	json_decref(o);

	o = load_json(&r, false);
	assert_null(json_object_get(o, "rows"));
	json_decref(o);
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

/* Three threads, of which one works; and a child that has not begun. */
static struct scoreboard *
make_worker_server(const char *dir)
{
	struct scoreboard *s =
		server_worker_board(dir, "shop", getpid(), START);
	struct wsgid_page_map page =
		server_threads(s, 0, WSGID_PROCESS_READY, "_W_");

	page.page->requests = 12;
	page.page->parked = page.page->closing = 1;
	page.workers[1].requests = 5;
	page.workers[1].thread = 4711;
	page.workers[1].begin_us = NOW - 2500000;
	strcpy(page.workers[1].method, "GET");
	strcpy(page.workers[1].target, "/slow");
	scoreboard_process(s, 0)->past_requests = 30;
	page = server_threads(s, 1, WSGID_PROCESS_STARTING, "...");
	return s;
}

static void
test_a_thread_has_a_letter_and_a_row_of_its_own(void **state)
{
	static const char *const parts[] = {
		"  MPM          worker, at most 9 workers\n",
		/* Not six places for a child that has three. */
		"  workers      1 busy, 2 idle, 3 starting\n"
		"               KWCSSS...\n",
		"\n0-1.0    536870912 ready    K ",
		"\n0-1.1    536870912 ready    W ",
		"\n0-1.2    536870912 ready    C ",
		"\n1-1.0    536870912 starting S ",
		"\n1-1.2    536870912 starting S ",
		" 5/42        -        -      2    2500 ",
	};
	struct scoreboard *board = make_worker_server(*state);
	struct snapshot s = take(*state, true);
	struct instance i = {
		.name = "shop", .state = INSTANCE_RUNNING, .pid = 77};
	struct report r = {.instance = &i, .snapshot = &s};
	struct buf text = {0};

	assert_int_equal(s.n_workers, 6);
	report_status(&text, &r);
	report_workers(&text, &r);
	for (size_t n = 0; n < ARRAY_LEN(parts); n++)
		if (strstr(buf_text(&text), parts[n]) == NULL)
			fail_msg(
				"no \"%s\" in:\n%s", parts[n], buf_text(&text));
	assert_null(strstr(buf_text(&text), "\n0-1.3"));
	buf_fini(&text);
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

static void
test_json_has_an_object_for_each_thread(void **state)
{
	struct scoreboard *board = make_worker_server(*state);
	struct snapshot s = take(*state, true);
	struct instance i = {
		.name = "shop", .state = INSTANCE_RUNNING, .pid = 77};
	struct report r = {.instance = &i, .snapshot = &s};
	json_int_t worker, thread, requests, slot_requests, busy, idle, most;
	const char *letters, *mpm, *target;
	json_t *o = load_json(&r, true), *rows;

	assert_int_equal(
		json_unpack(o, "{s:s, s:{s:s, s:I}, s:{s:I, s:I}, s:o}",
			"scoreboard", &letters, "server", "mpm", &mpm,
			"max_request_workers", &most, "workers", "busy", &busy,
			"idle", &idle, "rows", &rows),
		0);
	assert_string_equal(letters, "KWCSSS...");
	assert_string_equal(mpm, "worker");
	assert_int_equal(most, 9);
	assert_int_equal(busy, 1);
	assert_int_equal(idle, 2);
	assert_int_equal(json_array_size(rows), 6);
	assert_int_equal(
		json_unpack(json_array_get(rows, 1),
			"{s:I, s:I, s:I, s:I, s:s}", "worker", &worker,
			"thread", &thread, "requests", &requests,
			"slot_requests", &slot_requests, "target", &target),
		0);
	assert_int_equal(worker, 1);
	assert_int_equal(thread, 4711);
	assert_int_equal(requests, 5);
	assert_int_equal(slot_requests, 42);
	assert_string_equal(target, "/slow");
	json_decref(o);
	snapshot_fini(&s);
	scoreboard_destroy(board, 1);
}

static void
test_json_without_a_scoreboard_has_the_reason(void **state)
{
	/* A path need not be text. */
	struct instance i = {
		.name = "shop",
		.directory = "/run/\xff\x1b[2J",
		.state = INSTANCE_UNKNOWN,
	};
	struct report r = {.instance = &i, .reason = "you may not"};
	json_t *o = load_json(&r, true);

	(void)state;
	assert_string_equal(
		json_string_value(json_object_get(o, "reason")), "you may not");
	assert_string_equal(json_string_value(json_object_get(o, "directory")),
		"/run/??[2J");
	assert_true(json_is_null(json_object_get(o, "pid")));
	assert_null(json_object_get(o, "totals"));
	json_decref(o);
}

#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
		name, server_make_directory, server_remove_directory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_totals_have_the_dead_in_them),
		TEST(test_a_slot_counts_its_child_and_those_before),
		TEST(test_a_dead_servers_time_has_stopped),
		TEST(test_no_scoreboard_is_a_sentence),
		TEST(test_the_screen),
		TEST(test_a_reload_is_told_by_its_end),
		TEST(test_the_traceback_of_a_failed_reload_is_shown_line_by_line),
		TEST(test_a_child_without_a_page_serves),
		cmocka_unit_test(test_states_in_words),
		TEST(test_json_is_read_back),
		TEST(test_a_thread_has_a_letter_and_a_row_of_its_own),
		TEST(test_json_has_an_object_for_each_thread),
		cmocka_unit_test(test_json_without_a_scoreboard_has_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
