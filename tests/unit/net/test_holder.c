/*
 * test_holder.c - who has an address, and what he calls himself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/holder.h"

static void
test_who_listens_is_found_by_the_address(void **state)
{
	struct address a = {.len = sizeof(a.in4)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char program[HOLDER_PROGRAM];

	(void)state;
	a.in4.sin_family = AF_INET;
	a.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &a.any, a.len), 0);
	assert_int_equal(getsockname(fd, &a.any, &a.len), 0);
	assert_int_equal(holder_find(&a, program), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(holder_find(&a, program), getpid());
	assert_string_equal(program, "test_holder");
	close(fd);
}

/* Started with these words: the title that it shows. */
static void
show_title(char *const *words, char title[HOLDER_TITLE])
{
	int ends[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		dup2(ends[0], STDIN_FILENO);
		execv("/bin/cat", words);
		_exit(1);
	}
	/* Ours is there until it has become the other program, and none while
	 * it does; twenty seconds are an end for one that never does. */
	for (int i = 0; i < 20000; i++) {
		holder_title(pid, title);
		if (title[0] != '\0' && strstr(title, "test_holder") == NULL)
			break;
		usleep(1000);
	}
	byte = 0;
	(void)!write(ends[1], &byte, 1);
	close(ends[0]);
	close(ends[1]);
	waitpid(pid, NULL, 0);
}

static void
test_a_title_is_the_command_line_cut_and_printable(void **state)
{
	char *const plain[] = {"wsgid: child 0 [shop]", NULL};
	char *const odd[] = {"cat", "-", "\033[2J\xc3\xa4", NULL};
	char many[200], title[HOLDER_TITLE];
	char *const too_many[] = {many, NULL};

	(void)state;
	show_title(plain, title);
	assert_string_equal(title, "wsgid: child 0 [shop]");
	show_title(odd, title);
	assert_string_equal(title, "cat - ?[2J??");
	memset(many, 'm', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	show_title(too_many, title);
	assert_int_equal(strlen(title), HOLDER_TITLE - 1);
}

static void
test_a_process_that_is_gone_has_no_title(void **state)
{
	char title[HOLDER_TITLE] = "?";

	(void)state;
	holder_title(1 << 29, title);
	assert_string_equal(title, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_listens_is_found_by_the_address),
		cmocka_unit_test(
			test_a_title_is_the_command_line_cut_and_printable),
		cmocka_unit_test(test_a_process_that_is_gone_has_no_title),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
