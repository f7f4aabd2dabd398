/*
 * test_libraries.c - another Python is told of once, and looked for only when
 * something was loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "child/libraries.h"
#include "net/channel.h"
#include "python/app.h"

/* What this process has loaded, as Python's side would see it. */
static unsigned long long loaded;
static int found, checks;

unsigned long long
app_libraries_loaded(void)
{
	return loaded;
}

int
app_check_libraries(bool has_own, char *library, size_t size, struct err *err)
{
	assert_true(has_own);
	checks++;
	snprintf(library, size, "/lib/libpython3.8.so.1.0");
	return found < 0 ? err_setx(err, -found, "there are two") : found;
}

static void
test_nothing_is_looked_for_until_something_is_loaded(void **state)
{
	struct libraries l;
	struct err err = {0};

	(void)state;
	found = checks = 0;
	loaded = 7;
	libraries_init(&l, true, -1);
	assert_int_equal(libraries_check(&l, &err), 0);
	libraries_look(&l);
	assert_int_equal(checks, 1);
	loaded = 8;
	libraries_look(&l);
	libraries_look(&l);
	assert_int_equal(checks, 2);
	libraries_look(NULL);
}

static void
test_the_master_hears_once_that_the_shared_library_is_needed(void **state)
{
	struct channel_message message;
	struct libraries l;
	struct err err = {0};
	int channel[2];

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, channel),
		0);
	found = 1;
	libraries_init(&l, true, channel[1]);
	assert_int_equal(libraries_check(&l, &err), 0);
	loaded++;
	libraries_look(&l);
	assert_int_equal(channel_receive(channel[0], &message), 1);
	assert_int_equal(message.kind, CHANNEL_NEEDS_SHARED);
	assert_string_equal(message.text, "/lib/libpython3.8.so.1.0");
	assert_int_equal(channel_receive(channel[0], &message), -EAGAIN);
	close(channel[0]);
	close(channel[1]);
}

static void
test_another_version_is_refused_at_the_import_and_told_once_later(void **state)
{
	struct libraries l;
	struct err err = {0};

	(void)state;
	found = -EEXIST;
	libraries_init(&l, true, -1);
	assert_int_equal(libraries_check(&l, &err), -EEXIST);
	assert_string_equal(err.text, "there are two");
	assert_false(atomic_load(&l.told));
	for (int i = 0; i < 2; i++) {
		loaded++;
		libraries_look(&l);
		assert_true(atomic_load(&l.told));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_nothing_is_looked_for_until_something_is_loaded),
		cmocka_unit_test(
			test_the_master_hears_once_that_the_shared_library_is_needed),
		cmocka_unit_test(
			test_another_version_is_refused_at_the_import_and_told_once_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
