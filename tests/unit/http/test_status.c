/*
 * test_status.c - reason phrases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "http/status.h"

static void
test_phrases_are_the_registrys(void **state)
{
	static const struct {
		int status;
		const char *reason;
	} rows[] = {
		{100, "Continue"},
		{200, "OK"},
		{404, "Not Found"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{417, "Expectation Failed"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
		{511, "Network Authentication Required"},
		{418, "Unknown"},
		{999, "Unknown"},
		{0, "Unknown"},
		{-1, "Unknown"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(
			status_reason(rows[i].status), rows[i].reason);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phrases_are_the_registrys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
