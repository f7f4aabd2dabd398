/*
 * test_instance.c - which server is meant, by the files that servers leave.
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "config/config.h"
#include "server.h"
#include "wsgictl/command.h"
#include "wsgictl/instance.h"

static struct instances
find(const struct command *c)
{
	struct instances l;
	struct err err = {0};

	assert_int_equal(instances_find(&l, c, &err), 0);
	return l;
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
test_a_lock_means_that_it_runs(void **state)
{
	struct command c = {.run_directory = *state};
	int fd = server_pid_file(*state, "shop", 1);
	struct instances l = find(&c);

	assert_int_equal(l.n, 1);
	assert_string_equal(l.list[0].name, "shop");
	assert_int_equal(l.list[0].state, INSTANCE_RUNNING);
	assert_int_equal(l.list[0].pid, getpid());
	assert_true(l.list[0].has_pid_file);
	assert_false(l.list[0].stopped);
	instances_fini(&l);
	close(fd);
	l = find(&c);
	assert_int_equal(l.list[0].state, INSTANCE_DEAD);
	assert_int_equal(l.list[0].pid, 0);
	instances_fini(&l);
}

static void
test_without_a_pid_file_the_scoreboard_tells(void **state)
{
	static const struct {
		bool ours;      /* the pid on the board is of a process */
		int64_t age_us; /* how long ago it was written */
		enum instance_state state;
	} cases[] = {
		{true, 0, INSTANCE_RUNNING},
		/* A process that is younger has only got the number. */
		{true, INT64_C(90000) * 86400 * 1000, INSTANCE_DEAD},
		{false, 0, INSTANCE_DEAD},
	};
	struct command c = {.run_directory = *state};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t when = clock_real_us() - cases[i].age_us;
		struct scoreboard *s = server_board(*state, "shop",
			cases[i].ours ? getpid() : 1 << 29,
			when > 0 ? when : 1);
		struct instances l = find(&c);

		assert_int_equal(l.n, 1);
		assert_int_equal(l.list[0].state, cases[i].state);
		assert_int_equal(l.list[0].pid,
			cases[i].state == INSTANCE_RUNNING ? getpid() : 0);
		assert_false(l.list[0].has_pid_file);
		instances_fini(&l);
		scoreboard_destroy(s, 1);
	}
}

static void
test_other_files_are_nobodys(void **state)
{
	static const char *const names[] = {"shop.conf", ".pid",
		".shop.pid.new", "shop.scoreboard.0", "pid", ".shop.pid",
		"shop.pidx"};
	struct command c = {.run_directory = *state};
	struct instances l;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		write_file(server_path(*state, names[i]), "1\n");
	l = find(&c);
	assert_int_equal(l.n, 0);
	instances_fini(&l);
}

static void
test_the_one_that_runs_is_meant(void **state)
{
	struct command c = {.run_directory = *state};
	int dead = server_pid_file(*state, "a", 0);
	int alive = server_pid_file(*state, "b", 1);
	int other = server_pid_file(*state, "c", 0);
	struct err err = {0};
	struct instances l = find(&c);
	const struct instance *i = instances_choose(&l, &err);

	assert_non_null(i);
	assert_string_equal(i->name, "b");
	instances_fini(&l);

	c.name = "c";
	l = find(&c);
	i = instances_choose(&l, &err);
	assert_string_equal(i->name, "c");
	assert_int_equal(i->state, INSTANCE_DEAD);
	instances_fini(&l);
	close(dead);
	close(alive);
	close(other);
}

static void
test_several_are_listed(void **state)
{
	struct command c = {.run_directory = *state};
	int one = server_pid_file(*state, "one", 1);
	int two = server_pid_file(*state, "two", 1);
	int dead = server_pid_file(*state, "dead", 0);
	struct err err = {0};
	struct instances l = find(&c);

	assert_null(instances_choose(&l, &err));
	assert_int_equal(err.code, E2BIG);
	assert_non_null(strstr(err.text, "\n  one "));
	assert_non_null(strstr(err.text, "\n  two "));
	assert_null(strstr(err.text, "dead"));
	instances_fini(&l);
	close(one);
	close(two);
	l = find(&c);
	assert_null(instances_choose(&l, &err));
	assert_int_equal(err.code, ESRCH);
	assert_non_null(strstr(err.text, "\n  dead "));
	instances_fini(&l);
	close(dead);
}

static void
test_none_is_said_with_where(void **state)
{
	struct command c = {
		.run_directory = "/nonexistent/run",
		.name = "shop",
	};
	struct err err = {0};
	struct instances l = find(&c);

	(void)state;
	assert_null(instances_choose(&l, &err));
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.text,
		"no server was found; looked for shop.pid, .ctl and "
		".scoreboard in /nonexistent/run (there is none)");
	instances_fini(&l);
}

static void
test_a_configuration_leads_there(void **state)
{
	char text[512], path[256];
	struct command c = {.config_file = path};
	int fd;
	struct instances l;

	snprintf(path, sizeof(path), "%s/site.conf", (char *)*state);
	/* A mistake is no reason not to find it. */
	snprintf(text, sizeof(text),
		"Nonsense\nRunDirectory %s\nPidFile %s/x.pid\n", (char *)*state,
		(char *)*state);
	write_file(path, text);
	fd = server_pid_file(*state, "x", 1);
	l = find(&c);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.list[0].name, "site");
	assert_int_equal(l.list[0].state, INSTANCE_RUNNING);
	assert_string_equal(l.list[0].control, server_path(*state, "site.ctl"));
	instances_fini(&l);
	close(fd);
}

static void
test_the_environment_leads_there(void **state)
{
	struct command c = {0};
	int fd = server_pid_file(*state, "shop", 1);
	struct instances l;

	setenv("WSGID_RUN_DIRECTORY", *state, 1);
	l = find(&c);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.list[0].name, "shop");
	instances_fini(&l);
	unsetenv("WSGID_RUN_DIRECTORY");
	/* As a unit of systemd has it: the usual places come later. */
	setenv("RUNTIME_DIRECTORY", *state, 1);
	l = find(&c);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.list[0].directory, *state);
	instances_fini(&l);
	unsetenv("RUNTIME_DIRECTORY");
	close(fd);
}

static void
test_a_pid_file_leads_to_the_other_files(void **state)
{
	char path[256];
	struct command c = {.run_directory = *state, .pid_file = path};
	struct scoreboard *s =
		server_board(*state, "shop", getpid(), clock_real_us());
	struct instances l;
	int fd;

	mkdir(server_path(*state, "else"), 0755);
	fd = server_pid_file(server_path(*state, "else"), "other", 1);
	snprintf(path, sizeof(path), "%s/else/other.pid", (char *)*state);
	l = find(&c);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.list[0].name, "shop");
	assert_string_equal(l.list[0].pid_file, path);
	assert_int_equal(l.list[0].state, INSTANCE_RUNNING);
	instances_fini(&l);
	scoreboard_destroy(s, 1);
	/* Alone it still tells that it runs. */
	l = find(&c);
	assert_int_equal(l.n, 1);
	assert_null(l.list[0].directory);
	assert_int_equal(l.list[0].state, INSTANCE_RUNNING);
	instances_fini(&l);
	close(fd);
}

/* PidFile may lie there, too, before the other one or behind it. */
static void
test_two_pid_files_of_one_master_are_one_server(void **state)
{
	static const char *const names[] = {"a", "z"};
	char path[256];
	int fd = server_pid_file(*state, "shop", 1);
	struct scoreboard *s =
		server_board(*state, "shop", getpid(), clock_real_us());

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct command any = {.run_directory = *state};
		struct command c = {.run_directory = *state, .pid_file = path};
		int second = server_pid_file(*state, names[i], 1);
		struct instances l = find(&any);

		assert_int_equal(l.n, 1);
		assert_string_equal(l.list[0].name, "shop");
		instances_fini(&l);
		snprintf(path, sizeof(path), "%s/%s.pid", (char *)*state,
			names[i]);
		l = find(&c);
		assert_int_equal(l.n, 1);
		assert_string_equal(l.list[0].name, "shop");
		instances_fini(&l);
		unlink(path);
		close(second);
	}
	scoreboard_destroy(s, 1);
	close(fd);
}

/* Two configurations of one name, each with a pid file of its own. */
static void
test_another_servers_files_are_not_this_ones(void **state)
{
	char pid_file[256];
	struct command c = {
		.run_directory = *state,
		.name = "shop",
		.pid_file = pid_file,
	};
	int fd = server_pid_file(*state, "shop", 1);
	struct scoreboard *s =
		server_board(*state, "shop", getpid(), clock_real_us());
	struct instances l;
	int other;

	snprintf(pid_file, sizeof(pid_file), "%s",
		server_path(*state, "elsewhere.pid"));
	l = find(&c);
	assert_int_equal(l.n, 0);
	instances_fini(&l);

	/* The pid file is one more of the same master. */
	other = server_pid_file(*state, "elsewhere", 1);
	l = find(&c);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.list[0].state, INSTANCE_RUNNING);
	instances_fini(&l);
	close(other);
	scoreboard_destroy(s, 1);
	close(fd);
}

static void
test_a_missing_configuration_is_a_sentence(void **state)
{
	struct command c = {.config_file = "/nonexistent/x.conf"};
	struct instances l;
	struct err err = {0};

	(void)state;
	assert_int_equal(instances_find(&l, &c, &err), -ENOENT);
	assert_non_null(strstr(err.text, "configuration /nonexistent/x.conf"));
	instances_fini(&l);
}

#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
		name, server_make_directory, server_remove_directory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_lock_means_that_it_runs),
		TEST(test_without_a_pid_file_the_scoreboard_tells),
		TEST(test_other_files_are_nobodys),
		TEST(test_the_one_that_runs_is_meant),
		TEST(test_several_are_listed),
		TEST(test_none_is_said_with_where),
		TEST(test_a_configuration_leads_there),
		TEST(test_the_environment_leads_there),
		TEST(test_a_pid_file_leads_to_the_other_files),
		TEST(test_two_pid_files_of_one_master_are_one_server),
		TEST(test_another_servers_files_are_not_this_ones),
		TEST(test_a_missing_configuration_is_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
