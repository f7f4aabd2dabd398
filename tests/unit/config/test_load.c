/*
 * test_load.c - files, what they include, and what is wrong with them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/defs.h"
#include "reading.h"

/* ---- Text --------------------------------------------------------------- */

static void
test_names_are_matched_without_case(void **state)
{
	struct config *c = read_config("maxrequestworkers 7\n"
				       "LISTENBACKLOG 3\n");

	(void)state;
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->max_request_workers, 7);
	assert_int_equal(c->listen_backlog, 3);
	config_destroy(c);
}

static void
test_an_older_name_is_the_same_directive(void **state)
{
	struct config *c = read_config("MaxClients 7\n"
				       "MaxRequestsPerChild 9\n");

	(void)state;
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->max_request_workers, 7);
	assert_int_equal(c->max_connections_per_child, 9);
	config_destroy(c);
}

static void
test_one_mistake_one_sentence(void **state)
{
	static const struct {
		const char *text, *sentence;
	} table[] = {
		{"MaxRequestWorker 3",
			"t.conf:1: MaxRequestWorker: there is no such "
			"directive; did you mean MaxRequestWorkers?"},
		{"# x\n\nTimeuot 3",
			"t.conf:3: Timeuot: there is no such directive; did "
			"you mean Timeout?"},
		{"Inculde x",
			"t.conf:1: Inculde: there is no such directive; did "
			"you mean Include?"},
		{"Frobnicate",
			"t.conf:1: Frobnicate: there is no such directive; "
			"\"wsgid -L\" lists all"},
		{"InstanceNam x",
			"t.conf:1: InstanceNam: there is no such directive; "
			"\"wsgid -L\" lists all"},
		{"WSGIScriptAlias / /x",
			"t.conf:1: WSGIScriptAlias: wsgid has no such "
			"directive: wsgid serves one application; name it "
			"with WSGIApplication, and the path that it is below "
			"with MountPoint"},
		{"SSLCertificateFile x",
			"t.conf:1: SSLCertificateFile: wsgid has no such "
			"directive: wsgid speaks no TLS; let a proxy do it"},
		{"User \\\n  x \\\n  y",
			"t.conf:1: User: one value is expected, as in \"User "
			"www-data\"; put one with spaces in quotes"},
		{"User \"x", "t.conf:1: User: the closing \" is missing"},
		{"\nUser ${not_there_at_all}",
			"t.conf:2: User: ${not_there_at_all} is not defined: "
			"not by Define, not by -D, and not in the environment"},
		{"Define not_there_at_all\nUser ${not_there_at_all}",
			"t.conf:2: User: ${not_there_at_all} has no value: it "
			"is defined for <IfDefine> alone; write \"Define "
			"not_there_at_all VALUE\" or -D not_there_at_all="
			"VALUE"},
		{"User x\001",
			"t.conf:1: there is a control character (0x01) in "
			"column 7; remove it"},
		{"\xef\xbb\xbfUser x",
			"t.conf:1: the file begins with a byte order mark; "
			"save it as UTF-8 without one"},
		{"\xff\xfeU", "t.conf:1: the file is UTF-16; save it as UTF-8"},
		{"<VirtualHost *:80>\nDocumentRoot /x\n<VirtualHost x>\n"
		 "</VirtualHost>\nFoo\n</VirtualHost>\nUser x",
			"t.conf:1: <VirtualHost> is not a section that wsgid "
			"has, only <IfDefine> is; what is in it is not read"},
		{"</Directory>", "t.conf:1: </Directory> closes nothing; only "
				 "<IfDefine> is a section"},
		{"</IfDefine>",
			"t.conf:1: </IfDefine> closes nothing; there is no "
			"<IfDefine> before it in this file"},
		{"\n<IfDefine x>\nFoo",
			"t.conf:2: <IfDefine> is not closed in this file; "
			"</IfDefine> is missing"},
		{"<IfDefine x\n",
			"t.conf:1: \"<IfDefine x\": the line of a section "
			"ends with \">\""},
		{"<>", "t.conf:1: \"<>\" is not a section; only <IfDefine "
		       "NAME> is"},
		{"<", "t.conf:1: \"<\": the line of a section ends with "
		      "\">\""},
		{"<IfDefine>\n</IfDefine>",
			"t.conf:1: <IfDefine>: one name is expected, as in "
			"<IfDefine NAME> or <IfDefine !NAME>"},
		{"<IfDefine a b>\n</IfDefine>",
			"t.conf:1: <IfDefine>: one name is expected, as in "
			"<IfDefine NAME> or <IfDefine !NAME>"},
		{"<IfDefine !!X>\n</IfDefine>",
			"t.conf:1: <IfDefine>: one name is expected, as in "
			"<IfDefine NAME> or <IfDefine !NAME>"},
		{"<IfDefine /srv/site>\n</IfDefine>",
			"t.conf:1: <IfDefine>: one name is expected, as in "
			"<IfDefine NAME> or <IfDefine !NAME>"},
		{"Define", "t.conf:1: Define: a name and perhaps a value are "
			   "expected, as in \"Define site /srv/site\""},
		{"Define a:b",
			"t.conf:1: Define: \"a:b\" is no name to define; "
			"letters, digits and \"_\" are expected"},
		{"UnDefine", "t.conf:1: UnDefine: one name is expected, as in "
			     "\"UnDefine site\""},
		{"Include", "t.conf:1: Include: one file, directory or "
			    "pattern is expected, as in \"Include "
			    "conf.d/*.conf\""},
		{"Include /no/such/file",
			"t.conf:1: Include: /no/such/file: No such file or "
			"directory; write IncludeOptional where that is all "
			"right"},
		{"Include /no/such/*",
			"t.conf:1: Include: no file matches \"/no/such/*\"; "
			"write IncludeOptional where that is all right"},
		{"Include /dev/null",
			"t.conf:1: Include: /dev/null: it is not a regular "
			"file"},
		{"# a comment \\\nUser x",
			"t.conf:1: this comment ends with a backslash, so the "
			"line behind it is a comment too"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = read_config(table[i].text);

		only_message(c);
		assert_string_equal(
			config_message(c, 0)->text, table[i].sentence);
		assert_int_equal(config_message(c, 0)->fatal,
			table[i].text[0] != '#' ||
				strstr(table[i].text, "Tim") != NULL);
		config_destroy(c);
	}
}

static void
test_all_mistakes_are_listed_in_order(void **state)
{
	struct config *c = read_config("Timeout 3x\r\n"
				       "KeepAlive maybe\r\n"
				       "User www-data\r\n"
				       "Foo\r\n");

	(void)state;
	assert_int_equal(count_fatal(c), 3);
	assert_null(strstr(config_message(c, 0)->text, "\n"));
	assert_memory_equal(
		config_message(c, 0)->text, "t.conf:1: Timeout: ", 19);
	assert_memory_equal(
		config_message(c, 1)->text, "t.conf:2: KeepAlive: ", 21);
	assert_memory_equal(config_message(c, 2)->text, "t.conf:4: Foo: ", 15);
	assert_string_equal(c->user, "www-data");
	config_destroy(c);
}

static void
test_a_file_of_nonsense_does_not_fill_the_screen(void **state)
{
	struct buf b = {0};
	struct config *c;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add_text(&b, "nonsense\n");
	c = read_config(buf_text(&b));
	assert_int_equal(count_fatal(c), 100);
	assert_int_equal(count_messages(c), 101);
	assert_true(has_message(
		c, "that makes 100 mistakes; the rest is not read"));
	config_destroy(c);
	buf_fini(&b);
}

static void
test_a_nul_byte_ends_the_reading(void **state)
{
	static const char text[] = "User a\nUs\0er b\nFoo\n";
	struct config *c = config_create();

	(void)state;
	config_read_text(c, "t.conf", text, sizeof(text) - 1);
	assert_int_equal(count_messages(c), 1);
	assert_true(has_message(
		c, "t.conf:2: there is a NUL byte; is this a text file?"));
	config_destroy(c);
}

/* ---- Sections ----------------------------------------------------------- */

static void
test_ifdefine(void **state)
{
	static const struct {
		const char *text;
		long backlog;
	} table[] = {
		{"<IfDefine A>\nListenBacklog 1\n</IfDefine>", 1},
		{"<ifdefine A>\nListenBacklog 1\n</IFDEFINE>", 1},
		{"<IfDefine \"A\">\nListenBacklog 1\n</IfDefine>", 1},
		{"  <IfDefine A  >  \nListenBacklog 1\n  </IfDefine>", 1},
		{"<IfDefine !A>\nListenBacklog 1\n</IfDefine>", 4096},
		{"<IfDefine B>\nListenBacklog 1\n</IfDefine>", 4096},
		{"<IfDefine !B>\nListenBacklog 1\n</IfDefine>", 1},
		{"<IfDefine a>\nListenBacklog 1\n</IfDefine>", 4096},
		{"<IfDefine A>\n<IfDefine B>\nListenBacklog 1\n</IfDefine>\n"
		 "</IfDefine>",
			4096},
		{"<IfDefine B>\n<IfDefine A>\nListenBacklog 1\n</IfDefine>\n"
		 "ListenBacklog 2\n</IfDefine>\nListenBacklog 3",
			3},
		{"<IfDefine A>\n<IfDefine !B>\nListenBacklog 1\n</IfDefine>\n"
		 "ListenBacklog 2\n</IfDefine>",
			2},
		/* What is left out is not looked at. */
		{"<IfDefine B>\nFoo \"${x\n<Directory />\n<\nDefine C\n"
		 "</IfDefine>\n<IfDefine C>\nListenBacklog 1\n</IfDefine>",
			4096},
		{"Define C\n<IfDefine C>\nListenBacklog 1\n</IfDefine>", 1},
		{"UnDefine A\n<IfDefine A>\nListenBacklog 1\n</IfDefine>", 4096},
		{"UnDefine A\nDefine A\n<IfDefine A>\nListenBacklog 1\n"
		 "</IfDefine>",
			1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c = config_create();

		assert_int_equal(config_define(c, "A"), 0);
		config_read_text(c, "t", table[i].text, strlen(table[i].text));
		if (count_messages(c) != 0)
			fail_msg("%s: %s", table[i].text,
				config_message(c, 0)->text);
		assert_int_equal(c->listen_backlog, table[i].backlog);
		config_destroy(c);
	}
}

static void
test_sections_without_end_are_no_overflow(void **state)
{
	struct buf b = {0};
	struct config *c;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_add_text(&b, "<IfDefine x>\n");
	c = read_config(buf_text(&b));
	assert_true(has_message(c, "t.conf:65: <IfDefine>: more than 64 are "
				   "open; the rest of the file is not read"));
	assert_int_equal(count_messages(c), 1);
	config_destroy(c);
	buf_fini(&b);
}

/* ---- Files -------------------------------------------------------------- */

static void
test_paths_resolve_against_the_directory_of_their_file(void **state)
{
	struct scratch s;
	struct config *c = config_create();
	char want[256];

	(void)state;
	scratch_init(&s);
	assert_int_equal(mkdir(scratch_path(&s, "sub"), 0700), 0);
	scratch_write(&s, "sub/more.conf", "PidFile x.pid\nErrorLog ../e\n");
	assert_int_equal(config_read_file(c,
				 scratch_write(&s, "shop.conf",
					 "Include sub/more.conf\nChDir site\n"
					 "Listen unix:run/s.sock\nCustomLog "
					 "a.log %h\n")),
		0);
	assert_int_equal(count_messages(c), 0);
	snprintf(want, sizeof(want), "%s/sub/x.pid", s.path);
	assert_string_equal(c->pid_file, want);
	snprintf(want, sizeof(want), "%s/sub/../e", s.path);
	assert_string_equal(c->error_log, want);
	snprintf(want, sizeof(want), "%s/site", s.path);
	assert_string_equal(c->directory, want);
	snprintf(want, sizeof(want), "unix:%s/run/s.sock", s.path);
	assert_string_equal(c->listens[0].address, want);
	snprintf(want, sizeof(want), "%s/a.log", s.path);
	assert_string_equal(c->access_logs[0].target, want);
	snprintf(want, sizeof(want), "%s/shop.conf", s.path);
	assert_string_equal(c->file, want);
	snprintf(want, sizeof(want), "%s/shop.conf:3", s.path);
	assert_string_equal(c->listens[0].where, want);
	config_destroy(c);
	scratch_fini(&s);
}

static void
test_include_takes_patterns_and_directories_in_order(void **state)
{
	struct scratch s;
	struct config *c = config_create();

	(void)state;
	scratch_init(&s);
	mkdir(scratch_path(&s, "d"), 0700);
	mkdir(scratch_path(&s, "d/z"), 0700);
	mkdir(scratch_path(&s, "empty"), 0700);
	scratch_write(&s, "d/b.conf", "Listen 2\n");
	scratch_write(&s, "d/a.conf", "Listen 1\n");
	scratch_write(&s, "d/z/c", "Listen 3\n");
	scratch_write(&s, "d/.hidden", "Foo\n");
	config_read_file(
		c, scratch_write(&s, "x.conf",
			   "Include d\nInclude d/*.conf\nInclude d/[b].conf\n"
			   "IncludeOptional d/*.no\nIncludeOptional no\n"
			   "Include empty\n"));
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->n_listens, 6);
	for (size_t i = 0; i < 6; i++) {
		char want[2] = {"123122"[i], '\0'};

		assert_string_equal(c->listens[i].address, want);
	}
	config_destroy(c);
	scratch_fini(&s);
}

static void
test_only_what_include_says_is_a_pattern_and_not_the_directory(void **state)
{
	struct scratch s;
	struct config *c = config_create();

	(void)state;
	scratch_init(&s);
	mkdir(scratch_path(&s, "w[x]*"), 0700);
	mkdir(scratch_path(&s, "w[x]*/d"), 0700);
	scratch_write(&s, "w[x]*/z.conf", "Listen 1\n");
	scratch_write(&s, "w[x]*/d/a.conf", "Listen 2\n");
	config_read_file(
		c, scratch_write(&s, "w[x]*/x.conf",
			   "Include z.conf\nInclude d/*.conf\n"
			   "Include [d]/*.conf\nInclude .//./[z].conf\n"));
	assert_int_equal(count_messages(c), 0);
	assert_int_equal(c->n_listens, 4);
	for (size_t i = 0; i < 4; i++) {
		char want[2] = {"1221"[i], '\0'};

		assert_string_equal(c->listens[i].address, want);
	}
	config_destroy(c);
	scratch_fini(&s);
}

static void
test_a_mistake_in_an_included_file_names_that_file(void **state)
{
	struct scratch s;
	struct config *c = config_create();
	char want[256];

	(void)state;
	scratch_init(&s);
	scratch_write(&s, "in.conf", "\nFoo\n");
	config_read_file(
		c, scratch_write(&s, "x.conf", "Include in.conf\nBar\n"));
	snprintf(want, sizeof(want), "%s/in.conf:2: Foo: ", s.path);
	assert_true(has_message(c, want));
	snprintf(want, sizeof(want), "%s/x.conf:2: Bar: ", s.path);
	assert_true(has_message(c, want));
	config_destroy(c);
	scratch_fini(&s);
}

static void
test_sections_end_in_the_file_they_begin_in(void **state)
{
	struct scratch s;
	struct config *c = config_create();

	(void)state;
	scratch_init(&s);
	scratch_write(&s, "in.conf", "</IfDefine>\n<IfDefine B>\n");
	config_read_file(c, scratch_write(&s, "x.conf",
				    "Define A\n<IfDefine A>\nInclude in.conf\n"
				    "ListenBacklog 1\n</IfDefine>\n"));
	assert_int_equal(count_fatal(c), 2);
	assert_int_equal(c->listen_backlog, 1);
	config_destroy(c);
	scratch_fini(&s);
}

static void
test_include_comes_to_an_end(void **state)
{
	struct scratch s;
	struct config *c = config_create();
	char name[32], text[64];

	(void)state;
	scratch_init(&s);
	scratch_write(&s, "a.conf", "Include b.conf\nInclude b.conf\n");
	scratch_write(&s, "b.conf", "Include a.conf\nInclude b.conf\n");
	config_read_file(c, scratch_path(&s, "a.conf"));
	assert_true(has_message(c, "b.conf:1: Include: "));
	assert_true(has_message(c, "it includes itself in the end"));
	assert_int_equal(count_fatal(c), 4);
	config_destroy(c);

	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "%d.conf", i);
		snprintf(text, sizeof(text),
			"Include %d.conf\nInclude %d.conf\n", i + 1, i + 1);
		scratch_write(&s, name, text);
	}
	c = config_create();
	config_read_file(c, scratch_path(&s, "0.conf"));
	assert_true(has_message(c, "Include goes more than 20 files deep"));
	assert_true(count_fatal(c) <= 100);
	config_destroy(c);

	/* A directory that contains itself. */
	mkdir(scratch_path(&s, "d"), 0700);
	assert_int_equal(symlink(".", scratch_path(&s, "d/self")), 0);
	assert_int_equal(symlink(".", scratch_path(&s, "d/too")), 0);
	c = config_create();
	config_read_file(c, scratch_write(&s, "x.conf", "Include d\n"));
	assert_true(has_message(c, "/d/self: it includes itself in the end"));
	assert_int_equal(count_fatal(c), 2);
	config_destroy(c);
	scratch_fini(&s);
}

/* One that only others may read is none for root, but this is. */
static void
test_a_pattern_in_a_directory_that_cannot_be_read_is_said_so(void **state)
{
	struct config *c = config_create();
	struct scratch s;

	(void)state;
	scratch_init(&s);
	assert_int_equal(symlink("loop", scratch_path(&s, "loop")), 0);
	config_read_file(
		c, scratch_write(&s, "x.conf",
			   "Include loop/*.conf\nIncludeOptional loop/*.conf\n"
			   "IncludeOptional none/*.conf\n"));
	assert_int_equal(count_fatal(c), 2);
	assert_true(has_message(c, "x.conf:1: Include: "));
	assert_true(has_message(c, "a directory of it may not be read"));
	config_destroy(c);
	scratch_fini(&s);
}

static void
test_a_file_that_cannot_be_read_is_said_so(void **state)
{
	struct scratch s;
	struct config *c = config_create();

	(void)state;
	scratch_init(&s);
	assert_int_equal(
		config_read_file(c, scratch_path(&s, "no.conf")), -ENOENT);
	assert_true(has_message(c, "no.conf: No such file or directory"));
	assert_true(config_read_file(c, s.path) < 0);
	assert_true(has_message(c, ": it is not a regular file"));
	assert_int_equal(mkfifo(scratch_path(&s, "fifo"), 0600), 0);
	assert_true(config_read_file(c, scratch_path(&s, "fifo")) < 0);
	assert_true(has_message(c, "fifo: it is not a regular file"));
	scratch_write(&s, "a\nb", "User x\n");
	assert_true(config_read_file(c, scratch_path(&s, "a\nb")) < 0);
	assert_true(has_message(c, "a\\x0ab: the name contains a control"));
	config_destroy(c);
	scratch_fini(&s);
}

static void
test_a_file_too_large_is_no_configuration(void **state)
{
	struct scratch s;
	struct config *c = config_create();

	(void)state;
	scratch_init(&s);
	scratch_write(&s, "big", "");
	assert_int_equal(truncate(scratch_path(&s, "big"), 5 << 20), 0);
	assert_int_equal(config_read_file(c, scratch_path(&s, "big")), -EFBIG);
	assert_true(has_message(c, "the file is larger than 4194304 bytes"));
	config_destroy(c);
	scratch_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_matched_without_case),
		cmocka_unit_test(test_an_older_name_is_the_same_directive),
		cmocka_unit_test(test_one_mistake_one_sentence),
		cmocka_unit_test(test_all_mistakes_are_listed_in_order),
		cmocka_unit_test(
			test_a_file_of_nonsense_does_not_fill_the_screen),
		cmocka_unit_test(test_a_nul_byte_ends_the_reading),
		cmocka_unit_test(test_ifdefine),
		cmocka_unit_test(test_sections_without_end_are_no_overflow),
		cmocka_unit_test(
			test_paths_resolve_against_the_directory_of_their_file),
		cmocka_unit_test(
			test_include_takes_patterns_and_directories_in_order),
		cmocka_unit_test(
			test_a_mistake_in_an_included_file_names_that_file),
		cmocka_unit_test(test_sections_end_in_the_file_they_begin_in),
		cmocka_unit_test(
			test_only_what_include_says_is_a_pattern_and_not_the_directory),
		cmocka_unit_test(test_include_comes_to_an_end),
		cmocka_unit_test(
			test_a_pattern_in_a_directory_that_cannot_be_read_is_said_so),
		cmocka_unit_test(test_a_file_that_cannot_be_read_is_said_so),
		cmocka_unit_test(test_a_file_too_large_is_no_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
