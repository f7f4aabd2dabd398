/*
 * test_generation.c - what one generation passes on to the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "config/config.h"
#include "fixture.h"
#include "master/generation.h"
#include "net/address.h"
#include "net/listen.h"

static struct config *
configure(const char *format, const char *dir)
{
	struct config *c = config_create();
	char text[512];

	snprintf(text, sizeof(text), format, dir, dir);
	assert_int_equal(
		config_read_text(c, "test.conf", text, strlen(text)), 0);
	assert_int_equal(
		config_settle(c, &(struct config_machine){.cpus = 2}), 0);
	return c;
}

static struct generation *
create(struct fixture *f, const char *format, const struct generation *before)
{
	struct generation *g = NULL;
	struct err err = {0};
	int rc = generation_create(
		&g, &f->m, configure(format, f->dir), before, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	return g;
}

/* Equal inodes of sockets mean the same socket. */
static bool
is_same_socket(int a, int b)
{
	struct stat x, y;

	assert_int_equal(fstat(a, &x), 0);
	assert_int_equal(fstat(b, &y), 0);
	return x.st_ino == y.st_ino;
}

static void
test_an_unchanged_address_keeps_its_socket(void **state)
{
	struct fixture *f = *state;
	struct generation *a =
		create(f, "Listen 127.0.0.1:0\nListen unix:%s/a.sock\n", NULL);
	struct generation *b =
		create(f, "Listen unix:%s/b.sock\nListen 127.0.0.1:0\n", a);

	assert_int_equal(a->n_listeners, 2);
	assert_int_equal(b->n_listeners, 2);
	assert_true(is_same_socket(a->listeners[0].fd, b->listeners[1].fd));
	assert_int_equal(address_port(&a->listeners[0].address),
		address_port(&b->listeners[1].address));
	assert_int_equal(b->number, a->number + 1);
	assert_true(b->set >= 0);
	generation_succeed(b, a);
	generation_destroy(a);
	assert_int_equal(access(fixture_path(f, "a.sock"), F_OK), -1);
	assert_int_equal(access(fixture_path(f, "b.sock"), F_OK), 0);
	generation_destroy(b);
	assert_int_equal(access(fixture_path(f, "b.sock"), F_OK), -1);
}

static void
test_a_candidate_that_is_given_up_takes_nothing_away(void **state)
{
	struct fixture *f = *state;
	struct generation *a = create(f, "Listen unix:%s/a.sock\n", NULL);
	struct generation *b = create(f, "Listen unix:%s/a.sock\n", a);

	generation_destroy(b);
	assert_int_equal(access(fixture_path(f, "a.sock"), F_OK), 0);
	b = create(f, "Listen unix:%s/a.sock\n", a);
	generation_succeed(b, a);
	generation_destroy(a);
	assert_int_equal(access(fixture_path(f, "a.sock"), F_OK), 0);
	generation_destroy(b);
	assert_int_equal(access(fixture_path(f, "a.sock"), F_OK), -1);
}

static void
test_one_listener_needs_no_set(void **state)
{
	struct fixture *f = *state;
	struct generation *g = create(f, "Listen 127.0.0.1:0\n", NULL);

	assert_int_equal(g->set, -1);
	generation_destroy(g);
}

static void
test_a_child_cannot_change_the_configuration(void **state)
{
	struct fixture *f = *state;
	struct generation *g = create(f,
		"MaxRequestWorkers 3\n"
		"Listen unix:%s/a.sock\n",
		NULL);
	char path[64];
	int fd;

	assert_int_equal(pwrite(g->config_fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(g->config_fd, 0), -1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", g->config_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
		assert_ptr_equal(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0),
			MAP_FAILED);
		close(fd);
	}
	generation_destroy(g);
}

static void
test_a_child_reads_the_same_configuration(void **state)
{
	struct fixture *f = *state;
	struct generation *g = create(f,
		"MaxRequestWorkers 3\nCustomLog \"%s/a b\" common\n"
		"Listen unix:%s/a.sock\n",
		NULL);
	struct config *c = config_create();
	AUTO_FREE char *text = NULL;
	size_t len;

	assert_int_equal(fd_read_whole(g->config_fd, 1 << 20, &text, &len), 0);
	assert_int_equal(config_read_text(c, "memfd", text, len), 0);
	assert_int_equal(
		config_settle(c, &(struct config_machine){.cpus = 99}), 0);
	assert_null(config_message(c, 0));
	assert_int_equal(c->max_request_workers, 3);
	assert_int_equal(c->n_access_logs, 1);
	assert_int_equal(g->n_logs, 1);
	assert_string_equal(c->access_logs[0].target, fixture_path(f, "a b"));
	config_destroy(c);
	generation_destroy(g);
}

static void
test_what_fails_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct config *c = configure("Listen unix:%s/a.sock\n"
				     "ErrorLog %s/none/log\n",
		f->dir);
	struct generation *g = NULL;
	unsigned number = f->m.last_generation;
	struct err err = {0};

	assert_int_equal(generation_create(&g, &f->m, c, NULL, &err), -ENOENT);
	assert_null(g);
	assert_non_null(strstr(err.text, "ErrorLog"));
	assert_int_equal(access(fixture_path(f, "a.sock"), F_OK), -1);
	assert_int_equal(f->m.last_generation, number);
	config_destroy(c);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_unchanged_address_keeps_its_socket),
		TEST(test_a_candidate_that_is_given_up_takes_nothing_away),
		TEST(test_one_listener_needs_no_set),
		TEST(test_a_child_cannot_change_the_configuration),
		TEST(test_a_child_reads_the_same_configuration),
		TEST(test_what_fails_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
