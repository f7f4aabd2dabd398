/*
 * test_define.c - the names of Define, UnDefine and -D.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "reading.h"

static void
test_a_value_is_the_define_s_before_the_environment_s(void **state)
{
	struct config *c;

	(void)state;
	setenv("wsgid_test_user", "from-environment", 1);
	c = read_config("User ${wsgid_test_user}\n"
			"Define wsgid_test_user from-define\n"
			"Group ${wsgid_test_user}\n");
	assert_int_equal(count_messages(c), 0);
	assert_string_equal(c->user, "from-environment");
	assert_string_equal(c->group, "from-define");
	config_destroy(c);
	c = read_config("Define wsgid_test_user x\n"
			"UnDefine wsgid_test_user\n"
			"User ${wsgid_test_user}\n"
			"Define wsgid_test_user\n"
			"Group ${wsgid_test_user}\n");
	assert_string_equal(c->user, "from-environment");
	assert_string_equal(c->group, "from-environment");
	config_destroy(c);
	unsetenv("wsgid_test_user");
}

static void
test_a_value_with_spaces_stays_one_word(void **state)
{
	struct config *c = read_config("Define dir \"/srv/my site\"\n"
				       "ChDir ${dir}/x\n");

	(void)state;
	assert_int_equal(count_messages(c), 0);
	assert_string_equal(c->directory, "/srv/my site/x");
	config_destroy(c);
}

static void
test_a_define_may_use_another(void **state)
{
	struct config *c = read_config("Define a /srv\n"
				       "Define b ${a}/x\n"
				       "ChDir ${b}\n");

	(void)state;
	assert_string_equal(c->directory, "/srv/x");
	config_destroy(c);
}

static void
test_definitions_that_double_come_to_an_end(void **state)
{
	char text[2048] = "Define a0 x\n";
	size_t len = strlen(text);
	struct config *c;

	(void)state;
	for (int i = 1; i <= 44; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			"Define a%d ${a%d}${a%d}\n", i, i - 1, i - 1);
	c = read_config(text);
	assert_string_equal(config_message(c, 0)->text,
		"t.conf:18: Define: ${a16} is 65536 bytes long, with which "
		"the line is longer than the 65536 that it may be");
	assert_int_equal(count_fatal(c), 44 - 16);
	config_destroy(c);
}

static void
test_definitions_on_many_lines_come_to_an_end(void **state)
{
	struct buf b = {0};
	struct config *c;

	(void)state;
	buf_add_text(&b, "Define a ");
	for (int i = 0; i < 65000; i++)
		buf_add_char(&b, 'x');
	for (int i = 0; i < 1000; i++)
		buf_add_text(&b, "\nDefine b ${a}");
	c = read_config(buf_text(&b));
	assert_string_equal(only_message(c),
		"${NAME} stands for more than 16777216 bytes in all; the rest "
		"is not read");
	assert_int_equal(count_fatal(c), 1);
	config_destroy(c);
	buf_fini(&b);
}

static void
test_the_command_line_s_value_is_the_stronger_one(void **state)
{
	static const char text[] = "Define user from-file\n"
				   "Define group from-file\n"
				   "User ${user}\n"
				   "Group ${group}\n";
	struct config *c = config_create();

	(void)state;
	assert_int_equal(config_define(c, "user=from-line=x"), 0);
	assert_int_equal(config_define(c, "group"), 0);
	config_read_text(c, "t", text, strlen(text));
	assert_int_equal(count_messages(c), 0);
	assert_string_equal(c->user, "from-line=x");
	assert_string_equal(c->group, "from-file");
	config_destroy(c);
}

static void
test_what_is_no_name_is_not_defined(void **state)
{
	static const char *const names[] = {"", "=x", "a b", "a:b", "${x}"};
	struct config *c = config_create();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(config_define(c, names[i]) < 0);
	assert_int_equal(count_fatal(c), ARRAY_LEN(names));
	assert_true(has_message(c, "-D: \"a b\" is no name to define"));
	config_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_value_is_the_define_s_before_the_environment_s),
		cmocka_unit_test(test_a_value_with_spaces_stays_one_word),
		cmocka_unit_test(test_a_define_may_use_another),
		cmocka_unit_test(test_definitions_that_double_come_to_an_end),
		cmocka_unit_test(test_definitions_on_many_lines_come_to_an_end),
		cmocka_unit_test(
			test_the_command_line_s_value_is_the_stronger_one),
		cmocka_unit_test(test_what_is_no_name_is_not_defined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
