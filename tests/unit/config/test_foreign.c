/*
 * test_foreign.c - directives of others get a sentence that leads on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "config/directive.h"

static void
test_names_of_others(void **state)
{
	static const struct {
		const char *name, *advice; /* a part of it */
	} table[] = {
		{"WSGIScriptAlias", "WSGIApplication"},
		{"wsgiscriptalias", "WSGIApplication"},
		{"WSGIScriptAlias", "MountPoint"},
		{"mount", "write MountPoint"},
		{"WSGIDaemonProcess", "Processes"},
		{"SSLEngine", "TLS"},
		{"RewriteRule", "rewrites no URLs"},
		{"ProxyPass", "is no proxy"},
		{"bind", "write Listen"},
		{"workers", "write Processes"},
		{"Threads", "write ThreadsPerChild"},
		{"worker-class", "prefork"},
		{"worker_class", "prefork"},
		{"graceful-timeout", "write GracefulShutdownTimeout"},
		{"DocumentRoot", "serves no files"},
		{"WSGIPythonEggs", "PYTHON_EGG_CACHE"},
		{"WSGIMapHEADToGET", "leave it out"},
		{"AsyncRequestWorkerFactor", "leave it out"},
		{"AuthType", "access control"},
		{"Order", "access control"},
		{"ExpiresActive", "response headers"},
		{"H2Direct", "HTTP/2"},
		{"Options", "serves no files"},
		{"access-logformat", "write LogFormat"},
		{"preload_app", "write WSGIPreloadApplication"},
		{"paste", "loadapp"},
		{"post_fork", "calls no hooks"},
		{"worker-connections", "write ThreadsPerChild"},
		{"harakiri", "write RequestTimeout"},
		{"chmod-socket", "mode="},
		{"cheaper", "write MinSpareServers"},
		{"HTTP11_SOCKET", "write Listen"},
		{"static-map", "serves no files"},
		{"host", "-b HOST:PORT"},
		{"port", "write Listen HOST:PORT"},
		{"-m", "UMask="},
		{"-M", "has no modules"},
		{"-R", "leave it out"},
		{"-r", NULL},
		{"-e", "write LogLevel"},
		{"-e", "EnvironmentFile"},
		{"-X", "-w 1"},
		{"no-sendfile", "wsgi.file_wrapper"},
		{"reload-extra-file", "leave it out"},
		{"reload_extra_files", "leave it out"},
		{"shutdown-timeout", "write GracefulShutdownTimeout"},
		{"reload-on-changes", "write WSGIReload"},
		{"entry-point", "write WSGIApplication"},
		{"uds", "write Listen unix:PATH"},
		{"Frobnicate", NULL},
		{"SS", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *advice = directive_foreign(table[i].name);

		if (table[i].advice == NULL) {
			assert_null(advice);
		} else {
			assert_non_null(advice);
			assert_non_null(strstr(advice, table[i].advice));
		}
	}
}

static void
test_verbs_of_others(void **state)
{
	(void)state;
	assert_string_equal(directive_foreign_verb("graceful"),
		"\"wsgictl reload\" does that");
	assert_non_null(
		strstr(directive_foreign_verb("start-server"), "leave it out"));
	assert_null(directive_foreign_verb("gevent"));
	assert_null(directive_foreign_verb("Start"));
}

static void
test_none_of_ours_is_foreign(void **state)
{
	(void)state;
	for (size_t i = 0; i < directive_count(); i++)
		if (directive_foreign(directive_at(i)->name) != NULL)
			fail_msg("%s", directive_at(i)->name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_others),
		cmocka_unit_test(test_verbs_of_others),
		cmocka_unit_test(test_none_of_ours_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
