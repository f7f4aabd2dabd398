/*
 * test_fdstore.c - which of the descriptors that systemd has kept are used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "fixture.h"
#include "master/fdstore.h"

static int
make(void **state)
{
	unsetenv("NOTIFY_SOCKET"); /* nobody is told */
	return fixture_make(state);
}

static int
clean(void **state)
{
	struct fixture *f = *state;

	fdstore_close(&f->m);
	generation_destroy(f->m.before);
	return fixture_remove(state);
}

static int
listening(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* It is asked for as "127.0.0.1:0". */
static void
test_a_listener_is_known_by_its_name_and_by_no_broken_one(void **state)
{
	static const struct {
		const char *name;
		bool used;
	} rows[] = {
		{"wsgid.listen.-1.127.0.0.1%3a0", true},
		{"wsgid.listen.-1.127.0.0.1%3A%30", true},
		{"wsgid.listen.-1.127.0.0.1%3a1", false},
		{"wsgid.listen.-1.127.0.0.1%3", false},
		{"wsgid.listen.-1.127.0.0.1%", false},
		{"wsgid.listen.-1.127.0.0.1%3a%", false},
		{"wsgid.listen.-1.127.0.0.1%3a%3", false},
		{"wsgid.listen.-1.127.0.0.1%3a% 0", false},
		{"wsgid.listen.-1.127.0.0.1%0x0", false},
		{"wsgid.listen.-1.127.0.0.1%3a0%+0", false},
		{"wsgid.listen.-1.127.0.0.1%3a0%00", false},
		{"wsgid.listen.-1.", false},
		{"wsgid.listen.1.127.0.0.1%3a0", false},
		{"wsgid.listen.127.0.0.1%3a0", false},
	};
	struct fixture *f = *state;
	struct err err = {0};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(fdstore_is_ours(rows[i].name));
		assert_int_equal(
			fdstore_take(&f->m, listening(), rows[i].name, &err), 0);
	}
	assert_int_equal(
		fdstore_restore(&f->m, f->generation.config, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!rows[i].used)
			continue;
		assert_true(n < f->m.store.n);
		assert_string_equal(f->m.before->asked[n], "127.0.0.1:0");
		n++;
	}
	assert_int_equal(f->m.store.n, n);
	assert_int_equal(f->m.before->n_listeners, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_listener_is_known_by_its_name_and_by_no_broken_one,
			make, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
