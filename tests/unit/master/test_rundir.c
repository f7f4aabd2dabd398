/*
 * test_rundir.c - what an upgrade in place leaves under the names of before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "fixture.h"
#include "master/heritage.h"
#include "master/rundir.h"

static const char *const names[] = {"old.pid", "old.ctl", "old.scoreboard",
	"old.scoreboard.0", "old.scoreboard.17", "other.pid", "other.ctl",
	"older.scoreboard.0", "old.log"};

enum { THEIRS = 5 }; /* the first ones */

static int
put(struct fixture *f, const char *name)
{
	int fd =
		open(fixture_path(f, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static bool
is_there(struct fixture *f, const char *name)
{
	return access(fixture_path(f, name), F_OK) == 0;
}

static void
leave(struct fixture *f, struct heritage *h)
{
	heritage_init(h);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		close(put(f, names[i]));
	h->own = (struct heritage_file){
		put(f, "old.pid"), strdup(fixture_path(f, "old.pid"))};
	h->named = (struct heritage_file){
		put(f, "pid"), strdup(fixture_path(f, "pid"))};
}

static void
test_the_files_of_other_names_are_removed(void **state)
{
	struct fixture *f = *state;
	struct heritage h;

	leave(f, &h);
	rundir_remove_left(&h);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(is_there(f, names[i]), i >= THEIRS);
	assert_false(is_there(f, "pid"));
	heritage_fini(&h);
}

static void
test_files_that_others_have_put_in_their_place_stay(void **state)
{
	struct fixture *f = *state;
	struct heritage h;

	leave(f, &h);
	unlink(fixture_path(f, "old.pid"));
	unlink(fixture_path(f, "pid"));
	close(put(f, "old.pid"));
	close(put(f, "pid"));
	rundir_remove_left(&h);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(is_there(f, names[i]));
	assert_true(is_there(f, "pid"));
	heritage_fini(&h);
}

static void
test_files_that_were_taken_stay(void **state)
{
	struct fixture *f = *state;
	struct heritage h;

	leave(f, &h);
	close(h.own.fd);
	close(h.named.fd);
	h.own.fd = h.named.fd = -1;
	rundir_remove_left(&h);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(is_there(f, names[i]));
	heritage_fini(&h);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_files_of_other_names_are_removed),
		TEST(test_files_that_others_have_put_in_their_place_stay),
		TEST(test_files_that_were_taken_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
