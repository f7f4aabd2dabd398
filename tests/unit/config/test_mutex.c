/*
 * test_mutex.c - Mutex, as Apache writes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "reading.h"

static void
test_a_mutex_may_be_named_as_apache_does(void **state)
{
	static const struct {
		const char *text, *mutex, *message;
	} rows[] = {
		{"Mutex flock:/run/lock\n", "flock:/run/lock", NULL},
		{"Mutex sysvsem mpm-accept\n", "sysvsem", NULL},
		{"Mutex fcntl MPM-Accept default OmitPID\n", "fcntl", NULL},
		{"Mutex fcntl /run/lock mpm-accept\n", "fcntl:/run/lock", NULL},
		{"Mutex yes\n", "default", NULL},
		{"Mutex sem\n", "posixsem", NULL},
		{"Mutex File:/run/lock\n", "fcntl:/run/lock", NULL},
		{"Mutex fcntl:/run/lock /run/other\n", "default",
			"\"/run/other\" is no mutex of wsgid"},
		{"Mutex sysvsem ssl-cache\n", "default",
			"\"ssl-cache\" is no mutex of wsgid; there is "
			"mpm-accept alone, and its name may be left out"},
		{"Mutex fcntl run/lock\n", "default",
			"\"run/lock\" is no mutex of wsgid; there is "
			"mpm-accept alone, and its name may be left out; the "
			"path of a "
			"file must be absolute"},
		{"Mutex a b c d e\n", "default", "other words are expected"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = settle_config(rows[i].text, 2);

		assert_string_equal(c->mutex, rows[i].mutex);
		if (rows[i].message != NULL)
			assert_true(has_message(c, rows[i].message));
		else
			assert_int_equal(count_fatal(c), 0);
		config_destroy(c);
	}
}

static void
test_there_is_none_by_any_word_for_it(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} rows[] = {
		{"", false},
		{"Mutex default\n", false},
		{"Mutex None\n", false},
		{"Mutex no mpm-accept\n", false},
		{"Mutex yes\n", false},
		{"Mutex nothing\n", true},
		{"Mutex flock\n", true},
		{"Mutex fcntl:none\n", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = settle_config(rows[i].text, 2);

		if (config_has_mutex(c) != rows[i].has)
			fail_msg("row %zu: \"%s\"", i, c->mutex);
		config_destroy(c);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_mutex_may_be_named_as_apache_does),
		cmocka_unit_test(test_there_is_none_by_any_word_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
