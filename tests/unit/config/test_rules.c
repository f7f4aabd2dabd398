/*
 * test_rules.c - what has to hold between directives.
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
#include "reading.h"

static void
test_a_listener_twice_is_one_too_many(void **state)
{
	struct config *c = settle_config(
		"Listen 8000\nListen 8001\nListen 8000\nListen 8000\n", 2);

	(void)state;
	assert_int_equal(count_fatal(c), 2);
	assert_string_equal(config_message(c, 0)->text,
		"t.conf:3: Listen: 8000 is there already, from t.conf:1");
	config_destroy(c);
}

static void
test_the_proxy_protocol_needs_somebody_who_is_trusted(void **state)
{
	static const struct {
		const char *text, *message; /* NULL: all is well */
	} rows[] = {
		{"ProxyProtocol On\n",
			"t.conf:1: ProxyProtocol: nobody is trusted to say "
			"where a client comes from; write the balancer's "
			"address, as in \"TrustedProxies 10.0.0.2\""},
		{"Listen 80\nListen 81 ProxyProtocol=Optional\n",
			"t.conf:2: ProxyProtocol: nobody is trusted"},
		{"ProxyProtocol On\nListen 80 ProxyProtocol=Off\n", NULL},
		{"ProxyProtocol On\nTrustedProxies 10.0.0.2\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = settle_config(rows[i].text, 2);

		assert_int_equal(count_fatal(c), rows[i].message != NULL);
		if (rows[i].message != NULL)
			assert_non_null(strstr(
				config_message(c, 0)->text, rows[i].message));
		config_destroy(c);
	}
}

static void
test_a_listener_speaks_as_the_directive_says_or_as_it_says_itself(void **state)
{
	struct config *c = settle_config("Listen 80\nListen 81 "
					 "ProxyProtocol=Optional\n"
					 "ProxyProtocol On\n"
					 "TrustedProxies 10.0.0.2 10.1.0.0/16\n"
					 "TrustedProxies unix:\n",
		2);

	(void)state;
	assert_int_equal(count_fatal(c), 0);
	assert_int_equal(c->listens[0].proxy_protocol, CONFIG_PROXY_ON);
	assert_int_equal(c->listens[1].proxy_protocol, CONFIG_PROXY_OPTIONAL);
	assert_int_equal(c->trusted_proxies.n, 3);
	assert_int_equal(c->trusted_proxies.list[2].kind, NETWORK_UNIX);
	config_destroy(c);
}

static void
test_buffers_have_a_least_size_as_in_apache(void **state)
{
	struct config *c =
		settle_config("SendBufferSize 512\nReceiveBufferSize 511\n", 2);

	(void)state;
	assert_string_equal(only_message(c),
		"ReceiveBufferSize: 511 bytes are too few; write "
		"512 or more, or 0 to leave it to the system");
	config_destroy(c);
}

static void
test_listeners_have_a_limit(void **state)
{
	struct buf b = {0};
	struct config *c;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "Listen unix:/%d\n", i);
	c = settle_config(buf_text(&b), 2);
	assert_string_equal(
		only_message(c), "Listen: more than 1000 addresses are given");
	config_destroy(c);
	buf_fini(&b);
}

static void
test_there_may_be_sixteen_access_logs(void **state)
{
	struct buf b = {0};
	struct config *c;

	(void)state;
	for (int i = 0; i < CONFIG_ACCESS_LOGS; i++)
		buf_printf(&b, "CustomLog /%d\n", i);
	c = settle_config(buf_text(&b), 2);
	assert_null(config_message(c, 0));
	config_destroy(c);
	buf_add_text(&b, "CustomLog /more\n");
	c = settle_config(buf_text(&b), 2);
	assert_string_equal(
		only_message(c), "CustomLog: more than 16 logs are given");
	config_destroy(c);
	buf_fini(&b);
}

static void
test_settling_says_whether_it_can_be_used(void **state)
{
	struct config_machine machine = {.cpus = 2};
	struct config *c = read_config("MaxSpareServers 0");

	(void)state;
	assert_int_equal(config_settle(c, &machine), 0);
	config_destroy(c);
	c = read_config("Foo");
	assert_true(config_settle(c, &machine) < 0);
	config_destroy(c);
}

/* ---- The application ---------------------------------------------------- */

static void
test_a_script_is_looked_up_from_chdir(void **state)
{
	static const struct {
		const char *application, *want; /* @ is the directory */
	} table[] = {
		{"a.wsgi", "@/a.wsgi"},
		{"a.wsgi:app", "@/a.wsgi:app"},
		{"./a.wsgi", "@/a.wsgi"},
		{"a.py", "@/a.py"},
		{"x/not-there", "@/x/not-there"},
		{"/x/a.wsgi", "/x/a.wsgi"},
		{"/x:y/a", "/x:y/a"},
		/* Where there is no such file it is a module. */
		{"site.wsgi", "site.wsgi"},
		{"site.wsgi:app", "site.wsgi:app"},
		{"package.module", "package.module"},
		{"package.module:factory()", "package.module:factory()"},
	};
	struct scratch s;

	(void)state;
	scratch_init(&s);
	scratch_write(&s, "a.wsgi", "");
	scratch_write(&s, "a.py", "");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char text[512], want[512];
		struct config *c;
		bool below = table[i].want[0] == '@';

		snprintf(text, sizeof(text), "WSGIApplication %s\nChDir %s\n",
			table[i].application, s.path);
		snprintf(want, sizeof(want), "%s%s", below ? s.path : "",
			table[i].want + below);
		c = settle_config(text, 2);
		assert_int_equal(count_messages(c), 0);
		assert_string_equal(c->application, want);
		config_destroy(c);
	}
	scratch_fini(&s);
}

static void
test_without_chdir_a_script_begins_where_it_was_named(void **state)
{
	struct config_machine machine = {.cpus = 2};
	struct scratch s;
	struct config *c = config_create();
	AUTO_FREE char *here = getcwd(NULL, 0);
	char want[4096];

	(void)state;
	scratch_init(&s);
	config_read_file(
		c, scratch_write(&s, "x.conf", "WSGIApplication ./a.wsgi\n"));
	config_settle(c, &machine);
	snprintf(want, sizeof(want), "%s/a.wsgi", s.path);
	assert_string_equal(c->application, want);
	config_destroy(c);

	c = config_create();
	config_set(c, "WSGIApplication", "./a.wsgi", "command line");
	config_read_file(c, scratch_path(&s, "x.conf"));
	config_settle(c, &machine);
	snprintf(want, sizeof(want), "%s/a.wsgi", here);
	assert_string_equal(c->application, want);
	config_destroy(c);
	scratch_fini(&s);
}

/* ---- Logs --------------------------------------------------------------- */

static void
test_nicknames_are_resolved_wherever_they_are_defined(void **state)
{
	struct config *c = settle_config("CustomLog - brief\n"
					 "CustomLog /a.log\n"
					 "CustomLog /b.log common\n"
					 "CustomLog /c.log \"%h x\"\n"
					 "LogFormat \"%h %D\" brief\n",
		2);

	(void)state;
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->n_access_logs, 4);
	assert_string_equal(c->access_logs[0].format, "%h %D");
	assert_string_equal(c->access_logs[1].format,
		"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" "
		"\"%{User-agent}i\"");
	assert_string_equal(
		c->access_logs[2].format, "%h %l %u %t \"%r\" %>s %b");
	assert_string_equal(c->access_logs[3].format, "%h x");
	config_destroy(c);
}

static void
test_a_nickname_may_be_redefined(void **state)
{
	struct config *c = settle_config("LogFormat \"%h 1\" x\n"
					 "LogFormat \"%h 2\" X\n"
					 "LogFormat \"%h 3\" combined\n"
					 "CustomLog - x\nCustomLog /a\n",
		2);

	(void)state;
	assert_string_equal(c->access_logs[0].format, "%h 2");
	assert_string_equal(c->access_logs[1].format, "%h 3");
	config_destroy(c);
}

static void
test_an_unknown_nickname_has_a_neighbour(void **state)
{
	struct config *c = settle_config("LogFormat %h brief\n"
					 "CustomLog - comon\n"
					 "CustomLog - breif\n"
					 "CustomLog - xyzzy\n",
		2);

	(void)state;
	assert_int_equal(count_fatal(c), 3);
	assert_string_equal(config_message(c, 0)->text,
		"t.conf:2: CustomLog: no LogFormat has the nickname "
		"\"comon\"; did you mean common?");
	assert_true(has_message(c, "\"breif\"; did you mean brief?"));
	assert_true(has_message(
		c, "\"xyzzy\", and there is no item such as %h in it"));
	config_destroy(c);
}

/* ---- The name ----------------------------------------------------------- */

static void
test_the_instance_has_a_name(void **state)
{
	static const struct {
		const char *text, *name;
	} table[] = {
		{"", "8000"},
		{"Listen 80", "80"},
		{"Listen [::1]:81\nListen 80", "81"},
		{"Listen *:82", "82"},
		{"Listen unix:/run/shop.sock", "shop"},
		{"Listen unix:/run/shop", "shop"},
		{"Listen unix:/run/.sock", ".sock"},
		{"Listen unix:@shop", "shop"},
		{"Listen unix:@/a/shop.x", "shop"},
		{"InstanceName given\nListen 80", "given"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = settle_config(table[i].text, 2);

		assert_string_equal(c->name, table[i].name);
		config_destroy(c);
	}
}

static void
test_the_file_names_the_instance(void **state)
{
	static const char *const files[] = {"shop.conf", "shop", "shop.x.conf"};
	struct config_machine machine = {.cpus = 2};
	struct scratch s;

	(void)state;
	scratch_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct config *c = config_create();

		config_set(c, "Listen", "80", "-b");
		config_read_file(c, scratch_write(&s, files[i], ""));
		config_settle(c, &machine);
		assert_string_equal(c->name, i == 2 ? "shop.x" : "shop");
		config_destroy(c);
	}
	scratch_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_listener_twice_is_one_too_many),
		cmocka_unit_test(
			test_the_proxy_protocol_needs_somebody_who_is_trusted),
		cmocka_unit_test(
			test_a_listener_speaks_as_the_directive_says_or_as_it_says_itself),
		cmocka_unit_test(test_buffers_have_a_least_size_as_in_apache),
		cmocka_unit_test(test_listeners_have_a_limit),
		cmocka_unit_test(test_there_may_be_sixteen_access_logs),
		cmocka_unit_test(test_settling_says_whether_it_can_be_used),
		cmocka_unit_test(test_a_script_is_looked_up_from_chdir),
		cmocka_unit_test(
			test_without_chdir_a_script_begins_where_it_was_named),
		cmocka_unit_test(
			test_nicknames_are_resolved_wherever_they_are_defined),
		cmocka_unit_test(test_a_nickname_may_be_redefined),
		cmocka_unit_test(test_an_unknown_nickname_has_a_neighbour),
		cmocka_unit_test(test_the_instance_has_a_name),
		cmocka_unit_test(test_the_file_names_the_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
