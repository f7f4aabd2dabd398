/*
 * test_directives.c - the table keeps its own rules.
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

#include "base/defs.h"
#include "config/config.h"
#include "config/directive.h"
#include "config/values.h"

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* WSGI is dropped, a run of capitals is one word. */
static void
derive_option(const char *name, char *to)
{
	const char *p = name;

	if (strncmp(p, "WSGI", 4) == 0)
		p += 4;
	*to++ = '-';
	for (const char *at = p; *at != '\0'; at++) {
		bool begins = is_upper(*at) &&
			      (at == p || !is_upper(at[-1]) ||
				      (at[1] != '\0' && !is_upper(at[1])));

		if (begins)
			*to++ = '-';
		*to++ = is_upper(*at) ? (char)(*at - 'A' + 'a') : *at;
	}
	*to = '\0';
}

static void
test_options_are_the_names_in_another_spelling(void **state)
{
	(void)state;
	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);
		char derived[100];

		if (row->where == DIRECTIVE_DUMPED) {
			assert_null(row->option);
			continue;
		}
		derive_option(row->name, derived);
		/* "--ch-dir" is how nobody spells it. */
		if (strcmp(row->name, "ChDir") == 0)
			strcpy(derived, "--chdir");
		assert_string_equal(row->option, derived);
		if (row->alias == NULL) {
			assert_null(row->alias_option);
			continue;
		}
		derive_option(row->alias, derived);
		assert_string_equal(row->alias_option, derived);
	}
}

static void
test_names_known_to_administrators(void **state)
{
	static const struct {
		const char *name, *option, *environment;
	} table[] = {
		{"MaxRequestWorkers", "--max-request-workers",
			"WSGID_MAX_REQUEST_WORKERS"},
		{"WSGIPythonHome", "--python-home", "WSGID_PYTHON_HOME"},
		{"WSGIApplication", "--application", "WSGID_APPLICATION"},
		{"WSGIApplication", "--application", "WSGI_APP"},
		{"WSGICallableObject", "--callable-object",
			"WSGID_CALLABLE_OBJECT"},
		{"WSGIPreloadApplication", "--preload-application",
			"WSGID_PRELOAD_APPLICATION"},
		{"WSGIPreloadApplication", "--preload",
			"WSGID_PRELOAD_APPLICATION"},
		{"MPM", "--mpm", "WSGID_MPM"},
		{"IoEngine", "--io-engine", "WSGID_IO_ENGINE"},
		{"ChDir", "--chdir", "WSGID_CHDIR"},
		{"Listen", "--bind", "WSGID_LISTEN"},
		{"Listen", "--bind", "WSGID_BIND"},
		{"Listen", "-b", "WSGID_LISTEN"},
		{"Processes", "-w", "WEB_CONCURRENCY"},
		{"Processes", "--processes", "WSGID_PROCESSES"},
		{"Processes", "--workers", "WSGID_WORKERS"},
		{"ThreadsPerChild", "--threads", "WSGID_THREADS"},
		{"CustomLog", "--access-log", "WSGID_CUSTOM_LOG"},
		{"MaxClients", "--max-clients", "WSGID_MAX_CLIENTS"},
		{"maxrequestsperchild", "--max-requests-per-child",
			"WSGID_MAX_REQUESTS_PER_CHILD"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct directive *row = directive_find(table[i].name);
		enum directive_variable kind;

		assert_non_null(row);
		assert_ptr_equal(
			directive_find_option(str_of(table[i].option)), row);
		assert_ptr_equal(directive_find_environment(
					 str_of(table[i].environment), &kind),
			row);
		assert_int_equal(
			kind, strncmp(table[i].environment, "WSGID_", 6) == 0
				      ? VARIABLE_OURS
				      : VARIABLE_FOREIGN);
	}
}

static void
test_what_is_no_name_finds_nothing(void **state)
{
	static const char *const texts[] = {"", "-", "--", "WSGID", "WSGID_",
		"WSGID_max_request_workers", "WSGID_MAX-REQUEST-WORKERS",
		"WSGID_X", "WSGID_DEFAULT_", "WSGID_DEFAULT_X", "DEFAULT_USER",
		"-x", "--no", "Max", "PATH"};
	enum directive_variable kind;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_null(directive_find(texts[i]));
		assert_null(directive_find_option(str_of(texts[i])));
		assert_null(
			directive_find_environment(str_of(texts[i]), &kind));
	}
}

static void
test_every_row_is_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);

		assert_non_null(row->name);
		assert_non_null(row->type);
		assert_non_null(row->help);
		assert_non_null(row->example);
		assert_true(strlen(row->help) < 110);
		assert_null(strchr(row->help, '\n'));
		assert_int_equal(directive_index(row), i);
		assert_true(row->type->storage == STORED_LOG_FORMATS ||
			    directive_of(row->offset) == row);
		assert_true(row->min <= row->max || row->words != NULL);
	}
	assert_null(directive_at(directive_count()));
}

static void
test_no_name_is_there_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);
		enum directive_variable kind;

		assert_ptr_equal(directive_find(row->name), row);
		if (row->alias != NULL)
			assert_ptr_equal(directive_find(row->alias), row);
		if (row->option == NULL)
			continue;
		for (size_t k = 0; k < DIRECTIVE_OPTIONS; k++) {
			const char *option = directive_option(row, k);
			struct buf b = {0};

			if (option == NULL)
				continue;
			assert_ptr_equal(
				directive_find_option(str_of(option)), row);
			directive_environment(option, &b);
			assert_ptr_equal(directive_find_environment(
						 str_of(buf_text(&b)), &kind),
				row);
			assert_int_equal(kind, VARIABLE_OURS);
			buf_fini(&b);
		}
		if (row->other_environment != NULL)
			assert_ptr_equal(
				directive_find_environment(
					str_of(row->other_environment), &kind),
				row);
	}
}

static void
test_the_list_names_everything_of_a_row(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(config_list_directives(&b), 0);
	assert_non_null(
		strstr(buf_text(&b), "Processes\n"
				     "    -w, --workers, --processes N\n"
				     "    WSGID_PROCESSES, WSGID_WORKERS, "
				     "WEB_CONCURRENCY\n"
				     "    default none; 1 to 200000\n"
				     "    Fix the pool"));
	assert_non_null(
		strstr(buf_text(&b), "MaxRequestWorkers (also MaxClients)\n"
				     "    --max-clients, --max-request-workers "
				     "N|auto\n"
				     "    WSGID_MAX_REQUEST_WORKERS, "
				     "WSGID_MAX_CLIENTS\n"));
	assert_non_null(strstr(buf_text(&b), "; 256 to 64k\n"));
	assert_non_null(
		strstr(buf_text(&b), "; one of prefork worker; a change needs "
				     "a restart\n"));
	assert_null(strstr(buf_text(&b), "Instance"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_options_are_the_names_in_another_spelling),
		cmocka_unit_test(test_names_known_to_administrators),
		cmocka_unit_test(test_what_is_no_name_finds_nothing),
		cmocka_unit_test(test_every_row_is_complete),
		cmocka_unit_test(test_no_name_is_there_twice),
		cmocka_unit_test(test_the_list_names_everything_of_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
