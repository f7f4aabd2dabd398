/*
 * test_posixsem.c - deaths at each step of a semaphore without a holder.
 *
 * The steps are too close together to be hit by a signal; so the shared
 * memory is put into the state that a death would leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "lock/accept_mutex.h"
#include "processes.h"

enum { DEAD = 4000000, OTHER, EARLY = 16 };

/* As in posixsem.c, which keeps it to itself. */
struct content {
	char name[EARLY];
	sem_t tokens;
	pid_t holder;
};

static struct accept_mutex *
make(struct content **content)
{
	const struct accept_mutex_settings settings = {
		.mechanism = "posixsem",
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};
	struct accept_mutex *m;
	int fd;

	assert_int_equal(accept_mutex_create(&m, &settings, NULL), 0);
	fd = accept_mutex_export(m);
	*content = mmap(NULL, sizeof(**content), PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);
	assert_ptr_not_equal(*content, MAP_FAILED);
	close(fd);
	return m;
}

static void
test_a_death_at_any_step_keeps_nobody_out(void **state)
{
	static const struct {
		const char *died;
		int tokens;
		pid_t holder;
	} table[] = {
		{"before it took the token", 1, 0},
		{"with the token, not yet holder", 0, 0},
		{"as the holder", 0, DEAD},
		{"no holder any more, the token not given", 0, 0},
		{"as the holder, with a token too many", 1, DEAD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct content *content;
		struct accept_mutex *m = make(&content);
		int64_t before = clock_monotonic_ns();

		assert_int_equal(sem_trywait(&content->tokens), 0);
		if (table[i].tokens > 0)
			sem_post(&content->tokens);
		content->holder = table[i].holder;
		accept_mutex_bury(m, DEAD);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(accept_mutex_lock(m), 0);
			assert_int_equal(accept_mutex_unlock(m), 0);
		}
		if (clock_monotonic_ns() - before > (int64_t)SOON * 1000000)
			fail_msg("%s: it takes too long", table[i].died);
		munmap(content, sizeof(*content));
		accept_mutex_destroy(m);
	}
}

static void
test_a_token_too_many_lets_nobody_in(void **state)
{
	struct content *content;
	struct accept_mutex *m = make(&content);
	const struct role role = {"hold", "posixsem", "", -1, false};
	struct process waiter;

	(void)state;
	assert_int_equal(accept_mutex_lock(m), 0);
	waiter = process_start(m, &role);
	assert_true(process_says(&waiter, 'w', SOON));
	accept_mutex_bury(m, OTHER);
	for (int i = 0; i < 3; i++)
		sem_post(&content->tokens);
	assert_false(process_says(&waiter, 'h', 20));
	assert_int_equal(accept_mutex_unlock(m), 0);
	assert_true(process_says(&waiter, 'h', SOON));
	process_kill(&waiter);
	munmap(content, sizeof(*content));
	accept_mutex_destroy(m);
}

static void
test_only_the_holder_lets_go(void **state)
{
	struct content *content;
	struct accept_mutex *m = make(&content);
	struct err err = {0};

	(void)state;
	assert_int_equal(accept_mutex_unlock(m), -EPERM);
	assert_int_equal(accept_mutex_explain(m, -EPERM, &err), -EPERM);
	assert_non_null(strstr(err.text, "overwritten"));
	munmap(content, sizeof(*content));
	accept_mutex_destroy(m);
}

static void
test_random_bytes_do_not_harm_the_master(void **state)
{
	struct content *content;
	struct accept_mutex *m = make(&content);
	const pid_t dead = DEAD;

	(void)state;
	for (int byte = 1; byte < 256; byte += 2) {
		memset(content, byte, sizeof(*content));
		accept_mutex_bury(m, DEAD);
		memcpy(&content->holder, &dead, sizeof(dead));
		accept_mutex_bury(m, DEAD);
		assert_int_equal(content->holder, 0);
	}
	munmap(content, sizeof(*content));
	accept_mutex_destroy(m);
}

/* Whoever waits would otherwise take one after the other, for minutes. */
static void
test_tokens_without_end_are_told_as_overwritten(void **state)
{
	struct content *content;
	struct accept_mutex *m = make(&content);
	struct err err = {0};

	(void)state;
	assert_int_equal(sem_init(&content->tokens, 1, SEM_VALUE_MAX), 0);
	content->holder = OTHER;
	assert_int_equal(accept_mutex_lock(m), -EINVAL);
	assert_int_equal(accept_mutex_explain(m, -EINVAL, &err), -EINVAL);
	assert_non_null(strstr(err.text, "overwritten"));
	munmap(content, sizeof(*content));
	accept_mutex_destroy(m);
}

static void
test_nobody_can_shrink_the_memory(void **state)
{
	struct content *content;
	struct accept_mutex *m = make(&content);
	int fd = accept_mutex_export(m);

	(void)state;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	close(fd);
	munmap(content, sizeof(*content));
	accept_mutex_destroy(m);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_death_at_any_step_keeps_nobody_out),
		cmocka_unit_test(test_a_token_too_many_lets_nobody_in),
		cmocka_unit_test(test_only_the_holder_lets_go),
		cmocka_unit_test(test_random_bytes_do_not_harm_the_master),
		cmocka_unit_test(
			test_tokens_without_end_are_told_as_overwritten),
		cmocka_unit_test(test_nobody_can_shrink_the_memory),
	};

	process_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
