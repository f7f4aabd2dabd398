/*
 * test_buckets.c - who waits for the clients of which bucket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "config/config.h"
#include "fixture.h"
#include "master/buckets.h"
#include "master/child.h"
#include "master/generation.h"
#include "mpm/mpm.h"
#include "net/address.h"
#include "net/listen.h"

enum { CLIENTS = 100 };

/* The clients say nothing. */
static struct generation *
create(struct fixture *f, const char *listens, const struct generation *before)
{
	static const char filter[] = "AcceptFilter http none\n";
	struct config *c = config_create();
	struct generation *g = NULL;
	struct err err = {0};

	assert_int_equal(config_read_text(c, "filter.conf", filter,
				 strlen(filter)),
		0);
	assert_int_equal(
		config_read_text(c, "test.conf", listens, strlen(listens)), 0);
	assert_int_equal(
		config_settle(c, &(struct config_machine){.cpus = 2}), 0);
	if (generation_create(&g, &f->m, c, before, &err) < 0)
		fail_msg("%s", err.text);
	return g;
}

static bool
is_same_socket(int a, int b)
{
	struct stat x, y;

	assert_int_equal(fstat(a, &x), 0);
	assert_int_equal(fstat(b, &y), 0);
	return x.st_ino == y.st_ino;
}

/* Children of the fixture's generation, which has been replaced by g. */
static struct child *
child_of(struct fixture *f, const struct generation *g, unsigned slot)
{
	struct child *c = fixture_child(f, slot, LIFECYCLE_READY);

	c->generation = g->number;
	return c;
}

static int
setup(void **state)
{
	int rc = fixture_make(state);
	struct fixture *f = *state;

	if (rc == 0)
		f->m.n_buckets = 2;
	return rc;
}

/* Clients until some wait in both sockets; how many that are. */
static int
connect_clients(const struct generation *g, int fds[CLIENTS])
{
	const struct address *a = &g->listeners[0].address;

	for (int i = 0; i < CLIENTS; i++) {
		struct pollfd p[2] = {
			{.fd = g->listeners[0].fd, .events = POLLIN},
			{.fd = g->listeners[1].fd, .events = POLLIN},
		};

		if (poll(p, 2, 0) == 2)
			return i;
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], &a->any, a->len), 0);
	}
	fail_msg("all of %d clients were dealt to one socket", CLIENTS);
	return 0;
}

/* How many of the clients a child that waits on this set can accept. */
static int
count_clients(const struct generation *g, unsigned bucket)
{
	int fds[2] = {g->listeners[0].fd, g->listeners[1].fd};
	int n = 0, fd;
	size_t from;

	while ((fd = listen_accept_from_set(
			g->bucket_sets[bucket], fds, 2, &from)) >= 0) {
		close(fd);
		n++;
	}
	return n;
}

static void
test_an_address_has_a_socket_in_each_bucket(void **state)
{
	struct fixture *f = *state;
	struct generation *a = create(f, "Listen 127.0.0.1:0\n", NULL);
	struct generation *b;

	assert_int_equal(a->n_listeners, 2);
	assert_false(is_same_socket(a->listeners[0].fd, a->listeners[1].fd));
	assert_int_equal(address_port(&a->listeners[0].address),
		address_port(&a->listeners[1].address));
	/* And keeps them. */
	b = create(f, "Listen 127.0.0.1:0\nListen 127.0.0.2:0\n", a);
	assert_int_equal(b->n_listeners, 4);
	assert_true(is_same_socket(a->listeners[0].fd, b->listeners[0].fd));
	assert_true(is_same_socket(a->listeners[1].fd, b->listeners[1].fd));
	generation_destroy(a);
	generation_destroy(b);
}

static void
test_a_socket_file_is_in_every_bucket(void **state)
{
	struct fixture *f = *state;
	char text[200];
	struct generation *g;

	snprintf(text, sizeof(text), "Listen 127.0.0.1:0\nListen unix:%s\n",
		fixture_path(f, "a.sock"));
	g = create(f, text, NULL);
	assert_int_equal(g->n_listeners, 3);
	assert_int_equal(g->buckets[0], 0);
	assert_int_equal(g->buckets[1], 1);
	assert_int_equal(g->buckets[2], EVERY_BUCKET);
	generation_destroy(g);
}

static void
test_the_clients_of_a_bucket_are_its_childrens(void **state)
{
	struct fixture *f = *state;
	struct generation *g = create(f, "Listen 127.0.0.1:0\n", NULL);
	int fds[CLIENTS], n;

	f->m.now = g;
	(void)child_of(f, g, 0);
	(void)child_of(f, g, 1);
	buckets_turn(&f->m);
	n = connect_clients(g, fds);
	assert_in_range(count_clients(g, 0), 1, n - 1);
	assert_in_range(count_clients(g, 1), 1, n - 1);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	f->m.now = &f->generation;
	generation_destroy(g);
}

static void
test_a_bucket_without_a_child_strands_nobody(void **state)
{
	struct fixture *f = *state;
	struct generation *g = create(f, "Listen 127.0.0.1:0\n", NULL);
	int fds[CLIENTS], n;
	struct child *only = child_of(f, g, 1);

	f->m.now = g;
	buckets_turn(&f->m);
	n = connect_clients(g, fds);
	assert_int_equal(count_clients(g, 1), n);
	for (int i = 0; i < n; i++)
		close(fds[i]);

	/* Until it has one again. */
	(void)child_of(f, g, 4);
	buckets_turn(&f->m);
	n = connect_clients(g, fds);
	assert_in_range(count_clients(g, 1), 1, n - 1);
	assert_in_range(count_clients(g, 0), 1, n - 1);
	for (int i = 0; i < n; i++)
		close(fds[i]);

	/* Who drains waits for nobody. */
	child_happened(&f->m, only, LIFECYCLE_TOLD_TO_RETIRE);
	buckets_turn(&f->m);
	n = connect_clients(g, fds);
	assert_int_equal(count_clients(g, 0), n);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	f->m.now = &f->generation;
	generation_destroy(g);
}

static void
test_a_child_is_started_where_the_fewest_are(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(buckets_neediest(&f->m, 1), 0);
	(void)fixture_child(f, 0, LIFECYCLE_STARTING);
	assert_int_equal(buckets_neediest(&f->m, 1), 1);
	(void)fixture_child(f, 3, LIFECYCLE_READY);
	assert_int_equal(buckets_neediest(&f->m, 1), 0);
	/* One that asks to be replaced will not stay. */
	fixture_child(f, 2, LIFECYCLE_READY)->wants_retire = true;
	(void)fixture_child(f, 5, LIFECYCLE_READY);
	assert_int_equal(buckets_neediest(&f->m, 1), 0);
	/* Another generation's are another's. */
	assert_int_equal(buckets_neediest(&f->m, 2), 0);
	fixture_child(f, 4, LIFECYCLE_STARTING)->generation = 2;
	assert_int_equal(buckets_neediest(&f->m, 2), 1);
}

static void
test_the_last_child_of_a_bucket_is_not_retired(void **state)
{
	struct fixture *f = *state;
	struct child *first = fixture_child(f, 0, LIFECYCLE_READY);
	struct child *other = fixture_child(f, 1, LIFECYCLE_READY);
	struct child *third = fixture_child(f, 2, LIFECYCLE_READY);

	assert_true(buckets_can_spare(&f->m, first));
	assert_true(buckets_can_spare(&f->m, third));
	assert_false(buckets_can_spare(&f->m, other));
	/* Without buckets anybody may go. */
	f->m.n_buckets = 1;
	assert_true(buckets_can_spare(&f->m, other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_MASTER(test) \
	cmocka_unit_test_setup_teardown(test, setup, fixture_remove)
		WITH_MASTER(test_an_address_has_a_socket_in_each_bucket),
		WITH_MASTER(test_a_socket_file_is_in_every_bucket),
		WITH_MASTER(test_the_clients_of_a_bucket_are_its_childrens),
		WITH_MASTER(test_a_bucket_without_a_child_strands_nobody),
		WITH_MASTER(test_a_child_is_started_where_the_fewest_are),
		WITH_MASTER(test_the_last_child_of_a_bucket_is_not_retired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
