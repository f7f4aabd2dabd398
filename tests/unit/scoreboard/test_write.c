/*
 * test_write.c - the scoreboard of a running server, its children honest and
 * hostile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/printable.h"
#include "directory.h"
#include "scoreboard/scoreboard.h"
#include "support/skip.h"

static struct scoreboard *
create(const char *dir)
{
	struct scoreboard *s = NULL;
	struct err err = {0};

	if (scoreboard_create(&s,
		    &(struct scoreboard_order){.dir = dir,
			    .name = "site",
			    .processes = 4,
			    .workers = 2},
		    &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static int
renew(struct scoreboard *s, unsigned slot)
{
	struct err err = {0};
	int fd = scoreboard_renew_page(s, slot, &err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

static struct wsgid_page_map
map(int fd)
{
	struct wsgid_page_map m = {0};
	struct err err = {0};

	if (scoreboard_map_page(&m, fd, 2, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

static void
unmap(struct wsgid_page_map *m, int fd)
{
	munmap(m->page, m->size);
	close(fd);
}

/* --- the board ------------------------------------------------------------- */

static void
test_a_new_board_tells_where_everything_is(void **state)
{
	struct scoreboard *s = create(*state);
	const struct wsgid_board *b = scoreboard_board(s);

	assert_memory_equal(b->magic, "wsgidSB", 8);
	assert_int_equal(b->major, WSGID_BOARD_MAJOR);
	assert_int_equal(b->board_size, sizeof(*b));
	assert_int_equal(b->process_count, 4);
	assert_int_equal(b->worker_count, 2);
	assert_string_equal(b->name, "site");
	assert_ptr_equal(scoreboard_process(s, 3),
		(const char *)b + b->process_offset + 3 * b->process_size);
	assert_int_equal(scoreboard_process(s, 3)->pid, 0);
	assert_null(scoreboard_page(s, 0));
	assert_null(scoreboard_workers(s, 0, 2));
	scoreboard_destroy(s, 0);
}

static void
test_files_are_the_masters_whatever_the_umask(void **state)
{
	static const char *const names[] = {
		"site.scoreboard", "site.scoreboard.1"};
	mode_t before = umask(0177);
	struct scoreboard *s = create(*state);
	struct stat st;

	close(renew(s, 1));
	umask(before);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(
			lstat(directory_path(*state, names[i]), &st), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0640);
	}
	assert_int_equal(directory_count(*state), 2);
	scoreboard_destroy(s, 0);
}

static void
test_what_a_killed_server_left_is_replaced(void **state)
{
	static const char *const left[] = {"site.scoreboard",
		"site.scoreboard.0", "site.scoreboard.17",
		".site.scoreboard.new", ".site.scoreboard.3.new"};
	static const char *const others[] = {"site.pid", "other.scoreboard",
		"other.scoreboard.0", "site.scoreboard.old",
		"site.scoreboard.1x", "xsite.scoreboard.1", ".site.scoreboard",
		".site.scoreboard.1"};
	struct scoreboard *s;

	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		directory_put(*state, left[i], "left", 4);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		directory_put(*state, others[i], "mine", 4);
	s = create(*state);
	for (size_t i = 1; i < ARRAY_LEN(left); i++)
		assert_false(directory_has(*state, left[i]));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_true(directory_has(*state, others[i]));
	scoreboard_destroy(s, 1);
	assert_int_equal(directory_count(*state), ARRAY_LEN(others));
}

static void
test_symbolic_links_are_not_followed(void **state)
{
	static const char *const names[] = {"site.scoreboard",
		".site.scoreboard.new", "site.scoreboard.0",
		".site.scoreboard.0.new"};
	struct scoreboard *s;
	struct stat st;

	directory_put(*state, "victim", "precious", 8);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(
			symlink("victim", directory_path(*state, names[i])), 0);
	s = create(*state);
	assert_int_equal(symlink("victim", directory_path(*state,
						   ".site.scoreboard.0.new")),
		0);
	close(renew(s, 0));
	assert_int_equal(lstat(directory_path(*state, "victim"), &st), 0);
	assert_int_equal(st.st_size, 8);
	for (size_t i = 0; i < ARRAY_LEN(names); i += 2) {
		assert_int_equal(
			lstat(directory_path(*state, names[i]), &st), 0);
		assert_true(S_ISREG(st.st_mode));
	}
	scoreboard_destroy(s, 1);
	assert_int_equal(directory_count(*state), 1);
}

static void
test_a_successors_files_are_not_removed(void **state)
{
	struct scoreboard *old = create(*state), *successor;

	close(renew(old, 0));
	successor = create(*state);
	close(renew(successor, 0));
	scoreboard_destroy(old, 1);
	assert_true(directory_has(*state, "site.scoreboard"));
	assert_true(directory_has(*state, "site.scoreboard.0"));
	scoreboard_destroy(successor, 1);
	assert_int_equal(directory_count(*state), 0);
}

static void
test_what_cannot_be_made_is_explained(void **state)
{
	static const char long_name[] =
		"0123456789012345678901234567890123456789012345678901234567890"
		"123";
	static const struct {
		const char *name;
		unsigned processes, workers;
		const char *says;
	} rows[] = {
		{"", 1, 1, "is empty"},
		{".hidden", 1, 1, "must not begin with a dot"},
		{"../up", 1, 1, "must not begin with a dot"},
		{"a/b", 1, 1, "contain a slash"},
		{long_name, 1, 1, "is too long; it may have 63"},
		{"site", 0, 1, "0 processes"},
		{"site", 1, 0, "0 workers"},
		{"site", 4000000000U, 1, "4000000000 processes"},
		{"site", 1, 4000000000U, "4000000000 workers"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scoreboard *s = NULL;
		struct err err = {0};

		assert_true(scoreboard_create(&s,
				    &(struct scoreboard_order){.dir = *state,
					    .name = rows[i].name,
					    .processes = rows[i].processes,
					    .workers = rows[i].workers},
				    &err) < 0);
		assert_null(s);
		assert_non_null(strstr(err.text, rows[i].says));
	}
	assert_int_equal(directory_count(*state), 0);
}

static void
test_a_directory_that_is_not_there_is_named(void **state)
{
	struct scoreboard *s = NULL;
	struct err err = {0};

	assert_int_equal(scoreboard_create(&s,
				 &(struct scoreboard_order){
					 .dir = directory_path(*state, "none"),
					 .name = "site",
					 .processes = 1,
					 .workers = 1},
				 &err),
		-ENOENT);
	assert_non_null(strstr(err.text, "/none/site.scoreboard: No such"));
}

static void
test_a_directory_in_the_way_is_named(void **state)
{
	struct scoreboard *s = NULL;
	struct err err = {0};

	assert_int_equal(
		mkdir(directory_path(*state, "site.scoreboard"), 0755), 0);
	assert_true(scoreboard_create(&s,
			    &(struct scoreboard_order){.dir = *state,
				    .name = "site",
				    .processes = 1,
				    .workers = 1},
			    &err) < 0);
	assert_non_null(strstr(err.text, "/site.scoreboard: Is a directory"));
	assert_int_equal(directory_count(*state), 1);
}

/* --- ScoreBoardFile -------------------------------------------------------- */

static const char *
link_of(const char *path)
{
	static char target[200];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	return target;
}

static int
create_at(struct scoreboard **ret, const char *dir, const char *name,
	const char *file, struct err *err)
{
	const struct scoreboard_order order = {
		.dir = dir,
		.file = file,
		.name = name,
		.processes = 2,
		.workers = 1,
	};

	return scoreboard_create(ret, &order, err);
}

static void
test_a_file_elsewhere_is_found_by_a_link(void **state)
{
	AUTO_FREE char *run = strdup(directory_path(*state, "run"));
	AUTO_FREE char *file = strdup(directory_path(*state, "elsewhere"));
	AUTO_FREE char *link =
		strdup(directory_path(*state, "run/site.scoreboard"));
	struct scoreboard *s = NULL;
	struct scoreboard_view *v = NULL;
	struct wsgid_page page;
	struct err err = {0};

	assert_int_equal(mkdir(run, 0755), 0);
	assert_int_equal(create_at(&s, run, "site", file, &err), 0);
	assert_string_equal(link_of(link), file);
	close(renew(s, 1));
	assert_int_equal(
		access(directory_path(*state, "elsewhere.1"), F_OK), 0);
	assert_int_equal(scoreboard_open(&v, link, &err), 0);
	assert_int_equal(scoreboard_read_page(v, 1, &page), 0);
	scoreboard_close(v);
	scoreboard_destroy(s, 1);
	assert_int_equal(directory_count(run), 0);
	assert_int_equal(directory_count(*state), 1);
	rmdir(run);
}

static void
test_a_file_in_the_run_directory_needs_no_link(void **state)
{
	AUTO_FREE char *file =
		strdup(directory_path(*state, "site.scoreboard"));
	struct scoreboard *s = NULL;
	struct err err = {0};

	assert_int_equal(create_at(&s, *state, "site", file, &err), 0);
	assert_string_equal(link_of(file), "");
	assert_int_equal(directory_count(*state), 1);
	scoreboard_destroy(s, 1);
	/* Nor does it need a run directory. */
	assert_int_equal(create_at(&s, NULL, "site", file, &err), 0);
	assert_int_equal(directory_count(*state), 1);
	scoreboard_destroy(s, 1);
	assert_int_equal(directory_count(*state), 0);
}

static void
test_a_file_that_a_running_server_has_is_refused(void **state)
{
	AUTO_FREE char *file = strdup(directory_path(*state, "board"));
	struct scoreboard *first = NULL, *second = NULL;
	struct err err = {0};

	assert_int_equal(create_at(&first, NULL, "one", file, &err), 0);
	assert_int_equal(
		create_at(&second, NULL, "two", file, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.text, "/board is in use by another wsgid"));
	scoreboard_board(first)->master_pid = 4711;
	assert_int_equal(
		create_at(&second, NULL, "two", file, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.text,
		"is in use by wsgid \"one\" (pid 4711); stop that or choose "
		"another ScoreBoardFile"));
	/* What it has left, dead, is in nobody's way. */
	scoreboard_destroy(first, 0);
	assert_int_equal(directory_count(*state), 1);
	assert_int_equal(create_at(&second, NULL, "two", file, &err), 0);
	assert_string_equal(scoreboard_board(second)->name, "two");
	scoreboard_destroy(second, 1);
	assert_int_equal(directory_count(*state), 0);
}

static void
test_a_successor_takes_the_file_over(void **state)
{
	AUTO_FREE char *run = strdup(directory_path(*state, "run"));
	AUTO_FREE char *file = strdup(directory_path(*state, "board"));
	AUTO_FREE char *link =
		strdup(directory_path(*state, "run/site.scoreboard"));
	struct scoreboard_order order = {
		.dir = run,
		.file = file,
		.name = "site",
		.processes = 2,
		.workers = 1,
	};
	struct scoreboard *first = NULL, *second = NULL;
	struct err err = {0};

	assert_int_equal(mkdir(run, 0755), 0);
	assert_int_equal(scoreboard_create(&first, &order, &err), 0);
	scoreboard_board(first)->master_pid = 4711;
	order.predecessor = 4711;
	assert_int_equal(scoreboard_create(&second, &order, &err), 0);
	assert_int_equal(scoreboard_publish(second, &err), 0);
	scoreboard_destroy(first, 1);
	assert_string_equal(link_of(link), file);
	assert_int_equal(access(link, F_OK), 0);
	order.predecessor = 0;
	assert_int_equal(scoreboard_create(&first, &order, &err), -EWOULDBLOCK);
	scoreboard_destroy(second, 1);
	assert_int_equal(directory_count(run), 0);
	rmdir(run);
}

static void
test_a_file_that_is_no_scoreboard_is_left_alone(void **state)
{
	AUTO_FREE char *file = strdup(directory_path(*state, "passwd"));
	struct scoreboard *s = NULL;
	struct err err = {0};
	int fd = open(file, O_CREAT | O_WRONLY, 0600);

	assert_int_equal(write(fd, "root:x:0:0\n", 11), 11);
	close(fd);
	assert_int_equal(create_at(&s, NULL, "site", file, &err), -EINVAL);
	assert_non_null(strstr(err.text, "passwd: there is a file that is no "
					 "scoreboard; remove it or choose"));
	assert_int_equal(truncate(file, 0), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/dev/null", file), 0);
	assert_int_equal(create_at(&s, NULL, "site", file, &err), -ELOOP);
	assert_int_equal(unlink(file), 0);
}

/* --- pages ----------------------------------------------------------------- */

static void
test_the_master_sees_what_the_child_writes(void **state)
{
	struct scoreboard *s = create(*state);
	int fd = renew(s, 2);
	struct wsgid_page_map m = map(fd);

	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(scoreboard_page(s, 2)->requests, 0);
	m.page->requests = 7;
	m.page->pid = 4711;
	m.workers[1].state = WSGID_WORKER_WRITE;
	scoreboard_put_text(
		m.workers[1].target, sizeof(m.workers[1].target), "/admin/", 7);
	assert_int_equal(scoreboard_page(s, 2)->requests, 7);
	assert_int_equal(scoreboard_page(s, 2)->pid, 4711);
	assert_int_equal(scoreboard_workers(s, 2, 2)[1].state, 'W');
	assert_string_equal(scoreboard_workers(s, 2, 2)[1].target, "/admin/");
	assert_int_equal(scoreboard_workers(s, 2, 2)[0].state, '.');
	assert_null(scoreboard_page(s, 1));
	unmap(&m, fd);
	scoreboard_destroy(s, 1);
}

static void
test_totals_survive_the_childs_death(void **state)
{
	struct scoreboard *s = create(*state);
	const struct wsgid_process *p = scoreboard_process(s, 0);

	for (int life = 1; life <= 3; life++) {
		int fd = renew(s, 0);
		struct wsgid_page_map m = map(fd);

		assert_int_equal(m.page->requests, 0);
		m.page->requests = 10;
		m.page->accepted = 2;
		m.page->bytes_in = 100;
		m.page->bytes_out = 1000;
		m.page->busy_us = 5;
		m.page->durations.wait.counts[7] = 3;
		m.page->durations.total.max_us = (uint64_t)life;
		if (life == 2) { /* buried as well as renewed: once */
			scoreboard_bury(s, 0);
			scoreboard_bury(s, 0);
			assert_int_equal(m.page->requests, 0);
			assert_int_equal(m.page->accepted, 0);
		}
		unmap(&m, fd);
	}
	assert_int_equal(p->past_requests, 20);
	scoreboard_bury(s, 0);
	scoreboard_bury(s, 1); /* never had a page */
	assert_int_equal(p->past_requests, 30);
	assert_int_equal(p->past_connections, 6);
	assert_int_equal(p->past_bytes_in, 300);
	assert_int_equal(p->past_bytes_out, 3000);
	assert_int_equal(p->past_busy_us, 15);
	assert_int_equal(scoreboard_board(s)->past_durations.wait.counts[7], 9);
	assert_int_equal(scoreboard_board(s)->past_durations.total.max_us, 3);
	assert_int_equal(scoreboard_page(s, 0)->requests, 0);
	assert_memory_equal(scoreboard_page(s, 0)->magic, "wsgidPG", 8);
	scoreboard_destroy(s, 1);
}

static void
test_a_childs_page_is_not_its_successors(void **state)
{
	struct scoreboard *s = create(*state);
	int old_fd = renew(s, 0);
	struct wsgid_page_map old = map(old_fd), new;
	int new_fd = renew(s, 0);

	new = map(new_fd);
	old.page->requests = 99;
	assert_int_equal(new.page->requests, 0);
	assert_int_equal(scoreboard_page(s, 0)->requests, 0);
	unmap(&old, old_fd);
	unmap(&new, new_fd);
	scoreboard_destroy(s, 1);
}

static void
test_absurd_counts_do_not_turn_totals_back(void **state)
{
	struct scoreboard *s = create(*state);
	uint64_t last = 0;

	for (int life = 0; life < 3; life++) {
		int fd = renew(s, 0);
		struct wsgid_page_map m = map(fd);

		m.page->requests = UINT64_MAX / 2 + 7;
		scoreboard_bury(s, 0);
		assert_true(scoreboard_process(s, 0)->past_requests >= last);
		last = scoreboard_process(s, 0)->past_requests;
		unmap(&m, fd);
	}
	assert_int_equal(scoreboard_process(s, 1)->past_requests, 0);
	scoreboard_destroy(s, 1);
}

/* --- hostile children ------------------------------------------------------ */

static void
test_a_page_cut_short_reads_as_zeroes_and_is_mended(void **state)
{
	static const int sizes[] = {0, 1, 111, 112, 300, 5000, 1 << 20};
	struct scoreboard *s = create(*state);
	struct stat st;
	off_t right;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd = renew(s, 0);
		struct wsgid_page_map m = map(fd);

		assert_int_equal(fstat(fd, &st), 0);
		right = st.st_size;
		m.workers[1].requests = 5;
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		assert_int_equal(scoreboard_workers(s, 0, 2)[1].requests,
			sizes[i] > right ? 5 : 0);
		assert_non_null(scoreboard_page(s, 0));
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, right);
		scoreboard_bury(s, 0);
		unmap(&m, fd);
	}
	scoreboard_destroy(s, 1);
}

/* Ends when its parent has closed the pipe. */
static void
vandalize(int fd, int until)
{
	static const char junk[8192] = {[0 ... 8191] = (char)0xa5};

	fcntl(until, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFL, O_APPEND | O_DIRECT);
	for (unsigned i = 0;; i++) {
		char byte;

		(void)!ftruncate(fd, (off_t)(i * 37 % 9000));
		(void)!write(fd, junk, i * 101 % sizeof(junk));
		(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			0, 4096);
		if (read(until, &byte, 1) == 0)
			_exit(0);
	}
}

static void
reads_and_buries_beside_a_vandal(const char *dir)
{
	struct scoreboard *s = create(dir);
	int ends[2], fd = renew(s, 0), status = -1;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		vandalize(fd, ends[0]);
	}
	assert_true(pid > 0);
	close(ends[0]);
	for (int i = 0; i < 3000; i++) {
		const struct wsgid_worker *w = &scoreboard_workers(s, 0, 2)[1];

		assert_non_null(scoreboard_page(s, 0));
		assert_non_null(memchr(w->target, '\0', sizeof(w->target)));
		if (i % 100 == 0)
			scoreboard_bury(s, 0);
		if (i % 1000 == 0) {
			int fresh = renew(s, 0);

			/* the vandal goes on with the file it has */
			close(fresh);
		}
	}
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	fd = renew(s, 0);
	assert_int_equal(scoreboard_page(s, 0)->requests, 0);
	assert_int_equal(scoreboard_process(s, 1)->past_requests, 0);
	assert_int_equal(scoreboard_board(s)->process_count, 4);
	close(fd);
	scoreboard_destroy(s, 1);
}

static void
test_a_child_that_cuts_its_page_all_the_time_hurts_nobody(void **state)
{
	reads_and_buries_beside_a_vandal(*state);
}

static void
test_in_memory_it_hurts_nobody_either(void **state)
{
	(void)state;
	reads_and_buries_beside_a_vandal(NULL);
}

static void
test_random_bytes_in_a_page_are_shown_harmlessly(void **state)
{
	struct scoreboard *s = create(*state);
	int fd = renew(s, 0);
	struct wsgid_page_map m = map(fd);

	srandom(1);
	for (int i = 0; i < 200; i++) {
		const struct wsgid_worker *w;

		for (size_t k = 0; k < m.size; k++)
			((char *)m.page)[k] = (char)random();
		assert_non_null(memchr(scoreboard_page(s, 0)->io_engine, '\0',
			sizeof(m.page->io_engine)));
		w = scoreboard_workers(s, 0, 1);
		for (const char *c = w->target; *c != '\0';) {
			size_t len = printable_char(str_of(c));

			assert_int_not_equal(len, 0);
			c += len;
		}
		scoreboard_bury(s, 0);
	}
	unmap(&m, fd);
	scoreboard_destroy(s, 1);
}

static void
test_a_hidden_page_has_no_file_and_counts_all_the_same(void **state)
{
	struct scoreboard *s = create(*state);
	int before = renew(s, 0), fd;
	struct wsgid_page_map m;
	struct err err = {0};

	fd = scoreboard_hide_page(s, 0, &err);
	assert_true(fd >= 0);
	assert_int_equal(
		access(directory_path(*state, "site.scoreboard.0"), F_OK), -1);
	m = map(fd);
	m.page->requests = 3;
	assert_int_equal(scoreboard_page(s, 0)->requests, 3);
	close(renew(s, 0));
	assert_int_equal(
		access(directory_path(*state, "site.scoreboard.0"), F_OK), 0);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 3);
	unmap(&m, fd);
	close(before);
	scoreboard_destroy(s, 1);
}

static void
test_a_page_that_lacks_a_descriptor_leaves_no_file(void **state)
{
	struct scoreboard *s = create(*state);
	int next = dup(STDIN_FILENO);
	struct rlimit before, one;
	struct err err = {0};

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	one = (struct rlimit){(rlim_t)next + 1, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &one), 0);
	assert_int_equal(scoreboard_renew_page(s, 0, &err), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(
		access(directory_path(*state, "site.scoreboard.0"), F_OK), -1);
	close(renew(s, 0));
	scoreboard_destroy(s, 1);
}

static void
test_the_childs_flags_are_not_the_masters(void **state)
{
	struct scoreboard *s = create(*state);
	int fd = renew(s, 0);
	struct wsgid_page_map m = map(fd);

	/* With one description, what the master writes would go to the end. */
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	m.page->requests = 3;
	scoreboard_bury(s, 0);
	assert_int_equal(m.page->requests, 0);
	scoreboard_bury(s, 0);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 3);
	unmap(&m, fd);
	scoreboard_destroy(s, 1);
}

/* Which of the things that it must not be able to do it could: a bit each. */
static int
try_everything(const char *dir, int fd)
{
	static const char *const names[] = {
		"site.scoreboard", "site.scoreboard.0", "site.scoreboard.1"};
	struct wsgid_page_map m;
	int could = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *path = directory_path(dir, names[i]);

		if (open(path, O_RDWR) >= 0 || open(path, O_RDONLY) >= 0 ||
			truncate(path, 0) == 0 || unlink(path) == 0)
			could |= 1 << i;
	}
	for (int other = 3; other < 64; other++) {
		char path[64], link[256] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", other);
		if (readlink(path, link, sizeof(link) - 1) > 0 &&
			strstr(link, "/site.scoreboard") != NULL &&
			open(path, O_RDWR) >= 0)
			could |= 8;
	}
	if (scoreboard_map_page(&m, fd, 2, NULL) < 0)
		could |= 16; /* its own page, that it must */
	else
		m.page->requests = 1;
	return could;
}

static void
test_an_unprivileged_child_can_write_its_page_alone(void **state)
{
	struct scoreboard *s;
	int fd, status = -1;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("only root can give up privileges");
	assert_int_equal(chmod(*state, 0755), 0);
	s = create(*state);
	close(renew(s, 1));
	fd = renew(s, 0);
	pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 ||
			setuid(65534) < 0)
			_exit(255);
		_exit(try_everything(*state, fd));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(scoreboard_page(s, 0)->requests, 1);
	close(fd);
	scoreboard_destroy(s, 1);
}

/* --- without a run directory ----------------------------------------------- */

/* The descriptor, or -1, of this process whose file has the name. */
static int
find_memory(const char *name)
{
	char want[64], path[64], link[256];

	snprintf(want, sizeof(want), "/memfd:%s (deleted)", name);
	for (int fd = 0; fd < 256; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (strcmp(link, want) == 0)
			return fd;
	}
	return -1;
}

static void
test_a_board_in_memory_cannot_be_written_by_others(void **state)
{
	struct scoreboard *s = create(NULL);
	int fd = find_memory("site.scoreboard"), again;
	char path[64];

	(void)state;
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	assert_true(again >= 0);
	for (int i = 0; i < 2; i++) {
		int f = i == 0 ? fd : again;

		assert_int_equal(pwrite(f, "x", 1, 0), -1);
		assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_SHARED, f, 0),
			MAP_FAILED);
		assert_int_equal(ftruncate(f, 0), -1);
		assert_int_equal(ftruncate(f, 1 << 20), -1);
		assert_int_equal(
			fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				0, 4096),
			-1);
		assert_int_equal(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE), -1);
	}
	close(again);
	/* and the master still can */
	scoreboard_board(s)->generation = 12;
	scoreboard_process(s, 3)->pid = 5;
	assert_int_equal(scoreboard_board(s)->generation, 12);
	scoreboard_destroy(s, 1);
}

static void
test_a_page_in_memory_keeps_its_size(void **state)
{
	struct scoreboard *s = create(NULL);
	int fd = renew(s, 0);
	struct wsgid_page_map m = map(fd);

	(void)state;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	m.page->requests = 4;
	m.workers[0].state = WSGID_WORKER_READY;
	assert_int_equal(scoreboard_page(s, 0)->requests, 4);
	assert_int_equal(scoreboard_workers(s, 0, 2)[0].state, '_');
	scoreboard_bury(s, 0);
	assert_int_equal(scoreboard_process(s, 0)->past_requests, 4);
	unmap(&m, fd);
	scoreboard_destroy(s, 1);
}

/* --- the child's side ------------------------------------------------------ */

static void
test_only_a_page_of_the_right_size_is_mapped(void **state)
{
	struct scoreboard *s = create(*state);
	int fd = renew(s, 0), ends[2];
	struct wsgid_page_map m;
	struct err err = {0};

	assert_int_equal(scoreboard_map_page(&m, fd, 3, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "different versions"));
	assert_int_equal(pwrite(fd, "X", 1, 0), 1);
	assert_int_equal(scoreboard_map_page(&m, fd, 2, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "does not begin with wsgidPG"));
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(scoreboard_map_page(&m, ends[0], 2, &err), -EBADMSG);
	close(ends[0]);
	assert_int_equal(scoreboard_map_page(&m, ends[0], 2, &err), -EBADF);
	assert_int_equal(scoreboard_map_page(&m, fd, 0, &err), -EINVAL);
	close(ends[1]);
	close(fd);
	scoreboard_destroy(s, 1);
}

/* As in an upgrade: the old master goes on, or the new one takes its place. */
static struct scoreboard *
create_successor(const char *dir, pid_t predecessor)
{
	struct scoreboard *s = NULL;
	struct err err = {0};

	if (scoreboard_create(&s,
		    &(struct scoreboard_order){.dir = dir,
			    .name = "site",
			    .processes = 2,
			    .workers = 2,
			    .predecessor = predecessor},
		    &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static unsigned
generation_seen(const char *dir)
{
	struct scoreboard_view *view = NULL;
	struct wsgid_board board;
	struct err err = {0};

	if (scoreboard_open(
		    &view, directory_path(dir, "site.scoreboard"), &err) < 0)
		fail_msg("%s", err.text);
	scoreboard_read_board(view, &board);
	scoreboard_close(view);
	return board.generation;
}

static void
test_a_successor_shows_itself_only_when_it_is_published(void **state)
{
	const char *dir = *state;
	struct scoreboard *old = create(dir), *s;
	struct err err = {0};

	close(renew(old, 0));
	close(renew(old, 1));
	scoreboard_board(old)->generation = 1;
	s = create_successor(dir, 4711);
	close(renew(s, 1));
	scoreboard_board(s)->generation = 2;
	assert_true(directory_has(dir, "site.scoreboard.1"));
	assert_int_equal(generation_seen(dir), 1);

	assert_int_equal(scoreboard_publish(s, &err), 0);
	assert_int_equal(generation_seen(dir), 2);
	scoreboard_destroy(old, 1);
	assert_true(directory_has(dir, "site.scoreboard.1"));
	assert_false(directory_has(dir, "site.scoreboard.0"));
	assert_int_equal(directory_count(dir), 2);
	close(renew(s, 0));
	assert_true(directory_has(dir, "site.scoreboard.0"));
	scoreboard_destroy(s, 1);
	assert_int_equal(directory_count(dir), 0);
}

static void
test_what_a_successor_that_was_killed_left_is_removed(void **state)
{
	const char *dir = *state;
	struct scoreboard *old = create(dir), *s;

	for (int i = 0; i < 2; i++) {
		s = create_successor(dir, 4711);
		close(renew(s, 1));
		assert_int_equal(directory_count(dir), 3);
		scoreboard_destroy(s, 0);
	}
	scoreboard_sweep_successor(old);
	assert_int_equal(directory_count(dir), 1);
	scoreboard_destroy(create_successor(dir, 4711), 0);
	assert_int_equal(directory_count(dir), 2);
	/* As after the end of both. */
	scoreboard_destroy(old, 0);
	old = create(dir);
	assert_int_equal(directory_count(dir), 1);
	scoreboard_destroy(old, 1);
}

static void
test_a_successor_takes_no_strangers_file(void **state)
{
	AUTO_FREE char *file = strdup(directory_path(*state, "board"));
	struct scoreboard_order order = {
		.file = file,
		.name = "site",
		.processes = 2,
		.workers = 1,
	};
	struct scoreboard *stranger = NULL, *s = NULL;
	struct err err = {0};

	assert_int_equal(scoreboard_create(&stranger, &order, &err), 0);
	scoreboard_board(stranger)->master_pid = 1234;
	order.predecessor = 4711;
	assert_int_equal(scoreboard_create(&s, &order, &err), -EWOULDBLOCK);
	assert_int_equal(directory_count(*state), 1);
	scoreboard_destroy(stranger, 1);
	/* Nobody's is claimed, and given back when it comes to nothing. */
	assert_int_equal(scoreboard_create(&s, &order, &err), 0);
	assert_int_equal(directory_count(*state), 2);
	scoreboard_destroy(s, 1);
	assert_int_equal(directory_count(*state), 0);
}

#define WITH_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, directory_make, directory_remove)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(test_a_new_board_tells_where_everything_is),
		WITH_DIRECTORY(test_files_are_the_masters_whatever_the_umask),
		WITH_DIRECTORY(test_what_a_killed_server_left_is_replaced),
		WITH_DIRECTORY(test_symbolic_links_are_not_followed),
		WITH_DIRECTORY(test_a_successors_files_are_not_removed),
		WITH_DIRECTORY(
			test_a_successor_shows_itself_only_when_it_is_published),
		WITH_DIRECTORY(
			test_what_a_successor_that_was_killed_left_is_removed),
		WITH_DIRECTORY(test_a_successor_takes_no_strangers_file),
		WITH_DIRECTORY(test_what_cannot_be_made_is_explained),
		WITH_DIRECTORY(test_a_directory_that_is_not_there_is_named),
		WITH_DIRECTORY(test_a_directory_in_the_way_is_named),
		WITH_DIRECTORY(test_a_file_elsewhere_is_found_by_a_link),
		WITH_DIRECTORY(test_a_file_in_the_run_directory_needs_no_link),
		WITH_DIRECTORY(
			test_a_file_that_a_running_server_has_is_refused),
		WITH_DIRECTORY(test_a_successor_takes_the_file_over),
		WITH_DIRECTORY(test_a_file_that_is_no_scoreboard_is_left_alone),
		WITH_DIRECTORY(test_the_master_sees_what_the_child_writes),
		WITH_DIRECTORY(test_totals_survive_the_childs_death),
		WITH_DIRECTORY(test_a_childs_page_is_not_its_successors),
		WITH_DIRECTORY(test_absurd_counts_do_not_turn_totals_back),
		WITH_DIRECTORY(
			test_a_page_cut_short_reads_as_zeroes_and_is_mended),
		WITH_DIRECTORY(
			test_a_child_that_cuts_its_page_all_the_time_hurts_nobody),
		cmocka_unit_test(test_in_memory_it_hurts_nobody_either),
		WITH_DIRECTORY(
			test_random_bytes_in_a_page_are_shown_harmlessly),
		WITH_DIRECTORY(
			test_a_hidden_page_has_no_file_and_counts_all_the_same),
		WITH_DIRECTORY(
			test_a_page_that_lacks_a_descriptor_leaves_no_file),
		WITH_DIRECTORY(test_the_childs_flags_are_not_the_masters),
		WITH_DIRECTORY(
			test_an_unprivileged_child_can_write_its_page_alone),
		cmocka_unit_test(
			test_a_board_in_memory_cannot_be_written_by_others),
		cmocka_unit_test(test_a_page_in_memory_keeps_its_size),
		WITH_DIRECTORY(test_only_a_page_of_the_right_size_is_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
