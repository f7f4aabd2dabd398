/*
 * test_accept_filter.c - AcceptFilter, as Apache writes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "reading.h"

static void
test_a_filter_is_named_as_apache_does(void **state)
{
	static const struct {
		const char *text, *message;
		bool waits;
	} rows[] = {
		{"", NULL, true},
		{"AcceptFilter http data\n", NULL, true},
		{"AcceptFilter HTTP None\n", NULL, false},
		{"AcceptFilter httpready\n", NULL, true},
		{"AcceptFilter none\n", NULL, false},
		{"AcceptFilter https data\n",
			"\"https\" is no protocol of wsgid, which speaks http "
			"alone: leave the line out",
			true},
		{"AcceptFilter http off\n",
			"\"off\" is none of data and none", true},
		{"AcceptFilter\n", "other words are expected", true},
		{"AcceptFilter http data none\n", "other words are expected",
			true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = settle_config(rows[i].text, 2);

		assert_int_equal(c->accept_filter, rows[i].waits);
		if (rows[i].message == NULL)
			assert_int_equal(count_fatal(c), 0);
		else if (!has_message(c, rows[i].message))
			fail_msg("%s: %s", rows[i].text,
				config_message(c, 0)->text);
		config_destroy(c);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_filter_is_named_as_apache_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
