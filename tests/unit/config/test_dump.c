/*
 * test_dump.c - what a configuration writes reads back as the same.
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
#include "config/values.h"
#include "config/values_priv.h"
#include "reading.h"

enum { ROUNDS = 3000 };

/* The same numbers on every run. */
struct dice {
	uint64_t state;
};

static unsigned
roll(struct dice *d, unsigned sides)
{
	d->state = d->state * UINT64_C(6364136223846793005) +
		   UINT64_C(1442695040888963407);
	return (unsigned)(d->state >> 33) % sides;
}

static void
add_nasty(struct dice *d, struct buf *b, unsigned most)
{
	static const char *const pieces[] = {"a", "Z", " ", "  ", "\"", "'",
		"\\", "\\\\", "${", "${HOME}", "}", "$", "#", "<", ">", "\\n",
		"%", "\xc3\xa4", "=", ",", "|", ".", "~", "\\\"", "\\$"};

	for (unsigned i = roll(d, most) + 1; i > 0; i--)
		buf_add_text(b, pieces[roll(d, ARRAY_LEN(pieces))]);
}

static void
add_number(struct dice *d, const struct directive *row, struct buf *b)
{
	static const char *const times[] = {"ms", "s", "min", "h", ""};
	static const char *const sizes[] = {"k", "m", "", "K"};
	unsigned most =
		row->max > 0 && row->max < 400 ? (unsigned)row->max : 400;

	if (row->type == &value_time)
		buf_printf(b, "%u%s", roll(d, 100) + 1,
			times[roll(d, ARRAY_LEN(times))]);
	else if (row->type == &value_size)
		buf_printf(b, "%u%s", roll(d, 1024),
			sizes[roll(d, ARRAY_LEN(sizes))]);
	else if (row->type == &value_bytes)
		buf_printf(b, "%u", 256 + roll(d, 65281));
	else if (row->type == &value_auto_number && roll(d, 3) == 0)
		buf_add_text(b, "auto");
	else
		buf_printf(b, "%u", (unsigned)row->min + roll(d, most));
}

/* A legal value of a row, as the text of an option. */
static void
make_value(struct dice *d, const struct directive *row, struct buf *b)
{
	struct buf word = {0};

	if (row->type == &value_listen) {
		if (roll(d, 2) == 0) {
			buf_printf(b, "127.0.0.%u:%u", roll(d, 256),
				roll(d, 65536));
		} else {
			buf_add_text(&word, "unix:/x");
			add_nasty(d, &word, 6);
			value_write_word(buf_text(&word), b);
			buf_printf(b, " mode=0%u%u0 owner=o%u", roll(d, 8),
				roll(d, 8), roll(d, 9));
		}
		if (roll(d, 3) == 0)
			buf_printf(b, " ProxyProtocol=%s",
				value_proxy_protocol((int)roll(d, 3)));
		if (roll(d, 3) == 0)
			buf_add_text(b, " Scheme=https");
	} else if (row->type == &value_networks) {
		buf_printf(b, "10.%u.0.0/16 ::1%s", roll(d, 256),
			roll(d, 2) ? " unix:" : "");
	} else if (row->type == &value_urls) {
		buf_printf(b, "/%u?a=b https://[::1]:%u/%%20 http://h,/",
			roll(d, 99), roll(d, 99));
	} else if (row->type == &value_mount_point) {
		buf_printf(b, "/%u a", roll(d, 99));
	} else if (row->type == &value_read_timeout) {
		buf_printf(b, "%s=%u-%us,MinRate=%u",
			roll(d, 2) ? "header" : "body", 1 + roll(d, 50),
			51 + roll(d, 50), 1 + roll(d, 9999));
	} else if (row->type == &value_proxy_headers) {
		buf_printf(b, "%s %s%s", row->words[0], row->words[roll(d, 5)],
			roll(d, 2) ? " X-Forwarded-User X-Real-IP" : "");
	} else if (row->type == &value_access_log) {
		buf_add_text(&word, "/x");
		add_nasty(d, &word, 6);
		value_write_word(buf_text(&word), b);
		buf_clear(&word);
		buf_add_text(&word, "%");
		add_nasty(d, &word, 12);
		buf_add_char(b, ' ');
		value_write_word(buf_text(&word), b);
	} else if (row->type == &value_flag) {
		buf_add_text(b, roll(d, 2) ? "On" : "Off");
	} else if (row->words != NULL) {
		unsigned n = 0;

		while (row->words[n] != NULL)
			n++;
		buf_add_text(b, row->words[roll(d, n)]);
	} else if (row->type == &value_hash_seed) {
		buf_add_text(b, roll(d, 2) ? "random" : "4294967295");
	} else if (row->type == &value_accept_filter) {
		buf_add_text(b, roll(d, 2) ? "http data" : "none");
	} else if (row->type == &value_mutex) {
		buf_add_text(&word, "flock:/x");
		add_nasty(d, &word, 6);
		value_write_word(buf_text(&word), b);
		buf_add_text(b, roll(d, 2) ? " mpm-accept" : "");
	} else if (row->type == &value_interpreter && roll(d, 2)) {
		buf_add_text(b, "3.13t");
	} else if (row->type == &value_text || row->type == &value_texts ||
		   row->type == &value_x_options) {
		add_nasty(d, b, 8);
	} else if (row->type == &value_path || row->type == &value_log_target ||
		   row->type == &value_path_list ||
		   row->type == &value_interpreter) {
		buf_add_text(b, roll(d, 2) ? "/p" : "./p");
		add_nasty(d, b, 8);
	} else {
		add_number(d, row, b);
	}
	buf_fini(&word);
}

static bool
is_left_out(const struct directive *row)
{
	/* Set by other means. */
	return row->where == DIRECTIVE_DUMPED || row->type == &value_log_format;
}

/* A configuration of legal values from all sources. */
static struct config *
make_config(struct dice *d)
{
	struct config *c = config_create();

	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);
		struct buf b = {0}, env = {0};

		if (is_left_out(row) ||
			(row->type != &value_networks && roll(d, 3) == 0))
			continue;
		make_value(d, row, &b);
		if (roll(d, 2) == 0 || row->type == &value_listen) {
			config_set(c, row->name, buf_text(&b), "test");
		} else {
			char *list[2] = {NULL, NULL};

			directive_environment(row->option, &env);
			buf_printf(&env, "=%s", buf_text(&b));
			list[0] = strdup(buf_text(&env));
			config_read_environment(c, list);
			free(list[0]);
		}
		buf_fini(&b);
		buf_fini(&env);
	}
	return c;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
assert_same_lists(const struct config *a, const struct config *b)
{
	assert_int_equal(a->n_listens, b->n_listens);
	for (size_t i = 0; i < a->n_listens; i++) {
		const struct config_listen *x = &a->listens[i];
		const struct config_listen *y = &b->listens[i];

		assert_string_equal(x->address, y->address);
		assert_int_equal(x->mode, y->mode);
		assert_int_equal(x->https, y->https);
		assert_true(same_text(x->owner, y->owner));
		assert_true(same_text(x->group, y->group));
	}
	assert_int_equal(a->n_access_logs, b->n_access_logs);
	for (size_t i = 0; i < a->n_access_logs; i++) {
		assert_string_equal(
			a->access_logs[i].target, b->access_logs[i].target);
		assert_string_equal(
			a->access_logs[i].format, b->access_logs[i].format);
	}
}

static bool
same_proxy_headers(const void *a, const void *b)
{
	const struct config_proxy_headers *x = a, *y = b;

	return x->known == y->known && same_text(x->passed, y->passed);
}

static void
assert_same(const struct config *a, const struct config *b)
{
	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);
		const char *x = (const char *)a + row->offset;
		const char *y = (const char *)b + row->offset;
		bool same;

		if (row->type->storage != STORED_PLAIN)
			continue;
		if (row->type == &value_text || row->type == &value_path ||
			row->type == &value_mutex ||
			row->type == &value_mount_point ||
			row->type == &value_log_target ||
			row->type == &value_path_list ||
			row->type == &value_interpreter ||
			row->type == &value_hash_seed)
			same = same_text(*(const char *const *)(const void *)x,
				*(const char *const *)(const void *)y);
		else if (row->type == &value_proxy_headers)
			same = same_proxy_headers(x, y);
		else
			same = memcmp(x, y, row->type->size) == 0;
		if (!same)
			fail_msg("%s is not the same", row->name);
	}
	assert_same_lists(a, b);
}

/* Dump, read back on another machine, compare; the text must come out the
 * same again, and nobody may have more to say than of the original. */
static void
assert_round_trip(const struct config *c)
{
	struct config_machine machine = {.cpus = 77};
	struct config *again = config_create();
	struct buf first = {0}, second = {0};

	assert_int_equal(config_dump(c, &first), 0);
	config_read_text(again, "dump", first.data, first.len);
	config_settle(again, &machine);
	if (count_messages(again) > count_messages(c))
		fail_msg("%s\n%s", config_message(again, 0)->text,
			buf_text(&first));
	assert_same(c, again);
	assert_int_equal(config_dump(again, &second), 0);
	assert_string_equal(buf_text(&first), buf_text(&second));
	config_destroy(again);
	buf_fini(&first);
	buf_fini(&second);
}

static void
test_generated_configurations_read_back(void **state)
{
	struct dice dice = {.state = 812};
	int settled = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct config *c = make_config(&dice);
		struct config_machine machine = {
			.cpus = (int)roll(&dice, 128) + 1};

		if (config_settle(c, &machine) == 0) {
			assert_round_trip(c);
			settled++;
		} else if (count_fatal(c) == 0) {
			fail_msg("settling failed without a reason");
		}
		config_destroy(c);
	}
	/* The generator makes a few that are refused: an application with a
	 * blank in front of "~/", say. */
	assert_true(settled > ROUNDS / 2);
}

static void
test_files_read_back(void **state)
{
	static const char *const texts[] = {
		"",
		"Processes 3\n",
		"Processes 3\nServerLimit 2\n",
		"MaxSpareServers 3\nMinSpareServers 5\nMaxRequestWorkers 2\n",
		"MPM prefork\nThreadsPerChild 4\nMinSpareThreads 9\n",
		"MPM worker\n",
		"MPM worker\nMaxSpareServers 9\nMinSpareServers 3\n",
		"ThreadsPerChild 3\nProcesses 3\n",
		"MPM worker\nThreadsPerChild 30\nMaxRequestWorkers 100\n"
		"MinSpareThreads 60\nMaxSpareThreads 70\nThreadLimit 20\n"
		"ThreadStackSize 1k\n",
		"LogFormat \"%h \\\"%r\\\" \\\\ \\t\" x\nCustomLog - x\n"
		"CustomLog \"/a b\" combined\n",
		"Listen unix:/run/x.sock mode=0600 owner=a group=b\n"
		"Listen \"unix:/run/a b\"\nListen [::1]:1\nListen unix:@a\n",
		"WSGIApplication \"/srv/my site/app.wsgi\"\n",
		"User #33\nErrorLog /x\nTimeout 1ms\nLimitRequestBody 0\n",
		"InstanceName shop\nInstanceFile /etc/shop.conf\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *c = settle_config(texts[i], 2);

		assert_int_equal(count_fatal(c), 0);
		assert_round_trip(c);
		config_destroy(c);
	}
}

static void
test_the_dump_says_everything_plainly(void **state)
{
	struct config *c = settle_config(
		"User \"a \\\"b\\\"\"\nGroup \\${x}\nCustomLog - common\n", 2);
	struct buf b = {0};

	(void)state;
	assert_int_equal(config_dump(c, &b), 0);
	assert_non_null(strstr(buf_text(&b), "Listen 127.0.0.1:8000\n"));
	assert_non_null(strstr(buf_text(&b), "MaxRequestWorkers 8\n"));
	assert_non_null(strstr(buf_text(&b), "LimitRequestBody 1g\n"));
	assert_non_null(strstr(buf_text(&b), "User \"a \\\"b\\\"\"\n"));
	assert_non_null(strstr(buf_text(&b), "Group \"\\${x}\"\n"));
	assert_non_null(strstr(buf_text(&b), "CustomLog - \"%h %l"));
	assert_non_null(strstr(buf_text(&b), "InstanceName 8000\n"));
	assert_null(strstr(buf_text(&b), "Processes"));
	assert_null(strstr(buf_text(&b), "PidFile"));
	buf_fini(&b);
	config_destroy(c);
}

static void
test_a_file_cannot_say_what_only_a_dump_says(void **state)
{
	struct scratch s;
	struct config *c = config_create();

	(void)state;
	scratch_init(&s);
	config_read_file(c, scratch_write(&s, "x.conf", "InstanceName shop\n"));
	assert_true(has_message(c, "InstanceName: there is no such directive"));
	config_destroy(c);
	scratch_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated_configurations_read_back),
		cmocka_unit_test(test_files_read_back),
		cmocka_unit_test(test_the_dump_says_everything_plainly),
		cmocka_unit_test(test_a_file_cannot_say_what_only_a_dump_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
