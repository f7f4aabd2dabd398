/*
 * reading.c - what the tests of this folder have in common.  See reading.h.
 */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/tree.h"

struct config *
read_config(const char *text)
{
	struct config *c = config_create();

	assert_non_null(c);
	assert_int_equal(config_read_text(c, "t.conf", text, strlen(text)), 0);
	return c;
}

struct config *
settle_config(const char *text, int cpus)
{
	struct config *c = read_config(text);
	struct config_machine machine = {.cpus = cpus};

	config_settle(c, &machine);
	return c;
}

size_t
count_messages(const struct config *c)
{
	size_t n = 0;

	while (config_message(c, n) != NULL)
		n++;
	return n;
}

size_t
count_fatal(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; config_message(c, i) != NULL; i++)
		n += config_message(c, i)->fatal;
	return n;
}

static void
print_messages(const struct config *c)
{
	for (size_t i = 0; config_message(c, i) != NULL; i++)
		print_error("message: %s\n", config_message(c, i)->text);
}

const char *
only_message(const struct config *c)
{
	const char *text, *space;

	if (count_messages(c) != 1)
		print_messages(c);
	assert_int_equal(count_messages(c), 1);
	text = config_message(c, 0)->text;
	space = strstr(text, ": ");
	assert_non_null(space);
	return space + 2;
}

bool
has_message(const struct config *c, const char *part)
{
	for (size_t i = 0; config_message(c, i) != NULL; i++)
		if (strstr(config_message(c, i)->text, part) != NULL)
			return true;
	print_error("wanted: %s\n", part);
	print_messages(c);
	return false;
}

void
scratch_init(struct scratch *s)
{
	strcpy(s->path, "/tmp/wsgid-config-XXXXXX");
	assert_non_null(mkdtemp(s->path));
}

void
scratch_fini(struct scratch *s)
{
	tree_remove(s->path);
}

const char *
scratch_path(const struct scratch *s, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", s->path, name);
	return path;
}

const char *
scratch_write(const struct scratch *s, const char *name, const char *text)
{
	const char *path = scratch_path(s, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	return path;
}
